//! What a worker tells while it works.

mod stream;

use std::time::Duration;

use magnetar_core::{Fence, JobStats, Timestamp};

pub use self::stream::Events;

/// Something that happened in a worker.
///
/// Each started attempt is told as [`Started`](Self::Started), then [`Returned`](Self::Returned), then, once the store has it,
/// exactly one of [`Done`](Self::Done), [`Failed`](Self::Failed), [`Released`](Self::Released), [`Parked`](Self::Parked) and
/// [`Lost`](Self::Lost). So started minus returned is what runs now.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Event {
    /// A handler was started.
    Started {
        /// The claim.
        fence: Fence,
        /// The number of the attempt, from 1.
        attempt: u32,
    },
    /// A handler is over; what came of it is on its way to the store.
    Returned {
        /// The claim.
        fence: Fence,
        /// How long it ran.
        elapsed: Duration,
    },
    /// The chunk is Done, and durably so.
    Done {
        /// The claim.
        fence: Fence,
    },
    /// The attempt failed, and the store has counted it.
    Failed {
        /// The claim.
        fence: Fence,
        /// What kind of failure it was.
        cause: Cause,
        /// What went wrong.
        error: String,
        /// When the chunk is tried again; none where it has ended as Failed.
        retry_at: Option<Timestamp>,
    },
    /// The chunk was given back at no cost: the handler or an abort said so, or it was claimed ahead and is not started.
    Released {
        /// The claim.
        fence: Fence,
    },
    /// The chunk was given back at no cost until something happens.
    Parked {
        /// The claim.
        fence: Fence,
    },
    /// The claim was lost: taken back, or the chunk or its job is gone, or the store has not answered for too long. Its
    /// handler was cancelled. Also for a chunk that was claimed ahead and is not started.
    Lost {
        /// The claim.
        fence: Fence,
    },
    /// The store could not be used for a moment; the worker tries again.
    StoreTrouble {
        /// What the store said.
        error: String,
        /// After how long it is tried again.
        retry_after: Duration,
    },
    /// Nothing runs and nothing is ready, but the job goes on: others work on it, or chunks wait for a time. It is told at every look
    /// of a [`run`](crate::Worker::run) that found nothing, about each [`poll_interval`](crate::Worker::poll_interval).
    Idle {
        /// How far the job is.
        stats: JobStats,
    },
}

/// What kind of failure an attempt ended with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Cause {
    /// The handler returned an error.
    Error,
    /// The handler returned an error that ends the chunk.
    Permanent,
    /// The handler panicked.
    Panicked,
    /// Its time was over.
    TimedOut,
    /// The store refused what the handler returned.
    Refused,
}
