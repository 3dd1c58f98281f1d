//! Two runs of one job at once.

use super::support::{Running, until};
use crate::support::Folder;

/// Chunks that wait for a file, and say who ran them.
fn waiting(folder: &Folder, chunks: u32) {
    let chunk = |id: u32| {
        format!("[[chunks]]\nid = {id}\nshell = 'echo {id} >> begun; until test -e go; do sleep 0.01; done; echo {id} >> log'\n")
    };
    folder.write("jobs.toml", &(1..=chunks).map(chunk).collect::<String>());
}

#[test]
fn second_run_is_refused_while_the_first_goes_on() {
    for store in ["jobs.db", "jobs.redb"] {
        let folder = Folder::new();
        waiting(&folder, 1);
        let args = format!("run jobs.toml --store {store}");
        let first = Running::start(&folder, &args);
        until("the first runs", || folder.lines("begun").len() == 1);
        let second = folder.run(&args).expect(4);
        let expected = format!("error: the job is running already, by process {}", first.pid().as_raw_nonzero());
        assert!(second.stderr.contains(&expected), "{}", second.stderr);
        folder.write("go", "");
        first.end().expect(0);
        assert_eq!(folder.lines("begun"), ["1"]);
        folder.run(&args).expect(0);
    }
}

#[test]
fn second_run_may_follow_a_kill_at_once() {
    let folder = Folder::new();
    waiting(&folder, 1);
    let first = Running::start(&folder, "run jobs.toml");
    until("the first runs", || folder.lines("begun").len() == 1);
    first.kill();
    folder.write("go", "");
    folder.run("run jobs.toml").expect(0);
    assert_eq!(folder.lines("begun"), ["1", "1"]);
}

#[test]
fn runs_that_join_share_the_work() {
    let folder = Folder::new();
    waiting(&folder, 4);
    let first = Running::start(&folder, "run jobs.toml -j 2");
    until("the first runs", || folder.lines("begun").len() == 2);
    let second = Running::start(&folder, "run jobs.toml -j 2 --join");
    until("both run", || folder.lines("begun").len() == 4);
    folder.run("run jobs.toml").expect(4);
    folder.write("go", "");
    for run in [first, second] {
        let ran = run.end().expect(0);
        assert!(ran.stdout.contains("4 of 4 chunks done"), "{}", ran.stdout);
    }
    let mut log = folder.lines("log");
    log.sort();
    assert_eq!(log, ["1", "2", "3", "4"]);
}

#[test]
fn joining_nobody_is_a_run_of_its_own() {
    let folder = Folder::new();
    waiting(&folder, 2);
    folder.write("go", "");
    folder.run("run jobs.toml --join").expect(0);
    assert_eq!(folder.lines("log").len(), 2);
}

#[test]
fn joining_on_redb_says_that_it_is_open_elsewhere() {
    let folder = Folder::new();
    waiting(&folder, 1);
    let first = Running::start(&folder, "run jobs.toml --store jobs.redb");
    until("the first runs", || folder.lines("begun").len() == 1);
    let second = folder.run("run jobs.toml --store jobs.redb --join").expect(5);
    assert!(second.stderr.contains("another handle or process has it open"), "{}", second.stderr);
    folder.write("go", "");
    first.end().expect(0);
}
