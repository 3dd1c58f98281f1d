//! What the tests stand on: a store on tokio's clock, a store that can be made to fail, and chunks.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use async_trait::async_trait;
use magnetar_core::{
    Answer, Capabilities, Clock, Error, ErrorKind, Group, JobId, JobOptions, JobRef, JobSpec, JobStore, NewChunk, Op, Query,
    Rejection, Reply, Result, RetryPolicy, Timestamp,
};
use magnetar_memory::MemoryStore;
use magnetar_worker::{Event, Worker};
use tokio::{
    sync::watch,
    time::{Instant, sleep},
};

/// The job of most tests.
pub(crate) const JOB: JobId = 1;

/// Tokio's time, which a paused test moves on by itself.
struct TokioClock(Instant);

impl Clock for TokioClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(1_767_225_600_000).after(self.0.elapsed())
    }
}

/// A store on tokio's clock that works in the thread of its caller.
pub(crate) fn memory() -> Arc<dyn JobStore> {
    Arc::new(MemoryStore::inline(Arc::new(TokioClock(Instant::now()))).unwrap())
}

/// A store whose submits can be made to fail, to wait, and to be counted.
pub(crate) struct Rig {
    store: Arc<dyn JobStore>,
    /// What the next submits end with instead.
    faults: Mutex<VecDeque<ErrorKind>>,
    /// What every submit ends with instead.
    fault: Mutex<Option<ErrorKind>>,
    /// How many submits there were, and one in how many is busy.
    asked: AtomicUsize,
    busy_once_in: AtomicUsize,
    /// How long a commit takes.
    delay: Mutex<Duration>,
    /// How long an answer takes, once it is committed.
    answer_delay: Mutex<Duration>,
    /// Submits wait while this is true.
    is_frozen: watch::Sender<bool>,
    has_hints: AtomicBool,
    /// The groups of each submit that came through.
    submits: Mutex<Vec<Vec<Group>>>,
    /// Submits that ended with a fault.
    pub(crate) failed: AtomicUsize,
}

impl Rig {
    /// A rig around a fresh store.
    pub(crate) fn new() -> Arc<Self> {
        Self::on(memory())
    }

    pub(crate) fn on(store: Arc<dyn JobStore>) -> Arc<Self> {
        Arc::new(Self {
            store,
            faults: Mutex::default(),
            fault: Mutex::default(),
            asked: AtomicUsize::new(0),
            busy_once_in: AtomicUsize::new(usize::MAX),
            delay: Mutex::default(),
            answer_delay: Mutex::default(),
            is_frozen: watch::Sender::new(false),
            has_hints: AtomicBool::new(true),
            submits: Mutex::default(),
            failed: AtomicUsize::new(0),
        })
    }

    /// The rig as a worker sees it.
    pub(crate) fn store(self: &Arc<Self>) -> Arc<dyn JobStore> {
        Arc::clone(self) as Arc<dyn JobStore>
    }

    /// The store itself, without faults.
    pub(crate) fn inner(&self) -> Arc<dyn JobStore> {
        Arc::clone(&self.store)
    }

    /// The next submits end so, one each.
    pub(crate) fn fail_next(&self, faults: impl IntoIterator<Item = ErrorKind>) {
        locked(&self.faults).extend(faults);
    }

    /// One in so many submits is answered that the store is busy.
    pub(crate) fn busy_once_in(&self, submits: usize) {
        self.busy_once_in.store(submits, SeqCst);
    }

    /// Every submit ends so from now on, or works again.
    pub(crate) fn fail_all(&self, fault: Option<ErrorKind>) {
        *locked(&self.fault) = fault;
    }

    /// Commits take so long from now on.
    pub(crate) fn delay(&self, delay: Duration) {
        *locked(&self.delay) = delay;
    }

    /// Answers are on their way for so long from now on. Nobody who waits for one may be dropped.
    pub(crate) fn delay_answers(&self, delay: Duration) {
        *locked(&self.answer_delay) = delay;
    }

    /// Submits wait, or go on.
    pub(crate) fn freeze(&self, is_frozen: bool) {
        self.is_frozen.send_replace(is_frozen);
    }

    /// The store gives no hints from now on.
    pub(crate) fn without_hints(&self) {
        self.has_hints.store(false, SeqCst);
    }

    /// The groups of each submit so far.
    pub(crate) fn submits(&self) -> Vec<Vec<Group>> {
        locked(&self.submits).clone()
    }

    /// How many submits so far held an op of this sort.
    pub(crate) fn submits_with(&self, is_it: impl Fn(&Op) -> bool) -> usize {
        self.submits().iter().filter(|groups| groups.iter().flatten().any(&is_it)).count()
    }
}

#[async_trait]
impl JobStore for Rig {
    async fn submit(&self, groups: Vec<Group>) -> Result<Vec<Result<Vec<Reply>, Rejection>>> {
        let delay = *locked(&self.delay);
        if !delay.is_zero() {
            sleep(delay).await;
        }
        self.is_frozen.subscribe().wait_for(|is_frozen| !is_frozen).await.unwrap();
        let (nth, every) = (self.asked.fetch_add(1, SeqCst) + 1, self.busy_once_in.load(SeqCst));
        let busy = (nth % every == 0).then_some(ErrorKind::Busy);
        let fault = locked(&self.faults).pop_front().or(*locked(&self.fault)).or(busy);
        if let Some(kind) = fault {
            self.failed.fetch_add(1, SeqCst);
            return Err(Error::new(kind, "planted"));
        }
        locked(&self.submits).push(groups.clone());
        let answers = self.store.submit(groups).await;
        let delay = *locked(&self.answer_delay);
        if !delay.is_zero() {
            sleep(delay).await;
        }
        answers
    }

    async fn read(&self, query: Query) -> Result<Answer> {
        self.store.read(query).await
    }

    async fn watch(&self, seen: u64) -> Result<u64> {
        if !self.has_hints.load(SeqCst) {
            return Err(Error::new(ErrorKind::Unsupported, "watch"));
        }
        self.store.watch(seen).await
    }

    fn capabilities(&self) -> Capabilities {
        self.store.capabilities()
    }

    async fn close(&self) -> Result<()> {
        self.store.close().await
    }
}

/// A job whose chunks fail for good at their `max_fails`th failure and wait a second after each before that.
pub(crate) async fn job(store: &Arc<dyn JobStore>, max_fails: u32, chunks: Vec<NewChunk>) {
    job_with(store, JobOptions { retry: retry(max_fails), ..JobOptions::default() }, chunks).await;
}

pub(crate) async fn job_with(store: &Arc<dyn JobStore>, options: JobOptions, chunks: Vec<NewChunk>) {
    let spec = JobSpec { options: Some(options), ..JobSpec::default() };
    store.ensure_job(JobRef::Id(JOB), spec).await.unwrap();
    store.insert(JOB, chunks).await.unwrap();
}

pub(crate) fn retry(max_fails: u32) -> RetryPolicy {
    RetryPolicy { max_fails, jitter: 0.0, first_wait: Duration::from_secs(1), ..RetryPolicy::default() }
}

/// Chunks with the ids from 1 on.
pub(crate) fn chunks(count: u64) -> Vec<NewChunk> {
    (1..=count).map(NewChunk::new).collect()
}

/// A list that a handler writes and a test reads.
pub(crate) struct Log<T>(Arc<Mutex<Vec<T>>>);

impl<T> Clone for Log<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> Default for Log<T> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<T: Clone> Log<T> {
    pub(crate) fn push(&self, item: T) {
        locked(&self.0).push(item);
    }

    pub(crate) fn all(&self) -> Vec<T> {
        locked(&self.0).clone()
    }

    pub(crate) fn len(&self) -> usize {
        locked(&self.0).len()
    }
}

/// The same worker with its events in a list.
pub(crate) fn listened(worker: Worker) -> (Worker, Log<Event>) {
    let events = Log::default();
    let heard = events.clone();
    (worker.on_event(move |event| heard.push(event.clone())), events)
}

/// Waits until something holds; time goes on meanwhile.
pub(crate) async fn until(holds: impl AsyncFn() -> bool) {
    for _ in 0..100_000 {
        if holds().await {
            return;
        }
        sleep(Duration::from_millis(1)).await;
    }
    panic!("it never came to hold");
}

/// Waits until a job has no chunk in Processing.
pub(crate) async fn nothing_in_processing(store: &Arc<dyn JobStore>) {
    until(async || store.get_stats(JOB).await.unwrap().processing == 0).await;
    assert_eq!(store.audit(JOB).await.unwrap().problems, Vec::<String>::new());
}

pub(crate) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap()
}
