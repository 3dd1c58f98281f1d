//! How a connection is had: an idle one, checked where it was idle for long, or a place in the queue; all within one deadline.

use std::{sync::Arc, time::Duration};

use super::{
    book::Idle,
    guard::Pooled,
    queue::Step,
    roster::Entered,
    shared::{Connection, Shared},
    wait::Wait,
};
use crate::{
    classify::{Classify, ErrorClass},
    deadline,
    error::ResilienceError,
    observe::{ClosedReason, Event},
    outcome::Phase,
};

/// Why there was no connection.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum AcquireError {
    /// It took too long.
    #[error("{phase} timed out after {after:?}{}", .last_dial.as_ref().map(|error| format!(", and the last one could not be made: {error}")).unwrap_or_default())]
    Timeout {
        /// What it was at when the time was over: waiting, dialling or checking.
        phase: Phase,
        /// The limit that passed.
        after: Duration,
        /// How the last dial of the pool failed, if none succeeded since.
        last_dial: Option<ResilienceError>,
    },
    /// As many wait as may.
    #[error("connection pool is exhausted, and {waiters} wait for it already")]
    Exhausted {
        /// How many wait.
        waiters: usize,
    },
    /// The pool was closed.
    #[error("connection pool is closed")]
    Closed,
    /// The connection could not be made.
    #[error("{0}")]
    Dial(ResilienceError),
}

/// A wait for others is our own affair; a dial or a check that takes too long is the service's.
impl Classify for AcquireError {
    fn class(&self) -> ErrorClass {
        match self {
            Self::Timeout { phase: Phase::Dial | Phase::Check, .. } => ErrorClass::Unsent,
            Self::Timeout { .. } | Self::Exhausted { .. } | Self::Closed => ErrorClass::Rejected,
            Self::Dial(error) => error.class(),
        }
    }

    fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Dial(error) => error.retry_after(),
            _ => None,
        }
    }
}

impl From<AcquireError> for ResilienceError {
    fn from(error: AcquireError) -> Self {
        match error {
            AcquireError::Timeout { after, .. } => Self::Timeout(after),
            AcquireError::Exhausted { .. } => Self::PoolExhausted,
            AcquireError::Closed => Self::Closed,
            AcquireError::Dial(error) => error,
        }
    }
}

/// What an acquire may take.
#[derive(Clone, Copy)]
struct Span {
    started: Duration,
    limit: Duration,
}

impl Span {
    fn ends(&self) -> Duration {
        self.started.saturating_add(self.limit)
    }

    fn timeout(&self, phase: Phase, last_dial: Option<ResilienceError>) -> AcquireError {
        AcquireError::Timeout { phase, after: self.limit, last_dial }
    }
}

impl<T: Send + 'static> Shared<T> {
    /// Hands out a connection. Whoever drops this at any point loses nothing: what it holds goes back or is closed.
    pub(super) async fn acquire(self: &Arc<Self>, limit: Duration) -> Result<Pooled<T>, AcquireError> {
        let span = Span { started: self.clock.now(), limit };
        let mut now = span.started;
        loop {
            let (idle, left) = match self.roster.enter() {
                Entered::Idle { idle, left } => (idle, left),
                Entered::Queued(number) => return Ok(self.handed_out(self.wait(number, span).await?, span, self.clock.now())),
                Entered::Full { waiters } => return Err(AcquireError::Exhausted { waiters }),
                Entered::Closed => return Err(AcquireError::Closed),
            };
            if let Some(reason) = self.expired(&idle, left, now) {
                self.dispose(idle.connection, reason);
                continue;
            }
            if now.saturating_sub(idle.since) < self.check_after {
                return Ok(self.handed_out(Pooled::new(Arc::clone(self), idle.connection), span, now));
            }
            let checked = self.checked(idle, now, span).await;
            now = self.clock.now();
            if let Some(guard) = checked {
                return Ok(self.handed_out(guard, span, now));
            }
            if now >= span.ends() {
                return Err(span.timeout(Phase::Check, None));
            }
        }
    }

    fn handed_out(&self, guard: Pooled<T>, span: Span, now: Duration) -> Pooled<T> {
        self.observers.tell(&Event::Acquired { pool: &self.name, waited: now.saturating_sub(span.started) });
        guard
    }

    /// Waits in the queue, and starts the dial that it is told to start. What comes was just used or just made, and needs no check.
    async fn wait(self: &Arc<Self>, number: u64, span: Span) -> Result<Pooled<T>, AcquireError> {
        let mut wait = Wait::new(&self.roster, number, |connection: Connection<T>| self.give_back(connection));
        self.look_after();
        let steps = async {
            loop {
                match wait.next().await {
                    Step::Dial(number) => drop(self.dial(number)),
                    end => break end,
                }
            }
        };
        match deadline::until(&*self.clock, Some(span.ends()), steps).await {
            Some(Step::Lease(connection)) => Ok(Pooled::new(Arc::clone(self), connection)),
            Some(Step::Failed(error)) => Err(AcquireError::Dial(error)),
            Some(Step::Closed | Step::Dial(_)) => Err(AcquireError::Closed),
            None => {
                let (is_dialling, last_dial) = wait.trouble();
                Err(span.timeout(if is_dialling { Phase::Dial } else { Phase::Wait }, last_dial))
            }
        }
    }

    /// The connection, if it is healthy. If not, it and those that were idle since before the check are closed: what ended
    /// one connection, as the restart of a server, has mostly ended all. A check that is cut off because the caller cannot wait
    /// says nothing of the others.
    async fn checked(self: &Arc<Self>, idle: Idle<Connection<T>>, now: Duration, span: Span) -> Option<Pooled<T>> {
        let mut guard = Pooled::new(Arc::clone(self), idle.connection);
        let ends = now.saturating_add(self.check_timeout);
        match guard.is_healthy(ends.min(span.ends())).await {
            Some(true) => return Some(guard),
            None if span.ends() < ends => return None,
            Some(false) | None => drop(guard.close(ClosedReason::Unhealthy)),
        }
        let unhealthy = ClosedReason::Unhealthy as usize;
        for (connection, _) in self.roster.sweep(|idle, _| (idle.since <= now).then_some(unhealthy)) {
            self.bury(connection, ClosedReason::Unhealthy);
        }
        None
    }
}
