//! Where a store is that a rig works on, or looks at.

mod redb;
mod sqlite;

use std::sync::Arc;

use anyhow::Result;
use magnetar_embedded::Store;

pub(crate) use self::{redb::RedbSite, sqlite::SqliteSite};
use crate::workload::HandClock;

/// A store that can be opened through the product.
pub(crate) trait Site {
    /// Opens it, on this clock.
    fn open(&self, clock: Arc<HandClock>) -> magnetar_core::Result<Store>;

    /// Opens it as programs do, with threads of its own.
    fn open_threaded(&self, clock: Arc<HandClock>) -> magnetar_core::Result<Store>;

    /// Has another program write the log to the database, where there is one.
    fn checkpoint(&self, random: u64) -> Result<()>;
}
