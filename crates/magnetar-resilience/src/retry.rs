//! Trying again: which failures, how often, after which waits, and when to stop.

mod budget;
mod builder;
mod ledger;
mod run;

use std::{sync::Arc, time::Duration};

#[cfg(feature = "tower")]
pub(crate) use self::run::{Deadline, Paid};
pub(crate) use self::run::{Ended, Limit, timed};
pub use self::{
    budget::{RetryBudget, RetryBudgetBuilder, Withdrawal},
    builder::RetryBuilder,
};
use crate::{
    backoff::Backoff,
    classify::Classifier,
    clock::Clock,
    observe::{Event, Observers},
    outcome::Error,
    random::Random,
};

/// Whether an operation may be carried out twice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Idempotency {
    /// It may: twice is like once. Every failure that may pass is retried.
    #[default]
    Idempotent,
    /// It may not: only what surely was not carried out is retried, a call that was never sent or was refused.
    Once,
}

/// A policy of trying again, shared by any number of calls.
///
/// A call is one attempt and at most `max_retries` more. A failure is retried by its [class](crate::ErrorClass); the wait is the
/// backoff, or what the service asked for where that is longer. The retries stop early where the wait would pass the
/// deadline, the service asks for more than an hour, or the budget is spent; then the last error is returned as it is.
///
/// # Cancellation
/// A call that is dropped stops where it is. A retry that was paid for and not begun goes back to the budget.
#[derive(Debug)]
pub struct Retry {
    pub(crate) name: Arc<str>,
    backoff: Backoff,
    max_retries: usize,
    idempotency: Idempotency,
    budget: Option<Arc<RetryBudget>>,
    deadline: Option<Duration>,
    attempt_timeout: Option<Duration>,
    pub(crate) clock: Arc<dyn Clock>,
    random: Random,
    pub(crate) observers: Observers,
}

impl Retry {
    /// Settings to begin with: three retries, no deadline, no timeout of an attempt, no budget.
    pub fn builder(backoff: Backoff) -> RetryBuilder {
        RetryBuilder::new(backoff)
    }

    /// Runs the operation until it succeeds, cannot be helped by another try, or the retries end.
    ///
    /// `op` makes the attempt anew each time: a body that is sent must be made inside it. An answer that the classifier calls
    /// a failure although it is `Ok` is retried too, and returned as it is when the retries end.
    ///
    /// # Errors
    /// [`Error::Exhausted`] with the last error when the retries are used up; [`Error::Timeout`] and [`Error::Inner`] as the last
    /// attempt ended, where no other follows.
    ///
    /// ```
    /// use std::time::Duration;
    /// use magnetar_resilience::{Backoff, ByClass, Error, ResilienceError, Retry};
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let backoff = Backoff::exponential(Duration::from_millis(100), Duration::from_secs(5));
    /// let retry = Retry::builder(backoff).max_retries(2).attempt_timeout(Duration::from_secs(1)).build()?;
    /// let ended = retry.run(&ByClass, || async { Err::<(), _>(ResilienceError::Transient("reset".into())) }).await;
    /// assert!(matches!(ended, Err(Error::Exhausted { attempts: 3, .. })));
    /// # Ok(())
    /// # }
    /// ```
    pub async fn run<T, E, C, F, Fut>(&self, classifier: &C, mut op: F) -> Result<T, Error<E>>
    where
        C: Classifier<T, E> + ?Sized,
        F: FnMut() -> Fut,
        Fut: Future<Output = Result<T, E>>,
    {
        self.drive(|| false, |limit| timed(&*self.clock, limit, classifier, op())).await
    }

    /// How many retries there are at most.
    pub fn max_retries(&self) -> usize {
        self.max_retries
    }

    fn tell(&self, event: &Event<'_>) {
        self.observers.tell(event);
    }
}
