//! What a handle remembers of committed rows, so that most ops read nothing from the backend.
//!
//! It is right as long as nobody else writes: [`Tx::has_foreign_writes`](crate::Tx::has_foreign_writes) tells, and then
//! everything is forgotten. A remembered row is the bytes that were read or committed, and verified at each use like any other.

use std::{cell::RefCell, ops::ControlFlow};

use foldhash::HashMap;
use magnetar_core::Result;

use crate::{
    backend::{Show, View},
    key::Key,
    lanes::Lanes,
    look::Order,
    row::Bytes,
    table::Table,
    writes::Writes,
};

/// The most bytes of rows and keys that are remembered; then all are forgotten, and what is still needed is read again.
const BYTES_MAX: usize = 1 << 20;
/// A longer row is not remembered.
const ROW_BYTES_MAX: usize = 4 << 10;
/// The rows of a commit with more changes, such as an import, are not remembered.
const COMMIT_ROWS_MAX: usize = 4096;

/// Rows and heads of lanes as of the last commit.
#[derive(Debug, Default)]
pub(crate) struct Memo {
    pub(crate) rows: RememberedRows,
    pub(crate) lanes: Lanes,
}

impl Memo {
    /// Takes over what a commit made of it.
    pub(crate) fn commit(&mut self, writes: &Writes) {
        self.rows.commit(writes);
        self.lanes.bound();
    }
}

/// Rows by table and key.
#[derive(Debug, Default)]
pub(crate) struct RememberedRows {
    tables: [HashMap<Key, Bytes>; Table::ALL.len()],
    bytes: usize,
}

impl RememberedRows {
    fn get(&self, table: Table, key: &[u8]) -> Option<&Bytes> {
        self.tables.get(table.index())?.get(key)
    }

    fn put(&mut self, table: Table, key: &[u8], row: &[u8]) {
        if !is_remembered(table) || row.len() > ROW_BYTES_MAX {
            self.remove(table, key);
            return;
        }
        if self.bytes > BYTES_MAX {
            *self = Self::default();
        }
        let Some(rows) = self.tables.get_mut(table.index()) else { return };
        if let Some(known) = rows.get_mut(key) {
            self.bytes = self.bytes + row.len() - known.len();
            known.clear();
            known.extend_from_slice(row);
        } else {
            self.bytes += key.len() + row.len();
            rows.insert(Key::from_slice(key), Bytes::from_slice(row));
        }
    }

    fn remove(&mut self, table: Table, key: &[u8]) {
        if let Some(row) = self.tables.get_mut(table.index()).and_then(|rows| rows.remove(key)) {
            self.bytes -= key.len() + row.len();
        }
    }

    fn commit(&mut self, writes: &Writes) {
        let is_large = writes.len() > COMMIT_ROWS_MAX;
        for table in Table::ALL.into_iter().filter(|table| is_remembered(*table)) {
            for (key, change) in writes.of(table) {
                match change {
                    Some(row) if !is_large || self.get(table, key).is_some() => self.put(table, key, row),
                    Some(_) => {}
                    None => self.remove(table, key),
                }
            }
        }
    }
}

/// The tables that claims and their ends read by key.
const fn is_remembered(table: Table) -> bool {
    matches!(table, Table::Meta | Table::Job | Table::JobId | Table::Tally | Table::Session | Table::Chunk | Table::Lease)
}

/// A view that looks into its memory first, and remembers what it shows.
pub(crate) struct Remembering<'v> {
    view: &'v dyn View,
    rows: RefCell<RememberedRows>,
}

impl<'v> Remembering<'v> {
    pub(crate) fn new(view: &'v dyn View, rows: RememberedRows) -> Self {
        Self { view, rows: RefCell::new(rows) }
    }

    pub(crate) fn into_rows(self) -> RememberedRows {
        self.rows.into_inner()
    }
}

impl View for Remembering<'_> {
    fn get(&self, table: Table, key: &[u8], show: &mut dyn FnMut(&[u8])) -> Result<()> {
        if let Some(row) = self.rows.borrow().get(table, key) {
            show(row);
            return Ok(());
        }
        self.view.get(table, key, &mut |row| {
            self.rows.borrow_mut().put(table, key, row);
            show(row);
        })
    }

    fn scan(&self, table: Table, from: &[u8], to: &[u8], each: &mut Show<'_>) -> Result<()> {
        if !is_remembered(table) {
            return self.view.scan(table, from, to, each);
        }
        let mut order = Order::new(from, to);
        self.view.scan(table, from, to, &mut |key, row| {
            // A row out of order is damage, whatever is in it.
            if order.keeps(key) {
                self.rows.borrow_mut().put(table, key, row);
            }
            each(key, row)
        })
    }
}

/// Reads rows only so that they are remembered.
pub(crate) fn warm(view: &dyn View, table: Table, from: &[u8], to: &[u8]) -> Result<()> {
    view.scan(table, from, to, &mut |_, _| ControlFlow::Continue(()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::writes::Stored;

    type Change<'c> = (Table, &'c [u8], Option<&'c [u8]>);

    fn writes(rows: &[Change<'_>]) -> Writes {
        let mut writes = Writes::default();
        for (table, key, row) in rows {
            writes.set(*table, Key::from_slice(key), row.map(Bytes::from_slice), Stored::Something);
        }
        writes
    }

    #[test]
    fn commit_is_remembered_replaced_and_forgotten_row_by_row() {
        let mut rows = RememberedRows::default();
        rows.commit(&writes(&[
            (Table::Lease, b"a", Some(b"1")),
            (Table::Chunk, b"a", Some(b"2")),
            (Table::Ready, b"a", Some(b"3")),
        ]));
        rows.commit(&writes(&[(Table::Lease, b"a", Some(b"longer")), (Table::Chunk, b"a", None)]));
        assert_eq!(rows.get(Table::Lease, b"a").unwrap().as_slice(), b"longer");
        assert_eq!(rows.get(Table::Chunk, b"a"), None);
        assert_eq!(rows.get(Table::Ready, b"a"), None, "a table that is not remembered");
        assert_eq!(rows.bytes, b"a".len() + b"longer".len());
    }

    #[test]
    fn row_that_grew_too_long_is_not_remembered_as_it_was() {
        let mut rows = RememberedRows::default();
        rows.put(Table::Chunk, b"a", b"short");
        rows.put(Table::Chunk, b"a", &vec![0; ROW_BYTES_MAX + 1]);
        assert_eq!((rows.get(Table::Chunk, b"a"), rows.bytes), (None, 0));
    }

    #[test]
    fn large_commit_changes_what_is_remembered_and_adds_nothing() {
        let mut rows = RememberedRows::default();
        rows.put(Table::Chunk, &0_u64.to_be_bytes(), b"old");
        let mut large = Writes::default();
        for number in 0..=COMMIT_ROWS_MAX as u64 {
            large.set(Table::Chunk, Key::from_slice(&number.to_be_bytes()), Some(Bytes::from_slice(b"new")), Stored::Nothing);
        }
        rows.commit(&large);
        assert_eq!(rows.get(Table::Chunk, &0_u64.to_be_bytes()).unwrap().as_slice(), b"new");
        assert_eq!(rows.get(Table::Chunk, &1_u64.to_be_bytes()), None);
    }

    #[test]
    fn memory_stays_within_its_bound() {
        let mut rows = RememberedRows::default();
        let row = vec![0; ROW_BYTES_MAX];
        for number in 0..2 * (BYTES_MAX / ROW_BYTES_MAX) as u64 {
            rows.put(Table::Chunk, &number.to_be_bytes(), &row);
            assert!(rows.bytes <= BYTES_MAX + 2 * ROW_BYTES_MAX);
            assert!(rows.get(Table::Chunk, &number.to_be_bytes()).is_some());
        }
    }
}
