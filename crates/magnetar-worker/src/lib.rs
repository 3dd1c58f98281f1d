//! Magnetar's worker: claims chunks of any store, runs a handler on them, and writes down what came of it.
//!
//! [`Worker`] runs an async handler on the chunks of a job, so many at once, until all have ended. [`JobManager`] is the
//! write-behind for programs that do the work themselves: it claims for many workers and gathers what they report.
//!
//! Both know the trait [`JobStore`](magnetar_core::JobStore) alone. They need a tokio runtime with its timer on.

mod attempt;
mod backoff;
mod cancellation;
mod completion;
mod event;
mod failure;
mod manager;
mod run;
mod summary;
mod time;
mod worker;

#[doc(no_inline)]
pub use tokio_util::sync::CancellationToken;

pub use crate::{
    attempt::Attempt,
    cancellation::{Cancellation, Cancelled},
    completion::Completion,
    event::{Cause, Event, Events},
    failure::Failure,
    manager::{JobManager, ManagerConfig, Refused},
    summary::{Counts, End, Summary},
    worker::{StopRule, Worker},
};
