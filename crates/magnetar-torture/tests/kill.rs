//! The rigs that kill, in their short form, and their controls.

#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use magnetar_torture::{
    Counts, Rig,
    kill::{Engine, Flaw, KillRig},
    play,
};

const PROGRAM: &str = env!("CARGO_BIN_EXE_magnetar-torture");
const KILLS: u64 = 2000;

/// Plays a rig until it has counted so many, and returns all counts.
fn until(rig: &dyn Rig, what: &str, count: u64) -> Counts {
    let counts = play(rig, 0, |counts| counts.get(what) < count).unwrap_or_else(|failure| panic!("{failure}"));
    println!("{}: {counts}", rig.name());
    counts
}

/// The control must fail within so many rounds, and say so in these words.
fn caught(rig: &dyn Rig, rounds: u64, words: &str) {
    let mut left = rounds;
    let played = play(rig, 0, |_| {
        left -= 1;
        left > 0
    });
    let failure = played.expect_err("the control was not caught").to_string();
    assert!(failure.contains(words), "{failure}");
}

#[test]
fn two_thousand_kills_of_processes_on_sqlite_break_no_promise() {
    until(&KillRig::new(Engine::Sqlite, PROGRAM), "kills", KILLS);
}

#[test]
fn two_thousand_kills_of_processes_on_redb_break_no_promise() {
    until(&KillRig::new(Engine::Redb, PROGRAM), "kills", KILLS);
}

#[test]
fn worker_that_acknowledges_before_the_commit_is_caught() {
    for engine in [Engine::Sqlite, Engine::Redb] {
        caught(&KillRig::new(engine, PROGRAM).with(Flaw::AcknowledgesEarly), 10, "and that is lost");
    }
}

#[test]
fn worker_that_does_not_log_its_effect_is_caught() {
    for engine in [Engine::Sqlite, Engine::Redb] {
        caught(&KillRig::new(engine, PROGRAM).with(Flaw::EffectNotLogged), 10, "had no effect");
    }
}
