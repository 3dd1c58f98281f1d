//! The store that callers open.

use std::{path::Path, sync::Arc};

use async_trait::async_trait;
use magnetar_core::{Answer, Capabilities, Group, JobStore, Query, Rejection, Reply, Result};
use magnetar_embedded::{Options, Store, SystemClock};

use crate::backend::SqliteBackend;

/// A store in a SQLite file. Several handles, in one process or in many on one host, may be open on the same file.
pub struct SqliteStore(Store);

impl SqliteStore {
    /// Opens the store in a file, and creates it where there is none or one of 0 bytes.
    ///
    /// # Errors
    /// Those of [`SqliteBackend::open`], and `Unavailable` where the system gives no thread or no lock file.
    #[expect(clippy::unused_async, reason = "every store opens the same way")]
    pub async fn open(path: impl AsRef<Path>) -> Result<Self> {
        let backend = SqliteBackend::open(path)?;
        Store::threaded(Box::new(backend), Options::default(), Arc::new(SystemClock)).map(Self)
    }
}

#[async_trait]
impl JobStore for SqliteStore {
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
