//! `magnetar status`.

use insta::assert_snapshot;
use magnetar::JobStatus;

use crate::support::{
    Folder,
    jobs::{self, Store},
};

#[test]
fn chunk_in_every_status_is_counted_and_named() {
    let folder = Folder::new();
    folder.write("jobs.toml", jobs::NIGHTLY);
    let _store = jobs::nightly(&folder.at("jobs.toml.db"));
    assert_snapshot!("table", folder.shown("status jobs.toml"));
    assert_snapshot!("json", folder.shown("status jobs.toml -o json"));
    assert_snapshot!("csv", folder.shown("status jobs.toml --output csv"));
}

#[test]
fn color_is_there_where_it_is_wanted() {
    let folder = Folder::new();
    let _store = jobs::nightly(&folder.at("jobs.db"));
    assert_snapshot!("color", folder.run("status jobs.db --color always").expect(0).shown().replace('\u{1b}', "ESC"));
    let plain = folder.run("status jobs.db").expect(0).stdout;
    assert!(!plain.contains('\u{1b}'), "{plain}");
    let forced = folder.command("status jobs.db").env("CLICOLOR_FORCE", "1").output().unwrap();
    assert!(forced.stdout.contains(&0x1b));
    let forced = folder.command("status jobs.db").env("CLICOLOR_FORCE", "1").env("NO_COLOR", "1").output().unwrap();
    assert!(!forced.stdout.contains(&0x1b));
}

#[test]
fn stalled_job_names_what_is_held_and_by_what() {
    let folder = Folder::new();
    folder.write("stuck.toml", jobs::STUCK);
    drop(jobs::stuck(&folder.at("stuck.toml.db")));
    assert_snapshot!("stalled", folder.shown("status stuck.toml"));
    assert_snapshot!("stalled_json", folder.shown("status stuck.toml -o json"));
}

#[test]
fn state_of_a_job_is_told_in_one_word() {
    let folder = Folder::new();
    let store = Store::with(&folder.at("jobs.db"), &jobs::plain("few", 2));
    let check = |state: &str| {
        let shown = folder.run("status jobs.db").expect(0).stdout;
        assert!(shown.starts_with(&format!("few  {state}\n")), "{shown}");
    };
    check("waiting");
    let fence = store.claim();
    check("running");
    store.pause();
    check("running, paused");
    store.complete(&fence, b"");
    check("paused");
    store.mark(2, JobStatus::Done);
    check("done");
}

#[test]
fn more_than_ten_are_counted() {
    let folder = Folder::new();
    let store = Store::with(&folder.at("jobs.db"), &jobs::plain("many", 2000));
    (1..=12).for_each(|chunk| store.fail(chunk, "no"));
    let shown = folder.run("status jobs.db").expect(0).stdout;
    assert!(shown.contains("and 2 more: `magnetar list --store jobs.db --status failed`"), "{shown}");
    assert!(shown.contains("1,988 ready") && shown.contains("2,000"), "{shown}");
}

#[test]
fn chunks_that_a_killed_process_held_are_not_said_to_run() {
    let folder = Folder::new();
    drop(Store::with(&folder.at("jobs.db"), &jobs::plain("few", 2)));
    jobs::claim_and_die(&folder.at("jobs.db"));
    let shown = folder.run("status jobs.db").expect(0).stdout;
    assert!(shown.starts_with("few  waiting") && shown.contains("processing  0"), "{shown}");
    let shown = folder.run("show jobs.db 1").expect(0).stdout;
    assert!(shown.contains("crashes   1 of 3"), "{shown}");
}

#[test]
fn looking_changes_nothing() {
    let folder = Folder::new();
    let store = jobs::nightly(&folder.at("jobs.db"));
    let look = || folder.run("list jobs.db -o csv").expect(0).stdout;
    let before = look();
    for args in
        ["status jobs.db", "show jobs.db 4", "dag jobs.db", "doctor jobs.db", "retry jobs.db -n", "cancel jobs.db --all -n"]
    {
        folder.run(args).expect(0);
        assert_eq!(look(), before, "{args}");
    }
    assert_eq!(store.status(4), JobStatus::Processing);
}
