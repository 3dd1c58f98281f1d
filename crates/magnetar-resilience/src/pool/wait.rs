//! One who waits for a connection, and loses nothing if it goes away.

use std::{future::poll_fn, task::Poll};

use super::{queue::Step, roster::Roster};

/// A place in the queue of a pool. Dropped before the end of the wait it is given up.
pub(crate) struct Wait<'a, C, E: Clone, F: FnMut(C)> {
    roster: &'a Roster<C, E>,
    number: u64,
    is_over: bool,
    /// Takes a connection that was granted and that nobody came for.
    orphan: F,
}

impl<'a, C, E: Clone, F: FnMut(C)> Wait<'a, C, E, F> {
    pub(crate) fn new(roster: &'a Roster<C, E>, number: u64, orphan: F) -> Self {
        Self { roster, number, is_over: false, orphan }
    }

    /// What happens next: a dial to start, any number of times, and then the end.
    pub(crate) async fn next(&mut self) -> Step<C, E> {
        let step = poll_fn(|context| match self.roster.step(self.number, context.waker()) {
            Some(step) => Poll::Ready(step),
            None => Poll::Pending,
        })
        .await;
        self.is_over = !matches!(step, Step::Dial(_));
        step
    }

    /// Whether it has a dial under way, and how the last dial of the pool failed, if none succeeded since.
    pub(crate) fn trouble(&self) -> (bool, Option<E>) {
        self.roster.trouble(self.number)
    }
}

impl<C, E: Clone, F: FnMut(C)> Drop for Wait<'_, C, E, F> {
    fn drop(&mut self) {
        if self.is_over {
            return;
        }
        if let Some(connection) = self.roster.leave(self.number) {
            (self.orphan)(connection);
        }
    }
}
