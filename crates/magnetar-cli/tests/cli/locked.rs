//! Stores that another process has open.

use insta::assert_snapshot;
use magnetar::JobStatus;

use crate::support::{
    Folder,
    jobs::{self, Store},
};

#[test]
fn sqlite_is_looked_at_and_changed_while_another_process_works_in_it() {
    let folder = Folder::new();
    let store = Store::with(&folder.at("jobs.db"), &jobs::plain("few", 4));
    let fence = store.claim();
    for args in ["status jobs.db", "list jobs.db", "show jobs.db 1", "dag jobs.db", "doctor jobs.db"] {
        folder.run(args).expect(0);
    }
    folder.run("cancel jobs.db 2").expect(0);
    assert_eq!(store.status(2), JobStatus::Cancelled);
    folder.run("retry jobs.db 2").expect(0);
    assert_eq!(store.status(2), JobStatus::Pending);
    folder.run("cancel jobs.db 1").expect(4);
    store.complete(&fence, b"");
    assert_eq!(store.status(1), JobStatus::Done);
}

#[test]
fn redb_says_what_to_do_instead() {
    let folder = Folder::new();
    let _store = Store::with(&folder.at("jobs.redb"), &jobs::plain("few", 1));
    assert_snapshot!("redb", folder.run("status jobs.redb").expect(5).shown());
    for command in ["watch", "list", "show 1 --store", "dag", "retry", "cancel --all", "doctor"] {
        folder.run(&format!("{command} jobs.redb")).expect(5);
    }
}
