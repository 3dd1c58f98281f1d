//! The queue before the writer: bounded, closed once, and the gathering of a batch from it.

use std::{
    collections::VecDeque,
    sync::{Condvar, PoisonError, mpsc::SyncSender},
    time::{Duration, Instant},
};

use magnetar_core::{Error, ErrorKind, Group, Op, Result};

use super::{Outcomes, Told};
use crate::{
    answer::Answerer,
    options::Options,
    store::closed,
    sync::{Mutex, MutexGuard, lock},
    writer::Outcome,
};

/// Bytes of one batch, as a rough sum of what its ops carry.
const BATCH_BYTES_MAX: usize = 1024 * 1024;
/// Bytes that may wait.
const QUEUE_BYTES_MAX: usize = 256 * 1024 * 1024;
/// The longest time for which a batch is gathered.
const GATHER_MAX: Duration = Duration::from_millis(1);
/// The share of the mean batch time for which one is gathered: 3/20.
const GATHER_SHARE: (u32, u32) = (3, 20);

pub(super) type Closing = Answerer<Told>;

/// What the writer is asked, and who waits for it.
pub(super) enum Ask {
    Groups(Answerer<Outcomes>),
    Settle(Answerer<Told>),
    Upkeep(SyncSender<()>),
    Close(Closing),
}

pub(super) struct Request {
    groups: Vec<Group>,
    /// One for each group; none while it waits.
    pub(super) outcomes: Vec<Outcome>,
    pub(super) ask: Ask,
    pub(super) failed: Option<(ErrorKind, String)>,
    bytes: usize,
}

impl Request {
    pub(super) fn new(groups: Vec<Group>, ask: Ask) -> Self {
        let bytes = groups.iter().flatten().map(op_bytes).sum();
        let outcomes = groups.iter().map(|_| None).collect();
        Self { groups, outcomes, ask, failed: None, bytes }
    }

    /// The groups that have no outcome yet.
    pub(super) fn waiting(&self) -> impl Iterator<Item = &Group> {
        self.groups.iter().zip(&self.outcomes).filter(|(_, outcome)| outcome.is_none()).map(|(group, _)| group)
    }

    pub(super) fn waiting_count(&self) -> usize {
        self.outcomes.iter().filter(|outcome| outcome.is_none()).count()
    }

    /// Takes the outcomes of the groups that were waiting.
    pub(super) fn take_outcomes(&mut self, outcomes: &mut impl Iterator<Item = Outcome>) {
        for slot in self.outcomes.iter_mut().filter(|slot| slot.is_none()) {
            *slot = outcomes.next().flatten();
        }
    }
}

/// About how many bytes an op carries.
fn op_bytes(op: &Op) -> usize {
    const PLAIN_BYTES: usize = 128;
    PLAIN_BYTES
        + match op {
            Op::Insert { chunks, .. } => {
                chunks.iter().map(|chunk| PLAIN_BYTES + chunk.payload.len() + chunk.extra.as_json().len()).sum()
            }
            Op::Complete { result, .. } => result.len(),
            Op::PutRecord { key, value, .. } => key.len() + value.as_ref().map_or(0, Vec::len),
            Op::Fail { error, .. } => error.len(),
            _ => 0,
        }
}

pub(super) struct Queue {
    /// The most groups that wait.
    groups_max: usize,
    /// The most groups of a batch.
    batch_groups: usize,
    inner: Mutex<Inner>,
    arrived: Condvar,
}

#[derive(Default)]
struct Inner {
    requests: VecDeque<Request>,
    groups: usize,
    bytes: usize,
    is_closed: bool,
    /// The writer sleeps until so many groups are here. Whoever comes before that does not wake it.
    wanted: usize,
}

impl Inner {
    /// Adds a request, and returns whether the writer is to be woken.
    fn add(&mut self, request: Request) -> bool {
        let is_own = request.groups.is_empty();
        self.put(request);
        is_own || self.groups >= self.wanted
    }

    fn put(&mut self, request: Request) {
        self.groups += request.groups.len();
        self.bytes += request.bytes;
        self.requests.push_back(request);
    }

    fn next(&mut self) -> Option<Request> {
        let request = self.requests.pop_front()?;
        self.groups = self.groups.saturating_sub(request.groups.len());
        self.bytes = self.bytes.saturating_sub(request.bytes);
        Some(request)
    }
}

impl Queue {
    pub(super) fn new(options: &Options) -> Self {
        Self {
            groups_max: options.queue_groups,
            batch_groups: options.batch_groups,
            inner: Mutex::default(),
            arrived: Condvar::new(),
        }
    }

    /// Adds a request of a caller.
    pub(super) fn push(&self, request: Request) -> Result<()> {
        let inner = lock(&self.inner);
        if inner.is_closed {
            return Err(closed());
        }
        let is_full = inner.groups + request.groups.len() > self.groups_max || inner.bytes + request.bytes > QUEUE_BYTES_MAX;
        // Something larger than the queue is taken when nothing else waits.
        if is_full && !inner.requests.is_empty() {
            let waiting = inner.groups;
            return Err(Error::new(
                ErrorKind::Busy,
                format!("take more work: {waiting} groups wait already; try again in a moment"),
            ));
        }
        self.add(inner, request);
        Ok(())
    }

    /// Adds a request of the driver's own, which no bound keeps out; returns whether the writer will see it.
    pub(super) fn push_own(&self, request: Request) -> bool {
        let inner = lock(&self.inner);
        if inner.is_closed {
            return false;
        }
        self.add(inner, request);
        true
    }

    fn add(&self, mut inner: MutexGuard<'_, Inner>, request: Request) {
        let wakes = inner.add(request);
        drop(inner);
        if wakes {
            self.arrived.notify_one();
        }
    }

    /// Puts what must be applied again before everything else.
    pub(super) fn push_again(&self, requests: Vec<Request>) {
        let mut inner = lock(&self.inner);
        for request in requests.into_iter().rev() {
            inner.groups += request.groups.len();
            inner.bytes += request.bytes;
            inner.requests.push_front(request);
        }
    }

    /// Takes nothing more, and drops what waits, which answers it.
    pub(super) fn abandon(&self) {
        let mut inner = lock(&self.inner);
        inner.is_closed = true;
        let requests = std::mem::take(&mut inner.requests);
        drop(inner);
        drop(requests);
    }

    /// Adds the last request; returns whether it is that, or the queue was closed before.
    pub(super) fn close(&self, request: Request) -> bool {
        let mut inner = lock(&self.inner);
        if std::mem::replace(&mut inner.is_closed, true) {
            return false;
        }
        self.add(inner, request);
        true
    }

    /// Takes the next batch, gathered; an empty one where nothing came for `idle_for`.
    pub(super) fn take(&self, idle_for: Duration, gather: &Gather) -> Vec<Request> {
        let inner = lock(&self.inner);
        let inner = self.wait(inner, idle_for, 1, |inner| !inner.requests.is_empty());
        let (expected, at_most) = gather.plan();
        let expected = expected.min(self.batch_groups);
        let mut inner = if inner.requests.is_empty() || expected <= 1 {
            inner
        } else {
            self.wait(inner, at_most, expected, |inner| inner.groups >= expected || inner.is_closed)
        };
        let (mut batch, mut groups, mut bytes) = (Vec::new(), 0, 0);
        while groups < self.batch_groups && bytes < BATCH_BYTES_MAX {
            let is_close = inner.requests.front().is_some_and(|request| matches!(request.ask, Ask::Close(_)));
            // It is the last there is: what must be applied again has been put before it. A large one is alone in its
            // transaction, so that nothing need be kept to take it back.
            let is_large = inner.requests.front().is_some_and(|request| request.bytes > BATCH_BYTES_MAX);
            if (is_close || is_large) && !batch.is_empty() {
                break;
            }
            let Some(request) = inner.next() else { break };
            groups += request.groups.len().max(1);
            bytes += request.bytes;
            batch.push(request);
        }
        batch
    }

    fn wait<'a>(
        &self,
        mut inner: MutexGuard<'a, Inner>,
        at_most: Duration,
        wanted: usize,
        is_enough: impl Fn(&Inner) -> bool,
    ) -> MutexGuard<'a, Inner> {
        inner.wanted = wanted;
        let outcome = self.arrived.wait_timeout_while(inner, at_most, |inner| !is_enough(inner));
        outcome.unwrap_or_else(PoisonError::into_inner).0
    }
}

/// The instant at which a batch begins.
#[expect(clippy::disallowed_methods, reason = "how long a batch takes is measured, and no rule depends on it")]
pub(super) fn now() -> Instant {
    Instant::now()
}

/// What the last batches were like, and so how long the next is gathered.
#[derive(Default)]
pub(super) struct Gather {
    last_groups: usize,
    mean: Duration,
}

impl Gather {
    /// How many groups are worth waiting for, and for how long.
    fn plan(&self) -> (usize, Duration) {
        let (part, whole) = GATHER_SHARE;
        (self.last_groups, (self.mean * part / whole).min(GATHER_MAX))
    }

    /// Learns from a batch: the mean moves by an eighth.
    pub(super) fn end(&mut self, begin: Instant, groups: usize) {
        if groups > 0 {
            self.mean = (self.mean * 7 + begin.elapsed()) / 8;
            self.last_groups = groups;
        }
    }
}
