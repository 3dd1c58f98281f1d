//! What power cuts leave, in the short form, and the controls of it.

#![expect(clippy::panic, reason = "a test fails by panicking")]

use magnetar_torture::{
    Rig, play, play_wide,
    power::{PowerFlaw, PowerRedb, PowerSqlite},
};

#[track_caller]
fn holds(rig: &dyn Rig, images: u64) {
    match play_wide(rig, 1, "images", images) {
        Ok(counts) => println!("{}: {counts}", rig.name()),
        Err(failure) => panic!("{failure}"),
    }
}

/// The rig finds what a flaw leads to, in images: what it does without a power cut is right.
#[track_caller]
fn finds(rig: &dyn Rig) {
    let failure = play(rig, 1, |counts| counts.get("images") < 20_000).expect_err("a flaw is found");
    assert!(failure.to_string().contains("cut at deed"), "{failure}");
    println!("{failure}");
}

#[test]
fn sqlite_keeps_what_it_acknowledged_through_100000_power_cuts() {
    holds(&PowerSqlite::default(), 100_000);
}

#[test]
fn redb_keeps_what_it_acknowledged_through_200000_power_cuts() {
    holds(&PowerRedb::default(), 200_000);
}

#[test]
fn control_of_dropped_syncs_is_found() {
    finds(&PowerSqlite { flaw: Some(PowerFlaw::DroppedSyncs) });
    finds(&PowerRedb { flaw: Some(PowerFlaw::DroppedSyncs) });
}

#[test]
fn control_of_a_log_that_is_flushed_at_checkpoints_only_is_found() {
    finds(&PowerSqlite { flaw: Some(PowerFlaw::SyncsAtCheckpoints) });
}

#[test]
fn control_of_commits_that_reach_the_disk_later_is_found() {
    finds(&PowerSqlite { flaw: Some(PowerFlaw::LaterCommits) });
    finds(&PowerRedb { flaw: Some(PowerFlaw::LaterCommits) });
}
