//! A backend of tables in memory whose rows can be reached from outside, and are cheap to copy.

use std::{
    collections::BTreeMap,
    ops::Bound,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use magnetar_core::{Capabilities, Durability, Result, Sharing};
use magnetar_embedded::{Backend, Flush, Reader, Show, Table, Tx, View, Writes};

pub(super) type Rows = BTreeMap<Vec<u8>, Vec<u8>>;

/// All tables. Clones share the rows of a table until one of them changes it.
#[derive(Clone, Default)]
pub(super) struct Tables([Arc<Rows>; Table::ALL.len()]);

impl Tables {
    pub(super) fn of(&self, table: Table) -> &Rows {
        // There are rows for each table.
        self.0.get(table.index()).expect("a table has its place among all")
    }

    pub(super) fn of_mut(&mut self, table: Table) -> &mut Rows {
        // There are rows for each table.
        Arc::make_mut(self.0.get_mut(table.index()).expect("a table has its place among all"))
    }
}

impl View for Tables {
    fn get(&self, table: Table, key: &[u8], show: &mut dyn FnMut(&[u8])) -> Result<()> {
        if let Some(value) = self.of(table).get(key) {
            show(value);
        }
        Ok(())
    }

    fn scan(&self, table: Table, from: &[u8], to: &[u8], each: &mut Show<'_>) -> Result<()> {
        if from < to {
            let range = self.of(table).range::<[u8], _>((Bound::Included(from), Bound::Excluded(to)));
            // Where the caller stops makes no difference here.
            let _ = range.map(|(key, value)| (key.as_slice(), value.as_slice())).try_for_each(|(key, value)| each(key, value));
        }
        Ok(())
    }
}

/// The tables behind a store. Clones are the same tables.
#[derive(Clone, Default)]
pub(super) struct Shared(Arc<Mutex<Tables>>);

impl Shared {
    pub(super) fn new(tables: Tables) -> Self {
        Self(Arc::new(Mutex::new(tables)))
    }

    pub(super) fn tables(&self) -> MutexGuard<'_, Tables> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Transaction<'a> {
    snapshot: Tables,
    shared: &'a Shared,
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
    /// Every row is read anew, so that none is remembered from before it rotted.
    fn has_foreign_writes(&self) -> bool {
        true
    }

    fn commit(self: Box<Self>, writes: &Writes, _flush: Flush) -> Result<()> {
        let mut tables = self.shared.tables();
        for table in Table::ALL.into_iter().filter(|table| !writes.is_without(*table)) {
            let rows = tables.of_mut(table);
            for (key, value) in writes.of(table) {
                match value {
                    Some(value) => rows.insert(key.to_vec(), value.to_vec()),
                    None => rows.remove(key),
                };
            }
        }
        Ok(())
    }
}

impl Backend for Shared {
    fn begin(&mut self) -> Result<Box<dyn Tx + '_>> {
        let snapshot = self.tables().clone();
        Ok(Box::new(Transaction { snapshot, shared: self }))
    }

    fn reader(&self) -> Result<Box<dyn Reader>> {
        Ok(Box::new(self.clone()))
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::new("rows", Durability::Volatile, Sharing::OneProcess)
    }

    fn lock_folder(&self) -> Option<PathBuf> {
        None
    }
}

impl Reader for Shared {
    fn view(&mut self) -> Result<Box<dyn View + '_>> {
        Ok(Box::new(self.tables().clone()))
    }
}
