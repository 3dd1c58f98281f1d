//! What the scenarios work on: tables in memory whose locks shuttle knows, a clock that is set by hand, and a job.

use std::{
    collections::BTreeMap,
    ops::Bound,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use magnetar_core::{
    Capabilities, Clock, Durability, Error, ErrorKind, Fence, JobRef, JobSpec, JobStatus, JobStore, NewChunk, Op, Result,
    Sharing, Timestamp,
};
use shuttle::future::block_on;

use crate::{
    backend::{Backend, Flush, Reader, Show, Tx, View},
    options::Options,
    store::Store,
    sync::{Mutex, MutexGuard, lock},
    table::Table,
    writes::Writes,
};

type Rows = [BTreeMap<Vec<u8>, Vec<u8>>; Table::ALL.len()];

/// The job of every scenario.
pub(crate) const JOB: i64 = 1;

/// A store that handles can be opened on, and a clock for all of them.
#[derive(Clone, Default)]
pub(crate) struct World(Arc<Inner>);

#[derive(Default)]
struct Inner {
    /// Held by the one transaction that may write. Counts the commits.
    writing: Mutex<u64>,
    rows: Mutex<Arc<Rows>>,
    /// After so many more commits one fails.
    failing: Mutex<Option<(usize, ErrorKind)>>,
    /// Commits that failed.
    failed: AtomicUsize,
    now: AtomicU64,
    wakes: std::sync::Mutex<Vec<Arc<dyn Fn() + Send + Sync>>>,
}

struct Transaction<'a> {
    inner: &'a Inner,
    commits: MutexGuard<'a, u64>,
    rows: Arc<Rows>,
    seen: &'a mut u64,
    has_foreign_writes: bool,
}

struct Handle {
    inner: Arc<Inner>,
    seen: u64,
}

impl World {
    /// A store with a job of so many chunks.
    pub(crate) fn new(chunks: u64) -> Self {
        let world = Self::default();
        world.advance(Duration::from_hours(490_896));
        let store = world.open();
        block_on(async {
            store.ensure_job(JobRef::Id(JOB), JobSpec::default()).await.unwrap();
            store.insert(JOB, (1..=chunks).map(NewChunk::new).collect()).await.unwrap();
            store.close().await.unwrap();
        });
        world
    }

    /// Opens a handle with threads.
    pub(crate) fn open(&self) -> Arc<Store> {
        let options = Options { readers: 1, ..Options::default() };
        let backend = Handle { inner: Arc::clone(&self.0), seen: 0 };
        Arc::new(Store::threaded(Box::new(backend), options, Arc::new(self.clone())).unwrap())
    }

    /// Has a commit fail, after so many that do not.
    pub(crate) fn fail_after(&self, commits: usize, kind: ErrorKind) {
        *lock(&self.0.failing) = Some((commits, kind));
    }

    /// Whether a commit has failed.
    pub(crate) fn has_failed(&self) -> bool {
        self.0.failed.load(SeqCst) > 0
    }

    /// Takes back that a commit is to fail.
    pub(crate) fn fail_no_more(&self) {
        *lock(&self.0.failing) = None;
    }

    /// Moves the time on, and returns when every handle has done what that asks for.
    pub(crate) fn advance(&self, by: Duration) {
        self.0.now.fetch_add(u64::try_from(by.as_millis()).unwrap(), SeqCst);
        let wakes = self.0.wakes.lock().unwrap().clone();
        for wake in wakes {
            wake();
        }
    }

    /// The fences in force, as another handle sees them.
    pub(crate) fn fences(store: &Store) -> Vec<Fence> {
        let chunks = block_on(store.get_by_status(JOB, JobStatus::Processing)).unwrap();
        chunks.iter().filter_map(magnetar_core::JobState::fence).collect()
    }

    /// Holds the job against itself, on a handle of its own.
    pub(crate) fn check(&self, done: &[u64]) {
        let store = self.open();
        let (audit, found) = block_on(async {
            let found = store.get_by_status(JOB, JobStatus::Done).await.unwrap();
            (store.audit(JOB).await.unwrap(), found.iter().map(|chunk| chunk.chunk).collect::<Vec<_>>())
        });
        assert!(audit.problems.is_empty(), "{:?}", audit.problems);
        let mut done = done.to_vec();
        done.sort_unstable();
        assert_eq!(found, done, "what is done is what was told to be");
    }
}

/// Waits until the writer has done all that was asked of it before, and what follows from its answers.
pub(crate) fn settle(store: &Store) {
    // An answer that nobody receives becomes a request behind the first of these, and before the second.
    for _ in 0..2 {
        block_on(store.apply(vec![Op::Reap])).unwrap();
    }
}

impl Clock for World {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.now.load(SeqCst))
    }

    fn on_set(&self, wake: Arc<dyn Fn() + Send + Sync>) {
        self.0.wakes.lock().unwrap().push(wake);
    }
}

impl Backend for Handle {
    fn begin(&mut self) -> Result<Box<dyn Tx + '_>> {
        let commits = lock(&self.inner.writing);
        let has_foreign_writes = std::mem::replace(&mut self.seen, *commits) != *commits;
        let rows = Arc::clone(&lock(&self.inner.rows));
        Ok(Box::new(Transaction { inner: &self.inner, commits, rows, seen: &mut self.seen, has_foreign_writes }))
    }

    fn reader(&self) -> Result<Box<dyn Reader>> {
        Ok(Box::new(Self { inner: Arc::clone(&self.inner), seen: 0 }))
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::new("schedules", Durability::Volatile, Sharing::OneProcess)
    }

    fn lock_folder(&self) -> Option<PathBuf> {
        None
    }
}

impl Reader for Handle {
    fn view(&mut self) -> Result<Box<dyn View + '_>> {
        Ok(Box::new(Snapshot(Arc::clone(&lock(&self.inner.rows)))))
    }
}

struct Snapshot(Arc<Rows>);

impl View for Snapshot {
    fn get(&self, table: Table, key: &[u8], show: &mut dyn FnMut(&[u8])) -> Result<()> {
        self.0[table.index()].get(key).into_iter().for_each(|value| show(value));
        Ok(())
    }

    fn scan(&self, table: Table, from: &[u8], to: &[u8], each: &mut Show<'_>) -> Result<()> {
        if from < to {
            let range = self.0[table.index()].range::<[u8], _>((Bound::Included(from), Bound::Excluded(to)));
            let _ = range.map(|(key, value)| (&**key, &**value)).try_for_each(|(key, value)| each(key, value));
        }
        Ok(())
    }
}

impl View for Transaction<'_> {
    fn get(&self, table: Table, key: &[u8], show: &mut dyn FnMut(&[u8])) -> Result<()> {
        Snapshot(Arc::clone(&self.rows)).get(table, key, show)
    }

    fn scan(&self, table: Table, from: &[u8], to: &[u8], each: &mut Show<'_>) -> Result<()> {
        Snapshot(Arc::clone(&self.rows)).scan(table, from, to, each)
    }
}

impl Tx for Transaction<'_> {
    fn has_foreign_writes(&self) -> bool {
        self.has_foreign_writes
    }

    fn commit(mut self: Box<Self>, writes: &Writes, _flush: Flush) -> Result<()> {
        let mut failing = lock(&self.inner.failing);
        match *failing {
            Some((0, kind)) => {
                *failing = None;
                self.inner.failed.fetch_add(1, SeqCst);
                return Err(Error::new(kind, "commit: planted"));
            }
            Some((left, kind)) => *failing = Some((left - 1, kind)),
            None => {}
        }
        drop(failing);
        let mut rows = (*self.rows).clone();
        for table in Table::ALL {
            for (key, value) in writes.of(table) {
                match value {
                    Some(value) => rows[table.index()].insert(key.to_vec(), value.to_vec()),
                    None => rows[table.index()].remove(key),
                };
            }
        }
        *lock(&self.inner.rows) = Arc::new(rows);
        *self.commits += 1;
        *self.seen = *self.commits;
        Ok(())
    }
}
