//! `magnetar checkpoint` and `magnetar restore`: a store that is lost, and comes back.

use std::fs;

use insta::assert_snapshot;

use crate::support::{
    Folder,
    jobs::{self, Store},
};

#[test]
fn store_that_is_lost_comes_back_from_its_checkpoint() {
    let folder = Folder::new();
    drop(jobs::nightly(&folder.at("jobs.db")));
    let before = folder.run("list jobs.db -o json").expect(0).stdout;
    assert_snapshot!("saved", folder.run("checkpoint jobs.db").expect(0).shown());
    fs::remove_file(folder.at("jobs.db")).unwrap();
    assert_snapshot!("restored", folder.run("restore jobs.db").expect(0).shown());
    assert_eq!(folder.run("list jobs.db -o json").expect(0).stdout, before);
    folder.run("doctor jobs.db").expect(0);
}

#[test]
fn checkpoint_goes_from_one_backend_to_another() {
    let folder = Folder::new();
    drop(Store::with(&folder.at("jobs.db"), &jobs::plain("few", 3)));
    folder.run("checkpoint jobs.db --to kept --keep 1").expect(0);
    folder.run("checkpoint jobs.db --to kept --keep 1").expect(0);
    let json: serde_json::Value =
        serde_json::from_str(&folder.run("restore jobs.redb --from kept -o json").expect(0).stdout).unwrap();
    assert_eq!((&json["sequence"], &json["jobs"], &json["chunks"]), (&2.into(), &1.into(), &3.into()));
    assert!(folder.run("status jobs.redb").expect(0).stdout.contains("few"));
}

#[test]
fn restore_beside_the_same_jobs_is_a_conflict_and_changes_nothing() {
    let folder = Folder::new();
    drop(Store::with(&folder.at("jobs.db"), &jobs::plain("few", 3)));
    folder.run("checkpoint jobs.db").expect(0);
    let before = folder.run("list jobs.db -o json").expect(0).stdout;
    assert_snapshot!("conflict", folder.run("restore jobs.db").expect(4).shown());
    assert_eq!(folder.run("list jobs.db -o json").expect(0).stdout, before);
}

#[test]
fn where_nothing_was_saved_nothing_is_made() {
    let folder = Folder::new();
    assert_snapshot!("no_folder", folder.run("restore jobs.db").expect(3).shown());
    fs::create_dir(folder.at("empty")).unwrap();
    assert_snapshot!("no_checkpoint", folder.run("restore jobs.db --from empty").expect(3).shown());
    folder.run("checkpoint jobs.db").expect(3);
    assert!(!folder.at("jobs.db").exists() && !folder.at("jobs.db.checkpoints").exists());
}

#[test]
fn damaged_checkpoint_is_passed_over_with_a_word() {
    let folder = Folder::new();
    let store = Store::with(&folder.at("jobs.db"), &jobs::plain("few", 3));
    folder.run("checkpoint jobs.db").expect(0);
    store.add(7, &jobs::plain("other", 2));
    drop(store);
    folder.run("checkpoint jobs.db").expect(0);
    let newest = folder.at("jobs.db.checkpoints").join("checkpoint_2.json");
    let text = fs::read_to_string(&newest).unwrap().replacen("other", "otter", 1);
    fs::write(&newest, text).unwrap();
    let restored = folder.run("restore copy.db --from jobs.db.checkpoints").expect(0);
    assert!(restored.stderr.contains("checkpoint 2") && restored.stdout.contains("checkpoint 1"), "{}", restored.shown());
    folder.run("restore other.db --from jobs.db.checkpoints --sequence 2").expect(6);
    assert!(!folder.at("other.db").exists());
}

#[test]
fn what_cannot_be_meant_is_refused() {
    let folder = Folder::new();
    drop(Store::with(&folder.at("jobs.db"), &jobs::plain("few", 3)));
    for args in ["checkpoint jobs.db --job few", "restore jobs.db --job few", "checkpoint jobs.db --keep 0", "checkpoint"] {
        folder.run(args).expect(2);
    }
    folder.write("file", "");
    folder.run("checkpoint jobs.db --to file").expect(5);
}
