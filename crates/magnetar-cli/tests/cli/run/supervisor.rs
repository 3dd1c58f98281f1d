//! What is left when processes are killed: `magnetar run`, or its supervisors.

use std::os::unix::net::UnixStream;

use rustix::process::{Signal, kill_process};

use super::support::{Running, lives, ran, until};
use crate::support::Folder;

#[test]
fn nothing_is_left_of_a_run_that_was_killed() {
    let folder = Folder::new();
    let daemon = "setsid sh -c 'echo $$ >> pids; exec sleep 1000' & ";
    let deaf = "trap \"\" TERM; echo $$ >> pids; while true; do sleep 1000; done";
    folder.write(
        "jobs.toml",
        &format!(
            "[[chunks]]\nid = 1\nshell = '''{daemon}{deaf}'''\n[[chunks]]\nid = 2\nshell = '''(sleep 1000 & echo $! >> pids); {deaf}'''\n\
             [[chunks]]\nid = 3\nshell = 'echo $$ >> pids; sleep 1000'\n"
        ),
    );
    let run = Running::start(&folder, "run jobs.toml -j 3");
    until("everything has been started", || folder.pids("pids").len() == 5);
    let (pids, supervisors) = (folder.pids("pids"), run.supervisors());
    assert!(!supervisors.is_empty() && pids.iter().all(|pid| lives(*pid)));
    run.kill();
    until("nothing is left", || !pids.iter().chain(&supervisors).any(|pid| lives(*pid)));
}

#[test]
fn chunk_is_not_handed_out_while_its_last_command_lives() {
    let folder = Folder::new();
    // The first attempt does not listen, so it lives on for a while; the second looks whether it does.
    folder.write(
        "jobs.toml",
        "[[chunks]]\nid = 1\nshell = '''\nif test -s pids; then kill -0 $(cat pids) && echo overlap >> log; echo second >> log; exit 0; fi\n\
         trap \"\" TERM; echo $$ > pids; while true; do sleep 1; done'''\n",
    );
    for store in ["jobs.db", "jobs.redb"] {
        let run = Running::start(&folder, &format!("run jobs.toml --store {store}"));
        until("the first attempt runs", || folder.pids("pids").len() == 1);
        run.kill();
        folder.run(&format!("run jobs.toml --store {store}")).expect(0);
        assert_eq!(folder.read("log"), "second\n", "{store}");
        folder.write("log", "");
        folder.write("pids", "");
    }
}

#[test]
fn command_that_kills_its_parent_has_failed_and_the_run_goes_on() {
    let folder = Folder::new();
    folder.write(
        "jobs.toml",
        "[retry]\nfirst_wait = 0\n[[chunks]]\nid = 1\nretries = 1\n\
         shell = '(sleep 1000 & echo $! >> pids); echo $$ >> pids; kill -9 $PPID; sleep 1000'\n\
         [[chunks]]\nid = 2\ndepends_on = []\nshell = 'true'\n",
    );
    let ran = folder.run("run jobs.toml -j 1").expect(1);
    assert!(ran.stdout.contains("its supervisor was killed") && ran.stdout.contains("1 of 2 chunks done"), "{}", ran.stdout);
    let pids = folder.pids("pids");
    assert!(pids.len() == 4 && !pids.into_iter().any(lives));
}

#[test]
fn supervisor_that_is_killed_takes_its_commands_with_it_and_is_replaced() {
    let folder = Folder::new();
    folder.write(
        "jobs.toml",
        "[retry]\nfirst_wait = 0\n[[chunks]]\nid = 1\nshell = 'test -e pids && exit 0; echo $$ > pids; sleep 1000'\n",
    );
    let run = Running::start(&folder, "run jobs.toml");
    until("the command runs", || folder.pids("pids").len() == 1);
    let first = run.supervisors();
    for supervisor in &first {
        kill_process(*supervisor, Signal::KILL).unwrap();
    }
    let ran = run.end().expect(0);
    assert!(ran.stderr.contains("its supervisor was killed"), "{}", ran.stderr);
    assert!(!folder.pids("pids").into_iter().chain(first).any(lives));
}

#[test]
fn supervisor_heeds_no_signal_but_the_end_of_its_run() {
    let folder = Folder::new();
    folder.write("jobs.toml", "[[chunks]]\nid = 1\nshell = 'touch on; until test -e go; do sleep 0.01; done'\n");
    let run = Running::start(&folder, "run jobs.toml");
    until("the command runs", || folder.at("on").exists());
    for supervisor in run.supervisors() {
        for signal in [Signal::INT, Signal::TERM, Signal::HUP] {
            kill_process(supervisor, signal).unwrap();
        }
    }
    folder.write("go", "");
    run.end().expect(0);
}

#[test]
fn supervisor_by_itself_says_what_it_is() {
    let folder = Folder::new();
    assert_eq!(ran(&mut folder.command("supervise")).status.code(), Some(5));
    let (own, its) = UnixStream::pair().unwrap();
    drop(own);
    let ended = ran(folder.command("supervise").stdin(std::os::fd::OwnedFd::from(its)));
    assert_eq!(ended.status.code(), Some(0));
}
