//! A SQLite store in a folder.

use std::{fs, io, path::PathBuf, sync::Arc};

use anyhow::Result;
use magnetar_embedded::Store;
use magnetar_sqlite::SqliteBackend;
use rusqlite::Connection;
use tempfile::TempDir;

use super::Site;
use crate::workload::{HandClock, options};

/// What SQLite may put beside it.
const COMPANIONS: [&str; 3] = ["jobs.db-wal", "jobs.db-shm", "jobs.db-journal"];

/// A folder with one store in it.
pub(crate) struct SqliteSite(PathBuf);

impl SqliteSite {
    /// The name of the database.
    pub(crate) const MAIN: &str = "jobs.db";

    /// A new folder in another.
    pub(crate) fn new(folder: &TempDir, name: &str) -> io::Result<Self> {
        let path = folder.path().join(name);
        fs::create_dir(&path)?;
        Ok(Self(path))
    }

    /// The path of a file.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Removes the store that is there.
    pub(crate) fn clear(&self) -> io::Result<()> {
        for name in [Self::MAIN].into_iter().chain(COMPANIONS) {
            match fs::remove_file(self.path(name)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }

    /// Puts these files in the place of what is there.
    pub(crate) fn lay<'f>(&self, files: impl IntoIterator<Item = (&'f str, &'f [u8])>) -> io::Result<()> {
        self.clear()?;
        files.into_iter().try_for_each(|(name, bytes)| fs::write(self.path(name), bytes))
    }
}

impl Site for SqliteSite {
    fn open(&self, clock: Arc<HandClock>) -> magnetar_core::Result<Store> {
        Store::inline(Box::new(SqliteBackend::open(self.path(Self::MAIN))?), options(), clock)
    }

    fn open_threaded(&self, clock: Arc<HandClock>) -> magnetar_core::Result<Store> {
        Store::threaded(Box::new(SqliteBackend::open(self.path(Self::MAIN))?), options(), clock)
    }

    fn checkpoint(&self, random: u64) -> Result<()> {
        let connection = Connection::open(self.path(Self::MAIN))?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        let mode = if random.is_multiple_of(2) { "PRAGMA wal_checkpoint(PASSIVE)" } else { "PRAGMA wal_checkpoint(TRUNCATE)" };
        connection.query_row(mode, [], |_| Ok(()))?;
        Ok(())
    }
}
