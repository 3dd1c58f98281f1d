//! What power cuts, failed operations and kills leave of stores of files, in the short form, and the controls of it.

#![expect(clippy::panic, reason = "a test fails by panicking")]

use magnetar_testkit::folder::Flaw;
use magnetar_torture::{
    Rig,
    files::{CheckpointFiles, Files, LockFiles, StateFiles, Subject, every_cut},
    play, play_wide,
};

/// Operations of the scripts of which every crash state is visited.
const OPS_MAX: u32 = 6;
const FLAWS: [Flaw; 3] = [Flaw::InPlace, Flaw::NoFileSync, Flaw::NoFolderSync];

#[track_caller]
fn holds_at_every_cut(subject: &impl Subject) {
    match every_cut(subject, None, OPS_MAX) {
        Ok(counts) => println!("every cut: {counts}"),
        Err(error) => panic!("{error:#}"),
    }
}

#[track_caller]
fn holds_at_a_million_cuts(rig: &dyn Rig) {
    match play_wide(rig, 1, "images", 1_000_000) {
        Ok(counts) => println!("{}: {counts}", rig.name()),
        Err(failure) => panic!("{failure}"),
    }
}

/// Both find what a flaw leads to, in what a cut has left: what the store does without one is right.
#[track_caller]
fn finds_each_flaw<S: Subject + Copy>(subject: S) {
    for flaw in FLAWS {
        let error = every_cut(&subject, Some(flaw), 3).expect_err("a flaw is found");
        assert!(format!("{error:#}").contains("cut at moment"), "{flaw:?}: {error:#}");
        println!("{flaw:?}: {error:#}");
        let failure =
            play(&Files::with_flaw(subject, flaw), 1, |counts| counts.get("images") < 20_000).expect_err("a flaw is found");
        assert!(failure.to_string().contains("cut at moment"), "{flaw:?}: {failure}");
    }
}

#[test]
fn checkpoints_keep_what_was_acknowledged_in_every_crash_state_of_six_operations() {
    holds_at_every_cut(&CheckpointFiles);
}

#[test]
fn checkpoints_keep_what_was_acknowledged_through_1000000_power_cuts() {
    holds_at_a_million_cuts(&Files::new(CheckpointFiles));
}

#[test]
fn controls_of_checkpoints_are_found() {
    finds_each_flaw(CheckpointFiles);
}

#[test]
fn tokens_keep_what_was_acknowledged_in_every_crash_state_of_six_operations() {
    holds_at_every_cut(&StateFiles);
}

#[test]
fn tokens_keep_what_was_acknowledged_through_1000000_power_cuts() {
    holds_at_a_million_cuts(&Files::new(StateFiles));
}

#[test]
fn controls_of_tokens_are_found() {
    finds_each_flaw(StateFiles);
}

#[test]
fn locks_keep_what_was_acknowledged_in_every_crash_state_of_six_operations() {
    holds_at_every_cut(&LockFiles);
}

#[test]
fn locks_keep_what_was_acknowledged_through_1000000_power_cuts() {
    holds_at_a_million_cuts(&Files::new(LockFiles));
}

#[test]
fn controls_of_locks_are_found() {
    finds_each_flaw(LockFiles);
}
