//! The exit codes, one by one.

use rustix::process::{Pid, Signal, kill_process};

use crate::support::{
    Folder,
    jobs::{self, Store},
};

#[test]
fn exit_code_0_says_that_it_went_well() {
    let folder = Folder::new();
    let _store = jobs::nightly(&folder.at("jobs.db"));
    folder.run("status jobs.db").expect(0);
}

#[test]
fn exit_code_1_says_that_a_chunk_failed_or_the_job_is_stalled() {
    let folder = Folder::new();
    drop(jobs::stuck(&folder.at("stuck.db")));
    folder.run("watch stuck.db --exit-status").expect(1);
}

#[test]
fn exit_code_2_says_that_the_command_line_cannot_be_meant() {
    let folder = Folder::new();
    folder.run("").expect(2);
    folder.run("status --frobnicate").expect(2);
    folder.run("status").expect(2);
}

#[test]
fn exit_code_3_says_that_it_is_not_there() {
    let folder = Folder::new();
    folder.run("status jobs.db").expect(3);
    let _store = jobs::nightly(&folder.at("jobs.db"));
    folder.run("show jobs.db 99").expect(3);
    folder.run("status jobs.db --job weekly").expect(3);
}

#[test]
fn exit_code_4_says_that_something_else_got_there_first() {
    let folder = Folder::new();
    let _store = jobs::nightly(&folder.at("jobs.db"));
    folder.run("cancel jobs.db 4").expect(4);
}

#[test]
fn exit_code_5_says_that_the_store_cannot_be_opened() {
    let folder = Folder::new();
    let _store = Store::with(&folder.at("jobs.redb"), &jobs::plain("few", 1));
    folder.run("status jobs.redb").expect(5);
}

#[test]
fn exit_code_6_says_that_the_store_is_damaged() {
    let folder = Folder::new();
    folder.write("jobs.db", &"no database\n".repeat(100));
    folder.run("status jobs.db").expect(6);
}

#[test]
fn exit_code_130_says_that_it_was_interrupted() {
    let folder = Folder::new();
    let _store = jobs::nightly(&folder.at("jobs.db"));
    let mut watch = folder.command("watch jobs.db -o csv --interval 50ms").stdout(std::process::Stdio::piped()).spawn().unwrap();
    let mut head = [0; 2];
    std::io::Read::read_exact(watch.stdout.as_mut().unwrap(), &mut head).unwrap();
    kill_process(Pid::from_child(&watch), Signal::INT).unwrap();
    assert_eq!(watch.wait().unwrap().code(), Some(130));
}
