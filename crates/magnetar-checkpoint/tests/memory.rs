//! How much memory a save and a load take beyond the checkpoint itself.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::HashMap;

use magnetar_checkpoint::{Checkpoint, CheckpointManager};

const MIB: u64 = 1024 * 1024;
const BEYOND_MAX: u64 = 16 * MIB;

/// A million jobs, of which some run.
fn million(workers: u64) -> Checkpoint {
    let name = |n: u64| format!("encode/2026-11-27/{n:07}");
    let running: HashMap<_, _> = (0..workers).map(|n| (format!("worker-{n}"), name(n))).collect();
    Checkpoint::new(0)
        .with_queued((workers..1_000_000).map(name).collect())
        .with_in_progress((0..workers).map(name).collect())
        .with_workers(running)
}

#[track_caller]
fn check(checkpoint: &Checkpoint) {
    assert_eq!(checkpoint.total_jobs(), 1_000_000);
    let folder = tempfile::tempdir().unwrap();
    let manager = CheckpointManager::new(folder.path(), 2).unwrap();
    let saving = allocation_counter::measure(|| drop(manager.save(checkpoint).unwrap()));
    let mut loaded = None;
    let loading = allocation_counter::measure(|| loaded = manager.load_latest().unwrap());
    let value_bytes = u64::try_from(loading.bytes_current).unwrap();
    let beyond = loading.bytes_max - value_bytes;
    println!("saving: {} KiB; loading: {} MiB, and {} KiB beyond", saving.bytes_max / 1024, value_bytes / MIB, beyond / 1024);
    assert!(value_bytes > 40 * MIB, "{value_bytes}");
    assert!(saving.bytes_max < BEYOND_MAX, "{} bytes to save", saving.bytes_max);
    assert!(beyond < BEYOND_MAX, "{beyond} bytes to load");
    let mut loaded = loaded.unwrap();
    loaded.sequence = 0;
    assert!(loaded == *checkpoint);
}

#[test]
fn million_jobs_are_saved_and_loaded_in_16_mib_beyond_the_value() {
    check(&million(1000));
}

#[test]
fn million_jobs_that_all_run_are_saved_and_loaded_in_16_mib_beyond_the_value() {
    check(&million(1_000_000));
}
