//! How a job is named: one rule for all commands.

use std::{ffi::OsStr, fs, os::unix::ffi::OsStrExt};

use insta::assert_snapshot;

use crate::support::{
    Folder,
    jobs::{self, JOB, Store},
};

#[test]
fn job_is_named_by_its_manifest_or_by_its_store() {
    let folder = Folder::new();
    folder.write("few.toml", &jobs::plain("few", 1));
    drop(Store::with(&folder.at("few.toml.db"), &jobs::plain("few", 1)));
    for args in [
        "few.toml",
        "few.toml.db",
        "--store few.toml.db",
        "sqlite://few.toml.db",
        "few.toml --store few.toml.db",
        "few.toml --job few",
        "few.toml --job 42",
        "./few.toml",
    ] {
        let shown = folder.run(&format!("status {args}")).expect(0).stdout;
        assert!(shown.starts_with("few  waiting\n"), "{args}: {shown}");
    }
    let by_variable = folder.command("status").env("MAGNETAR_STORE", "few.toml.db").output().unwrap();
    assert!(by_variable.status.success());
    let shown = folder.run("show 1 --store few.toml.db").expect(0).stdout;
    assert!(shown.starts_with("chunk 1\n"), "{shown}");
}

#[test]
fn manifest_need_not_be_there_any_more() {
    let folder = Folder::new();
    drop(Store::with(&folder.at("few.toml.db"), &jobs::plain("another", 1)));
    let shown = folder.run("status few.toml").expect(0).stdout;
    assert!(shown.starts_with("another  waiting\n"), "{shown}");
}

#[test]
fn missing_store_is_not_made_and_said_how_to_make() {
    let folder = Folder::new();
    folder.write("jobs.toml", &jobs::plain("few", 1));
    folder.write("empty.db", "");
    for (name, args) in [
        ("manifest_without_store", "jobs.toml"),
        ("neither", "other.toml"),
        ("store", "jobs.db"),
        ("redb", "redb://jobs"),
        ("empty", "--store empty.db"),
        ("folder", "missing/jobs.db"),
    ] {
        assert_snapshot!(name, folder.run(&format!("status {args}")).expect(3).shown());
        for command in ["list", "watch", "dag", "doctor", "retry", "cancel --all"] {
            folder.run(&format!("{command} {args}")).expect(3);
        }
    }
    let mut left: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, ["empty.db", "jobs.toml"]);
}

#[test]
fn store_of_another_job_says_which_it_holds() {
    let folder = Folder::new();
    folder.write("few.toml", &jobs::plain("few", 1));
    let store = Store::with(&folder.at("jobs.db"), &jobs::plain("many", 3));
    assert_snapshot!("another_job", folder.run("status few.toml --store jobs.db").expect(3).shown());
    assert_snapshot!("another_name", folder.run("status jobs.db --job few").expect(3).shown());
    folder.run("status jobs.db --job 7").expect(3);
    for id in 1..=6 {
        store.add(id, "[[chunks]]\nid = 1\n");
    }
    assert_snapshot!("several", folder.run("status jobs.db").expect(2).shown());
    assert_snapshot!("several_and_manifest", folder.run("status few.toml --store jobs.db").expect(3).shown());
    let shown = folder.run("status jobs.db --job 3").expect(0).stdout;
    assert!(shown.starts_with("job 3  waiting\n"), "{shown}");
    let shown = folder.run(&format!("status jobs.db --job {JOB}")).expect(0).stdout;
    assert!(shown.starts_with("many  waiting\n"), "{shown}");
}

#[test]
fn hint_means_the_same_job_again() {
    let folder = Folder::new();
    folder.write("few.toml", &jobs::plain("few", 1));
    let store = Store::with(&folder.at("a store.db"), &jobs::plain("few", 1));
    store.add(7, &jobs::plain("other", 20));
    store.fail(1, "no");
    let hint = |args: &str| folder.run(&format!("status {args}")).expect(0).stderr;
    assert_eq!(
        hint("few.toml --store 'a store.db'"),
        "hint: `magnetar run few.toml --store 'a store.db'` tries again what failed\n"
    );
    assert_eq!(
        hint("--store 'a store.db' --job few"),
        "hint: `magnetar retry --store 'a store.db' --job few` gives what failed another chance\n"
    );
}

#[test]
fn name_that_is_no_utf_8_is_a_name_all_the_same() {
    let folder = Folder::new();
    let name = |name: &[u8]| OsStr::from_bytes(name).to_owned();
    fs::write(folder.path().join(name(b"caf\xe9.toml")), jobs::plain("few", 1)).unwrap();
    drop(Store::with(&folder.path().join(name(b"caf\xe9.toml.db")), &jobs::plain("few", 1)));
    let output = folder.command("status").arg(name(b"caf\xe9.toml")).output().unwrap();
    assert!(output.status.success() && output.stdout.starts_with(b"few  waiting\n"), "{output:?}");
}

#[test]
fn what_names_no_job_is_told() {
    let folder = Folder::new();
    for (name, args) in [
        ("no_target", "status"),
        ("two_stores", "status jobs.db --store other.db"),
        ("unknown_backend", "status --store mysql://host/jobs"),
        ("memory", "status memory:"),
    ] {
        assert_snapshot!(name, folder.run(args).expect(2).shown());
    }
    drop(Store::open(&folder.at("jobs.db")));
    assert_snapshot!("no_job", folder.run("status jobs.db").expect(3).shown());
    assert_snapshot!("postgres", folder.run("status postgres://me:canary@host/jobs").expect(5).shown());
}
