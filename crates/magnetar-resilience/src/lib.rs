//! Circuit breaker, retry, connection pool and rate limiter, each alone or stacked.

mod backoff;
mod breaker;
mod classify;
mod clock;
mod deadline;
mod error;
mod limiter;
mod observe;
mod outcome;
mod pool;
mod random;
mod retry;
mod sync;

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
    pool::{AcquireError, ClosedCounts, ConnectionFactory, ConnectionPool, PoolBuilder, PoolConfig, PoolStats, Pooled},
    random::Random,
    retry::{Idempotency, Retry, RetryBudget, RetryBudgetBuilder, RetryBuilder, Withdrawal},
};
