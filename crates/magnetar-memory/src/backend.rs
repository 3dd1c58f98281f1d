//! Tables in memory, shared by all handles that come from one.

use std::{
    collections::BTreeMap,
    ops::Bound,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard},
};

use magnetar_core::{Capabilities, Durability, Result, Sharing};
use magnetar_embedded::{Backend, Flush, Reader, Show, Table, Tx, View, Writes};

type Rows = BTreeMap<Vec<u8>, Vec<u8>>;

/// Tables in memory. Clones are handles on the same tables, as processes are on one file.
#[derive(Clone, Default)]
pub struct MemoryBackend {
    shared: Arc<Shared>,
    /// How many commits this handle knows of.
    seen: u64,
}

#[derive(Default)]
struct Shared {
    /// Held by the one transaction that may write. Counts the commits.
    writing: Mutex<u64>,
    /// A view holds the lock while it is looked at, which is for a page; a commit waits for that.
    tables: RwLock<[Rows; Table::ALL.len()]>,
}

impl Shared {
    fn tables(&self) -> RwLockReadGuard<'_, [Rows; Table::ALL.len()]> {
        self.tables.read().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Snapshot<'a> {
    tables: RwLockReadGuard<'a, [Rows; Table::ALL.len()]>,
}

struct Transaction<'a> {
    shared: &'a Shared,
    commits: MutexGuard<'a, u64>,
    seen: &'a mut u64,
    has_foreign_writes: bool,
}

impl Backend for MemoryBackend {
    fn begin(&mut self) -> Result<Box<dyn Tx + '_>> {
        let commits = self.shared.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let has_foreign_writes = std::mem::replace(&mut self.seen, *commits) != *commits;
        Ok(Box::new(Transaction { shared: &self.shared, commits, seen: &mut self.seen, has_foreign_writes }))
    }

    fn reader(&self) -> Result<Box<dyn Reader>> {
        Ok(Box::new(self.clone()))
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::new("memory", Durability::Volatile, Sharing::OneProcess)
    }

    fn lock_folder(&self) -> Option<PathBuf> {
        None
    }
}

impl Reader for MemoryBackend {
    fn view(&mut self) -> Result<Box<dyn View + '_>> {
        Ok(Box::new(Snapshot { tables: self.shared.tables() }))
    }
}

impl View for Snapshot<'_> {
    fn get(&self, table: Table, key: &[u8], show: &mut dyn FnMut(&[u8])) -> Result<()> {
        if let Some(value) = rows(&self.tables, table).get(key) {
            show(value);
        }
        Ok(())
    }

    fn scan(&self, table: Table, from: &[u8], to: &[u8], each: &mut Show<'_>) -> Result<()> {
        if from < to {
            let range = rows(&self.tables, table).range::<[u8], _>((Bound::Included(from), Bound::Excluded(to)));
            // Where the caller stops makes no difference here.
            let _ = range.map(|(key, value)| (key.as_slice(), value.as_slice())).try_for_each(|(key, value)| each(key, value));
        }
        Ok(())
    }
}

impl View for Transaction<'_> {
    fn get(&self, table: Table, key: &[u8], show: &mut dyn FnMut(&[u8])) -> Result<()> {
        Snapshot { tables: self.shared.tables() }.get(table, key, show)
    }

    fn scan(&self, table: Table, from: &[u8], to: &[u8], each: &mut Show<'_>) -> Result<()> {
        Snapshot { tables: self.shared.tables() }.scan(table, from, to, each)
    }
}

impl Tx for Transaction<'_> {
    fn has_foreign_writes(&self) -> bool {
        self.has_foreign_writes
    }

    fn commit(mut self: Box<Self>, writes: &Writes, _flush: Flush) -> Result<()> {
        let mut tables = self.shared.tables.write().unwrap_or_else(PoisonError::into_inner);
        for (table, rows) in Table::ALL.into_iter().zip(tables.iter_mut()) {
            for (key, value) in writes.of(table) {
                match value {
                    Some(value) => rows.insert(key.to_vec(), value.to_vec()),
                    None => rows.remove(key),
                };
            }
        }
        *self.commits += 1;
        *self.seen = *self.commits;
        Ok(())
    }
}

#[expect(clippy::indexing_slicing, reason = "there are rows for each table")]
fn rows(tables: &[Rows; Table::ALL.len()], table: Table) -> &Rows {
    &tables[table.index()]
}
