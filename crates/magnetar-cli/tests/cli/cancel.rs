//! `magnetar cancel`.

use insta::assert_snapshot;
use magnetar::JobStatus;

use crate::support::{
    Folder,
    jobs::{self, Store},
};

fn statuses(store: &Store, chunks: u64) -> Vec<&'static str> {
    (1..=chunks).map(|chunk| store.status(chunk).name()).collect()
}

#[test]
fn whole_job_is_called_off_except_for_what_runs() {
    let folder = Folder::new();
    let store = jobs::nightly(&folder.at("jobs.db"));
    assert_snapshot!("dry_run", folder.run("cancel jobs.db --all --dry-run").expect(0).shown());
    let before = statuses(&store, 8);
    assert_snapshot!("all", folder.run("cancel jobs.db --all").expect(4).shown());
    assert_eq!(before, ["done", "failed", "skipped", "processing", "pending", "pending", "cancelled", "pending"]);
    assert_eq!(
        statuses(&store, 8),
        ["done", "failed", "skipped", "processing", "cancelled", "pending", "cancelled", "cancelled"]
    );
}

#[test]
fn what_is_behind_is_skipped_held_or_called_off_too_as_the_job_says() {
    let folder = Folder::new();
    for (on_failure, expected) in
        [("skip", ["cancelled", "skipped", "skipped"]), ("hold", ["cancelled", "pending", "pending"]), ("run", ["cancelled"; 3])]
    {
        let path = folder.at(&format!("{on_failure}.db"));
        let store = Store::with(&path, &jobs::STUCK.replace("\"hold\"", &format!("{on_failure:?}")));
        let shown = folder.run(&format!("cancel {on_failure}.db --all")).expect(0).shown();
        assert_snapshot!(format!("all_{on_failure}"), shown);
        assert_eq!(statuses(&store, 3), expected, "{on_failure}");
    }
}

#[test]
fn chunks_that_are_named_are_called_off() {
    let folder = Folder::new();
    let store = jobs::nightly(&folder.at("jobs.db"));
    assert_snapshot!("json", folder.run("cancel jobs.db 5 -o json").expect(0).shown());
    assert_eq!(store.status(5), JobStatus::Cancelled);
    assert_snapshot!("refused", folder.run("cancel jobs.db 1 4 6").expect(4).shown());
    assert_eq!(statuses(&store, 6), ["done", "failed", "skipped", "processing", "cancelled", "pending"]);
    assert_snapshot!("range", folder.run("cancel --store jobs.db 7- -n -o csv").expect(0).shown());
}

#[test]
fn which_chunks_must_be_said() {
    let folder = Folder::new();
    let _store = jobs::nightly(&folder.at("jobs.db"));
    assert_snapshot!("which", folder.run("cancel jobs.db").expect(2).shown());
    folder.run("cancel jobs.db 5 --all").expect(2);
    folder.run("cancel jobs.db 99").expect(3);
}
