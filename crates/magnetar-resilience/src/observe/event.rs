//! The events, and the words in them.

use std::{error::Error as StdError, fmt, time::Duration};

/// What an observer is told.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// A breaker went from one mode to another. `HalfOpen` to `HalfOpen` says that its probes hung for longer than their lease.
    Transition {
        /// The breaker's name.
        breaker: &'a str,
        /// What it was.
        from: BreakerMode,
        /// What it is.
        to: BreakerMode,
        /// The number of the new mode: one more at each transition, back to 0 after 4,194,303.
        generation: u32,
    },
    /// A call under a breaker ended, or was refused.
    Call {
        /// The breaker's name.
        breaker: &'a str,
        /// How it ended.
        outcome: CallOutcome,
    },
    /// An attempt failed, and another will follow after a wait.
    Retry {
        /// The name of the retry or of its breaker.
        name: &'a str,
        /// Which retry this will be, from 1.
        retry: usize,
        /// The wait.
        delay: Duration,
    },
    /// An attempt failed, and no other follows.
    RetryStopped {
        /// The name of the retry or of its breaker.
        name: &'a str,
        /// How often it was tried.
        attempts: usize,
        /// Why it stops.
        why: RetryStop,
    },
    /// The retries of a call that returns the plain error are used up; this is what the error no longer says.
    Exhausted {
        /// The breaker's name.
        name: &'a str,
        /// The last cause.
        cause: &'a (dyn StdError + 'static),
    },
    /// A limiter refused.
    RateLimited {
        /// The limiter's name.
        limiter: &'a str,
    },
    /// A connection was handed out.
    Acquired {
        /// The pool's name.
        pool: &'a str,
        /// How long the caller waited for it.
        waited: Duration,
    },
    /// A connection was made.
    Created {
        /// The pool's name.
        pool: &'a str,
    },
    /// A connection could not be made.
    DialFailed {
        /// The pool's name.
        pool: &'a str,
        /// Why.
        cause: &'a (dyn StdError + 'static),
    },
    /// A connection left the pool for good.
    Closed {
        /// The pool's name.
        pool: &'a str,
        /// Why.
        reason: ClosedReason,
    },
}

/// What a breaker does with calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BreakerMode {
    /// Lets calls through and counts.
    Closed,
    /// Refuses calls until its cooldown is over.
    Open,
    /// Lets a few probes through.
    HalfOpen,
}

/// How a call under a breaker ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CallOutcome {
    /// The service did well.
    Success,
    /// The service did not.
    Failure,
    /// The service was not asked, so it says nothing about it.
    Ignored,
    /// The caller went away before the end.
    Cancelled,
    /// It ended after the breaker had moved on, and moves nothing.
    Stale,
    /// The breaker let it not through.
    Rejected,
}

/// Why no other attempt follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RetryStop {
    /// The retries are used up.
    Exhausted,
    /// Another try would not help, or would not be safe.
    NotRetryable,
    /// The wait would pass the deadline, or the service asks for one that nobody waits for.
    Deadline,
    /// The budget for retries is spent.
    Budget,
    /// One of our own parts refuses the next attempt, as a breaker that opened.
    Rejected,
}

/// Why a connection left the pool for good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ClosedReason {
    /// It was idle for too long.
    Idle,
    /// It is old.
    Lifetime,
    /// It did not pass a check, or was idle since before another failed one.
    Unhealthy,
    /// Its user said so, panicked, or left it dirty.
    Discarded,
    /// The pool closed.
    PoolClosed,
}

/// The words, as labels of metrics and fields of traces.
macro_rules! words {
    ($($type:ty { $($variant:ident => $word:literal),+ $(,)? })+) => {$(
        impl $type {
            /// The word for it, in lower case.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
    )+};
}

words! {
    BreakerMode { Closed => "closed", Open => "open", HalfOpen => "half_open" }
    CallOutcome {
        Success => "success",
        Failure => "failure",
        Ignored => "ignored",
        Cancelled => "cancelled",
        Stale => "stale",
        Rejected => "rejected",
    }
    RetryStop {
        Exhausted => "exhausted",
        NotRetryable => "not_retryable",
        Deadline => "deadline",
        Budget => "budget",
        Rejected => "rejected",
    }
    ClosedReason {
        Idle => "idle",
        Lifetime => "lifetime",
        Unhealthy => "unhealthy",
        Discarded => "discarded",
        PoolClosed => "pool_closed",
    }
}
