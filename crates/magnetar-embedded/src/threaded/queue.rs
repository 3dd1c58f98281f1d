//! The queue before the writer: bounded, and closed once.

use std::{
    collections::VecDeque,
    sync::{PoisonError, atomic::Ordering::Relaxed},
    time::Duration,
};

use magnetar_core::{Error, ErrorKind, Group, Op, Result};

use super::{Outcomes, Told};
use crate::{
    answer::Answerer,
    engine::Outcome,
    options::Options,
    store::closed,
    sync::{AtomicUsize, Condvar, Instant, Mutex, MutexGuard, SyncSender, lock, spin_loop},
};

/// Bytes of one batch, as a rough sum of what its ops carry.
const BATCH_BYTES_MAX: usize = 1024 * 1024;
/// Bytes that may wait.
const QUEUE_BYTES_MAX: usize = 256 * 1024 * 1024;

pub(super) type Closing = Answerer<Told>;

/// What the writer is asked, and who waits for it.
pub(super) enum Ask {
    Groups(Answerer<Outcomes>),
    Settle(Answerer<Told>),
    Upkeep(SyncSender<()>),
    Close(Closing),
}

pub(super) struct Request {
    pub(super) groups: Vec<Group>,
    /// One for each group; none while it waits.
    pub(super) outcomes: Vec<Outcome>,
    pub(super) ask: Ask,
    bytes: usize,
}

impl Request {
    pub(super) fn new(groups: Vec<Group>, ask: Ask) -> Self {
        let bytes = groups.iter().flatten().map(op_bytes).sum();
        let outcomes = groups.iter().map(|_| None).collect();
        Self { groups, outcomes, ask, bytes }
    }

    /// Whether a group has no outcome yet.
    pub(super) fn is_waiting(&self) -> bool {
        self.outcomes.iter().any(Option::is_none)
    }

    /// Applies the groups that have no outcome yet.
    pub(super) fn apply(&mut self, apply: &mut dyn FnMut(&Group) -> Result<Outcome>) -> Result<()> {
        for (group, outcome) in self.groups.iter().zip(&mut self.outcomes).filter(|(_, outcome)| outcome.is_none()) {
            *outcome = apply(group)?;
        }
        Ok(())
    }

    /// What it counts for in the queue and in a transaction: its groups, and one where it has none.
    fn weight(&self) -> usize {
        self.groups.len().max(1)
    }

    /// Whether it must be alone in its transaction: a large one, so that nothing need be kept to take it back, and the last.
    fn is_alone(&self) -> bool {
        self.bytes > BATCH_BYTES_MAX || matches!(self.ask, Ask::Close(_))
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
    /// How many groups wait: for whoever looks without the lock.
    waiting: AtomicUsize,
}

#[derive(Default)]
struct Inner {
    requests: VecDeque<Request>,
    groups: usize,
    bytes: usize,
    is_closed: bool,
    /// The writer sleeps until so many groups are here. Whoever comes before that does not wake it; nor while it is awake.
    wanted: usize,
}

impl Inner {
    /// Adds a request, and returns whether the writer is to be woken.
    fn add(&mut self, request: Request) -> bool {
        self.groups += request.weight();
        self.bytes += request.bytes;
        self.requests.push_back(request);
        self.groups >= self.wanted
    }

    fn next(&mut self) -> Option<Request> {
        let request = self.requests.pop_front()?;
        self.groups = self.groups.saturating_sub(request.weight());
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
            waiting: AtomicUsize::new(0),
        }
    }

    /// Adds a request of a caller.
    pub(super) fn push(&self, request: Request) -> Result<()> {
        let inner = lock(&self.inner);
        if inner.is_closed {
            return Err(closed());
        }
        let is_full = inner.groups + request.weight() > self.groups_max || inner.bytes + request.bytes > QUEUE_BYTES_MAX;
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
        self.waiting.store(inner.groups, Relaxed);
        drop(inner);
        if wakes {
            self.arrived.notify_one();
        }
    }

    /// Puts what must be applied again before everything else.
    pub(super) fn push_again(&self, requests: Vec<Request>) {
        let mut inner = lock(&self.inner);
        for request in requests.into_iter().rev() {
            inner.groups += request.weight();
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

    /// Waits for a request, at first without sleeping. Returns after `idle_for` at the latest.
    pub(super) fn wait_for_one(&self, awake_for: Duration, idle_for: Duration) {
        if !awake_for.is_zero() {
            let begun = now();
            while self.waiting.load(Relaxed) == 0 && begun.elapsed() < awake_for {
                spin_loop();
            }
        }
        let inner = lock(&self.inner);
        drop(self.wait(inner, idle_for, 1));
    }

    /// Waits until so many groups are here, or for so long.
    pub(super) fn wait_for_more(&self, at_most: Duration, wanted: usize) {
        let inner = lock(&self.inner);
        drop(self.wait(inner, at_most, wanted));
    }

    /// Moves what waits into a batch, as far as there is room in it. Returns whether there is room for more.
    pub(super) fn fill(&self, room: &mut Room, batch: &mut VecDeque<Request>) -> bool {
        let mut inner = lock(&self.inner);
        self.fill_from(&mut inner, room, batch);
        self.waiting.store(inner.groups, Relaxed);
        !room.is_full(self.batch_groups)
    }

    fn fill_from(&self, inner: &mut Inner, room: &mut Room, batch: &mut VecDeque<Request>) {
        while !room.is_full(self.batch_groups) {
            let Some(next) = inner.requests.front() else { return };
            // What the driver asks for itself is to see the store, and the time, as of when it asked.
            if (next.is_alone() && room.groups > 0) || (next.groups.is_empty() && room.is_begun) {
                room.is_shut = true;
                return;
            }
            let Some(request) = inner.next() else { return };
            room.groups += request.weight();
            room.bytes += request.bytes;
            room.is_shut = request.is_alone();
            batch.push_back(request);
        }
    }

    fn wait<'a>(&self, mut inner: MutexGuard<'a, Inner>, at_most: Duration, wanted: usize) -> MutexGuard<'a, Inner> {
        inner.wanted = wanted;
        let is_enough = |inner: &Inner| inner.groups >= wanted || inner.is_closed;
        let outcome = self.arrived.wait_timeout_while(inner, at_most, |inner| !is_enough(inner));
        let mut inner = outcome.unwrap_or_else(PoisonError::into_inner).0;
        // Nobody need wake a writer that is awake.
        inner.wanted = usize::MAX;
        inner
    }
}

/// How much of a transaction is taken.
#[derive(Default)]
pub(super) struct Room {
    pub(super) groups: usize,
    bytes: usize,
    /// Whether nothing more may come in, whatever its size.
    is_shut: bool,
    /// Whether the transaction has begun.
    pub(super) is_begun: bool,
}

impl Room {
    fn is_full(&self, groups_max: usize) -> bool {
        self.is_shut || self.groups >= groups_max || self.bytes >= BATCH_BYTES_MAX
    }
}

#[expect(clippy::disallowed_methods, reason = "how long a batch takes is measured, and no rule depends on it")]
pub(super) fn now() -> Instant {
    Instant::now()
}
