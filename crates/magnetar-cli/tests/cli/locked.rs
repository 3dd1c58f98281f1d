//! Stores that another process has open.

use std::{
    fs,
    process::{Child, Command, Stdio},
};

use insta::assert_snapshot;
use magnetar::JobStatus;

use crate::support::{
    Folder,
    jobs::{self, Store},
};

#[test]
fn sqlite_is_looked_at_and_changed_while_another_process_works_in_it() {
    let folder = Folder::new();
    let store = Store::with(&folder.at("jobs.db"), &jobs::plain("few", 4));
    let fence = store.claim();
    for args in ["status jobs.db", "list jobs.db", "show jobs.db 1", "dag jobs.db", "doctor jobs.db"] {
        folder.run(args).expect(0);
    }
    folder.run("cancel jobs.db 2").expect(0);
    assert_eq!(store.status(2), JobStatus::Cancelled);
    folder.run("retry jobs.db 2").expect(0);
    assert_eq!(store.status(2), JobStatus::Pending);
    folder.run("cancel jobs.db 1").expect(4);
    store.complete(&fence, b"");
    assert_eq!(store.status(1), JobStatus::Done);
}

#[test]
fn redb_says_what_to_do_instead() {
    let folder = Folder::new();
    let _store = Store::with(&folder.at("jobs.redb"), &jobs::plain("few", 1));
    assert_snapshot!("redb", folder.run("status jobs.redb").expect(5).shown());
    for command in ["watch", "list", "show 1 --store", "dag", "retry", "cancel --all", "doctor"] {
        folder.run(&format!("{command} jobs.redb")).expect(5);
    }
}

/// A run whose only chunk has begun, and goes on until it is told to end.
struct Run<'a> {
    folder: &'a Folder,
    child: Child,
}

impl<'a> Run<'a> {
    fn start(folder: &'a Folder, args: &str) -> Self {
        assert!(Command::new("mkfifo").args(["began", "end"]).current_dir(folder.path()).status().unwrap().success());
        folder.write("jobs.toml", "[[chunks]]\nid = 1\nshell = \"echo > began; cat end\"\n");
        let child = folder.command(args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        // Reading waits until the chunk writes.
        fs::read(folder.at("began")).unwrap();
        Self { folder, child }
    }

    fn end(mut self) -> Option<i32> {
        fs::write(self.folder.at("end"), "").unwrap();
        self.child.wait().unwrap().code()
    }
}

impl Drop for Run<'_> {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn run_is_looked_at_from_a_second_terminal() {
    let folder = Folder::new();
    let run = Run::start(&folder, "run jobs.toml");
    assert_snapshot!("while_it_runs", folder.run("status jobs.toml").expect(0).shown());
    assert_snapshot!("cancel_while_it_runs", folder.run("cancel jobs.toml 1").expect(4).shown());
    let csv = folder.run("list jobs.toml -o csv").expect(0).stdout;
    assert!(csv.contains("1,processing,"), "{csv}");
    assert_eq!(run.end(), Some(0));
    let after = folder.run("watch jobs.toml --exit-status").expect(0).stdout;
    assert!(after.contains("done: 1 of 1 done"), "{after}");
}

#[test]
fn run_in_redb_says_what_to_do_instead() {
    let folder = Folder::new();
    let run = Run::start(&folder, "run jobs.toml --store jobs.redb");
    assert_snapshot!("redb_while_it_runs", folder.run("status jobs.toml --store jobs.redb").expect(5).shown());
    assert_eq!(run.end(), Some(0));
    folder.run("watch jobs.toml --store jobs.redb --exit-status").expect(0);
}
