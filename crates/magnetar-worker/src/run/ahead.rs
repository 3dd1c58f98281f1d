//! Chunks that are claimed ahead: how many, and for how long.
//!
//! A chunk that waits here is kept from other workers, costs it a crash if this process dies, and uses up its timeout, which
//! begins with the claim. So chunks are claimed ahead only while handlers are short, and wait here only for a moment.

use std::{collections::VecDeque, time::Duration};

use magnetar_core::{Fence, JobState};
use tokio::time::Instant;

use crate::time::{Moment, later};

/// Handlers that take longer than this on average do not feel the way to the store.
const SHORT: Duration = Duration::from_millis(500);
/// The longest time for which a chunk waits here.
const WAIT_MAX: Duration = Duration::from_secs(1);
/// The share of its timeout that a chunk waits here at most.
const TIMEOUT_SHARE: u32 = 10;

/// A chunk that was claimed.
#[derive(Debug)]
pub(super) struct Claimed {
    pub(super) chunk: JobState,
    pub(super) fence: Fence,
    pub(super) at: Moment,
    stale_at: Instant,
}

impl Claimed {
    pub(super) fn new(chunk: JobState, fence: Fence, at: Moment) -> Self {
        let wait = chunk.timeout.map_or(WAIT_MAX, |timeout| WAIT_MAX.min(timeout / TIMEOUT_SHARE));
        Self { chunk, fence, at, stale_at: later(at.here, wait) }
    }
}

pub(super) struct Ahead {
    queue: VecDeque<Claimed>,
    most: usize,
    /// How long handlers take: a mean that moves by an eighth with each; none before the first.
    mean: Option<Duration>,
    /// Not later than the first instant at which something here has waited too long.
    stale_at: Option<Instant>,
}

impl Ahead {
    /// At most so many are claimed ahead.
    pub(super) fn new(most: usize) -> Self {
        Self { queue: VecDeque::new(), most, mean: None, stale_at: None }
    }

    /// How many should be claimed ahead now.
    pub(super) fn wanted(&self) -> usize {
        if self.mean.is_some_and(|mean| mean < SHORT) { self.most } else { 0 }
    }

    /// Learns how long a handler took.
    pub(super) fn learn(&mut self, elapsed: Duration) {
        self.mean = Some(self.mean.map_or(elapsed, |mean| (mean * 7 + elapsed) / 8));
    }

    pub(super) fn len(&self) -> usize {
        self.queue.len()
    }

    pub(super) fn fences(&self) -> impl Iterator<Item = Fence> {
        self.queue.iter().map(|claimed| claimed.fence)
    }

    pub(super) fn push(&mut self, claimed: Claimed) {
        self.stale_at = Some(self.stale_at.map_or(claimed.stale_at, |at| at.min(claimed.stale_at)));
        self.queue.push_back(claimed);
    }

    pub(super) fn pop(&mut self) -> Option<Claimed> {
        let next = self.queue.pop_front();
        if self.queue.is_empty() {
            self.stale_at = None;
        }
        next
    }

    /// Takes one out whose claim is lost.
    pub(super) fn remove(&mut self, fence: Fence) -> Option<Claimed> {
        let at = self.queue.iter().position(|claimed| claimed.fence == fence)?;
        self.queue.remove(at)
    }

    /// When to call [`take_stale`](Self::take_stale).
    pub(super) fn stale_at(&self) -> Option<Instant> {
        self.stale_at
    }

    /// Takes out what has waited too long. Nothing more is claimed ahead until a handler shows again that it is short.
    pub(super) fn take_stale(&mut self, now: Instant) -> Vec<Claimed> {
        let (stale, fresh): (Vec<_>, Vec<_>) = self.queue.drain(..).partition(|claimed| claimed.stale_at <= now);
        self.stale_at = fresh.iter().map(|claimed| claimed.stale_at).min();
        self.queue = fresh.into();
        if !stale.is_empty() {
            self.mean = None;
        }
        stale
    }

    pub(super) fn take_all(&mut self) -> Vec<Claimed> {
        self.stale_at = None;
        self.queue.drain(..).collect()
    }
}
