//! The transaction that writes.

use magnetar_core::{Error, ErrorKind, Result};
use magnetar_embedded::{Flush, Show, Table, Tx, View, Writes};
use rusqlite::Connection;

use crate::{
    error,
    identity::Identity,
    schema, sql,
    view::{Snapshot, roll_back},
    wait::Turn,
};

/// The lock on the file, until it is dropped or committed.
pub(crate) struct Transaction<'a> {
    snapshot: Snapshot<'a>,
    identity: &'a Identity,
    _turn: Held<'a>,
}

/// Notes when the lock was let go. Dropped after the snapshot, whose drop does that.
struct Held<'a>(&'a mut Turn);

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.0.ended();
    }
}

impl<'a> Transaction<'a> {
    /// Waits for the lock.
    pub(crate) fn begin(connection: &'a Connection, identity: &'a Identity, turn: &'a mut Turn) -> Result<Self> {
        identity.check()?;
        let file = identity.file();
        let begun = turn.take(|| {
            roll_back(connection);
            connection.prepare_cached(sql::BEGIN_WRITE)?.execute([])
        });
        begun.map_err(|error| error::from_sqlite("write to", file, error))?;
        let begun = Self { snapshot: Snapshot { connection, file }, identity, _turn: Held(turn) };
        schema::check_unchanged(connection, file)?;
        Ok(begun)
    }

    fn write(&self, writes: &Writes) -> rusqlite::Result<()> {
        let connection = self.snapshot.connection;
        for table in Table::ALL {
            let changes = writes.of(table);
            if changes.len() == 0 {
                continue;
            }
            let sql = sql::of(table);
            let (mut put, mut remove) = (connection.prepare_cached(&sql.put)?, connection.prepare_cached(&sql.remove)?);
            for (key, value) in changes {
                match value {
                    Some(value) => put.execute([key, value])?,
                    None => remove.execute([key])?,
                };
            }
        }
        connection.prepare_cached(sql::COMMIT)?.execute([]).map(drop)
    }

    /// The error of a commit. It says `Full` only where everything was taken back for sure.
    fn failure(&self, error: rusqlite::Error) -> Error {
        roll_back(self.snapshot.connection);
        let error = error::from_sqlite("write to", self.snapshot.file, error);
        if error.kind() == ErrorKind::Full && !self.snapshot.connection.is_autocommit() {
            return Error::new(ErrorKind::Backend, "take back what did not fit on the disk; open the store again")
                .with_source(error);
        }
        error
    }
}

impl View for Transaction<'_> {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>> {
        self.snapshot.get(table, key)
    }

    fn scan(&self, table: Table, from: &[u8], to: &[u8], each: &mut Show<'_>) -> Result<()> {
        self.snapshot.scan(table, from, to, each)
    }
}

impl Tx for Transaction<'_> {
    /// Every commit is flushed, `Unsynced` ones too. SQLite takes the level (`PRAGMA synchronous`) outside a transaction only,
    /// and which one a commit may have is known only inside; a commit at the lower level with a flush of our own after it
    /// would show others what a power cut can still undo.
    fn commit(self: Box<Self>, writes: &Writes, _flush: Flush) -> Result<()> {
        self.write(writes).map_err(|error| self.failure(error))?;
        // A file that was removed or replaced in the meantime took the commit with it.
        self.identity.check()
    }
}
