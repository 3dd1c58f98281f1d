//! Tables in memory that can be tampered with, and a store in them that has been used.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::{Bound, ControlFlow},
    sync::{Arc, Mutex, MutexGuard},
};

use futures_lite::future::block_on;
use magnetar_core::{
    Capabilities, Clock, Durability, Expect, JobOptions, JobRef, JobSpec, JobStore, Lane, NewChunk, OnFailure, Op, Result,
    Sharing, Timestamp,
};
use magnetar_embedded::{Backend, Flush, Options, Reader, Show, Store, Table, Tx, View, Writes};

/// A table and a key.
pub(crate) type Place = (Table, Vec<u8>);
pub(crate) type Rows = BTreeMap<Place, Vec<u8>>;

/// Tables in memory that remember every version of every row.
#[derive(Clone, Default)]
pub(crate) struct Tables(Arc<Mutex<State>>);

#[derive(Clone, Default)]
pub(crate) struct State {
    pub(crate) rows: Rows,
    pub(crate) history: BTreeSet<(Place, Vec<u8>)>,
}

struct Snapshot<'t> {
    tables: &'t Tables,
    rows: Rows,
}

impl Tables {
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    fn snapshot(&self) -> Snapshot<'_> {
        Snapshot { tables: self, rows: self.state().rows.clone() }
    }

    /// The same rows but for one.
    pub(crate) fn with(&self, place: &Place, row: Option<&Vec<u8>>) -> Self {
        let mut state = State { rows: self.state().rows.clone(), history: BTreeSet::new() };
        match row {
            Some(row) => state.rows.insert(place.clone(), row.clone()),
            None => state.rows.remove(place),
        };
        Self(Arc::new(Mutex::new(state)))
    }

    pub(crate) fn open(&self) -> Result<Store> {
        Store::inline(Box::new(self.clone()), Options::default(), Arc::new(Now))
    }
}

impl View for Snapshot<'_> {
    fn get(&self, table: Table, key: &[u8], show: &mut dyn FnMut(&[u8])) -> Result<()> {
        self.rows.get(&(table, key.to_vec())).into_iter().for_each(|row| show(row));
        Ok(())
    }

    fn scan(&self, table: Table, from: &[u8], to: &[u8], each: &mut Show<'_>) -> Result<()> {
        if from < to {
            let range = (Bound::Included((table, from.to_vec())), Bound::Excluded((table, to.to_vec())));
            let _: ControlFlow<()> = self.rows.range(range).try_for_each(|((_, key), row)| each(key, row));
        }
        Ok(())
    }
}

impl Tx for Snapshot<'_> {
    fn has_foreign_writes(&self) -> bool {
        false
    }

    fn commit(self: Box<Self>, writes: &Writes, _: Flush) -> Result<()> {
        let mut state = self.tables.state();
        for table in Table::ALL {
            for (key, row) in writes.of(table) {
                let place = (table, key.to_vec());
                match row {
                    Some(row) => {
                        state.history.insert((place.clone(), row.to_vec()));
                        state.rows.insert(place, row.to_vec());
                    }
                    None => drop(state.rows.remove(&place)),
                }
            }
        }
        Ok(())
    }
}

impl Reader for Tables {
    fn view(&mut self) -> Result<Box<dyn View + '_>> {
        Ok(Box::new(self.snapshot()))
    }
}

impl Backend for Tables {
    fn begin(&mut self) -> Result<Box<dyn Tx + '_>> {
        Ok(Box::new(self.snapshot()))
    }

    fn reader(&self) -> Result<Box<dyn Reader>> {
        Ok(Box::new(self.clone()))
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::new("tables", Durability::Volatile, Sharing::OneProcess)
    }

    fn lock_folder(&self) -> Option<std::path::PathBuf> {
        None
    }
}

pub(crate) struct Now;

impl Clock for Now {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(1_800_000_000_000)
    }
}

/// A store with a row of every kind that outlives a transaction, after a life in which most were changed and some removed.
pub(crate) fn lived_in() -> Tables {
    let tables = Tables::default();
    let store = tables.open().unwrap();
    block_on(async {
        let options = JobOptions { on_failure: OnFailure::Hold, ..JobOptions::default() };
        for job in 1..=2 {
            let spec = JobSpec { name: Some(format!("job {job}")), options: Some(options), ..JobSpec::default() };
            store.apply(vec![Op::EnsureJob { job: JobRef::Id(job), spec }]).await.unwrap();
            let chunks = (1..=8_u64).map(|id| {
                let mut chunk = NewChunk::new(id);
                chunk.key = Some(format!("key {id}"));
                chunk.payload = vec![7; 9];
                chunk.timeout = Some(std::time::Duration::from_mins(1));
                chunk.depends_on = if id > 6 { vec![1, 2] } else { Vec::new() };
                chunk
            });
            store.apply(vec![Op::Insert { job: JobRef::Id(job), chunks: chunks.collect() }]).await.unwrap();
            let mut claimed = store.claim(vec![Lane::of(job)], 4).await.unwrap().into_iter();
            let mut fence = || claimed.next().unwrap().fence().unwrap();
            store.complete(&fence(), b"result".to_vec()).await.unwrap();
            store.fail(&fence(), "error".to_owned()).await.unwrap();
            store.release(&fence()).await.unwrap();
        }
        for value in [b"old".to_vec(), b"new".to_vec()] {
            store.put_record("space", b"key", Some(value), Expect::Any).await.unwrap();
        }
        store.put_record("space", b"gone", Some(b"value".to_vec()), Expect::Any).await.unwrap();
        store.put_record("space", b"gone", None, Expect::Any).await.unwrap();
    });
    std::mem::forget(store);
    tables
}
