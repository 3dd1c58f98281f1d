//! What a worker says at its end.

use magnetar_core::JobStats;

/// How a run ended, and what it did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Summary {
    /// Why it ended.
    pub end: End,
    /// What came of the attempts of this worker.
    pub counts: Counts,
}

/// Why a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum End {
    /// Every chunk of the job has ended, well or not: the stats say which.
    Ended {
        /// How far the job is.
        stats: JobStats,
    },
    /// Nothing can go on by itself any more: what is open is blocked, and a chunk that ended badly holds something.
    Stalled {
        /// How far the job is.
        stats: JobStats,
    },
    /// A chunk ended as Failed, and the stop rule is [`StopRule::FailFast`](crate::StopRule::FailFast).
    FailedFast,
    /// It was told to drain.
    Drained,
    /// It was told to abort.
    Aborted,
}

/// What came of the attempts of a worker. `started` is the sum of `done`, `failed`, `released`, `parked` and `lost`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counts {
    /// Handlers that were started.
    pub started: u64,
    /// Chunks that are Done by them.
    pub done: u64,
    /// Attempts that failed, in whatever way.
    pub failed: u64,
    /// Of those that failed: handlers that ran out of time.
    pub timed_out: u64,
    /// Of those that failed: handlers that panicked.
    pub panicked: u64,
    /// Of those that failed: chunks that ended as Failed.
    pub given_up: u64,
    /// Attempts whose chunk was given back at no cost.
    pub released: u64,
    /// Attempts whose chunk was given back until something happens.
    pub parked: u64,
    /// Attempts whose claim was lost.
    pub lost: u64,
}
