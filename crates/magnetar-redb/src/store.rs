//! The store that callers open.

use std::{path::Path, sync::Arc};

use async_trait::async_trait;
use magnetar_core::{Answer, Capabilities, Group, JobStore, Query, Rejection, Reply, Result};
use magnetar_embedded::{Options, Store, SystemClock};

use crate::backend::RedbBackend;

/// A store in one redb file. One handle has it open at a time; it can be shared behind an `Arc`.
///
/// What was acknowledged survives a kill and a power cut. After a kill, the next handle gets the dead one's chunks at once,
/// under higher fences.
pub struct RedbStore(Store);

impl RedbStore {
    /// Opens the store in a file, which is made where there is none or an empty one. Its folder must exist and be writable.
    ///
    /// A crash while it is made leaves no half of a file. Beside `jobs.redb` there is a folder `jobs.redb-sessions`, with a
    /// lock file of the open handle.
    ///
    /// # Errors
    /// - `AlreadyOpen` where another handle or process has the file open.
    /// - `Invalid` where it is not a file, or not one of Magnetar's.
    /// - `Corrupt` where it is damaged, `Newer` where a newer version wrote it.
    /// - `ReadOnly`, `Full`, `Unavailable` (a missing folder), `Unsupported` (a network filesystem).
    #[expect(clippy::unused_async, reason = "every store opens the same way")]
    pub async fn open(path: impl AsRef<Path>) -> Result<Self> {
        let backend = RedbBackend::open(path.as_ref())?;
        Store::threaded(Box::new(backend), Options::default(), Arc::new(SystemClock)).map(Self)
    }
}

#[async_trait]
impl JobStore for RedbStore {
    async fn submit(&self, groups: Vec<Group>) -> Result<Vec<Result<Vec<Reply>, Rejection>>> {
        self.0.submit(groups).await
    }

    async fn read(&self, query: Query) -> Result<Answer> {
        self.0.read(query).await
    }

    async fn watch(&self, seen: u64) -> Result<u64> {
        self.0.watch(seen).await
    }

    fn capabilities(&self) -> Capabilities {
        self.0.capabilities()
    }

    async fn close(&self) -> Result<()> {
        self.0.close().await
    }
}
