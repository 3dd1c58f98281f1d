//! Events as traces: changes and failures at WARN and INFO, what is done about them at DEBUG, each call at TRACE.

use ::tracing::{debug, info, trace, warn};

use super::event::{BreakerMode, Event};

pub(super) fn log(event: &Event<'_>) {
    match *event {
        Event::Transition { breaker, from, to: BreakerMode::Open, generation } => {
            warn!(breaker, %from, generation, "circuit breaker opened");
        }
        Event::Transition { breaker, from, to, generation } => info!(breaker, %from, %to, generation, "circuit breaker changed"),
        Event::Call { breaker, outcome } => trace!(breaker, %outcome, "call ended"),
        Event::Retry { name, retry, delay } => debug!(name, retry, ?delay, "attempt failed, another follows"),
        Event::RetryStopped { name, attempts, why } => debug!(name, attempts, %why, "attempt failed, no other follows"),
        Event::Exhausted { name, cause } => warn!(name, cause, "retries are used up"),
        Event::RateLimited { limiter } => debug!(limiter, "rate limit exceeded"),
        Event::Acquired { pool, waited } => trace!(pool, ?waited, "connection handed out"),
        Event::Created { pool } => debug!(pool, "connection made"),
        Event::DialFailed { pool, cause } => warn!(pool, cause, "connection could not be made"),
        Event::Closed { pool, reason } => debug!(pool, %reason, "connection left the pool"),
    }
}
