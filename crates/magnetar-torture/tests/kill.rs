//! The rigs that kill, in their short form, and their controls.

#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use magnetar_torture::{
    Counts, Rig,
    kill::{Engine, Flaw, KillRig, SyscallRig, ZombieRig},
    play,
};

const PROGRAM: &str = env!("CARGO_BIN_EXE_magnetar-torture");
const KILLS: u64 = 2000;
const ZOMBIES: u64 = 200;

/// Plays a rig until it has counted so many, and returns all counts.
fn until(rig: &dyn Rig, what: &str, count: u64) -> Counts {
    let counts = play(rig, 0, |counts| counts.get(what) < count).unwrap_or_else(|failure| panic!("{failure}"));
    println!("{}: {counts}", rig.name());
    counts
}

/// The control must fail within so many rounds, and say so in one of these words.
fn caught(rig: &dyn Rig, rounds: u64, words: &[&str]) {
    let mut left = rounds;
    let played = play(rig, 0, |_| {
        left -= 1;
        left > 0
    });
    let failure = played.expect_err("the control was not caught").to_string();
    assert!(words.iter().any(|words| failure.contains(words)), "{failure}");
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
        caught(&KillRig::new(engine, PROGRAM).with(Flaw::AcknowledgesEarly), 10, &["and that is lost", "was handed out under"]);
    }
}

#[test]
fn worker_that_does_not_log_its_effect_is_caught() {
    for engine in [Engine::Sqlite, Engine::Redb] {
        caught(&KillRig::new(engine, PROGRAM).with(Flaw::EffectNotLogged), 10, &["had no effect"]);
    }
}

/// Plays the fixed workload to the beginning and to the end of each of its calls; on SQLite also beside another process.
fn at_each_call(engine: Engine, passes: u64) {
    let rig = SyscallRig::new(engine, PROGRAM);
    if let Some(hindrance) = rig.hindrance().unwrap() {
        println!("skipped: {hindrance}");
        assert_ne!(std::env::var("MAGNETAR_REQUIRE").as_deref(), Ok("1"), "{hindrance}");
        return;
    }
    for seed in 0..passes {
        let counts = play(&rig, seed, |counts| *counts == Counts::default()).unwrap_or_else(|failure| panic!("{failure}"));
        println!("{}, pass {seed}: {counts}", rig.name());
        // What the workload is made of: were the filter to miss calls, the rig would go by what it is for.
        let making: &[&str] = if seed < 2 { &["rename", "mkdir"] } else { &[] };
        for call in ["write", "pwrite64", "fsync", "unlink", "openat"].iter().chain(making) {
            assert!(counts.get(call) > 0, "no kill at {call}: {counts}");
        }
    }
}

#[test]
fn kill_at_each_call_that_changes_a_file_of_sqlite_breaks_no_promise() {
    at_each_call(Engine::Sqlite, 4);
}

#[test]
fn kill_at_each_call_that_changes_a_file_of_redb_breaks_no_promise() {
    at_each_call(Engine::Redb, 2);
}

#[test]
fn worker_that_acknowledges_before_the_commit_is_caught_at_a_call() {
    let rig = |engine| SyscallRig::new(engine, PROGRAM).with(Flaw::AcknowledgesEarly);
    for rig in [Engine::Sqlite, Engine::Redb].map(rig) {
        if rig.hindrance().unwrap().is_none() {
            caught(&rig, 2, &["and that is lost", "was handed out under"]);
        }
    }
}

#[test]
fn two_hundred_zombies_are_refused_all_they_write() {
    until(&ZombieRig::new(PROGRAM), "resumes", ZOMBIES);
}

#[test]
fn store_without_a_fence_and_one_with_names_for_fences_are_caught() {
    for flaw in [Flaw::NoFence, Flaw::OwnerNameFence] {
        caught(&ZombieRig::new(PROGRAM).with(flaw), 10, &["of a stale token", "after it was accepted"]);
    }
}
