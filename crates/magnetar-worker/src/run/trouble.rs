//! A store that cannot be used for the moment, or does not answer: when it is asked again, and when it has been too long.

use std::time::Duration;

use tokio::time::Instant;

use crate::{backoff::Backoff, time::later};

/// How long a store is tried again by a worker that was told to abort.
const ABORTING: Duration = Duration::from_secs(5);

pub(super) struct Trouble {
    patience: Duration,
    backoff: Backoff,
    since: Option<Instant>,
    retry_at: Option<Instant>,
}

impl Trouble {
    pub(super) fn new(patience: Duration, seed: u64) -> Self {
        Self { patience, backoff: Backoff::new(seed), since: None, retry_at: None }
    }

    /// The worker wants to end.
    pub(super) fn hurry(&mut self) {
        self.patience = self.patience.min(ABORTING);
    }

    /// The store was in trouble. Returns after how long it is to be asked again; none where it has been too long.
    pub(super) fn again(&mut self, now: Instant) -> Option<Duration> {
        let since = *self.since.get_or_insert(now);
        if now.duration_since(since) >= self.patience {
            return None;
        }
        let wait = self.backoff.next_wait();
        self.retry_at = Some(later(now, wait));
        Some(wait)
    }

    /// When a store that was asked then has not answered for too long.
    pub(super) fn silent_at(&self, asked: Instant) -> Instant {
        later(asked, self.patience)
    }

    /// The process was stopped for so long.
    pub(super) fn forgive(&mut self, late: Duration) {
        self.since = self.since.map(|since| later(since, late));
    }

    /// The store has answered.
    pub(super) fn over(&mut self) {
        if self.since.take().is_some() {
            self.backoff.reset();
        }
        self.retry_at = None;
    }

    /// Whether the store is to be left alone.
    pub(super) fn is_waiting(&self) -> bool {
        self.retry_at.is_some()
    }

    /// When to call [`look`](Self::look).
    pub(super) fn retry_at(&self) -> Option<Instant> {
        self.retry_at
    }

    /// Looks at the time.
    pub(super) fn look(&mut self, now: Instant) {
        self.retry_at = self.retry_at.filter(|at| now < *at);
    }
}
