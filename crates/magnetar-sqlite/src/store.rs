//! The store that callers open.

use std::{path::Path, sync::Arc};

use magnetar_core::Result;
use magnetar_embedded::{Options, Store, SystemClock};

use crate::backend::SqliteBackend;

/// A store in a SQLite file. Several handles, in one process or in many on one host, may be open on the same file.
pub struct SqliteStore(Store);

impl SqliteStore {
    /// Opens the store in a file, and creates it where there is none or one of 0 bytes.
    ///
    /// # Errors
    /// Those of [`SqliteBackend::open`], and `Unavailable` where the system gives no thread or no lock file.
    pub async fn open(path: impl AsRef<Path>) -> Result<Self> {
        Self::open_with(path, Options::default()).await
    }

    /// Opens the store as [`open`](Self::open) does, and runs it with these options.
    ///
    /// # Errors
    /// As [`open`](Self::open), and what a [`LockHeir`](magnetar_embedded::LockHeir) among the options says.
    #[expect(clippy::unused_async, reason = "every store opens the same way")]
    pub async fn open_with(path: impl AsRef<Path>, options: Options) -> Result<Self> {
        let backend = SqliteBackend::open(path)?;
        Store::threaded(Box::new(backend), options, Arc::new(SystemClock)).map(Self)
    }
}

magnetar_embedded::forward_job_store!(SqliteStore);
