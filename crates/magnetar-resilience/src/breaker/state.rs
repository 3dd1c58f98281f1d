//! What a breaker shows of itself.

use std::{
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

use super::{
    CircuitBreaker, Counts,
    word::{Mode, Stamped},
};
use crate::observe::{BreakerMode, CallOutcome};

/// What a breaker does with calls at the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CircuitState {
    /// Lets calls through.
    Closed,
    /// Refuses calls.
    Open {
        /// How long until the next call is a probe: zero where that is the very next, the longest duration where it was forced open.
        retry_after: Duration,
    },
    /// Lets a few probes through.
    HalfOpen {
        /// Probes under way.
        in_flight: usize,
        /// Probes that succeeded.
        successes: usize,
    },
}

/// A breaker's state and counts since it was made. Successes are not counted, so that they cost nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BreakerSnapshot {
    /// The state.
    pub state: CircuitState,
    /// Whether somebody forced it.
    pub forced: bool,
    /// How often the state changed; back to 0 after 4,194,303.
    pub generation: u32,
    /// Failures in a row, while it is closed.
    pub failures_in_row: u64,
    /// Calls that failed.
    pub failures: u64,
    /// Calls that said nothing about the service.
    pub ignored: u64,
    /// Calls whose caller went away.
    pub cancelled: u64,
    /// Calls that ended after the state had changed.
    pub stale: u64,
    /// Calls that were refused.
    pub rejected: u64,
}

impl CircuitBreaker {
    /// The state at the moment.
    pub fn state(&self) -> CircuitState {
        self.shown(self.word.load())
    }

    /// [`state`](Self::state), for those who await it. It waits for nothing.
    #[expect(clippy::unused_async, reason = "the contract awaits it")]
    pub async fn get_state(&self) -> CircuitState {
        self.state()
    }

    /// State and counts.
    pub fn snapshot(&self) -> BreakerSnapshot {
        let stamped = self.word.load();
        let count = |count: &AtomicU64| count.load(Relaxed);
        BreakerSnapshot {
            state: self.shown(stamped),
            forced: matches!(stamped.mode, Mode::ForcedClosed | Mode::ForcedOpen),
            generation: stamped.generation,
            failures_in_row: if let Mode::Closed { failures } = stamped.mode { failures } else { 0 },
            failures: count(&self.counts.failures),
            ignored: count(&self.counts.ignored),
            cancelled: count(&self.counts.cancelled),
            stale: count(&self.counts.stale),
            rejected: count(&self.counts.rejected),
        }
    }

    fn shown(&self, stamped: Stamped) -> CircuitState {
        match stamped.mode {
            Mode::Closed { .. } | Mode::ForcedClosed => CircuitState::Closed,
            Mode::ForcedOpen => CircuitState::Open { retry_after: Duration::MAX },
            Mode::Open { until } => {
                CircuitState::Open { retry_after: Duration::from_millis(until.saturating_sub(self.millis())) }
            }
            Mode::HalfOpen { in_flight, successes, .. } => {
                let count = |count| usize::try_from(count).unwrap_or(usize::MAX);
                CircuitState::HalfOpen { in_flight: count(in_flight), successes: count(successes) }
            }
        }
    }
}

impl Counts {
    #[inline]
    pub(super) fn add(&self, outcome: CallOutcome) {
        let count = match outcome {
            CallOutcome::Success => return,
            CallOutcome::Failure => &self.failures,
            CallOutcome::Ignored => &self.ignored,
            CallOutcome::Cancelled => &self.cancelled,
            CallOutcome::Stale => &self.stale,
            CallOutcome::Rejected => &self.rejected,
        };
        count.fetch_add(1, Relaxed);
    }
}

impl From<Mode> for BreakerMode {
    fn from(mode: Mode) -> Self {
        match mode {
            Mode::Closed { .. } | Mode::ForcedClosed => Self::Closed,
            Mode::Open { .. } | Mode::ForcedOpen => Self::Open,
            Mode::HalfOpen { .. } => Self::HalfOpen,
        }
    }
}
