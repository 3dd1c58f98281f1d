//! What a store says and does when its disk fails, in the short form, and the controls of it.

#![expect(clippy::panic, reason = "a test fails by panicking")]

use magnetar_torture::{
    Rig,
    faults::{FaultsRedb, FaultsSqlite},
    play, play_wide,
};

#[track_caller]
fn holds(rig: &dyn Rig, faults: u64) {
    match play_wide(rig, 0, "faults", faults) {
        Ok(counts) => println!("{}: {counts}", rig.name()),
        Err(failure) => panic!("{failure}"),
    }
}

#[track_caller]
fn finds(rig: &dyn Rig) {
    let failure = play(rig, 0, |counts| counts.get("faults") < 5000).expect_err("a disk that swallows a write is found");
    assert!(failure.to_string().contains("a write of"), "{failure}");
    println!("{failure}");
}

#[test]
fn sqlite_survives_5000_faults_and_says_what_they_were() {
    holds(&FaultsSqlite::default(), 5000);
}

#[test]
fn redb_survives_5000_faults_and_says_what_they_were() {
    holds(&FaultsRedb::default(), 5000);
}

#[test]
fn control_of_a_write_that_does_not_happen_is_found() {
    finds(&FaultsSqlite { swallows: true });
    finds(&FaultsRedb { swallows: true });
}
