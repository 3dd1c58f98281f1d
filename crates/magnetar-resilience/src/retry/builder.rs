//! The settings of a retry.

use std::{sync::Arc, time::Duration};

use super::{Idempotency, Retry, RetryBudget};
use crate::{
    backoff::Backoff,
    clock::{Clock, TokioClock},
    error::ConfigError,
    observe::{Observer, Observers},
    random::Random,
};

/// The settings of a [`Retry`].
#[derive(Clone, Debug)]
pub struct RetryBuilder {
    pub(crate) name: Arc<str>,
    pub(crate) backoff: Backoff,
    pub(crate) max_retries: usize,
    pub(crate) idempotency: Idempotency,
    pub(crate) budget: Option<Arc<RetryBudget>>,
    pub(crate) deadline: Option<Duration>,
    pub(crate) attempt_timeout: Option<Duration>,
    pub(crate) clock: Option<Arc<dyn Clock>>,
    pub(crate) seed: Option<u64>,
    pub(crate) observers: Observers,
}

impl RetryBuilder {
    pub(super) fn new(backoff: Backoff) -> Self {
        Self {
            name: "retry".into(),
            backoff,
            max_retries: 3,
            idempotency: Idempotency::default(),
            budget: None,
            deadline: None,
            attempt_timeout: None,
            clock: None,
            seed: None,
            observers: Observers::default(),
        }
    }

    /// The name that observers are told; "retry" unless told otherwise.
    #[must_use]
    pub fn name(mut self, name: &str) -> Self {
        self.name = name.into();
        self
    }

    /// How many attempts may follow the first; 3 unless told otherwise.
    #[must_use]
    pub fn max_retries(mut self, retries: usize) -> Self {
        self.max_retries = retries;
        self
    }

    /// Whether the operation may be carried out twice; it may, unless told otherwise.
    #[must_use]
    pub fn idempotency(mut self, idempotency: Idempotency) -> Self {
        self.idempotency = idempotency;
        self
    }

    /// A budget that the retries are paid from, shared with others.
    #[must_use]
    pub fn budget(mut self, budget: Arc<RetryBudget>) -> Self {
        self.budget = Some(budget);
        self
    }

    /// How long the whole call may take, with its waits. A wait that would pass it is not begun.
    #[must_use]
    pub fn deadline(mut self, after: Duration) -> Self {
        self.deadline = Some(after);
        self
    }

    /// How long one attempt may take, or what is left until the deadline where that is shorter.
    #[must_use]
    pub fn attempt_timeout(mut self, after: Duration) -> Self {
        self.attempt_timeout = Some(after);
        self
    }

    /// Another clock than tokio's.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = Some(clock);
        self
    }

    /// A seed for the jitter, so that a test repeats exactly.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// Somebody who is told of retries and of their end.
    #[must_use]
    pub fn observer(mut self, observer: Arc<dyn Observer>) -> Self {
        self.observers.add(observer);
        self
    }

    /// The retry.
    ///
    /// # Errors
    /// A backoff that cannot be meant, a deadline or an attempt of no time.
    pub fn build(self) -> Result<Retry, ConfigError> {
        self.backoff.check()?;
        self.deadline.map_or(Ok(()), |after| ConfigError::positive("deadline", after))?;
        self.attempt_timeout.map_or(Ok(()), |after| ConfigError::positive("attempt_timeout", after))?;
        Ok(self.assemble())
    }

    pub(crate) fn assemble(self) -> Retry {
        Retry {
            name: self.name,
            backoff: self.backoff.tamed(),
            max_retries: self.max_retries,
            idempotency: self.idempotency,
            budget: self.budget,
            deadline: self.deadline,
            attempt_timeout: self.attempt_timeout,
            clock: self.clock.unwrap_or_else(TokioClock::shared),
            random: self.seed.map_or_else(Random::from_entropy, Random::seeded),
            observers: self.observers,
        }
    }
}
