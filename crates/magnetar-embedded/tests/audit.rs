//! A row that was lost, came back after it was removed, or is an older version of itself: an audit tells of each.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::{Bound, ControlFlow},
    sync::{Arc, Mutex, MutexGuard},
};

use futures_lite::future::block_on;
use magnetar_core::{
    Capabilities, Clock, Durability, Expect, JobOptions, JobRef, JobSpec, JobStore, Lane, NewChunk, OnFailure,
    Op, Result, Sharing, Timestamp,
};
use magnetar_embedded::{Backend, Flush, Options, Reader, Show, Store, Table, Tx, View, Writes};

type Rows = BTreeMap<(Table, Vec<u8>), Vec<u8>>;

/// Tables in memory that remember every version of every row.
#[derive(Clone, Default)]
struct Tables(Arc<Mutex<State>>);

#[derive(Clone, Default)]
struct State {
    rows: Rows,
    history: BTreeSet<((Table, Vec<u8>), Vec<u8>)>,
}

struct Snapshot<'t> {
    tables: &'t Tables,
    rows: Rows,
}

impl Tables {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    fn snapshot(&self) -> Snapshot<'_> {
        Snapshot { tables: self, rows: self.state().rows.clone() }
    }

    /// The same rows but for one.
    fn with(&self, place: &(Table, Vec<u8>), row: Option<&Vec<u8>>) -> Self {
        let mut state = State { rows: self.state().rows.clone(), history: BTreeSet::new() };
        match row {
            Some(row) => state.rows.insert(place.clone(), row.clone()),
            None => state.rows.remove(place),
        };
        Self(Arc::new(Mutex::new(state)))
    }

    fn open(&self) -> Result<Store> {
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

struct Now;

impl Clock for Now {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(1_800_000_000_000)
    }
}

/// A store with a row of every kind that outlives a transaction, after a life in which most were changed and some removed.
fn lived_in() -> Tables {
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
                chunk.timeout = Some(std::time::Duration::from_secs(60));
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

/// What audits say of a store, or that it does not open, or that a listing fails.
fn verdict(tables: &Tables) -> Vec<String> {
    block_on(async {
        let read = async {
            let store = tables.open()?;
            let mut problems = store.audit_store().await?.problems;
            for job in store.jobs().await? {
                problems.extend(store.audit(job.id).await?.problems);
            }
            std::mem::forget(store);
            Ok::<_, magnetar_core::Error>(problems)
        };
        read.await.unwrap_or_else(|error| vec![error.to_string()])
    })
}

/// Rows whose loss is safe or shows elsewhere: time ends sessions, and the row of numbers is checked against what they gave.
fn is_watched(place: &(Table, Vec<u8>)) -> bool {
    !matches!(place.0, Table::Session | Table::Meta)
}

#[test]
fn sound_store_has_rows_of_every_kind_and_no_problem() {
    let tables = lived_in();
    assert_eq!(verdict(&tables), Vec::<String>::new());
    let passing = [Table::Release, Table::Purge];
    let kinds: BTreeSet<Table> = tables.state().rows.keys().map(|(table, _)| *table).chain(passing).collect();
    assert_eq!(kinds, Table::ALL.into_iter().collect());
}

#[test]
fn every_row_that_is_lost_is_told() {
    let tables = lived_in();
    let places: Vec<_> = tables.state().rows.keys().cloned().collect();
    for place in places.into_iter().filter(is_watched) {
        assert_ne!(verdict(&tables.with(&place, None)), Vec::<String>::new(), "{place:?}");
    }
}

#[test]
fn every_row_that_is_an_old_one_or_came_back_is_told() {
    let tables = lived_in();
    let state = tables.state().clone();
    let mut tried = 0;
    for (place, row) in &state.history {
        if is_watched(place) && state.rows.get(place) != Some(row) {
            tried += 1;
            assert_ne!(verdict(&tables.with(place, Some(row))), Vec::<String>::new(), "{place:?}");
        }
    }
    assert!(tried > 20, "{tried}");
}

#[test]
fn numbers_that_fell_behind_what_they_gave_are_told() {
    let tables = lived_in();
    let state = tables.state().clone();
    let first = state.history.iter().find(|((table, _), _)| *table == Table::Meta).unwrap();
    assert_ne!(verdict(&tables.with(&first.0, Some(&first.1))), Vec::<String>::new());
}

#[test]
fn every_damaged_row_is_told_and_the_audit_goes_on() {
    let tables = lived_in();
    let rows = tables.state().rows.clone();
    for (place, row) in rows.iter().filter(|(place, _)| !matches!(place.0, Table::Meta | Table::Session | Table::JobId)) {
        let mut damaged = row.clone();
        *damaged.first_mut().unwrap() ^= 1;
        let problems = verdict(&tables.with(place, Some(&damaged)));
        assert!(problems.iter().any(|problem| problem.contains("checksum")), "{place:?}: {problems:?}");
    }
}
