//! The store that callers open.

use async_trait::async_trait;
use magnetar_core::{Answer, Capabilities, Group, JobStore, Query, Rejection, Reply, Result};
use magnetar_embedded::{Options, Store};

use crate::backend::MemoryBackend;

/// A store in memory. Every open one is empty at first and alone; it is gone when its last handle is dropped.
pub struct MemoryStore(Store);

impl MemoryStore {
    /// Opens an empty store on the system's clock.
    ///
    /// # Errors
    /// `Unavailable` where the system gives no thread.
    #[cfg(feature = "threaded")]
    #[expect(clippy::unused_async, reason = "every store opens the same way")]
    pub async fn open() -> Result<Self> {
        let clock = std::sync::Arc::new(magnetar_embedded::SystemClock);
        Store::threaded(Box::new(MemoryBackend::default()), Options::default(), clock).map(Self)
    }

    /// Opens an empty store on a clock of the caller's, which does its work in the thread of its callers.
    ///
    /// # Errors
    /// None that are known.
    pub fn inline(clock: std::sync::Arc<dyn magnetar_core::Clock>) -> Result<Self> {
        Store::inline(Box::new(MemoryBackend::default()), Options::default(), clock).map(Self)
    }
}

#[async_trait]
impl JobStore for MemoryStore {
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
