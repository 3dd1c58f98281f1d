//! A redb store in a storage in memory.

use std::{cell::RefCell, sync::Arc};

use anyhow::Result;
use magnetar_embedded::Store;
use magnetar_redb::RedbBackend;

use super::Site;
use crate::{
    storage::Storage,
    workload::{HandClock, options},
};

/// A storage that may be replaced by another.
pub(crate) struct RedbSite(RefCell<Storage>);

impl RedbSite {
    /// The name of the one file there is.
    pub(crate) const MAIN: &str = "jobs.redb";

    /// The store in this storage.
    pub(crate) fn new(storage: Storage) -> Self {
        Self(RefCell::new(storage))
    }

    /// Puts another storage in its place.
    pub(crate) fn lay(&self, storage: Storage) {
        *self.0.borrow_mut() = storage;
    }
}

impl Site for RedbSite {
    fn open(&self, clock: Arc<HandClock>) -> magnetar_core::Result<Store> {
        let backend = RedbBackend::on_storage(self.0.borrow().clone())?;
        Store::inline(Box::new(backend), options(), clock)
    }

    fn open_threaded(&self, clock: Arc<HandClock>) -> magnetar_core::Result<Store> {
        let backend = RedbBackend::on_storage(self.0.borrow().clone())?;
        Store::threaded(Box::new(backend), options(), clock)
    }

    fn checkpoint(&self, _random: u64) -> Result<()> {
        Ok(())
    }
}
