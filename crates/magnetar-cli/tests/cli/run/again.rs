//! Running a job again: what is done is not done again, unless an input changed.

use std::{
    fs::{self, File},
    time::Duration,
};

use insta::assert_snapshot;

use crate::support::Folder;

/// Three chunks in a row and one beside them; each writes its id into a log.
const CHAIN: &str = "[[chunks]]\nid = 1\ninput = \"a.txt\"\nshell = 'echo 1 >> log'\n\
    [[chunks]]\nid = 2\ndepends_on = [1]\nshell = 'echo 2 >> log'\n\
    [[chunks]]\nid = 3\ndepends_on = [2]\nshell = 'echo 3 >> log'\n\
    [[chunks]]\nid = 4\ninput = [\"a.txt\", \"b.txt\"]\ndepends_on = [3]\nshell = 'echo 4 >> log'\n\
    [[chunks]]\nid = 5\ninput = \"b.txt\"\nshell = 'echo 5 >> log'\n";

fn chain() -> Folder {
    let folder = Folder::new();
    folder.write("jobs.toml", CHAIN);
    folder.write("a.txt", "first");
    folder.write("b.txt", "second");
    folder.run("run jobs.toml -j 1").expect(0);
    folder.write("log", "");
    folder
}

/// Has a file changed that much longer ago.
fn age(folder: &Folder, name: &str, by: Duration) {
    let file = File::options().write(true).open(folder.at(name)).unwrap();
    let changed = file.metadata().unwrap().modified().unwrap();
    file.set_modified(changed - by).unwrap();
}

#[test]
fn nothing_is_done_again() {
    let folder = chain();
    let ran = folder.run("run jobs.toml").expect(0);
    assert!(ran.stdout.contains("5 of 5 chunks done"), "{}", ran.stdout);
    assert_eq!(folder.read("log"), "");
}

#[test]
fn changed_input_runs_its_chunk_and_what_is_behind_it_again_and_says_why() {
    let folder = chain();
    folder.write("a.txt", "another");
    assert_snapshot!(folder.shown("run jobs.toml -j 1 --progress none"), @r"
    $ magnetar run jobs.toml -j 1 --progress none
    jobs: 5 of 5 chunks done in 0.0 s
    ---- stderr
    note: chunk 1 runs again, because its input a.txt changed: it has 7 bytes instead of 5
    note: chunk 4 runs again, because its input a.txt changed: it has 7 bytes instead of 5
    note: 2 chunks behind them, which had ended, run again too
    ---- exit code 0
    ");
    assert_eq!(folder.lines("log"), ["1", "2", "3", "4"]);
    folder.write("log", "");
    folder.run("run jobs.toml").expect(0);
    assert_eq!(folder.read("log"), "");
}

#[test]
fn content_decides_and_not_the_time() {
    let folder = chain();
    // Long enough ago that a second look would be spared, if nothing had changed.
    for _ in 0..2 {
        age(&folder, "a.txt", Duration::from_hours(1));
        let ran = folder.run("run jobs.toml --progress none").expect(0);
        assert_eq!((ran.stderr.as_str(), folder.read("log").as_str()), ("", ""));
    }
    folder.write("a.txt", "other");
    age(&folder, "a.txt", Duration::from_hours(5));
    let ran = folder.run("run jobs.toml -j 1 --progress none").expect(0);
    assert!(ran.stderr.contains("its input a.txt changed: its content differs"), "{}", ran.stderr);
    assert_eq!(folder.lines("log"), ["1", "2", "3", "4"]);
}

#[test]
fn input_that_is_gone_is_no_reason() {
    let folder = chain();
    fs::remove_file(folder.at("a.txt")).unwrap();
    folder.run("run jobs.toml").expect(0);
    assert_eq!(folder.read("log"), "");
}

#[test]
fn what_failed_is_tried_again_with_the_manifest_as_it_is_by_now() {
    let folder = Folder::new();
    let manifest = |shell: &str| {
        format!(
            "[retry]\nfirst_wait = 0\n[[chunks]]\nid = 1\nshell = '{shell}'\n\
             [[chunks]]\nid = 2\ndepends_on = [1]\nshell = 'echo 2 >> log'\n[[chunks]]\nid = 3\nshell = 'echo 3 >> log'\n"
        )
    };
    folder.write("jobs.toml", &manifest("echo 1 >> log; false"));
    folder.run("run jobs.toml -j 1").expect(1);
    folder.write("log", "");
    folder.write("jobs.toml", &manifest("echo better >> log"));
    let ran = folder.run("run jobs.toml --progress none").expect(0);
    assert!(ran.stderr.contains("1 chunk that failed before runs again"), "{}", ran.stderr);
    assert_eq!(folder.lines("log"), ["better", "2"]);
}

#[test]
fn what_was_cancelled_stays_so() {
    let folder = Folder::new();
    folder.write("jobs.toml", "[[chunks]]\nid = 1\nretries = 0\nshell = 'echo 1 >> log; test -e go'\n[[chunks]]\nid = 2\ndepends_on = [1]\nshell = 'echo 2 >> log'\n");
    folder.run("run jobs.toml").expect(1);
    folder.run("retry jobs.toml 1").expect(0);
    folder.run("cancel jobs.toml 1").expect(0);
    folder.write("log", "");
    let ran = folder.run("run jobs.toml").expect(1);
    assert!(ran.stdout.contains("1 cancelled"), "{}", ran.stdout);
    assert_eq!(folder.read("log"), "");
}

#[test]
fn manifest_may_grow_and_shrink() {
    let folder = Folder::new();
    let chunk = |id: u32| format!("[[chunks]]\nid = {id}\nshell = 'echo {id} >> log'\n");
    folder.write("jobs.toml", &(chunk(1) + &chunk(2)));
    folder.run("run jobs.toml -j 1").expect(0);
    folder.write("jobs.toml", &(chunk(2) + &chunk(3)));
    let ran = folder.run("run jobs.toml -j 1").expect(0);
    assert!(ran.stderr.contains("1 chunk that the manifest no longer names stays in the job"), "{}", ran.stderr);
    assert_eq!(folder.lines("log"), ["1", "2", "3"]);
}
