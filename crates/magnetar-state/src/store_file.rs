//! State in a folder, for callers that must not block.

use std::{path::Path, path::PathBuf, sync::Arc, time::Duration};

use async_trait::async_trait;
use bson::Document;

use crate::{
    check,
    entry::{Epoch, Guard, Loaded, Page, Saved},
    error::Result,
    files::{FileOptions, Files},
    lock::Lock,
    simple,
    store::{StateCapabilities, StateStore},
};

/// Resume tokens in a folder, one readable JSON file a collection.
///
/// What a save acknowledged survives a kill and a power cut. Several processes of a host can use one folder: their writes take turns, and
/// a write that waits for longer than 10 s for another process is `Busy`. Files and folder are for their owner alone (0600, 0700); what
/// is no file of a store is neither read, followed nor removed. A damaged file is an error until [`FileStore::set_aside`] is called.
///
/// Files are read and written on threads that are kept for that, so it works under any executor and under none. A future that is dropped
/// may or may not have its effect.
#[derive(Clone, Debug)]
pub struct FileStore {
    files: Arc<Files>,
}

impl FileStore {
    /// Opens a folder, and creates it and what is missing above it where it does not exist.
    ///
    /// # Errors
    /// As [`FileOptions::open_blocking`].
    pub async fn new(path: impl AsRef<Path> + Send) -> Result<Self> {
        FileOptions::new(path).open().await
    }

    /// The folder without the threads. Clones of a store and of its files are one handle.
    pub fn files(&self) -> &Arc<Files> {
        &self.files
    }

    /// Moves a damaged file aside: see [`Files::set_aside`].
    ///
    /// # Errors
    /// What the filesystem says.
    pub async fn set_aside(&self, collection: &str) -> Result<Option<PathBuf>> {
        check::collection(collection)?;
        let collection = collection.to_owned();
        self.run(move |files| files.set_aside(&collection)).await
    }

    pub(crate) fn of(files: Files) -> Self {
        Self { files: Arc::new(files) }
    }

    async fn run<T: Send + 'static>(&self, act: impl FnOnce(&Files) -> Result<T> + Send + 'static) -> Result<T> {
        let files = Arc::clone(&self.files);
        blocking::unblock(move || act(&files)).await
    }
}

#[async_trait]
impl StateStore for FileStore {
    async fn save_resume_token(&self, collection: &str, token: Document) -> Result<()> {
        simple::save(self, collection, token).await
    }

    async fn load_resume_token(&self, collection: &str) -> Result<Option<Document>> {
        simple::load(self, collection).await
    }

    async fn clear_resume_token(&self, collection: &str) -> Result<()> {
        simple::clear(self, collection).await
    }

    async fn load(&self, collection: &str) -> Result<Loaded> {
        check::collection(collection)?;
        let collection = collection.to_owned();
        self.run(move |files| files.load(&collection)).await
    }

    async fn save(&self, collection: &str, token: Document, guard: Guard, ttl: Option<Duration>) -> Result<Saved> {
        check::collection(collection)?;
        let collection = collection.to_owned();
        self.run(move |files| files.save(&collection, token, guard, ttl)).await
    }

    async fn clear(&self, collection: &str, guard: Guard) -> Result<Saved> {
        check::collection(collection)?;
        let collection = collection.to_owned();
        self.run(move |files| files.clear(&collection, guard)).await
    }

    async fn list(&self, after: Option<&str>, limit: usize) -> Result<Page> {
        let after = after.map(str::to_owned);
        self.run(move |files| files.list(after.as_deref(), limit)).await
    }

    async fn acquire(&self, name: &str, ttl: Duration) -> Result<Lock> {
        check::lock(name)?;
        let name = name.to_owned();
        self.run(move |files| files.acquire(&name, ttl)).await
    }

    async fn renew(&self, lock: &Lock, ttl: Duration) -> Result<Lock> {
        let lock = lock.clone();
        self.run(move |files| files.renew(&lock, ttl)).await
    }

    async fn release(&self, lock: &Lock) -> Result<()> {
        let lock = lock.clone();
        self.run(move |files| files.release(&lock)).await
    }

    async fn holder(&self, name: &str) -> Result<Option<Epoch>> {
        check::lock(name)?;
        let name = name.to_owned();
        self.run(move |files| files.holder(&name)).await
    }

    fn capabilities(&self) -> StateCapabilities {
        self.files.capabilities()
    }

    async fn health(&self) -> Result<()> {
        self.run(Files::health).await
    }

    async fn close(&self) -> Result<()> {
        self.run(|files| {
            files.close();
            Ok(())
        })
        .await
    }
}
