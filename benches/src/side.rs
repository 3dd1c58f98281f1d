//! The backends that are measured: for each its store, and its hand-written code.

use std::{path::Path, sync::Arc};

use futures_lite::future::block_on;
use magnetar_core::{JobId, JobOptions, JobSpec, JobStore, Manifest, NewChunk, RetryPolicy};
use magnetar_redb::RedbStore;
use magnetar_sqlite::SqliteStore;

use crate::raw::{Raw, RawRedb, RawSqlite};

/// A backend.
pub trait Side {
    /// What it is called in the names of benchmarks.
    const NAME: &'static str;

    /// The hand-written code on the same engine.
    type Raw: Raw;

    /// Opens the store.
    fn open(path: &Path) -> Arc<dyn JobStore>;

    /// Opens the store's file with the engine alone, and closes it.
    fn recover(path: &Path);
}

/// `SQLite`.
pub struct Sqlite;

/// redb.
pub struct Redb;

impl Side for Sqlite {
    const NAME: &'static str = "sqlite";
    type Raw = RawSqlite;

    fn open(path: &Path) -> Arc<dyn JobStore> {
        Arc::new(block_on(SqliteStore::open(path)).expect("the store opens"))
    }

    fn recover(path: &Path) {
        RawSqlite::recover(path);
    }
}

impl Side for Redb {
    const NAME: &'static str = "redb";
    type Raw = RawRedb;

    fn open(path: &Path) -> Arc<dyn JobStore> {
        Arc::new(block_on(RedbStore::open(path)).expect("the store opens"))
    }

    fn recover(path: &Path) {
        RawRedb::recover(path);
    }
}

/// Chunks 1 and up with these checksums.
pub fn manifest(checksums: &[String]) -> Manifest {
    let chunk = |(id, checksum): (u64, &String)| NewChunk::new(id).checksum(checksum);
    // The processes of some benchmarks die with the same chunks in their hands again and again.
    let retry = RetryPolicy { max_crashes: u32::MAX, ..RetryPolicy::default() };
    let spec = JobSpec { options: Some(JobOptions { retry, ..JobOptions::default() }), ..JobSpec::default() };
    Manifest::new(spec, (1..).zip(checksums).map(chunk).collect()).expect("the chunks make a manifest")
}

/// Puts a job in.
pub fn import(store: &dyn JobStore, job: JobId, manifest: &Manifest) {
    block_on(store.init_from_manifest(job, manifest)).expect("the job goes in");
}
