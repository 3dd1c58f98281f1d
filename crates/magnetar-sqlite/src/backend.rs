//! The backend: one connection that writes, and the file that it writes to.

use std::path::{Path, PathBuf};

use magnetar_core::{Capabilities, Durability, Result, Sharing};
use magnetar_embedded::{
    Backend, Reader, Tx,
    files::{self, Identity, Place},
};

use crate::{
    connection::{self, Link, Role},
    create,
    tx::Transaction,
    view::SqliteReader,
    wait::Turn,
};

/// The tables of one SQLite file, through a connection that writes.
pub struct SqliteBackend {
    connection: Link,
    identity: Identity,
    turn: Turn,
    /// SQLite's version of the data as of the last transaction; it changes when another connection has written.
    seen: Option<i64>,
}

impl SqliteBackend {
    /// Opens the database in a file, and creates it where there is none or one of 0 bytes. Links are resolved first, so
    /// whoever comes by another name finds the same lock files.
    ///
    /// A crash in the middle leaves no file, one of 0 bytes, or a complete database; beside one of 0 bytes a hidden file may be
    /// left, which the next open removes.
    ///
    /// # Errors
    /// - `Invalid` for a path that can be no store: a folder, a FIFO, another program's database, a file with a second name
    ///   (a hard link), a missing database whose `-wal` is still there.
    /// - `Corrupt` for a file that is damaged or no database, `Newer` for one that a newer version wrote.
    /// - `ReadOnly`, `Full`, `Unavailable` (a missing folder, a link to nowhere) for what the system refuses.
    /// - `Busy` where another process does not let go of its lock in 30 s.
    /// - `Unsupported` on a network filesystem, and where the SQLite library is too old.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        connection::check_library()?;
        let place = Place::of(path.as_ref())?;
        create::where_absent(&place)?;
        let (connection, identity) = connection::open(place.file(), Role::Writer)?;
        Ok(Self { connection, identity, turn: Turn::default(), seen: None })
    }
}

impl Backend for SqliteBackend {
    fn begin(&mut self) -> Result<Box<dyn Tx + '_>> {
        Ok(Box::new(Transaction::begin(&self.connection, &self.identity, &mut self.turn, &mut self.seen)?))
    }

    fn reader(&self) -> Result<Box<dyn Reader>> {
        let (connection, identity) = connection::open(self.identity.file(), Role::Reader)?;
        self.identity.check()?;
        Ok(Box::new(SqliteReader { connection, identity }))
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::new("sqlite", Durability::Power, Sharing::OneHost)
    }

    fn name(&self) -> String {
        self.identity.file().display().to_string()
    }

    fn lock_folder(&self) -> Option<PathBuf> {
        Some(files::lock_folder(self.identity.file()))
    }
}
