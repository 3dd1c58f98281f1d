//! Tables that can be kept, put back and compared: a backend whose whole content is one value.
//!
//! A state of the model holds such a value. Before the engine takes a step, the value is laid on the [`Desk`]; what the engine
//! commits is found there afterwards.

use std::{
    path::PathBuf,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use magnetar_core::{Capabilities, Clock, Durability, Result, Sharing, Timestamp};
use magnetar_embedded::{Backend, Flush, Reader, Show, Table, Tx, View, Writes};

const TABLES: usize = Table::ALL.len();

/// The rows of one table in the order of their keys.
type Rows = Vec<(Arc<[u8]>, Arc<[u8]>)>;

/// All tables. A clone costs nothing, and a commit copies the tables that it changes.
#[derive(Clone, Default)]
pub(super) struct Tables(Arc<[Arc<Rows>; TABLES]>);

impl Tables {
    #[expect(clippy::indexing_slicing, reason = "there are rows for each table")]
    fn rows(&self, table: Table) -> &Rows {
        &self.0[table.index()]
    }

    /// The keys of a table.
    pub(super) fn keys(&self, table: Table) -> impl Iterator<Item = &[u8]> {
        self.rows(table).iter().map(|(key, _)| &**key)
    }

    /// The values of a table.
    pub(super) fn values(&self, table: Table) -> impl Iterator<Item = &[u8]> {
        self.rows(table).iter().map(|(_, value)| &**value)
    }

    /// How many rows each table has.
    pub(super) fn counts(&self) -> impl Iterator<Item = usize> {
        self.0.iter().map(|rows| rows.len())
    }

    /// Whether no commit that lies between these and others changed one of those tables.
    pub(super) fn shares(&self, other: &Self, tables: &[Table]) -> bool {
        tables.iter().all(|table| match (self.0.get(table.index()), other.0.get(table.index())) {
            (Some(own), Some(others)) => Arc::ptr_eq(own, others),
            _ => false,
        })
    }

    fn with(&self, writes: &Writes) -> Self {
        let mut tables = (*self.0).clone();
        for (table, rows) in Table::ALL.into_iter().zip(&mut tables).filter(|(table, _)| !writes.is_without(*table)) {
            let rows = Arc::make_mut(rows);
            for (key, value) in writes.of(table) {
                let place = rows.binary_search_by(|(known, _)| (**known).cmp(key));
                match (place, value) {
                    (Ok(at), Some(value)) => rows.get_mut(at).into_iter().for_each(|row| row.1 = value.into()),
                    (Err(at), Some(value)) => rows.insert(at, (key.into(), value.into())),
                    (Ok(at), None) => drop(rows.remove(at)),
                    (Err(_), None) => {}
                }
            }
        }
        Self(Arc::new(tables))
    }
}

impl View for Tables {
    fn get(&self, table: Table, key: &[u8], show: &mut dyn FnMut(&[u8])) -> Result<()> {
        let rows = self.rows(table);
        if let Ok(at) = rows.binary_search_by(|(known, _)| (**known).cmp(key)) {
            rows.get(at).into_iter().for_each(|(_, value)| show(value));
        }
        Ok(())
    }

    fn scan(&self, table: Table, from: &[u8], to: &[u8], each: &mut Show<'_>) -> Result<()> {
        let rows = self.rows(table);
        let first = rows.partition_point(|(key, _)| **key < *from);
        // Where the caller stops makes no difference here.
        let _ = rows.iter().skip(first).take_while(|(key, _)| **key < *to).try_for_each(|(key, value)| each(key, value));
        Ok(())
    }
}

/// What the handles of one thread have before them: tables, and the time.
#[derive(Default)]
pub(super) struct Desk {
    lie: Mutex<Lie>,
    now: AtomicU64,
}

/// What lies on a desk.
#[derive(Clone, Default)]
pub(super) struct Lie {
    /// As of the last commit.
    pub(super) tables: Tables,
    /// Whether that was flushed, and so all before it.
    pub(super) is_flushed: bool,
}

impl Desk {
    fn lie(&self) -> MutexGuard<'_, Lie> {
        self.lie.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lays tables down.
    pub(super) fn lay(&self, tables: &Tables) {
        *self.lie() = Lie { tables: tables.clone(), is_flushed: false };
    }

    /// What lies there.
    pub(super) fn look(&self) -> Lie {
        self.lie().clone()
    }

    /// Sets the time.
    pub(super) fn set_time(&self, now: Timestamp) {
        self.now.store(now.as_millis(), Ordering::Relaxed);
    }
}

/// The clock on a desk.
pub(super) struct DeskClock(pub(super) Arc<Desk>);

impl Clock for DeskClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.now.load(Ordering::Relaxed))
    }
}

/// A backend that works on what lies on a desk.
pub(super) struct DeskBackend(pub(super) Arc<Desk>);

struct DeskTx<'d> {
    desk: &'d Desk,
    tables: Tables,
}

impl View for DeskTx<'_> {
    fn get(&self, table: Table, key: &[u8], show: &mut dyn FnMut(&[u8])) -> Result<()> {
        self.tables.get(table, key, show)
    }

    fn scan(&self, table: Table, from: &[u8], to: &[u8], each: &mut Show<'_>) -> Result<()> {
        self.tables.scan(table, from, to, each)
    }
}

impl Tx for DeskTx<'_> {
    /// Always: other tables may have been laid down since.
    fn has_foreign_writes(&self) -> bool {
        true
    }

    fn commit(self: Box<Self>, writes: &Writes, flush: Flush) -> Result<()> {
        *self.desk.lie() = Lie { tables: self.tables.with(writes), is_flushed: flush == Flush::Synced };
        Ok(())
    }
}

impl Backend for DeskBackend {
    fn begin(&mut self) -> Result<Box<dyn Tx + '_>> {
        let tables = self.0.lie().tables.clone();
        Ok(Box::new(DeskTx { desk: &self.0, tables }))
    }

    fn reader(&self) -> Result<Box<dyn Reader>> {
        Ok(Box::new(Self(Arc::clone(&self.0))))
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::new("model", Durability::Power, Sharing::OneHost)
    }

    fn lock_folder(&self) -> Option<PathBuf> {
        None
    }
}

impl Reader for DeskBackend {
    fn view(&mut self) -> Result<Box<dyn View + '_>> {
        Ok(Box::new(self.0.lie().tables.clone()))
    }
}
