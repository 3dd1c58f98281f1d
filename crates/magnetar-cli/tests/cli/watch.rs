//! `magnetar watch`, where it is no terminal.

use std::{
    io::{BufRead, BufReader},
    process::{Child, ChildStdout, Stdio},
};

use insta::assert_snapshot;
use magnetar::JobStatus;
use rustix::process::{Pid, Signal, kill_process};

use crate::support::{
    Folder,
    jobs::{self, Store},
    normal,
};

/// A watch that goes on, and is killed where a test ends before it.
struct Watch {
    child: Child,
    lines: BufReader<ChildStdout>,
}

impl Watch {
    fn start(folder: &Folder, args: &str) -> Self {
        let mut child = folder.command(args).stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap());
        Self { child, lines }
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.lines.read_line(&mut line).unwrap();
        normal(line.trim_end())
    }

    fn code(&mut self) -> Option<i32> {
        self.child.wait().unwrap().code()
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn job_is_watched_from_another_process_until_it_has_ended() {
    let folder = Folder::new();
    let store = Store::with(&folder.at("jobs.db"), &jobs::plain("few", 3));
    let mut watch = Watch::start(&folder, "watch jobs.db --interval 50ms");
    let mut lines = vec![watch.line()];
    // Looks that find nothing new say nothing.
    (0..3).for_each(|_| drop(folder.run("status jobs.db").expect(0)));
    let fence = store.claim();
    lines.push(watch.line());
    store.complete(&fence, b"");
    lines.push(watch.line());
    store.fail(2, "no");
    lines.push(watch.line());
    store.mark(3, JobStatus::Done);
    lines.push(watch.line());
    assert_eq!((watch.line().as_str(), watch.code()), ("", Some(0)));
    assert_snapshot!("lines", lines.join("\n"));
}

#[test]
fn exit_status_is_that_of_the_job_where_it_is_asked_for() {
    let folder = Folder::new();
    let store = Store::with(&folder.at("jobs.db"), &jobs::plain("few", 2));
    store.mark(1, JobStatus::Done);
    store.fail(2, "no");
    assert_snapshot!("failed", folder.run("watch jobs.db --exit-status").expect(1).shown());
    folder.run("watch jobs.db").expect(0);
    store.mark(2, JobStatus::Pending);
    store.mark(2, JobStatus::Done);
    folder.run("watch jobs.db --exit-status").expect(0);
    drop(jobs::stuck(&folder.at("stuck.db")));
    folder.run("watch stuck.db --exit-status").expect(1);
}

#[test]
fn change_is_a_json_document_or_a_csv_record() {
    let folder = Folder::new();
    let store = Store::with(&folder.at("jobs.db"), &jobs::plain("few", 1));
    store.mark(1, JobStatus::Done);
    assert_snapshot!("json", folder.shown("watch jobs.db -o json"));
    assert_snapshot!("csv", folder.shown("watch jobs.db -o csv"));
}

#[test]
fn interrupt_ends_it_with_130_and_leaves_no_session() {
    let folder = Folder::new();
    let _store = jobs::nightly(&folder.at("jobs.db"));
    let sessions = || std::fs::read_dir(folder.at("jobs.db-sessions")).unwrap().count();
    let before = sessions();
    let mut watch = Watch::start(&folder, "watch jobs.db --interval 50ms");
    watch.line();
    assert_eq!(sessions(), before + 1);
    kill_process(Pid::from_child(&watch.child), Signal::INT).unwrap();
    assert_eq!((watch.code(), sessions()), (Some(130), before));
}

#[test]
fn job_that_is_deleted_while_it_is_watched_is_told() {
    let folder = Folder::new();
    let store = Store::with(&folder.at("jobs.db"), &jobs::plain("few", 1));
    let mut watch = Watch::start(&folder, "watch jobs.db --interval 50ms");
    watch.line();
    store.delete();
    assert_eq!((watch.line().as_str(), watch.code()), ("", Some(3)));
}

#[test]
fn store_of_one_process_is_not_watched_while_a_run_could_need_it() {
    let folder = Folder::new();
    let store = Store::with(&folder.at("jobs.redb"), &jobs::plain("few", 1));
    drop(store);
    assert_snapshot!("redb", folder.run("watch jobs.redb").expect(5).shown());
    let store = Store::open(&folder.at("jobs.redb"));
    store.mark(1, JobStatus::Done);
    drop(store);
    folder.run("watch jobs.redb --exit-status").expect(0);
}

#[test]
fn interval_is_a_duration_that_is_not_too_short() {
    let folder = Folder::new();
    for interval in ["0s", "1ms", "soon"] {
        folder.run(&format!("watch jobs.db --interval {interval}")).expect(2);
    }
}
