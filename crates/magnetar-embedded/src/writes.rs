//! The writes of one transaction: what a backend is to make happen, all of it or nothing.

use std::{iter::Peekable, ops::ControlFlow};

use magnetar_core::Result;

use crate::{
    backend::{Show, View},
    key::Key,
    row::Bytes,
    sorted::{self, Sorted},
    table::Table,
};

/// The memory of a larger transaction is not kept.
const KEPT_ROWS_MAX: usize = 4096;

/// What is to become of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Change {
    /// The value to be put, or none for a row to be removed.
    pub(crate) row: Option<Bytes>,
    /// What is stored under its key.
    pub(crate) stored: Stored,
}

/// What is known of the row that is stored where one is to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stored {
    /// There is none, so nobody needs to look.
    Nothing,
    /// There may be one.
    Something,
}

/// Changes by table and key.
#[derive(Debug, Default)]
pub struct Writes {
    tables: [Sorted<Key, Change>; Table::ALL.len()],
}

impl Writes {
    /// The changes of a table in the order of their keys: the value to put, or none to remove the row.
    pub fn of(&self, table: Table) -> impl Iterator<Item = (&[u8], Option<&[u8]>)> {
        self.table(table).iter().map(|(key, change)| (key.as_slice(), change.row.as_deref()))
    }

    /// Whether nothing changes in a table.
    pub fn is_without(&self, table: Table) -> bool {
        self.table(table).len() == 0
    }

    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many rows change.
    pub(crate) fn len(&self) -> usize {
        self.tables.iter().map(Sorted::len).sum()
    }

    #[expect(clippy::indexing_slicing, reason = "there is a map for each table")]
    fn table(&self, table: Table) -> &Sorted<Key, Change> {
        &self.tables[table.index()]
    }

    #[expect(clippy::indexing_slicing, reason = "there is a map for each table")]
    fn table_mut(&mut self, table: Table) -> &mut Sorted<Key, Change> {
        &mut self.tables[table.index()]
    }

    /// The changes of a table in the order of their keys, with what is known of what they replace.
    pub(crate) fn changes(&self, table: Table) -> impl Iterator<Item = (&Key, &Change)> {
        self.table(table).iter()
    }

    /// What is to become of a key, if anything is.
    pub(crate) fn get(&self, table: Table, key: &[u8]) -> Option<&Change> {
        self.table(table).get(key)
    }

    /// Notes a change, and returns the one that stood there. What is known of the stored row is what the first change knew.
    pub(crate) fn set(&mut self, table: Table, key: Key, row: Option<Bytes>, stored: Stored) -> Option<Change> {
        let changes = self.table_mut(table);
        if let Some(known) = changes.get_mut(&key) {
            let stored = known.stored;
            return Some(std::mem::replace(known, Change { row, stored }));
        }
        changes.add(key, Change { row, stored });
        None
    }

    /// Puts back what [`Writes::set`] returned.
    pub(crate) fn restore(&mut self, table: Table, key: Key, before: Option<Change>) {
        match before {
            Some(change) => drop(self.table_mut(table).insert(key, change)),
            None => self.table_mut(table).remove(&key),
        }
    }

    /// Forgets all changes, and keeps the memory they were in, unless that is much.
    pub(crate) fn cleared(mut self) -> Self {
        if self.len() > KEPT_ROWS_MAX {
            return Self::default();
        }
        self.tables.iter_mut().for_each(Sorted::clear);
        self
    }

    /// Scans a view as if the writes had happened.
    pub(crate) fn scan(&self, view: &dyn View, table: Table, from: &[u8], to: &[u8], each: &mut Show<'_>) -> Result<()> {
        if from >= to {
            return Ok(());
        }
        let mut changes = self.table(table).range(from, to).peekable();
        let mut stopped = false;
        view.scan(table, from, to, &mut |key, value| {
            let flow = merge(&mut changes, Some((key, value)), each);
            stopped = flow.is_break();
            flow
        })?;
        if !stopped {
            // Whether the caller stops among the last changes makes no difference.
            let _ = merge(&mut changes, None, each);
        }
        Ok(())
    }
}

/// Shows the changes up to a stored row, then that row, unless a change replaces or removes it.
fn merge(
    changes: &mut Peekable<sorted::Iter<'_, Key, Change>>,
    stored: Option<(&[u8], &[u8])>,
    each: &mut Show<'_>,
) -> ControlFlow<()> {
    while let Some((key, change)) = changes.next_if(|(key, _)| stored.is_none_or(|(stored, _)| key.as_slice() <= stored)) {
        if let Some(value) = &change.row {
            each(key, value)?;
        }
        if stored.is_some_and(|(stored, _)| key.as_slice() == stored) {
            return ControlFlow::Continue(());
        }
    }
    match stored {
        Some((key, value)) => each(key, value),
        None => ControlFlow::Continue(()),
    }
}
