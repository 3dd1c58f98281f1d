//! When it is worth asking the store for work: at its hints, when something is known to be due, and every so often.

use std::{cmp::Reverse, collections::BinaryHeap, pin::Pin, sync::Arc, time::Duration};

use magnetar_core::{JobStore, Result};
use tokio::time::Instant;

use crate::{backoff::Jitter, time::later};

/// How many instants are remembered; what else is due is found by hints and polls.
const DUE_MAX: usize = 4096;

type Hint = Pin<Box<dyn Future<Output = Result<u64>> + Send>>;

pub(super) struct Lookout {
    store: Arc<dyn JobStore>,
    interval: Duration,
    jitter: Jitter,
    poll_at: Instant,
    due: BinaryHeap<Reverse<Instant>>,
    /// None where the store has none to give just now.
    hint: Option<Hint>,
    /// Whether something may be ready.
    is_hopeful: bool,
    /// Whether a hint has come since the last claim was sent.
    is_hinted: bool,
}

impl Lookout {
    pub(super) fn new(store: Arc<dyn JobStore>, interval: Duration, seed: u64, now: Instant) -> Self {
        let mut jitter = Jitter::new(seed);
        let poll_at = later(now, jitter.about(interval));
        let hint = Some(watch(&store, 0));
        Self { store, interval, jitter, poll_at, due: BinaryHeap::new(), hint, is_hopeful: true, is_hinted: false }
    }

    /// Whether something may be ready.
    pub(super) fn is_hopeful(&self) -> bool {
        self.is_hopeful
    }

    /// Something may be ready.
    pub(super) fn hope(&mut self) {
        self.is_hopeful = true;
    }

    /// A claim is on its way.
    pub(super) fn asked(&mut self) {
        self.is_hinted = false;
    }

    /// A claim was answered, with all that it asked for or with less.
    pub(super) fn answered(&mut self, is_full: bool) {
        self.is_hopeful = is_full || self.is_hinted;
    }

    /// Something is due then.
    pub(super) fn expect(&mut self, at: Instant) {
        if self.due.len() < DUE_MAX {
            self.due.push(Reverse(at));
        }
    }

    /// Waits for a hint of the store. It may be dropped at any time.
    pub(super) async fn hint(&mut self) {
        let Some(hint) = &mut self.hint else { return std::future::pending().await };
        match hint.await {
            Ok(seen) => {
                self.hint = Some(watch(&self.store, seen));
                self.is_hopeful = true;
                self.is_hinted = true;
            }
            // Where the store is gone, a claim says so; else the next poll asks for hints again.
            Err(_) => self.hint = None,
        }
    }

    /// When to call [`look`](Self::look).
    pub(super) fn next_at(&self) -> Instant {
        self.due.peek().map_or(self.poll_at, |Reverse(due)| self.poll_at.min(*due))
    }

    /// Looks at the time.
    pub(super) fn look(&mut self, now: Instant) {
        while self.due.peek().is_some_and(|Reverse(due)| *due <= now) {
            self.due.pop();
            self.is_hopeful = true;
        }
        if self.poll_at <= now {
            self.poll_at = later(now, self.jitter.about(self.interval));
            self.is_hopeful = true;
            self.hint.get_or_insert_with(|| watch(&self.store, 0));
        }
    }
}

fn watch(store: &Arc<dyn JobStore>, seen: u64) -> Hint {
    let store = Arc::clone(store);
    Box::pin(async move { store.watch(seen).await })
}
