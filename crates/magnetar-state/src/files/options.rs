//! How a folder of state is opened.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::Duration,
};

use magnetar_core::Clock;
use magnetar_fs::{Disk, Folder, Writer};

use super::{Files, Gate, failure};
use crate::{
    check,
    clock::SystemClock,
    error::{Result, StateError},
    store_file::FileStore,
};

/// How a folder of state is opened: `FileOptions::new("./state").ttl(day).open().await`.
#[derive(Clone)]
pub struct FileOptions {
    path: PathBuf,
    ttl: Option<Duration>,
    clock: Arc<dyn Clock>,
    trusts_everyone: bool,
}

impl FileOptions {
    /// The folder of this path, by the time of the system, with tokens that do not expire.
    pub fn new(path: impl AsRef<Path>) -> Self {
        Self { path: path.as_ref().to_owned(), ttl: None, clock: Arc::new(SystemClock), trusts_everyone: false }
    }

    /// Tokens expire after `ttl` where a save does not say otherwise.
    #[must_use]
    pub fn ttl(mut self, ttl: Duration) -> Self {
        self.ttl = Some(ttl);
        self
    }

    /// Takes the time from another clock.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Opens also a folder to which others than the owner may write. They can put any token there.
    #[must_use]
    pub fn trust_everyone(mut self) -> Self {
        self.trusts_everyone = true;
        self
    }

    /// Opens the folder, away from the caller's thread.
    ///
    /// # Errors
    /// As [`open_blocking`](Self::open_blocking).
    pub async fn open(self) -> Result<FileStore> {
        blocking::unblock(move || self.open_blocking()).await.map(FileStore::of)
    }

    /// Opens the folder, creates it and what is missing above it, and removes what writers that died have left half done.
    ///
    /// A folder that can only be read is opened: saves are then refused.
    ///
    /// # Errors
    /// `Denied` where the path is a file or a symbolic link, may not be used, or is writable by others and that is not wanted; `Invalid`
    /// for a `ttl` of nothing; what else the filesystem says.
    pub fn open_blocking(self) -> Result<Files> {
        let opened = if self.trusts_everyone { Disk::open_shared(&self.path) } else { Disk::open(&self.path) };
        self.open_in(Arc::new(opened.map_err(failure::of)?))
    }

    /// Opens a folder of another filesystem, instead of the one that was named.
    ///
    /// # Errors
    /// As [`open_blocking`](Self::open_blocking).
    pub fn open_in(self, folder: Arc<dyn Folder>) -> Result<Files> {
        let ttl = self.ttl.map(check::ttl).transpose()?;
        match Writer::lock(Arc::clone(&folder)).map_err(failure::of) {
            // Somebody is writing, and has tidied up; or it can only be read, and nothing can be tidied up.
            Ok(_) | Err(StateError::Busy { .. } | StateError::ReadOnly { .. } | StateError::Denied { .. }) => {}
            Err(error) => return Err(error),
        }
        Ok(Files { folder, clock: self.clock, ttl, gate: Mutex::new(Gate::Open) })
    }
}
