//! The hint that something may have become claimable: a number that changes, and whoever waits for that.

use std::{
    future::poll_fn,
    task::{Poll, Waker},
};

use magnetar_core::Result;

use crate::{
    store::closed,
    sync::{Mutex, lock},
};

#[derive(Default)]
pub(crate) struct Hint {
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    /// Changes of the hint so far; what callers see is one more, so that 0 has always been seen before.
    changes: u64,
    is_closed: bool,
    waiting: Vec<Waker>,
}

impl Hint {
    /// Says that something may have become claimable.
    pub(crate) fn change(&self) {
        self.wake(|inner| inner.changes = inner.changes.wrapping_add(1));
    }

    /// Says that nothing ever will.
    pub(crate) fn close(&self) {
        self.wake(|inner| inner.is_closed = true);
    }

    fn wake(&self, change: impl FnOnce(&mut Inner)) {
        let mut inner = lock(&self.inner);
        change(&mut inner);
        let waiting = std::mem::take(&mut inner.waiting);
        drop(inner);
        waiting.into_iter().for_each(Waker::wake);
    }

    /// Waits until the hint is another than `seen`.
    pub(crate) async fn watch(&self, seen: u64) -> Result<u64> {
        poll_fn(|context| {
            let mut inner = lock(&self.inner);
            if inner.is_closed {
                return Poll::Ready(Err(closed()));
            }
            let hint = inner.changes.wrapping_add(1);
            if hint != seen {
                return Poll::Ready(Ok(hint));
            }
            if !inner.waiting.iter().any(|waker| waker.will_wake(context.waker())) {
                inner.waiting.push(context.waker().clone());
            }
            Poll::Pending
        })
        .await
    }
}
