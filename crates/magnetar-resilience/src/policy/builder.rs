//! Which parts a stack has.

use std::{sync::Arc, time::Duration};

use super::Policy;
use crate::{
    backoff::Backoff,
    breaker::CircuitBreaker,
    clock::Clock,
    error::ConfigError,
    limiter::RateLimiter,
    pool::ConnectionPool,
    retry::{Retry, RetryBuilder},
};

/// The parts of a [`Policy`], each of which may be left out. The order in which they are named does not matter.
#[derive(Clone, Debug)]
pub struct PolicyBuilder<R = ()> {
    retry: Option<RetryBuilder>,
    total_timeout: Option<Duration>,
    attempt_timeout: Option<Duration>,
    breaker: Option<Arc<CircuitBreaker>>,
    limiter: Option<RateLimiter>,
    clock: Option<Arc<dyn Clock>>,
    resource: R,
}

impl PolicyBuilder {
    pub(super) fn new() -> Self {
        Self { retry: None, total_timeout: None, attempt_timeout: None, breaker: None, limiter: None, clock: None, resource: () }
    }

    /// A pool whose connections the operation is lent.
    #[must_use]
    pub fn pool<T: Send + 'static>(self, pool: ConnectionPool<T>) -> PolicyBuilder<ConnectionPool<T>> {
        PolicyBuilder {
            retry: self.retry,
            total_timeout: self.total_timeout,
            attempt_timeout: self.attempt_timeout,
            breaker: self.breaker,
            limiter: self.limiter,
            clock: self.clock,
            resource: pool,
        }
    }
}

impl<R> PolicyBuilder<R> {
    /// How long the whole call may take, with every wait and retry.
    #[must_use]
    pub fn total_timeout(mut self, after: Duration) -> Self {
        self.total_timeout = Some(after);
        self
    }

    /// Which failures are tried again. Its deadline and its timeout of an attempt hold unless the stack is given others.
    #[must_use]
    pub fn retry(mut self, retry: RetryBuilder) -> Self {
        self.retry = Some(retry);
        self
    }

    /// The breaker of the service. Its own retries and timeout are for its own calls, and have no part in the stack.
    #[must_use]
    pub fn breaker(mut self, breaker: Arc<CircuitBreaker>) -> Self {
        self.breaker = Some(breaker);
        self
    }

    /// The limiter of the service. Each attempt takes a token, retries too.
    #[must_use]
    pub fn limiter(mut self, limiter: RateLimiter) -> Self {
        self.limiter = Some(limiter);
        self
    }

    /// How long one attempt of the operation may take, without the waits before it.
    #[must_use]
    pub fn attempt_timeout(mut self, after: Duration) -> Self {
        self.attempt_timeout = Some(after);
        self
    }

    /// Another clock than tokio's, for the deadline, the attempts and the retry.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = Some(clock);
        self
    }

    /// The stack.
    ///
    /// # Errors
    /// A retry that cannot be meant, a timeout of zero.
    pub fn build(self) -> Result<Policy<R>, ConfigError> {
        let retries = self.retry.is_some();
        let mut retry =
            self.retry.unwrap_or_else(|| Retry::builder(Backoff::fixed(Duration::ZERO)).name("policy").max_retries(0));
        retry.deadline = self.total_timeout.or(retry.deadline);
        retry.attempt_timeout = self.attempt_timeout.or(retry.attempt_timeout);
        retry.clock = self.clock.or(retry.clock);
        Ok(Policy { retry: retry.build()?, retries, breaker: self.breaker, limiter: self.limiter, resource: self.resource })
    }
}
