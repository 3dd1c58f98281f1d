//! How much memory a save and a load take beyond the checkpoint itself.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::HashMap;

use magnetar_checkpoint::{Checkpoint, CheckpointManager};
use magnetar_core::{ChunkSnapshot, JobOptions, JobSnapshot, JobStatus, Snapshot, Timestamp};

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

/// A store with a million chunks.
fn store() -> Checkpoint {
    let now = Timestamp::from_millis(1_767_225_600_000);
    let mut job = JobSnapshot::new(7, JobOptions::default(), now);
    job.chunks = (1..=1_000_000).map(|id| ChunkSnapshot::new(id, JobStatus::Pending, now)).collect();
    for chunk in &mut job.chunks {
        chunk.expected_checksum = Some(format!("sha256:{:016x}", chunk.id));
    }
    let mut snapshot = Snapshot::default();
    snapshot.jobs = vec![job];
    Checkpoint::new(0).with_jobs(snapshot)
}

/// Set to the folder for the process that loads.
const LOADS: &str = "MAGNETAR_CHECKPOINT_LOADS";

/// A list of chunks grows while it is read. Allocators of systems move the pages of a large block instead of copying it, which a counting
/// one does not, so this counts pages: those of a process that does nothing but load.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[test]
fn million_chunks_of_a_store_are_saved_and_loaded_in_16_mib_beyond_the_value() {
    if let Some(folder) = std::env::var_os(LOADS) {
        let loaded = CheckpointManager::new(folder, 2).unwrap().load_latest().unwrap().unwrap();
        let (peak, now) = (memory("VmHWM:"), memory("VmRSS:"));
        assert_eq!(loaded.jobs.unwrap().counts().chunks, 1_000_000);
        println!("loading: {} MiB, and {} KiB beyond", now / MIB, (peak - now) / 1024);
        assert!(now > 200 * MIB && peak - now < BEYOND_MAX, "{peak} bytes at the peak, {now} afterwards");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let manager = CheckpointManager::new(folder.path(), 2).unwrap();
    let checkpoint = store();
    let saving = allocation_counter::measure(|| drop(manager.save(&checkpoint).unwrap()));
    assert!(saving.bytes_max < BEYOND_MAX, "{} bytes to save", saving.bytes_max);
    let mut child = std::process::Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", "million_chunks_of_a_store_are_saved_and_loaded_in_16_mib_beyond_the_value", "--nocapture"]);
    let output = child.env(LOADS, folder.path()).output().unwrap();
    print!("{}", String::from_utf8_lossy(&output.stdout));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// What the system says about the memory of this process, in bytes.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn memory(what: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(what)).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}

#[test]
fn million_jobs_are_saved_and_loaded_in_16_mib_beyond_the_value() {
    check(&million(1000));
}

#[test]
fn million_jobs_that_all_run_are_saved_and_loaded_in_16_mib_beyond_the_value() {
    check(&million(1_000_000));
}
