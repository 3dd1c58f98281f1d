//! Ctrl-C once, twice and three times.

use std::fs::File;

use rustix::process::Signal;

use super::support::{Running, lives, until};
use crate::support::Folder;

/// Starts a run whose errors go to a file.
fn start(folder: &Folder) -> Running {
    let mut command = folder.command("run jobs.toml -j 1");
    let run = command.stdout(File::create(folder.at("out")).unwrap()).stderr(File::create(folder.at("err")).unwrap()).spawn();
    Running::from(run.unwrap())
}

#[test]
fn first_signal_lets_what_runs_finish_and_starts_nothing_new() {
    for signal in [Signal::INT, Signal::TERM] {
        let folder = Folder::new();
        folder.write(
            "jobs.toml",
            "[[chunks]]\nid = 1\nshell = 'touch on; until test -e go; do sleep 0.01; done; echo 1 >> log'\n\
             [[chunks]]\nid = 2\nshell = 'echo 2 >> log'\n",
        );
        let run = start(&folder);
        until("the command runs", || folder.at("on").exists());
        run.signal(signal);
        until("it says so", || folder.read("err").contains("interrupted: nothing new is started"));
        folder.write("go", "");
        run.end().expect(130);
        assert_eq!(folder.lines("log"), ["1"]);
        assert!(folder.read("out").contains("1 of 2 chunks done, 1 to do"), "{}", folder.read("out"));
        assert!(folder.read("err").contains("`magnetar run jobs.toml` carries on"), "{}", folder.read("err"));
        folder.run("run jobs.toml").expect(0);
        assert_eq!(folder.lines("log"), ["1", "2"]);
    }
}

#[test]
fn second_signal_kills_what_runs_at_no_cost() {
    let folder = Folder::new();
    folder.write(
        "jobs.toml",
        "[[chunks]]\nid = 1\nretries = 0\nshell = 'test -e go && exit 0; sleep 1000 & echo $! >> pids; echo $$ >> pids; wait'\n",
    );
    let run = start(&folder);
    until("the command runs", || folder.pids("pids").len() == 2);
    run.signal(Signal::INT);
    until("it says so", || folder.read("err").contains("nothing new is started"));
    run.signal(Signal::INT);
    run.end().expect(130);
    assert!(!folder.pids("pids").into_iter().any(lives));
    let shown = folder.run("show jobs.toml 1").expect(0).stdout;
    assert!(shown.contains("pending") && shown.contains("failures  0"), "{shown}");
    folder.write("go", "");
    folder.run("run jobs.toml").expect(0);
}

#[test]
fn third_signal_leaves_at_once_and_the_supervisor_does_the_rest() {
    let folder = Folder::new();
    folder.write("jobs.toml", "[[chunks]]\nid = 1\nshell = 'trap \"\" TERM; echo $$ >> pids; while true; do sleep 1; done'\n");
    let run = start(&folder);
    until("the command runs", || folder.pids("pids").len() == 1);
    run.signal(Signal::INT);
    until("it drains", || folder.read("err").contains("nothing new is started"));
    run.signal(Signal::INT);
    until("it kills", || folder.read("err").contains("what runs is killed"));
    run.signal(Signal::INT);
    run.end().expect(130);
    assert!(folder.pids("pids").into_iter().all(lives), "it did not wait for a command that does not listen");
    until("nothing is left", || !folder.pids("pids").into_iter().any(lives));
}
