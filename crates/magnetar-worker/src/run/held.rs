//! Everything that a run has claimed, in one place, so that nothing of it is forgotten when the run is dropped.
//!
//! A claim is in exactly one of: ahead, the crew, the outbox, what is sent. It leaves when the store has answered.

use std::{mem, sync::Arc};

use magnetar_core::{Fence, JobStore};
use tokio::runtime::Handle;

use super::{ahead::Ahead, crew::Crew, finish::Finish, leave::Left};

pub(super) struct Held {
    pub(super) store: Arc<dyn JobStore>,
    /// Claimed, and not started.
    pub(super) ahead: Ahead,
    /// Started, and not over.
    pub(super) crew: Crew,
    /// Over, and to be written.
    pub(super) outbox: Vec<Finish>,
    /// On its way to the store.
    pub(super) sent: Vec<Finish>,
    runtime: Handle,
}

impl Held {
    /// To be called within the runtime that the handlers run on.
    pub(super) fn new(store: Arc<dyn JobStore>, ahead: Ahead, crew: Crew) -> Self {
        Self { store, ahead, crew, outbox: Vec::new(), sent: Vec::new(), runtime: Handle::current() }
    }

    /// Chunks that handlers run on, or will.
    pub(super) fn open(&self) -> usize {
        self.ahead.len() + self.crew.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.open() == 0 && self.outbox.is_empty() && self.sent.is_empty()
    }

    /// The claims of chunks that handlers run on, or will.
    pub(super) fn fences(&self) -> Vec<Fence> {
        self.ahead.fences().chain(self.crew.fences()).collect()
    }

    /// Attempts that were started, and whose end the store does not have.
    fn unsettled(&self) -> usize {
        let is_started = |finish: &&Finish| finish.is_started;
        self.crew.len() + self.outbox.iter().chain(&self.sent).filter(is_started).count()
    }

    /// Starts what was claimed ahead: up to so many at once, and so many whose end the store does not have.
    pub(super) fn start(&mut self, concurrency: usize, repeats_max: Option<usize>, started: &mut dyn FnMut(Fence, u32)) {
        let free = concurrency.saturating_sub(self.crew.len());
        let places = repeats_max.map_or(free, |max| free.min(max.saturating_sub(self.unsettled())));
        for _ in 0..places {
            let Some(claimed) = self.ahead.pop() else { return };
            started(claimed.fence, claimed.chunk.attempt());
            self.crew.start(claimed, Arc::clone(&self.store));
        }
    }

    /// Puts what was claimed ahead on the way back.
    pub(super) fn give_back_ahead(&mut self) {
        self.outbox.extend(self.ahead.take_all().into_iter().map(|claimed| Finish::unstarted(claimed.fence, claimed.at)));
    }
}

impl Drop for Held {
    /// Hands what is left to a task of its own. After a run that ended in good order, nothing is.
    fn drop(&mut self) {
        if self.is_empty() {
            return;
        }
        self.give_back_ahead();
        // Handlers that are over before they are aborted have said what came of them.
        while let Some((running, ended)) = self.crew.try_next() {
            self.outbox.push(Finish::of(&running, ended));
        }
        // What was sent goes first; where it has arrived, the store says so.
        let mut finishes = mem::take(&mut self.sent);
        finishes.append(&mut self.outbox);
        Left::new(Arc::clone(&self.store), self.crew.hand_over(), finishes).write_on(&self.runtime);
    }
}
