//! The engines whose stores are tortured.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context, Result, bail};
use futures_lite::future::block_on;
use magnetar_core::JobStore;
use magnetar_embedded::Options;
use magnetar_redb::RedbStore;
use magnetar_sqlite::SqliteStore;

/// An engine that keeps a store in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// SQLite: several processes at once.
    Sqlite,
    /// redb: one process at a time.
    Redb,
}

impl Engine {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite",
            Self::Redb => "redb",
        }
    }

    pub(crate) fn by_name(name: &str) -> Result<Self> {
        match name {
            "sqlite" => Ok(Self::Sqlite),
            "redb" => Ok(Self::Redb),
            _ => bail!("there is no engine {name}"),
        }
    }

    /// Where a store of this engine is in a folder.
    pub(crate) fn file(self, folder: &Path) -> PathBuf {
        folder.join(match self {
            Self::Sqlite => "jobs.db",
            Self::Redb => "jobs.redb",
        })
    }

    /// Opens the store, and makes it where there is none.
    pub(crate) fn open(self, file: &Path, options: Options) -> Result<Arc<dyn JobStore>> {
        let opened: Result<Arc<dyn JobStore>, _> = match self {
            Self::Sqlite => block_on(SqliteStore::open_with(file, options)).map(|store| Arc::new(store) as _),
            Self::Redb => block_on(RedbStore::open_with(file, options)).map(|store| Arc::new(store) as _),
        };
        opened.context("open the store")
    }
}

/// Options under which a session that is not renewed is dead after so long.
pub(crate) fn short_lived(session_ttl: Duration) -> Options {
    let mut options = Options::default();
    options.session_ttl = session_ttl;
    options.renew_every = session_ttl / 4;
    options.upkeep_every = session_ttl / 10;
    options
}
