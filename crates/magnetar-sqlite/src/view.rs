//! Reads of a connection that is in a transaction.

use std::{cell::RefCell, ops::ControlFlow, path::Path};

use magnetar_core::Result;
use magnetar_embedded::{Reader, Show, Table, View, files::Identity};
use rusqlite::{CachedStatement, Connection, Row, types::ValueRef};

use crate::{connection::Link, error, schema, sql, wait::patiently};

/// What a transaction sees. Dropping it ends the transaction and changes nothing.
pub(crate) struct Snapshot<'a> {
    pub(crate) connection: &'a Connection,
    pub(crate) file: &'a Path,
    /// The look-ups by key that were used, for the next time: the connection's own cache takes as long as a look-up.
    gets: [RefCell<Option<CachedStatement<'a>>>; Table::ALL.len()],
}

impl<'a> Snapshot<'a> {
    pub(crate) fn new(connection: &'a Connection, file: &'a Path) -> Self {
        Self { connection, file, gets: [const { RefCell::new(None) }; Table::ALL.len()] }
    }

    #[expect(clippy::indexing_slicing, reason = "there is a cell for each table")]
    fn try_get(&self, table: Table, key: &[u8], show: &mut dyn FnMut(&[u8])) -> rusqlite::Result<()> {
        let mut cell = self.gets[table.index()].borrow_mut();
        let statement = match &mut *cell {
            Some(statement) => statement,
            empty => empty.insert(self.connection.prepare_cached(&sql::of(table).get)?),
        };
        let mut rows = statement.query([key])?;
        if let Some(row) = rows.next()? {
            show(blob(row, 0)?);
        }
        Ok(())
    }

    fn try_scan(&self, table: Table, from: &[u8], to: &[u8], each: &mut Show<'_>) -> rusqlite::Result<()> {
        let mut statement = self.connection.prepare_cached(&sql::of(table).scan)?;
        let mut rows = statement.query([from, to])?;
        while let Some(row) = rows.next()? {
            if let ControlFlow::Break(()) = each(blob(row, 0)?, blob(row, 1)?) {
                break;
            }
        }
        Ok(())
    }
}

impl View for Snapshot<'_> {
    fn get(&self, table: Table, key: &[u8], show: &mut dyn FnMut(&[u8])) -> Result<()> {
        self.try_get(table, key, show).map_err(|error| error::from_sqlite("read", self.file, error))
    }

    fn scan(&self, table: Table, from: &[u8], to: &[u8], each: &mut Show<'_>) -> Result<()> {
        self.try_scan(table, from, to, each).map_err(|error| error::from_sqlite("read", self.file, error))
    }
}

impl Drop for Snapshot<'_> {
    fn drop(&mut self) {
        roll_back(self.connection);
    }
}

/// Ends the transaction, if SQLite has not done so after a failure.
pub(crate) fn roll_back(connection: &Connection) {
    if !connection.is_autocommit() {
        // Whoever begins the next transaction finds this one and tries again.
        let _ = connection.prepare_cached(sql::ROLL_BACK).and_then(|mut statement| statement.execute([]));
    }
}

fn blob<'a>(row: &'a Row<'_>, column: usize) -> rusqlite::Result<&'a [u8]> {
    match row.get_ref(column)? {
        ValueRef::Blob(bytes) => Ok(bytes),
        other => Err(rusqlite::Error::InvalidColumnType(column, "a row of bytes".to_owned(), other.data_type())),
    }
}

/// A connection of its own for reads.
pub(crate) struct SqliteReader {
    pub(crate) connection: Link,
    pub(crate) identity: Identity,
}

impl Reader for SqliteReader {
    fn view(&mut self) -> Result<Box<dyn View + '_>> {
        self.identity.check()?;
        let file = self.identity.file();
        patiently(|| begin(&self.connection)).map_err(|error| error::from_sqlite("read", file, error))?;
        let snapshot = Snapshot::new(&self.connection, file);
        schema::check_unchanged(&self.connection, file)?;
        Ok(Box::new(snapshot))
    }
}

fn begin(connection: &Connection) -> rusqlite::Result<()> {
    roll_back(connection);
    connection.prepare_cached(sql::BEGIN_READ)?.execute([])?;
    // A transaction that reads begins with its first read.
    schema::look(connection).map(drop).inspect_err(|_| roll_back(connection))
}
