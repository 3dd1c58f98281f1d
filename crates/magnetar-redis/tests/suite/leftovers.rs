//! Servers of tests end with whoever started them, however that ends.

use std::{env, path::Path, process::Command};

use rustix::process::{Pid, test_kill_process};

use crate::server::{Server, until};

const CHILD: &str = "MAGNETAR_REDIS_CHILD";

fn is_gone(pid: i32, folder: &Path) -> bool {
    test_kill_process(Pid::from_raw(pid).unwrap()).is_err() && !folder.exists()
}

#[test]
fn server_is_gone_with_its_folder_when_it_is_dropped_and_when_its_test_panics() {
    let Some(server) = Server::plain() else { return };
    let (pid, folder) = (server.pid(), server.folder().to_owned());
    drop(server);
    assert!(is_gone(pid, &folder));
    let (sender, receiver) = std::sync::mpsc::channel();
    let ended = std::panic::catch_unwind(move || {
        let server = Server::plain().unwrap();
        sender.send((server.pid(), server.folder().to_owned())).unwrap();
        panic!("as a test does that fails");
    });
    assert!(ended.is_err());
    let (pid, folder) = receiver.recv().unwrap();
    assert!(is_gone(pid, &folder));
}

/// Plays the child of the test below: it starts a server, says which, and dies at once.
#[test]
fn server_is_gone_with_its_folder_when_its_process_is_killed() {
    let Some(server) = Server::plain() else { return };
    if env::var_os(CHILD).is_some() {
        println!("\n{CHILD} {} {}", server.pid(), server.folder().display());
        std::process::abort();
    }
    let own = ["leftovers::server_is_gone_with_its_folder_when_its_process_is_killed", "--exact", "--nocapture"];
    let output = Command::new(env::current_exe().unwrap()).args(own).env(CHILD, "1").output().unwrap();
    assert!(!output.status.success());
    let said = String::from_utf8(output.stdout).unwrap();
    let line = said.lines().find_map(|line| line.strip_prefix(CHILD)).unwrap_or_else(|| panic!("{said}"));
    let (pid, folder) = line.trim().split_once(' ').unwrap();
    until("nothing is left", || is_gone(pid.parse().unwrap(), Path::new(folder)));
}
