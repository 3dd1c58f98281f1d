//! The differential test on every backend at once: random steps on stores in memory, in a SQLite file and in a redb file, and on
//! the model, which must all agree.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;

use magnetar_memory::MemoryBackend;
use magnetar_redb::RedbBackend;
use magnetar_sqlite::SqliteBackend;
use magnetar_testkit::{Differential, EmbeddedHarness, Harness, differential};
use tempfile::TempDir;

/// A folder in memory where the system has one: what is tested here are answers, not flushes.
fn folder() -> TempDir {
    let in_memory = Path::new("/dev/shm");
    if in_memory.is_dir() { tempfile::tempdir_in(in_memory).unwrap() } else { tempfile::tempdir().unwrap() }
}

fn memory() -> EmbeddedHarness {
    let backend = MemoryBackend::default();
    EmbeddedHarness::inline(move || Box::new(backend.clone()))
}

fn sqlite() -> EmbeddedHarness {
    let folder = folder();
    EmbeddedHarness::inline(move || Box::new(SqliteBackend::open(folder.path().join("jobs.db")).unwrap()))
}

fn redb() -> EmbeddedHarness {
    let folder = folder();
    let backend = RedbBackend::open(&folder.path().join("jobs.redb")).unwrap().without_lock_files();
    EmbeddedHarness::inline(move || {
        // The folder stays for as long as the harness.
        let _ = &folder;
        Box::new(backend.clone())
    })
}

#[test]
fn all_backends_agree_with_the_model_over_random_steps() {
    let all = [("memory", memory as fn() -> EmbeddedHarness), ("sqlite", sqlite), ("redb", redb)];
    let fresh = || all.map(|(name, make)| (name.to_owned(), Box::new(make()) as Box<dyn Harness>)).into();
    differential(fresh, Differential::default());
}
