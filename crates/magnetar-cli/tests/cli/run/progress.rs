//! What a run shows while it goes on, and at its end.

use insta::assert_snapshot;

use super::support::{Running, read_all, until};
use crate::support::{Folder, terminal::Terminal};

const JOBS: &str = "[[chunks]]\nid = 1\nshell = 'true'\n[[chunks]]\nid = 2\nretries = 0\nshell = 'echo no >&2; exit 3'\n\
    [[chunks]]\nid = 3\ndepends_on = [2]\nshell = 'true'\n";

#[test]
fn lines_are_plain_where_nobody_looks() {
    let folder = Folder::new();
    folder.write("jobs.toml", JOBS);
    assert_snapshot!("plain", folder.shown("run jobs.toml -j 1"));
    let folder = Folder::new();
    folder.write("jobs.toml", JOBS);
    let silent = folder.run("run jobs.toml -j 1 --progress none");
    assert!(silent.stderr.starts_with("hint: "), "{}", silent.stderr);
}

#[test]
fn end_is_data_for_programs_too() {
    let folder = Folder::new();
    folder.write("jobs.toml", JOBS);
    let ran = folder.run("run jobs.toml -j 1 --progress none -o json").expect(1);
    let document: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!((&document["state"], &document["chunks"]["failed"]), (&"failed".into(), &1.into()), "{document:#}");
    assert_eq!(ran.stderr, "");
    let csv = folder.run("run jobs.toml -j 1 --progress none -o csv").expect(1).stdout;
    assert!(csv.lines().count() == 2 && csv.starts_with("at,job,name"), "{csv}");
}

#[test]
fn bar_is_drawn_on_a_terminal() {
    let folder = Folder::new();
    folder.write(
        "jobs.toml",
        "[[chunks]]\nid = 1\nshell = 'true'\n[[chunks]]\nid = 2\nshell = 'until test -e go; do sleep 0.01; done'\n\
         [[chunks]]\nid = 3\nretries = 0\nshell = 'exit 3'\n",
    );
    let mut terminal = Terminal::start(folder.command("run jobs.toml -j 3"), 100, 24);
    // What has failed is said above the bar; the bar counts; below it is what runs.
    terminal.until("exit code 3");
    terminal.until("1/3 done");
    terminal.until("1 running");
    terminal.until("until test -e go");
    folder.write("go", "");
    let (rest, code) = terminal.rest();
    assert_eq!(code, Some(1));
    assert!(rest.contains("jobs: 2 of 3 chunks done, 1 failed in"), "{rest:?}");
    assert!(folder.at("jobs.toml.db").is_file());
}

#[test]
fn ctrl_c_on_a_terminal_reaches_the_run_and_not_its_commands() {
    use std::os::unix::process::CommandExt;

    let folder = Folder::new();
    folder.write("jobs.toml", "[[chunks]]\nid = 1\nshell = 'touch on; until test -e go; do sleep 0.01; done; echo 1 >> log'\n");
    let mut command = folder.command("run jobs.toml --progress plain");
    // The group of the terminal is what Ctrl-C reaches; here it is this one.
    command.process_group(0);
    let run = Running::of(&mut command);
    until("the command runs", || folder.at("on").exists());
    rustix::process::kill_process_group(run.pid(), rustix::process::Signal::INT).unwrap();
    folder.write("go", "");
    let ran = run.end();
    assert!(matches!(ran.code, Some(0 | 130)), "{}", ran.shown());
    assert_eq!(folder.lines("log"), ["1"]);
}

#[test]
fn reader_that_goes_away_changes_nothing() {
    let folder = Folder::new();
    folder.write("jobs.toml", "[[chunks]]\nid = 1\nshell = 'until test -e go; do sleep 0.01; done'\n");
    let mut command = folder.command("run jobs.toml --progress none");
    let mut child = command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    folder.write("go", "");
    assert_eq!(read_all(child.stderr.take().unwrap()), "");
    assert_eq!(child.wait().unwrap().code(), Some(0));
}
