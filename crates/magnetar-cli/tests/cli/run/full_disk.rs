//! A full disk: the run says so, waits, and goes on when there is room.

use std::{fs::File, path::PathBuf, process::Command};

use super::support::{Running, until};
use crate::support::Folder;

/// A small filesystem, where this user may mount one. It is unmounted at the end.
struct Disk(PathBuf);

impl Disk {
    fn mount(folder: &Folder) -> Option<Self> {
        let at = folder.at("disk");
        std::fs::create_dir(&at).unwrap();
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", "size=4m", "tmpfs"]).arg(&at).output();
        mounted.is_ok_and(|mounted| mounted.status.success()).then_some(Self(at))
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let unmounted = Command::new("umount").arg("--lazy").arg(&self.0).status();
        assert!(unmounted.is_ok_and(|status| status.success()) || std::thread::panicking());
    }
}

#[test]
fn run_waits_for_room_and_loses_nothing() {
    let folder = Folder::new();
    let Some(_disk) = Disk::mount(&folder) else {
        eprintln!("skipped: this user may not mount a small filesystem");
        return;
    };
    let fill = "[[chunks]]\nid = 1\nshell = 'dd if=/dev/zero of=disk/filler bs=4k 2> /dev/null; echo 1 >> log'\n";
    // What each prints is kept, so that the store grows.
    let rest = |id: u32| format!("[[chunks]]\nid = {id}\ndepends_on = [1]\nshell = 'echo {id} >> log; seq 1 1000'\n");
    folder.write("jobs.toml", &(2..=200).fold(fill.to_owned(), |text, id| text + &rest(id)));
    let mut command = folder.command("run jobs.toml -j 4 --store disk/jobs.db");
    let run = Running::from(
        command.stdout(File::create(folder.at("out")).unwrap()).stderr(File::create(folder.at("err")).unwrap()).spawn().unwrap(),
    );
    until("it says that there is no room", || folder.read("err").contains("waiting:"));
    std::fs::remove_file(folder.at("disk/filler")).unwrap();
    run.end().expect(0);
    let mut log: Vec<u32> = folder.lines("log").iter().map(|line| line.parse().unwrap()).collect();
    log.sort_unstable();
    assert_eq!(log, (1..=200).collect::<Vec<_>>(), "each ran once");
}
