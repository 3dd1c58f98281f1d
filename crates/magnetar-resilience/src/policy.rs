//! The whole stack in the field's order: deadline, retry with budget, breaker, limiter, pool, timeout of an attempt, operation.

mod builder;
mod run;

use std::sync::Arc;

pub use self::builder::PolicyBuilder;
use crate::{breaker::CircuitBreaker, limiter::RateLimiter, retry::Retry};

/// A stack of policies around an operation, shared by any number of calls. `R` is what the operation is lent: nothing, or a connection
/// of a [`ConnectionPool`](crate::ConnectionPool).
///
/// Each attempt goes through the parts that there are, in this order:
///
/// 1. The breaker is asked whether it would refuse, so that an open one costs nothing.
/// 2. The limiter is waited for, and the pool.
/// 3. The breaker is asked for a permit. So a probe holds no place while it waits for one of our own parts, and waiting is not slow service.
/// 4. The operation runs, within the timeout of an attempt or what is left until the deadline.
/// 5. What became of it is recorded, and given to the retry.
///
/// A limiter or a pool that refuses, or is waited for too long, says nothing about the service: the breaker does not count it, and it is
/// not retried. A connection that could not be made does, and is.
///
/// ```
/// use std::{sync::Arc, time::Duration};
/// use magnetar_resilience::{Backoff, CircuitBreaker, Policy, RateLimiter, Retry, RetryBudget};
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let policy = Policy::builder()
///     .total_timeout(Duration::from_secs(10))
///     .retry(Retry::builder(Backoff::exponential(Duration::from_millis(100), Duration::from_secs(2))).budget(RetryBudget::new()))
///     .breaker(Arc::new(CircuitBreaker::new_default()))
///     .limiter(RateLimiter::per_second(100))
///     .attempt_timeout(Duration::from_secs(2))
///     .build()?;
/// let answer = policy.execute(|| async { Ok(42) }).await?;
/// assert_eq!(answer, 42);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Policy<R = ()> {
    retry: Retry,
    /// Whether there is a retry at all: without one an error is returned as it is.
    retries: bool,
    breaker: Option<Arc<CircuitBreaker>>,
    limiter: Option<RateLimiter>,
    resource: R,
}

impl Policy {
    /// A stack with nothing in it yet.
    pub fn builder() -> PolicyBuilder {
        PolicyBuilder::new()
    }
}
