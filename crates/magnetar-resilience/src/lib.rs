//! Circuit breaker, retry, connection pool and rate limiter, each alone or stacked.
//!
//! | part | what it does |
//! |---|---|
//! | [`CircuitBreaker`] | refuses calls to a service that does not do well, and finds out when it is back |
//! | [`Retry`], [`RetryBudget`] | tries again after a wait, as long as that helps and does not make an outage worse |
//! | [`ConnectionPool`] | lends connections, and loses none |
//! | [`RateLimiter`] | lets so many calls through in a time, first come first served |
//! | [`Policy`] | the whole stack around an operation, in the field's order |
//!
//! What a result means for a retry and a breaker is its [`ErrorClass`]: [`ResilienceError`] knows its own, your errors implement
//! [`Classify`], and a [`Classifier`] judges those of others.
//!
//! Features: `tower` (layers for tower services), `tracing` (events as traces), `metrics` (an observer that counts), `governor` (the
//! `governor` crate's bucket for a limiter).
//!
//! The parts nest as closures:
//!
//! ```
//! use std::sync::Arc;
//!
//! use async_trait::async_trait;
//! use magnetar_resilience::prelude::*;
//!
//! struct Connection;
//!
//! impl Connection {
//!     async fn ask(&self) -> Result<u32, ResilienceError> {
//!         Ok(42)
//!     }
//! }
//!
//! struct Factory;
//!
//! #[async_trait]
//! impl ConnectionFactory<Connection> for Factory {
//!     async fn create(&self) -> Result<Connection, ResilienceError> {
//!         Ok(Connection)
//!     }
//!
//!     async fn is_healthy(&self, _: &Connection) -> bool {
//!         true
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() -> Result<(), ResilienceError> {
//! let breaker = Arc::new(CircuitBreaker::new_default());
//! let pool = Arc::new(ConnectionPool::new_default(Arc::new(Factory)));
//! let limiter = RateLimiter::per_second(100);
//!
//! let answer = breaker
//!     .execute(|| {
//!         let (pool, limiter) = (pool.clone(), limiter.clone());
//!         async move {
//!             let connection = pool.acquire().await?;
//!             let answer = limiter.execute(|| async { connection.ask().await }).await?;
//!             pool.release(connection).await;
//!             Ok(answer)
//!         }
//!     })
//!     .await?;
//! assert_eq!(answer, 42);
//! # Ok(())
//! # }
//! ```
//!
//! How each part behaves in the corners, and which test holds what: `docs/resilience.md`.

mod backoff;
mod breaker;
mod classify;
mod clock;
mod deadline;
mod error;
mod limiter;
mod observe;
mod outcome;
mod policy;
mod pool;
mod random;
mod retry;
mod sync;
#[cfg(feature = "tower")]
pub mod tower;

#[cfg(feature = "metrics")]
pub use crate::observe::MetricsObserver;
pub use crate::{
    backoff::{Backoff, Delays, Jitter},
    breaker::{
        BreakerRegistry, BreakerSnapshot, CircuitBreaker, CircuitBreakerBuilder, CircuitBreakerConfig, CircuitState, Permit,
        RateRule, SlowRule, Trip, Window,
    },
    classify::{ByClass, Classifier, Classify, ErrorClass, Verdict},
    clock::{Clock, ManualClock, Sleep, TokioClock},
    error::{Cause, ConfigError, ResilienceError},
    limiter::{RateLimiter, RateLimiterBuilder},
    observe::{BreakerMode, CallOutcome, ClosedReason, Event, Observer, RetryStop},
    outcome::{Error, Phase, Rejection},
    policy::{Policy, PolicyBuilder},
    pool::{AcquireError, ClosedCounts, ConnectionFactory, ConnectionPool, PoolBuilder, PoolConfig, PoolStats, Pooled},
    random::Random,
    retry::{Idempotency, Retry, RetryBudget, RetryBudgetBuilder, RetryBuilder, Withdrawal},
};

/// What most programs import: `use magnetar_resilience::prelude::*`.
pub mod prelude {
    pub use crate::{
        Backoff, CircuitBreaker, CircuitBreakerConfig, CircuitState, Classify, ConnectionFactory, ConnectionPool, ErrorClass,
        Jitter, Policy, PoolConfig, PoolStats, Pooled, RateLimiter, ResilienceError, Retry, RetryBudget,
    };
}
