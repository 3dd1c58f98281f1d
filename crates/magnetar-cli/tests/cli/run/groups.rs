//! What a command has started ends with it.

use super::support::lives;
use crate::support::Folder;

/// Runs a chunk with this line, and behind it one that notes which of the processes in `pids` live.
fn run(keys: &str, shell: &str, code: i32) -> (Folder, String) {
    let folder = Folder::new();
    let look = "for pid in $(cat pids); do kill -0 $pid && echo $pid >> alive; done; true";
    folder.write(
        "jobs.toml",
        &format!(
            "on_failure = \"run\"\n[[chunks]]\nid = 1\nretries = 0\n{keys}shell = '''{shell}'''\n\
             [[chunks]]\nid = 2\ndepends_on = [1]\nshell = '{look}'\n"
        ),
    );
    let stdout = folder.run("run jobs.toml --progress none").expect(code).stdout;
    (folder, stdout)
}

/// Expects that so many processes were started, and that none of them outlived its command.
#[track_caller]
fn expect_dead(folder: &Folder, count: usize) {
    let pids = folder.pids("pids");
    assert_eq!(pids.len(), count);
    assert_eq!(folder.read("alive"), "");
    assert!(!pids.into_iter().any(lives));
}

#[test]
fn command_that_never_ends_is_killed_with_its_whole_group() {
    let (folder, stdout) = run("timeout = \"200ms\"\n", "sleep 1000 & echo $! >> pids; echo $$ >> pids; wait", 1);
    assert!(stdout.contains("timed out after 200ms"), "{stdout}");
    expect_dead(&folder, 2);
}

#[test]
fn command_that_does_not_listen_is_killed_all_the_same() {
    let (folder, _) = run(
        "timeout = \"100ms\"\n",
        "trap '' TERM INT HUP; sleep 1000 & echo $! >> pids; echo $$ >> pids; while true; do wait; done",
        1,
    );
    expect_dead(&folder, 2);
}

#[test]
fn command_that_is_stopped_is_killed_all_the_same() {
    let (folder, _) = run("timeout = \"200ms\"\n", "echo $$ >> pids; kill -STOP $$", 1);
    expect_dead(&folder, 1);
}

#[test]
fn command_that_is_asked_to_end_may_tidy_up() {
    let (folder, _) = run("timeout = \"200ms\"\n", "trap 'echo tidy > log; exit 0' TERM; while true; do sleep 0.01; done", 1);
    assert_eq!(folder.read("log"), "tidy\n");
}

#[test]
fn what_a_command_leaves_behind_is_killed_and_it_is_done() {
    let (folder, _) = run("", "sleep 1000 & echo $! >> pids; (sleep 1000 & echo $! >> pids); exit 0", 0);
    expect_dead(&folder, 2);
}

#[test]
fn what_holds_the_pipes_open_does_not_hold_the_run_up() {
    let (folder, _) = run(
        "",
        "setsid sh -c 'trap \"\" TERM; echo $$ >> pids; exec sleep 1000' & until test -s pids; do sleep 0.01; done; echo done",
        0,
    );
    expect_dead(&folder, 1);
    assert!(folder.run("show jobs.toml 1").stdout.contains("| done\n"));
}

#[test]
fn daemon_is_found_wherever_it_went() {
    let line = "cat > daemon <<'END'\n#!/bin/sh\necho $$ >> pids\ncd /\nexec sleep 1000 < /dev/null > /dev/null 2>&1\nEND\n\
        chmod +x daemon; (setsid ./daemon &); (setsid ./daemon &); until test $(wc -l < pids) = 2; do sleep 0.01; done";
    let (folder, _) = run("", &format!("touch pids; {line}"), 0);
    expect_dead(&folder, 2);
}

#[test]
fn daemon_without_its_environment_ends_with_the_run() {
    let folder = Folder::new();
    folder.write(
        "jobs.toml",
        "[[chunks]]\nid = 1\nshell = '''setsid sh -c 'echo $$ > pids; exec env -i sleep 1000' & until test -s pids; do sleep 0.01; done; sleep 0.1'''\n\
         [[chunks]]\nid = 2\ndepends_on = [1]\nshell = 'kill -0 $(cat pids) && echo alive > log'\n",
    );
    folder.run("run jobs.toml").expect(0);
    assert_eq!(folder.read("log"), "alive\n");
    assert!(!folder.pids("pids").into_iter().any(lives));
}
