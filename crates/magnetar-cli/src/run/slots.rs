//! How many commands run at once, and when their ends go to the store.
//!
//! A command holds its slot until the store has its end durably. So when a run is killed, no more chunks are repeated than
//! there are slots: those that ran, and those whose end was on its way.
//!
//! Ends of short commands that come shortly one after the other go to the store together: each commit takes about a fifth of
//! what a trivial command does, whatever is in it. They wait only as long as enough others run to keep the processors busy.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use magnetar::Fence;
use tokio::{
    sync::{Notify, OwnedSemaphorePermit, Semaphore},
    time::{Instant, sleep},
};

/// How long the end of a command waits for others.
const GATHER: Duration = Duration::from_millis(2);
/// A command that took longer than that does not wait: a commit is nothing beside it.
const SHORT: Duration = Duration::from_millis(50);

/// The slots of a run. Clones are the same ones.
#[derive(Clone)]
pub(super) struct Slots(Arc<Inner>);

struct Inner {
    free: Arc<Semaphore>,
    state: Mutex<State>,
    go: Notify,
    processors: usize,
}

#[derive(Default)]
struct State {
    /// By the tokens of the claims.
    held: HashMap<u64, OwnedSemaphorePermit>,
    /// Commands that run.
    running: usize,
}

/// A command that runs.
pub(super) struct Slot {
    slots: Slots,
    begun: Instant,
}

impl Slots {
    /// So many slots, on a host with so many processors.
    pub(super) fn new(slots: usize, processors: usize) -> Self {
        let free = Arc::new(Semaphore::new(slots));
        let inner = Inner { free, state: Mutex::default(), go: Notify::new(), processors };
        Self(Arc::new(inner))
    }

    /// Waits for a slot. It is held until [`release`](Self::release), also when what this returns is dropped.
    pub(super) async fn take(&self, fence: Fence) -> Slot {
        // It is never closed, and a slot that nobody holds is free at once.
        let permit = Arc::clone(&self.0.free).acquire_owned().await;
        let mut state = self.state();
        state.running += 1;
        state.held.extend(permit.ok().map(|permit| (fence.token().get(), permit)));
        Slot { slots: self.clone(), begun: Instant::now() }
    }

    /// Frees the slot of a claim whose end the store has.
    pub(super) fn release(&self, fence: Fence) {
        self.state().held.remove(&fence.token().get());
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Slot {
    /// Waits until the end of the command should go to the store, with those that have come meanwhile.
    pub(super) async fn gather(self) {
        let (slots, took) = (self.slots.clone(), self.begun.elapsed());
        drop(self);
        let mut go = std::pin::pin!(slots.0.go.notified());
        go.as_mut().enable();
        if took < SHORT && slots.state().running >= slots.0.processors {
            tokio::select! {
                () = go => return,
                () = sleep(GATHER) => {}
            }
        }
        slots.0.go.notify_waiters();
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut state = self.slots.state();
        state.running = state.running.saturating_sub(1);
    }
}

#[cfg(test)]
mod tests {
    use futures_lite::future::poll_once;
    use magnetar::Token;

    use super::*;

    fn fence(token: u64) -> Fence {
        Fence::new(1, 1, Token::new(token).unwrap())
    }

    async fn take_all(slots: &Slots, count: u64) -> Vec<Slot> {
        let mut taken = Vec::new();
        for token in 1..=count {
            taken.push(slots.take(fence(token)).await);
        }
        taken
    }

    #[tokio::test]
    async fn slot_is_free_again_only_when_the_store_has_the_end() {
        let slots = Slots::new(1, 1);
        drop(slots.take(fence(1)).await);
        assert!(poll_once(slots.take(fence(2))).await.is_none());
        slots.release(fence(1));
        assert!(poll_once(slots.take(fence(2))).await.is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn ends_go_together_once_too_few_run_to_keep_the_processors_busy() {
        let slots = Slots::new(4, 2);
        let mut running = take_all(&slots, 4).await;
        let mut first = std::pin::pin!(running.remove(0).gather());
        let mut second = std::pin::pin!(running.remove(0).gather());
        assert_eq!((poll_once(&mut first).await, poll_once(&mut second).await), (None, None));
        assert_eq!(poll_once(running.remove(0).gather()).await, Some(()));
        assert_eq!((poll_once(first).await, poll_once(second).await), (Some(()), Some(())));
    }

    #[tokio::test(start_paused = true)]
    async fn end_waits_a_short_while_at_most() {
        let slots = Slots::new(4, 2);
        let mut running = take_all(&slots, 4).await;
        let begun = Instant::now();
        running.remove(0).gather().await;
        assert_eq!(begun.elapsed(), GATHER);
    }

    #[tokio::test(start_paused = true)]
    async fn end_of_a_long_command_waits_for_nobody() {
        let slots = Slots::new(4, 2);
        let mut running = take_all(&slots, 4).await;
        tokio::time::advance(SHORT).await;
        assert_eq!(poll_once(running.remove(0).gather()).await, Some(()));
    }
}
