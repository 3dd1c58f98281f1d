//! Tables in memory that can be copied and damaged.

use std::{
    collections::BTreeMap,
    ops::Bound,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use magnetar_core::{Capabilities, Durability, Result, Sharing};
use magnetar_embedded::{Backend, Flush, Reader, Show, Table, Tx, View, Writes};

/// The rows of every table.
pub(crate) type Rows = BTreeMap<(Table, Vec<u8>), Vec<u8>>;

/// A backend on rows. Clones are handles on the same.
#[derive(Clone, Default)]
pub(crate) struct Tables(Arc<Mutex<Arc<Rows>>>);

impl Tables {
    /// A backend on a copy of these.
    pub(crate) fn new(rows: Rows) -> Self {
        Self(Arc::new(Mutex::new(Arc::new(rows))))
    }

    /// All rows as they are now.
    pub(crate) fn rows(&self) -> Arc<Rows> {
        Arc::clone(&self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

struct Sight<'t> {
    tables: &'t Tables,
    rows: Arc<Rows>,
}

impl Tables {
    fn sight(&self) -> Sight<'_> {
        Sight { tables: self, rows: self.rows() }
    }
}

impl View for Sight<'_> {
    fn get(&self, table: Table, key: &[u8], show: &mut dyn FnMut(&[u8])) -> Result<()> {
        self.rows.get(&(table, key.to_vec())).into_iter().for_each(|row| show(row));
        Ok(())
    }

    fn scan(&self, table: Table, from: &[u8], to: &[u8], each: &mut Show<'_>) -> Result<()> {
        if from < to {
            let range = (Bound::Included((table, from.to_vec())), Bound::Excluded((table, to.to_vec())));
            // Where the caller stops makes no difference here.
            let _ = self.rows.range(range).try_for_each(|((_, key), row)| each(key, row));
        }
        Ok(())
    }
}

impl Tx for Sight<'_> {
    fn has_foreign_writes(&self) -> bool {
        true
    }

    fn commit(self: Box<Self>, writes: &Writes, _flush: Flush) -> Result<()> {
        let mut rows = (*self.rows).clone();
        for table in Table::ALL {
            for (key, row) in writes.of(table) {
                match row {
                    Some(row) => rows.insert((table, key.to_vec()), row.to_vec()),
                    None => rows.remove(&(table, key.to_vec())),
                };
            }
        }
        *self.tables.0.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(rows);
        Ok(())
    }
}

impl Backend for Tables {
    fn begin(&mut self) -> Result<Box<dyn Tx + '_>> {
        Ok(Box::new(self.sight()))
    }

    fn reader(&self) -> Result<Box<dyn Reader>> {
        Ok(Box::new(self.clone()))
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::new("fuzz", Durability::Volatile, Sharing::OneProcess)
    }

    fn lock_folder(&self) -> Option<PathBuf> {
        None
    }
}

impl Reader for Tables {
    fn view(&mut self) -> Result<Box<dyn View + '_>> {
        Ok(Box::new(self.sight()))
    }
}
