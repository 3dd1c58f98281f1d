//! `magnetar retry`.

use insta::assert_snapshot;
use magnetar::JobStatus;

use crate::support::{
    Folder,
    jobs::{self, Store},
};

#[test]
fn what_failed_is_pending_again_with_what_was_skipped_behind_it() {
    let folder = Folder::new();
    folder.write("jobs.toml", jobs::NIGHTLY);
    let store = jobs::nightly(&folder.at("jobs.toml.db"));
    assert_snapshot!("dry_run", folder.run("retry jobs.toml --dry-run").expect(0).shown());
    assert_eq!(store.status(2), JobStatus::Failed);
    assert_snapshot!("all", folder.run("retry jobs.toml").expect(0).shown());
    assert_eq!(
        (store.status(2), store.status(3), store.status(7)),
        (JobStatus::Pending, JobStatus::Pending, JobStatus::Cancelled)
    );
    assert_snapshot!("nothing", folder.run("retry jobs.toml").expect(0).shown());
}

#[test]
fn chunks_that_are_named_are_retried_and_others_are_not() {
    let folder = Folder::new();
    let store = jobs::nightly(&folder.at("jobs.db"));
    let shown = folder.run("retry jobs.db 5- -o json").expect(0).stdout;
    assert!(shown.contains("\"retried\": 1"), "{shown}");
    assert_eq!((store.status(7), store.status(2)), (JobStatus::Pending, JobStatus::Failed));
    assert_snapshot!("csv", folder.shown("retry jobs.db 2 -o csv"));
    store.fail(2, "no");
    let dry = folder.run("retry jobs.db 1 2 5 -n -o json").expect(0).stdout;
    assert!(dry.contains("\"retried\": 1"), "{dry}");
    folder.run("retry jobs.db 2").expect(0);
    let again = folder.run("retry jobs.db 2").expect(0).stdout;
    assert!(again.contains("nothing to retry"), "{again}");
}

#[test]
fn chunk_that_runs_or_is_done_is_refused_with_the_way_out() {
    let folder = Folder::new();
    let store = jobs::nightly(&folder.at("jobs.db"));
    assert_snapshot!("refused", folder.run("retry jobs.db 1 2 4").expect(4).shown());
    assert_eq!((store.status(1), store.status(2), store.status(4)), (JobStatus::Done, JobStatus::Pending, JobStatus::Processing));
}

#[test]
fn unknown_chunk_changes_nothing() {
    let folder = Folder::new();
    let store = jobs::nightly(&folder.at("jobs.db"));
    folder.run("retry jobs.db 2 99").expect(3);
    assert_eq!(store.status(2), JobStatus::Failed);
}

#[test]
fn what_is_done_is_done_again_with_all_behind_it_where_that_is_asked_for() {
    let folder = Folder::new();
    let store = Store::with(&folder.at("jobs.db"), jobs::STUCK);
    (1..=3).for_each(|chunk| store.mark(chunk, JobStatus::Done));
    folder.run("retry jobs.db --reopen").expect(2);
    assert_snapshot!("reopen", folder.run("retry --store jobs.db 2 --reopen").expect(0).shown());
    assert_eq!(
        (1..=3).map(|chunk| store.status(chunk)).collect::<Vec<_>>(),
        [JobStatus::Done, JobStatus::Pending, JobStatus::Pending]
    );
    // One that has not ended cannot be reopened, and then nothing is.
    folder.run("retry jobs.db 1 2 --reopen").expect(4);
    assert_eq!(store.status(1), JobStatus::Done);
}

#[test]
fn thousands_are_retried_at_once() {
    let folder = Folder::new();
    let store = Store::with(&folder.at("jobs.db"), &jobs::plain("many", 2500));
    store.fail_all(2500);
    let shown = folder.run("retry jobs.db").expect(0).stdout;
    assert!(shown.contains("2,500 chunks are pending again"), "{shown}");
    assert_eq!(store.status(2500), JobStatus::Pending);
}
