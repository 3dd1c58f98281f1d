//! Where output goes, and what happens when it cannot.

use std::{
    fs::File,
    io::{BufRead, BufReader},
    process::Stdio,
};

use insta::assert_snapshot;

use crate::support::{
    Folder, Ran,
    jobs::{self, Store},
};

#[test]
fn reader_that_has_seen_enough_is_no_error() {
    let folder = Folder::new();
    drop(Store::with(&folder.at("jobs.db"), &jobs::plain("many", 4000)));
    for args in ["list jobs.db", "list jobs.db -o json", "list jobs.db -o csv", "show jobs.db 1-", "dag jobs.db"] {
        let mut child = folder.command(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut first = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut first).unwrap();
        let ran = Ran::of(args, &child.wait_with_output().unwrap());
        assert!(!first.is_empty());
        assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{args}");
    }
}

#[test]
fn output_that_cannot_be_written_is_an_error() {
    let folder = Folder::new();
    let _store = jobs::nightly(&folder.at("jobs.db"));
    for args in ["status jobs.db", "list jobs.db -o csv", "completions bash", "man"] {
        let full = File::options().write(true).open("/dev/full").unwrap();
        let ran = Ran::of(args, &folder.command(args).stdout(full).output().unwrap());
        assert_eq!(ran.code, Some(5), "{args}");
        assert!(ran.stderr.contains("No space left"), "{}", ran.stderr);
    }
}

#[test]
fn data_goes_to_stdout_and_talk_to_stderr() {
    let folder = Folder::new();
    let _store = jobs::nightly(&folder.at("jobs.db"));
    for args in ["status jobs.db -o json", "list jobs.db -o csv", "retry jobs.db -n -o json", "doctor jobs.db -o json"] {
        assert_eq!(folder.run(args).expect(0).stderr, "", "{args}");
    }
    let refused = folder.run("cancel jobs.db 4 -o json").expect(4);
    let report: serde_json::Value = serde_json::from_str(&refused.stdout).unwrap();
    assert_eq!(report["refused"], 1);
    assert!(refused.stderr.starts_with("note: chunk 4 of job 42 is held"), "{}", refused.stderr);
}

#[test]
fn file_name_cannot_steer_the_terminal_through_an_error() {
    let folder = Folder::new();
    let name = "\u{1b}[2J.db";
    folder.write(name, &"no database\n".repeat(100));
    let ran = folder.run(&format!("status '{name}'")).expect(6);
    assert!(ran.stderr.contains("\\u{1b}[2J.db") && !ran.stderr.contains('\u{1b}'), "{}", ran.stderr);
}

#[test]
fn what_others_have_written_cannot_steer_the_terminal() {
    let folder = Folder::new();
    let name = "\u{1b}]0;owned\u{7}\nsecond line\u{202e}";
    let manifest =
        format!("name = {name:?}\nkind = {name:?}\n[[chunks]]\nid = 1\nshell = {name:?}\n").replace("\\u{1b}", "\\u001b");
    let manifest = manifest.replace("\\u{7}", "\\u0007").replace("\\u{202e}", "\\u202e");
    let store = Store::with(&folder.at("jobs.db"), &manifest);
    store.fail(1, name);
    assert_snapshot!("status", folder.shown("status jobs.db"));
    assert_snapshot!("list", folder.shown("list jobs.db"));
    assert_snapshot!("show", folder.shown("show jobs.db 1"));
    assert_snapshot!("missing", folder.run(&format!("status jobs.db --job '{name}x'")).expect(3).shown());
    for args in ["status jobs.db", "list jobs.db", "show jobs.db 1", "watch jobs.db", "dag jobs.db -f svg", "doctor jobs.db"] {
        let ran = folder.run(args);
        let is_safe = |text: &str| !text.chars().any(|letter| letter != '\n' && letter.is_control() || letter == '\u{202e}');
        assert!(is_safe(&ran.stdout) && is_safe(&ran.stderr), "{args}");
    }
}
