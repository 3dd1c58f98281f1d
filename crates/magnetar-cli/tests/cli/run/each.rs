//! `--each`: a chunk for each file, whatever the files are called.

use std::{ffi::OsString, fs, os::unix::ffi::OsStringExt};

use crate::support::{Folder, Ran};

/// Runs it with words that hold blanks.
fn each(folder: &Folder, words: &[&str]) -> Ran {
    let mut command = folder.command("run --progress none");
    Ran::of(&words.join(" "), &command.args(words).output().unwrap())
}

#[test]
fn command_runs_once_for_each_file_whatever_it_is_called() {
    let folder = Folder::new();
    let names = ["plain", "two words", "new\nline", "-rf", "quo'te\"s", "$HOME;`id`", "ümläut", "[x]*?"];
    for name in names {
        folder.write(name, name);
    }
    let ran = each(&folder, &["--each", "*", "--", "sh", "-c", "cat \"$0\"; echo; echo x >> ../log", "{}"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(ran.stdout.contains("8 of 8 chunks done"), "{}", ran.stdout);
    for id in 1..=names.len() {
        let store = store(&folder);
        let shown = folder.run(&format!("show {store} {id} -o json")).expect(0).stdout;
        let shown: serde_json::Value = serde_json::from_str(&shown).unwrap();
        let input = shown.pointer("/extra/input").or_else(|| shown.pointer("/0/extra/input"));
        let input = input.unwrap_or_else(|| panic!("{shown:#}")).as_str().unwrap();
        assert!(names.contains(&input) && shown.to_string().contains("exit"), "{shown:#}");
    }
}

/// The store that a run of `--each` has made.
fn store(folder: &Folder) -> String {
    let mut names = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.find(|name| name.strip_suffix(".db").is_some_and(|name| name.starts_with("magnetar-"))).unwrap()
}

#[test]
fn same_command_line_carries_on_and_a_file_keeps_its_chunk() {
    let folder = Folder::new();
    let run = || each(&folder, &["--each", "*.txt", "--", "sh", "-c", "echo \"$0 $MAGNETAR_CHUNK\" >> log", "{}"]);
    for name in ["b.txt", "c.txt"] {
        folder.write(name, name);
    }
    assert_eq!(run().code, Some(0));
    folder.write("a.txt", "new");
    folder.write("c.txt", "changed");
    let ran = run();
    assert_eq!(ran.code, Some(0));
    assert!(ran.stderr.contains("runs again, because its input c.txt changed"), "{}", ran.stderr);
    let mut log = folder.lines("log");
    log.sort();
    assert_eq!(log, ["a.txt 3", "b.txt 1", "c.txt 2", "c.txt 2"]);
    let other = each(&folder, &["--each", "*.txt", "--", "true"]);
    assert!(other.stdout.contains("3 of 3 chunks done"), "another command is another job: {}", other.stdout);
}

#[test]
fn file_that_went_away_is_called_off_and_comes_back() {
    let folder = Folder::new();
    let run = || each(&folder, &["--each", "*.txt", "--name", "work", "--", "sh", "-c", "echo \"$0\" >> log; test -e go", "{}"]);
    folder.write("a.txt", "a");
    folder.write("b.txt", "b");
    assert_eq!(run().code, Some(1));
    fs::remove_file(folder.at("b.txt")).unwrap();
    folder.write("go", "");
    let ran = run();
    assert_eq!(ran.code, Some(0), "{}", ran.stdout);
    assert!(ran.stderr.contains("1 chunk called off"), "{}", ran.stderr);
    folder.write("log", "");
    folder.write("b.txt", "b");
    assert_eq!(run().code, Some(0));
    assert_eq!(folder.lines("log"), ["b.txt"]);
    assert!(folder.at("magnetar-work.db").is_file());
}

#[test]
fn no_match_is_told_and_makes_no_store() {
    let folder = Folder::new();
    let ran = each(&folder, &["--each", "*.none", "--", "true"]);
    assert_eq!(ran.code, Some(3));
    assert!(ran.stderr.contains("no file matches \"*.none\""), "{}", ran.stderr);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn name_that_is_no_text_is_refused_by_name() {
    let folder = Folder::new();
    fs::write(folder.path().join(OsString::from_vec(b"a\xff.txt".to_vec())), "").unwrap();
    let ran = each(&folder, &["--each", "*.txt", "--", "true"]);
    assert_eq!(ran.code, Some(2));
    assert!(ran.stderr.contains("is no UTF-8"), "{}", ran.stderr);
}

#[test]
fn names_that_a_shell_has_filled_in_are_taken_as_they_are() {
    let folder = Folder::new();
    folder.write("a", "");
    folder.write("b[1]", "");
    let ran = each(&folder, &["--each", "a", "b[1]", "--", "sh", "-c", "echo \"$0\" >> log"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let mut log = folder.lines("log");
    log.sort();
    assert_eq!(log, ["a", "b[1]"]);
}

#[test]
fn placeholders_take_paths_apart() {
    let folder = Folder::new();
    fs::create_dir(folder.at("in")).unwrap();
    folder.write("in/a.tar.gz", "");
    let ran =
        each(&folder, &["--each", "in/*", "--", "sh", "-c", "echo \"$*\" > log", "{dir}", "{name}", "{stem}", "{{}}", "{}"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!(folder.read("log"), "a.tar.gz a.tar {} in/a.tar.gz\n");
    let ran = each(&folder, &["--each", "in/*", "--", "awk", "{print}"]);
    assert_eq!(ran.code, Some(2));
    assert!(ran.stderr.contains("unknown placeholder `{print}`"), "{}", ran.stderr);
}

#[test]
fn file_that_changes_after_it_was_listed_is_not_worked_on() {
    let folder = Folder::new();
    folder.write("a", "one");
    folder.write("b", "two");
    // The first command changes the file of the second.
    let ran = each(&folder, &["-j", "1", "--each", "a", "b", "--", "sh", "-c", "echo \"$0\" >> log; echo three > b", "{}"]);
    assert_eq!(ran.code, Some(1));
    assert!(ran.stdout.contains("does not fit its checksum"), "{}", ran.stdout);
    assert_eq!(folder.lines("log"), ["a"]);
}
