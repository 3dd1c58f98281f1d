//! What the drivers, the threaded one above all, do when the engine below fails, blocks or panics, and what it asks of it.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::{
    ops::Deref,
    path::PathBuf,
    sync::{
        Arc, Condvar, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
        mpsc::{Receiver, Sender, channel},
    },
};

use futures_lite::future::{block_on, poll_once, zip};
use magnetar_core::{Capabilities, Error, ErrorKind, JobRef, JobSpec, JobStatus, JobStore, NewChunk, Op, Result};
use magnetar_embedded::{Backend, Flush, Options, Reader, Show, Store, SystemClock, Table, Tx, View, Writes};
use magnetar_memory::MemoryBackend;

/// What the next commit does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    None,
    Io,
    Full,
    Panic,
}

/// A backend in memory that can be made to fail, to block, and to say what was asked of it.
#[derive(Clone)]
struct Rig {
    backend: MemoryBackend,
    controls: Arc<Controls>,
    lock_folder: Option<PathBuf>,
}

struct Controls {
    fault: Mutex<Fault>,
    is_dead: AtomicBool,
    panics_reading: AtomicBool,
    is_blocked: Mutex<bool>,
    unblocked: Condvar,
    commits: AtomicUsize,
    flushes: Mutex<Vec<Flush>>,
    /// Where the next transaction that does upkeep says that it has looked for the dead, and waits for a word to go on.
    pause: Mutex<Option<(Sender<()>, Receiver<()>)>>,
}

impl Rig {
    fn new() -> Self {
        let controls = Controls {
            fault: Mutex::new(Fault::None),
            is_dead: AtomicBool::new(false),
            panics_reading: AtomicBool::new(false),
            is_blocked: Mutex::new(false),
            unblocked: Condvar::new(),
            commits: AtomicUsize::new(0),
            flushes: Mutex::new(Vec::new()),
            pause: Mutex::new(None),
        };
        Self { backend: MemoryBackend::default(), controls: Arc::new(controls), lock_folder: None }
    }

    /// Another handle's way to the same tables, with controls of its own.
    fn beside(&self) -> Self {
        Self { backend: self.backend.clone(), lock_folder: self.lock_folder.clone(), ..Self::new() }
    }

    fn open(&self) -> Store {
        self.open_with(Options::default())
    }

    fn open_with(&self, options: Options) -> Store {
        Store::threaded(Box::new(self.clone()), options, Arc::new(SystemClock)).unwrap()
    }
}

impl Deref for Rig {
    type Target = Controls;

    fn deref(&self) -> &Controls {
        &self.controls
    }
}

impl Controls {
    fn fail_next(&self, fault: Fault) {
        *self.fault.lock().unwrap() = fault;
    }

    fn block(&self, is_blocked: bool) {
        *self.is_blocked.lock().unwrap() = is_blocked;
        self.unblocked.notify_all();
    }
}

struct RigTx<'a> {
    tx: Box<dyn Tx + 'a>,
    controls: &'a Controls,
}

impl View for RigTx<'_> {
    fn get(&self, table: Table, key: &[u8], show: &mut dyn FnMut(&[u8])) -> Result<()> {
        assert!(!self.controls.panics_reading.load(SeqCst), "planted");
        self.tx.get(table, key, show)
    }

    fn scan(&self, table: Table, from: &[u8], to: &[u8], each: &mut Show<'_>) -> Result<()> {
        // Upkeep looks for the dead first, and then for what is due.
        if table == Table::Timer
            && let Some((began, gone_on)) = self.controls.pause.lock().unwrap().take()
        {
            began.send(()).unwrap();
            gone_on.recv().unwrap();
        }
        self.tx.scan(table, from, to, each)
    }
}

struct RigReader {
    reader: Box<dyn Reader>,
    controls: Arc<Controls>,
}

impl Reader for RigReader {
    fn view(&mut self) -> Result<Box<dyn View + '_>> {
        assert!(!self.controls.panics_reading.load(SeqCst), "planted");
        self.reader.view()
    }
}

impl Tx for RigTx<'_> {
    fn has_foreign_writes(&self) -> bool {
        self.tx.has_foreign_writes()
    }

    fn commit(self: Box<Self>, writes: &Writes, flush: Flush) -> Result<()> {
        let blocked = self.controls.is_blocked.lock().unwrap();
        drop(self.controls.unblocked.wait_while(blocked, |is_blocked| *is_blocked).unwrap());
        let fault = std::mem::replace(&mut *self.controls.fault.lock().unwrap(), Fault::None);
        match fault {
            Fault::None => {
                self.controls.commits.fetch_add(1, SeqCst);
                self.controls.flushes.lock().unwrap().push(flush);
                self.tx.commit(writes, flush)
            }
            Fault::Io => Err(Error::new(ErrorKind::Backend, "flush the file")),
            Fault::Full => Err(Error::new(ErrorKind::Full, "write: the device is full")),
            Fault::Panic => panic!("planted"),
        }
    }
}

impl Backend for Rig {
    fn begin(&mut self) -> Result<Box<dyn Tx + '_>> {
        if self.controls.is_dead.load(SeqCst) {
            return Err(Error::new(ErrorKind::Backend, "begin: dead"));
        }
        Ok(Box::new(RigTx { tx: self.backend.begin()?, controls: &self.controls }))
    }

    fn reader(&self) -> Result<Box<dyn Reader>> {
        Ok(Box::new(RigReader { reader: self.backend.reader()?, controls: Arc::clone(&self.controls) }))
    }

    fn capabilities(&self) -> Capabilities {
        self.backend.capabilities()
    }

    fn lock_folder(&self) -> Option<PathBuf> {
        self.lock_folder.clone()
    }
}

async fn with_chunks(store: &Store, count: u64) {
    store.ensure_job(JobRef::Id(1), JobSpec::default()).await.unwrap();
    store.insert(1, (1..=count).map(NewChunk::new).collect()).await.unwrap();
}

fn kind<T>(result: Result<T>) -> ErrorKind {
    result.err().expect("an error").kind()
}

#[test]
fn failed_commit_or_panic_below_poisons_until_the_store_is_opened_again() {
    for fault in [Fault::Io, Fault::Panic] {
        let rig = Rig::new();
        let store = rig.open();
        block_on(async {
            with_chunks(&store, 2).await;
            rig.fail_next(fault);
            let first = if fault == Fault::Panic { ErrorKind::Corrupt } else { ErrorKind::Backend };
            assert_eq!(kind(store.claim_pending(1).await), first, "{fault:?}");
            assert_eq!(kind(store.claim_pending(1).await), ErrorKind::Poisoned, "{fault:?}");
            assert_eq!(kind(store.get_stats(1).await), ErrorKind::Poisoned, "{fault:?}");
            drop(store);
            let again = rig.beside().open();
            assert_eq!(again.get_stats(1).await.unwrap().total_chunks, 2);
        });
    }
}

#[test]
fn panic_below_a_read_or_an_opening_is_damage_too() {
    for open in [Store::threaded, Store::inline] {
        let rig = Rig::new();
        let open = || open(Box::new(rig.clone()), Options::default(), Arc::new(SystemClock));
        let store = open().unwrap();
        block_on(async {
            with_chunks(&store, 2).await;
            rig.panics_reading.store(true, SeqCst);
            assert_eq!(kind(store.get_chunk(1, 1).await), ErrorKind::Corrupt);
            assert_eq!(kind(store.get_chunk(1, 1).await), ErrorKind::Poisoned);
            assert_eq!(kind(store.claim_pending(1).await), ErrorKind::Poisoned);
            assert_eq!(kind(open().map(drop)), ErrorKind::Corrupt);
            rig.panics_reading.store(false, SeqCst);
            assert_eq!(open().unwrap().get_stats(1).await.unwrap().total_chunks, 2);
        });
    }
}

#[test]
fn failure_before_the_first_transaction_leaves_the_handle_its_session() {
    for open in [Store::threaded, Store::inline] {
        let rig = Rig::new();
        block_on(with_chunks(&rig.open(), 2));
        let session = |store: &Store| block_on(store.claim_pending(1)).unwrap().unwrap().lease.unwrap().session;
        let open = || open(Box::new(rig.clone()), Options::default(), Arc::new(SystemClock)).unwrap();
        let calm = session(&open());
        let store = open();
        rig.is_dead.store(true, SeqCst);
        assert_eq!(kind(block_on(store.apply(vec![Op::Pause { job: 1 }]))), ErrorKind::Backend);
        rig.is_dead.store(false, SeqCst);
        assert_eq!(session(&store).get(), calm.get() + 1);
    }
}

#[test]
fn full_device_changes_nothing_and_the_store_goes_on() {
    let rig = Rig::new();
    let store = rig.open();
    block_on(async {
        with_chunks(&store, 1).await;
        rig.fail_next(Fault::Full);
        assert_eq!(kind(store.claim_pending(1).await), ErrorKind::Full);
        assert_eq!(store.get_chunk(1, 1).await.unwrap().unwrap().status, JobStatus::Pending);
        // What the failed claim knew of the chunk is forgotten: the handle may mark it without a claim.
        store.mark_status(1, 1, JobStatus::Done, None).await.unwrap();
        assert!(store.audit(1).await.unwrap().problems.is_empty());
    });
}

#[test]
fn more_than_the_queue_holds_is_busy_and_changes_nothing() {
    let rig = Rig::new();
    let mut options = Options::default();
    options.queue_groups = 4;
    let store = rig.open_with(options);
    block_on(async {
        with_chunks(&store, 20).await;
        rig.block(true);
        let mut waiting = Vec::new();
        for _ in 0..20 {
            let mut claim = store.claim_pending(1);
            match poll_once(&mut claim).await {
                Some(answer) => assert_eq!(kind(answer), ErrorKind::Busy),
                None => waiting.push(claim),
            }
        }
        // The writer has at most one batch in its hands, and four groups wait.
        assert!((4..20).contains(&waiting.len()), "{} of 20 claims wait", waiting.len());
        rig.block(false);
        for claim in waiting {
            claim.await.unwrap().unwrap();
        }
        assert!(store.audit(1).await.unwrap().problems.is_empty());
    });
}

#[test]
fn groups_that_wait_together_are_committed_together() {
    let rig = Rig::new();
    let store = rig.open();
    block_on(async {
        with_chunks(&store, 101).await;
        rig.block(true);
        let mut first = store.claim_pending(1);
        assert!(poll_once(&mut first).await.is_none());
        let mut others: Vec<_> = (0..100).map(|_| store.claim_pending(1)).collect();
        for claim in &mut others {
            assert!(poll_once(claim).await.is_none());
        }
        let before = rig.commits.load(SeqCst);
        rig.block(false);
        first.await.unwrap().unwrap();
        for claim in others {
            claim.await.unwrap().unwrap();
        }
        // The one that was on its way, the hundred, and perhaps one batch that was cut between them.
        let commits = rig.commits.load(SeqCst) - before;
        assert!(commits <= 3, "{commits} commits for 101 claims");
    });
}

#[test]
fn reads_are_answered_while_a_commit_is_under_way() {
    let rig = Rig::new();
    let store = rig.open();
    block_on(async {
        with_chunks(&store, 1).await;
        rig.block(true);
        let mut claim = store.claim_pending(1);
        assert!(poll_once(&mut claim).await.is_none());
        assert_eq!(store.get_stats(1).await.unwrap().total_chunks, 1);
        rig.block(false);
        claim.await.unwrap().unwrap();
    });
}

#[test]
fn only_claims_ride_without_a_flush() {
    let rig = Rig::new();
    let store = rig.open();
    block_on(async {
        with_chunks(&store, 1).await;
        rig.flushes.lock().unwrap().clear();
        let fence = store.claim_pending(1).await.unwrap().unwrap().fence().unwrap();
        assert_eq!(*rig.flushes.lock().unwrap(), [Flush::Unsynced]);
        store.complete(&fence, Vec::new()).await.unwrap();
        assert_eq!(*rig.flushes.lock().unwrap(), [Flush::Unsynced, Flush::Synced]);
    });
}

#[test]
fn free_lock_file_tells_at_once_that_a_session_is_gone() {
    let folder = tempfile::tempdir().unwrap();
    let mut rig = Rig::new();
    rig.lock_folder = Some(folder.path().join("locks"));
    let (doomed, survivor) = (rig.open(), rig.beside());
    let survivor = survivor.open();
    block_on(async {
        with_chunks(&doomed, 1).await;
        let lost = doomed.claim_pending(1).await.unwrap().unwrap().fence().unwrap();
        assert!(survivor.claim_pending(1).await.unwrap().is_none(), "its holder is alive");
        rig.is_dead.store(true, SeqCst);
        drop(doomed);
        let taken = survivor.claim_pending(1).await.unwrap().expect("no need to wait for a time");
        assert!(taken.fence().unwrap().token() > lost.token());
        assert_eq!(taken.crashes, 1);
        let left = std::fs::read_dir(folder.path().join("locks")).unwrap().count();
        assert_eq!(left, 1, "the file of the dead session is gone");
    });
}

#[test]
fn claim_that_comes_while_a_transaction_is_prepared_finds_what_was_lost_since_it_began() {
    let folder = tempfile::tempdir().unwrap();
    let mut rig = Rig::new();
    rig.lock_folder = Some(folder.path().join("locks"));
    let doomed = rig.open();
    let survivor = rig.beside();
    let store = survivor.open();
    block_on(async {
        with_chunks(&doomed, 1).await;
        doomed.claim_pending(1).await.unwrap().unwrap();
        rig.is_dead.store(true, SeqCst);
        let (say_begun, has_begun) = channel();
        let (go_on, gone_on) = channel();
        *survivor.pause.lock().unwrap() = Some((say_begun, gone_on));
        // Upkeep is done before the other handle goes: in the transaction of this claim, or in one that the writer began on
        // its own and that this claim came into.
        let mut first = store.claim_pending(1);
        assert!(poll_once(&mut first).await.is_none());
        has_begun.recv().unwrap();
        drop(doomed);
        let mut late = store.claim_pending(1);
        assert!(poll_once(&mut late).await.is_none());
        go_on.send(()).unwrap();
        let (first, late) = zip(first, late).await;
        let found: Vec<_> = [first.unwrap(), late.unwrap()].into_iter().flatten().map(|claimed| claimed.chunk).collect();
        assert_eq!(found, [1], "the holder went before the last of them was answered");
    });
}

#[test]
fn answers_come_under_any_executor_and_in_any_thread() {
    let store = Rig::new().open();
    block_on(async {
        with_chunks(&store, 2).await;
        let (one, two) = zip(store.claim_pending(1), store.claim_pending(1)).await;
        assert_ne!(one.unwrap().unwrap().chunk, two.unwrap().unwrap().chunk);
    });
}
