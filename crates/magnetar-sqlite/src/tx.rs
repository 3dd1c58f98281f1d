//! The transaction that writes.

use magnetar_core::{Error, ErrorKind, Result};
use magnetar_embedded::{Flush, Show, Table, Tx, View, Writes, files::Identity};
use rusqlite::Connection;

use crate::{
    error, schema,
    sql::{self, TableSql},
    view::{Snapshot, roll_back},
    wait::Turn,
};

/// The lock on the file, until it is dropped or committed.
pub(crate) struct Transaction<'a> {
    snapshot: Snapshot<'a>,
    identity: &'a Identity,
    has_foreign_writes: bool,
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
    /// Waits for the lock. `seen` is SQLite's version of the data in the transaction before.
    pub(crate) fn begin(
        connection: &'a Connection,
        identity: &'a Identity,
        turn: &'a mut Turn,
        seen: &mut Option<i64>,
    ) -> Result<Self> {
        identity.check()?;
        let file = identity.file();
        let begun = turn.take(|| {
            roll_back(connection);
            connection.prepare_cached(sql::BEGIN_WRITE)?.execute([])
        });
        begun.map_err(|error| error::from_sqlite("write to", file, error))?;
        let mut begun = Self { snapshot: Snapshot::new(connection, file), identity, has_foreign_writes: true, _turn: Held(turn) };
        let now = schema::data_version(connection).map_err(|error| error::from_sqlite("read", file, error))?;
        begun.has_foreign_writes = *seen != Some(now);
        // A migration by another process is a write like any other.
        if begun.has_foreign_writes {
            schema::check_unchanged(connection, file)?;
        }
        *seen = Some(now);
        Ok(begun)
    }

    fn write(&self, writes: &Writes) -> rusqlite::Result<()> {
        let connection = self.snapshot.connection;
        for table in Table::ALL {
            if writes.is_without(table) {
                continue;
            }
            let changes = || writes.of(table);
            let sql = sql::of(table);
            let mut remove = connection.prepare_cached(&sql.remove)?;
            for (key, _) in changes().filter(|(_, value)| value.is_none()) {
                remove.execute([key])?;
            }
            put(connection, sql, changes().filter_map(|(key, value)| Some((key, value?))))?;
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

/// Puts rows, many by one statement where there are so many: a statement costs as much as a row.
fn put<'r>(connection: &Connection, sql: &TableSql, rows: impl Iterator<Item = (&'r [u8], &'r [u8])>) -> rusqlite::Result<()> {
    let rows: Vec<_> = rows.collect();
    let (many, rest) = rows.as_chunks::<{ sql::ROWS_MAX }>();
    if !many.is_empty() {
        let mut put = connection.prepare_cached(&sql.put_many)?;
        for rows in many {
            for (at, (key, value)) in rows.iter().enumerate() {
                put.raw_bind_parameter(2 * at + 1, key)?;
                put.raw_bind_parameter(2 * at + 2, value)?;
            }
            put.raw_execute()?;
        }
    }
    if !rest.is_empty() {
        let mut put = connection.prepare_cached(&sql.put)?;
        for (key, value) in rest {
            put.execute([key, value])?;
        }
    }
    Ok(())
}

impl View for Transaction<'_> {
    fn get(&self, table: Table, key: &[u8], show: &mut dyn FnMut(&[u8])) -> Result<()> {
        self.snapshot.get(table, key, show)
    }

    fn scan(&self, table: Table, from: &[u8], to: &[u8], each: &mut Show<'_>) -> Result<()> {
        self.snapshot.scan(table, from, to, each)
    }
}

impl Tx for Transaction<'_> {
    fn has_foreign_writes(&self) -> bool {
        self.has_foreign_writes
    }

    /// Every commit is flushed, `Unsynced` ones too. SQLite takes the level (`PRAGMA synchronous`) outside a transaction only,
    /// and which one a commit may have is known only inside; a commit at the lower level with a flush of our own after it
    /// would show others what a power cut can still undo.
    fn commit(self: Box<Self>, writes: &Writes, _flush: Flush) -> Result<()> {
        self.write(writes).map_err(|error| self.failure(error))?;
        // A file that was removed or replaced in the meantime took the commit with it.
        self.identity.check()
    }
}
