//! A store: one handle on a backend, driven by a thread of its own or by its callers.

use std::sync::Arc;

use async_trait::async_trait;
use magnetar_core::{Answer, Capabilities, Clock, Error, ErrorKind, Group, JobStore, Query, Rejection, Reply, Result, limits};

use crate::{backend::Backend, inline::Inline, locks::NoLocks, options::Options};
#[cfg(feature = "threaded")]
use crate::{host::FileLocks, threaded::Threaded};

/// A handle on an embedded store. Backends wrap it in a type of their own.
///
/// Dropping it closes the store before the drop returns: what was accepted is ended, what is held is given back.
pub struct Store {
    driver: Driver,
    capabilities: Capabilities,
}

enum Driver {
    Inline(Box<Inline>),
    #[cfg(feature = "threaded")]
    Threaded(Threaded),
}

impl Store {
    /// Opens a store whose calls do their work in the thread of the caller, on a clock of the caller's. Upkeep is done by
    /// calls alone: a handle that is not called for longer than a session lives is taken for dead. There are no lock files.
    ///
    /// # Errors
    /// What the backend says to the first transaction.
    pub fn inline(backend: Box<dyn Backend>, options: Options, clock: Arc<dyn Clock>) -> Result<Self> {
        let capabilities = backend.capabilities();
        let driver = Driver::Inline(Box::new(Inline::open(backend, options, clock, Box::new(NoLocks))?));
        Ok(Self { driver, capabilities })
    }

    /// Opens a store with a thread that writes, threads that read, and lock files beside it where the backend has a folder.
    ///
    /// # Errors
    /// What the backend says to the first transaction, or the system to a thread or a lock file.
    #[cfg(feature = "threaded")]
    pub fn threaded(backend: Box<dyn Backend>, options: Options, clock: Arc<dyn Clock>) -> Result<Self> {
        let capabilities = backend.capabilities();
        let locks = FileLocks::in_folder(backend.lock_folder(), options.lock_heir.clone());
        let driver = Driver::Threaded(Threaded::open(backend, options, clock, locks)?);
        Ok(Self { driver, capabilities })
    }
}

#[async_trait]
impl JobStore for Store {
    async fn submit(&self, groups: Vec<Group>) -> Result<Vec<Result<Vec<Reply>, Rejection>>> {
        Rejection::limit("the number of groups of one submit", groups.len(), limits::SUBMIT_GROUPS_MAX)?;
        match &self.driver {
            Driver::Inline(driver) => driver.submit(&groups),
            #[cfg(feature = "threaded")]
            Driver::Threaded(driver) => driver.submit(groups).await,
        }
    }

    async fn read(&self, query: Query) -> Result<Answer> {
        match &self.driver {
            Driver::Inline(driver) => driver.read(&query),
            #[cfg(feature = "threaded")]
            Driver::Threaded(driver) => driver.read(query).await,
        }
    }

    async fn watch(&self, seen: u64) -> Result<u64> {
        match &self.driver {
            Driver::Inline(driver) => driver.watch(seen).await,
            #[cfg(feature = "threaded")]
            Driver::Threaded(driver) => driver.watch(seen).await,
        }
    }

    fn capabilities(&self) -> Capabilities {
        self.capabilities
    }

    async fn close(&self) -> Result<()> {
        match &self.driver {
            Driver::Inline(driver) => driver.close(),
            #[cfg(feature = "threaded")]
            Driver::Threaded(driver) => driver.close().await,
        }
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        // Whoever wants to know how closing went calls `close`.
        match &self.driver {
            Driver::Inline(driver) => drop(driver.close()),
            #[cfg(feature = "threaded")]
            Driver::Threaded(driver) => driver.close_now(),
        }
    }
}

/// The error of every call after `close`.
pub(crate) fn closed() -> Error {
    Error::new(ErrorKind::Closed, "use a handle that was closed; open the store again")
}
