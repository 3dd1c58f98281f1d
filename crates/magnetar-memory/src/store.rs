//! The store that callers open.

use magnetar_core::Result;
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
    pub async fn open() -> Result<Self> {
        Self::open_with(Options::default()).await
    }

    /// Opens an empty store as [`open`](Self::open) does, and runs it with these options.
    ///
    /// # Errors
    /// `Unavailable` where the system gives no thread.
    #[cfg(feature = "threaded")]
    #[expect(clippy::unused_async, reason = "every store opens the same way")]
    pub async fn open_with(options: Options) -> Result<Self> {
        let clock = std::sync::Arc::new(magnetar_embedded::SystemClock);
        Store::threaded(Box::new(MemoryBackend::default()), options, clock).map(Self)
    }

    /// Opens an empty store on a clock of the caller's, which does its work in the thread of its callers.
    ///
    /// # Errors
    /// None that are known.
    pub fn inline(clock: std::sync::Arc<dyn magnetar_core::Clock>) -> Result<Self> {
        Store::inline(Box::new(MemoryBackend::default()), Options::default(), clock).map(Self)
    }
}

magnetar_embedded::forward_job_store!(MemoryStore);
