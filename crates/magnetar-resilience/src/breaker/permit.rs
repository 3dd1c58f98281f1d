//! The right to make one call, which gives its place back whatever becomes of the call.

use std::{ops::Deref, thread, time::Duration};

use super::CircuitBreaker;
use crate::{
    classify::{ErrorClass, Verdict},
    observe::CallOutcome,
};

/// A call that was let through. Say how it ended, or drop it: then the caller went away, which is neither a success nor a failure.
/// Dropped by a panic it is a failure.
#[derive(Debug)]
#[must_use = "dropping it says that the call was cancelled"]
pub struct Permit<B: Deref<Target = CircuitBreaker>> {
    breaker: B,
    ticket: Option<Ticket>,
}

/// Under which generation a call was let through, and when in nanoseconds of the clock, or 0 where that does not matter.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ticket {
    pub(super) generation: u32,
    pub(super) started: u64,
}

impl Ticket {
    /// How long the call took, if it ended now.
    pub(super) fn took(&self, now: Duration) -> Duration {
        now.saturating_sub(Duration::from_nanos(self.started))
    }
}

impl<B: Deref<Target = CircuitBreaker>> Permit<B> {
    #[inline]
    pub(super) fn new(breaker: B, ticket: Ticket) -> Self {
        Self { breaker, ticket: Some(ticket) }
    }

    /// The service did well.
    #[inline]
    pub fn success(mut self) {
        self.end(CallOutcome::Success);
    }

    /// The service did not.
    pub fn failure(mut self) {
        self.end(CallOutcome::Failure);
    }

    /// The call says nothing about the service.
    pub fn ignore(mut self) {
        self.end(CallOutcome::Ignored);
    }

    /// The call ended like this.
    #[inline]
    pub fn record(mut self, verdict: Verdict) {
        self.end(match verdict {
            Verdict::Success | Verdict::Failure { class: ErrorClass::Permanent, .. } => CallOutcome::Success,
            Verdict::Failure { class: ErrorClass::Rejected, .. } => CallOutcome::Ignored,
            Verdict::Failure { .. } => CallOutcome::Failure,
        });
    }

    #[inline]
    fn end(&mut self, outcome: CallOutcome) {
        if let Some(ticket) = self.ticket.take() {
            self.breaker.finish(ticket, outcome);
        }
    }
}

impl<B: Deref<Target = CircuitBreaker>> Drop for Permit<B> {
    #[inline]
    fn drop(&mut self) {
        if self.ticket.is_some() {
            self.end(if thread::panicking() { CallOutcome::Failure } else { CallOutcome::Cancelled });
        }
    }
}
