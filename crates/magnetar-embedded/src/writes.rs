//! The writes of one transaction: what a backend is to make happen, all of it or nothing.

use std::{
    collections::{BTreeMap, btree_map},
    ops::{Bound, ControlFlow},
};

use magnetar_core::Result;

use crate::{
    backend::{Show, View},
    table::Table,
};

/// A value to be put, or none for a row to be removed.
pub(crate) type Change = Option<Vec<u8>>;

/// Changes by table and key.
#[derive(Debug, Default)]
pub struct Writes {
    tables: [BTreeMap<Vec<u8>, Change>; Table::ALL.len()],
}

impl Writes {
    /// The changes of a table in the order of their keys: the value to put, or none to remove the row.
    pub fn of(&self, table: Table) -> impl ExactSizeIterator<Item = (&[u8], Option<&[u8]>)> {
        self.table(table).iter().map(|(key, change)| (key.as_slice(), change.as_deref()))
    }

    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.tables.iter().all(BTreeMap::is_empty)
    }

    #[expect(clippy::indexing_slicing, reason = "there is a map for each table")]
    fn table(&self, table: Table) -> &BTreeMap<Vec<u8>, Change> {
        &self.tables[table.index()]
    }

    #[expect(clippy::indexing_slicing, reason = "there is a map for each table")]
    fn table_mut(&mut self, table: Table) -> &mut BTreeMap<Vec<u8>, Change> {
        &mut self.tables[table.index()]
    }

    /// What is to become of a key, if anything is.
    pub(crate) fn get(&self, table: Table, key: &[u8]) -> Option<&Change> {
        self.table(table).get(key)
    }

    /// Notes a change, and returns the one that stood there.
    pub(crate) fn set(&mut self, table: Table, key: Vec<u8>, change: Change) -> Option<Change> {
        self.table_mut(table).insert(key, change)
    }

    /// Puts back what [`Writes::set`] returned.
    pub(crate) fn restore(&mut self, table: Table, key: Vec<u8>, before: Option<Change>) {
        match before {
            Some(change) => drop(self.table_mut(table).insert(key, change)),
            None => drop(self.table_mut(table).remove(&key)),
        }
    }

    /// Scans a view as if the writes had happened.
    pub(crate) fn scan(&self, view: &dyn View, table: Table, from: &[u8], to: &[u8], each: &mut Show<'_>) -> Result<()> {
        if from >= to {
            return Ok(());
        }
        let mut changes = self.table(table).range::<[u8], _>((Bound::Included(from), Bound::Excluded(to))).peekable();
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
    changes: &mut std::iter::Peekable<btree_map::Range<'_, Vec<u8>, Change>>,
    stored: Option<(&[u8], &[u8])>,
    each: &mut Show<'_>,
) -> ControlFlow<()> {
    while let Some((key, change)) = changes.next_if(|(key, _)| stored.is_none_or(|(stored, _)| key.as_slice() <= stored)) {
        if let Some(value) = change {
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
