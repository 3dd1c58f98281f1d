//! What bits that flip lead to, in the short form, and the controls of it.

#![expect(clippy::panic, reason = "a test fails by panicking")]

use magnetar_torture::{
    Rig, play, play_wide,
    rot::{Bare, RotRedb, RotRows, RotSqlite, bare_redb, bare_sqlite},
};

#[track_caller]
fn holds(rig: &dyn Rig, flips: u64) {
    match play_wide(rig, 0, "flips", flips) {
        Ok(counts) => println!("{}: {counts}", rig.name()),
        Err(failure) => panic!("{failure}"),
    }
}

#[test]
fn rows_are_right_or_told_to_be_damaged_through_500000_flips() {
    holds(&RotRows::default(), 500_000);
}

#[test]
fn sqlite_file_is_right_or_told_to_be_damaged_through_8000_flips() {
    holds(&RotSqlite, 8000);
}

#[test]
fn redb_file_is_right_or_told_to_be_damaged_through_8000_flips() {
    holds(&RotRedb, 8000);
}

#[test]
fn control_of_rows_whose_checksum_fits_whatever_is_in_them_is_found() {
    let failure = play(&RotRows { signs_again: true }, 0, |counts| counts.get("flips") < 5000).expect_err("wrong data is found");
    println!("{failure}");
}

/// The flips hit what is alive: without checksums of rows, many of them come back as good data.
#[test]
fn control_of_bare_tables_shows_wrong_data() {
    let check = |bare: Bare| {
        println!("{bare:?}");
        assert!(bare.wrong * 3 > bare.flips, "{bare:?}");
    };
    check(bare_sqlite(1, 1000).expect("SQLite works"));
    check(bare_redb(1, 1000).expect("redb works"));
}
