//! How many commands run at once, and when their ends go to the store.
//!
//! A command holds its slot until the store has its end durably. So when a run is killed, no more chunks are repeated than
//! there are slots: those that ran, and those whose end was on its way.
//!
//! Ends that come shortly one after the other go to the store together. Each commit costs about as much as a tenth of a short
//! command, whatever is in it.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use magnetar::Fence;
use tokio::{
    sync::{Notify, OwnedSemaphorePermit, Semaphore},
    time::sleep,
};

/// How long the end of a command waits for others.
const GATHER: Duration = Duration::from_millis(2);

/// The slots of a run. Clones are the same ones.
#[derive(Clone)]
pub(super) struct Slots(Arc<Inner>);

struct Inner {
    free: Arc<Semaphore>,
    state: Mutex<State>,
    go: Notify,
}

#[derive(Default)]
struct State {
    /// By the tokens of the claims.
    held: HashMap<u64, OwnedSemaphorePermit>,
    /// Commands that run.
    running: usize,
    /// Ends that wait for others.
    waiting: usize,
}

/// A command that runs.
pub(super) struct Slot(Slots);

impl Slots {
    /// So many slots.
    pub(super) fn new(slots: usize) -> Self {
        let inner = Inner { free: Arc::new(Semaphore::new(slots)), state: Mutex::default(), go: Notify::new() };
        Self(Arc::new(inner))
    }

    /// Waits for a slot. It is held until [`release`](Self::release), also when what this returns is dropped.
    pub(super) async fn take(&self, fence: Fence) -> Slot {
        // It is never closed, and a slot that nobody holds is free at once.
        let permit = Arc::clone(&self.0.free).acquire_owned().await;
        let mut state = self.state();
        state.running += 1;
        state.held.extend(permit.ok().map(|permit| (fence.token().get(), permit)));
        Slot(self.clone())
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
    /// Waits until the end of the command should go to the store: when as many wait as run, or after a short while.
    pub(super) async fn gather(self) {
        let slots = self.0.clone();
        let mut go = std::pin::pin!(slots.0.go.notified());
        {
            // The end of this command lets it run no more.
            drop(self);
            let mut state = slots.state();
            if state.waiting + 1 >= state.running {
                state.waiting = 0;
                slots.0.go.notify_waiters();
                return;
            }
            state.waiting += 1;
            go.as_mut().enable();
        }
        tokio::select! {
            () = go => {}
            () = sleep(GATHER) => {
                slots.state().waiting = 0;
                slots.0.go.notify_waiters();
            }
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut state = self.0.state();
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

    #[tokio::test]
    async fn slot_is_free_again_only_when_the_store_has_the_end() {
        let slots = Slots::new(1);
        drop(slots.take(fence(1)).await);
        assert!(poll_once(slots.take(fence(2))).await.is_none());
        slots.release(fence(1));
        assert!(poll_once(slots.take(fence(2))).await.is_some());
    }

    #[tokio::test]
    async fn lone_end_waits_for_nobody() {
        let slots = Slots::new(4);
        let slot = slots.take(fence(1)).await;
        assert!(poll_once(slot.gather()).await.is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn ends_go_together_when_as_many_wait_as_run() {
        let slots = Slots::new(4);
        let mut running = Vec::new();
        for token in 1..=4 {
            running.push(slots.take(fence(token)).await);
        }
        let mut first = std::pin::pin!(running.remove(0).gather());
        assert_eq!(poll_once(&mut first).await, None);
        assert_eq!(poll_once(running.remove(0).gather()).await, Some(()));
        assert_eq!(poll_once(first).await, Some(()));
    }

    #[tokio::test(start_paused = true)]
    async fn end_waits_a_short_while_at_most() {
        let slots = Slots::new(4);
        let mut all = Vec::new();
        for token in 1..=4 {
            all.push(slots.take(fence(token)).await);
        }
        let begun = tokio::time::Instant::now();
        all.remove(0).gather().await;
        assert_eq!(begun.elapsed(), GATHER);
    }
}
