//! The store that callers open.

use std::{path::Path, sync::Arc};

use magnetar_core::Result;
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
    /// A crash while it is made leaves no file, one of 0 bytes, or a complete store; beside one of 0 bytes a hidden file may be
    /// left, which the next open removes. Beside `jobs.redb` there is a folder `jobs.redb-sessions`, with a lock file of the
    /// open handle.
    ///
    /// # Errors
    /// - `AlreadyOpen` where another handle or process has the file open.
    /// - `Invalid` where it is not a file, or not one of Magnetar's.
    /// - `Corrupt` where it is damaged, `Newer` where a newer version wrote it.
    /// - `ReadOnly`, `Full`, `Unavailable` (a missing folder, a link to nowhere), `Unsupported` (a network filesystem).
    /// - `Busy` where another process is making it and does not end in 30 s.
    pub async fn open(path: impl AsRef<Path>) -> Result<Self> {
        Self::open_with(path, Options::default()).await
    }

    /// Opens the store as [`open`](Self::open) does, and runs it with these options.
    ///
    /// # Errors
    /// As [`open`](Self::open), and what a [`LockHeir`](magnetar_embedded::LockHeir) among the options says.
    #[expect(clippy::unused_async, reason = "every store opens the same way")]
    pub async fn open_with(path: impl AsRef<Path>, options: Options) -> Result<Self> {
        let backend = RedbBackend::open(path.as_ref())?;
        Store::threaded(Box::new(backend), options, Arc::new(SystemClock)).map(Self)
    }
}

magnetar_embedded::forward_job_store!(RedbStore);
