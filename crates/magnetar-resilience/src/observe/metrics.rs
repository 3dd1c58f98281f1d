//! Events as metrics.

use ::metrics::{counter, gauge, histogram};

use super::{
    Observer,
    event::{BreakerMode, Event},
};

/// Counts events with the recorder of the `metrics` crate. Give it to each part that is to be counted.
///
/// | metric | labels | |
/// |---|---|---|
/// | `magnetar_breaker_calls_total` | `breaker`, `outcome` | calls that ended or were refused |
/// | `magnetar_breaker_transitions_total` | `breaker`, `from`, `to` | changes of mode |
/// | `magnetar_breaker_mode` | `breaker`, `mode` | 1 for the mode it is in, 0 for the others; from the first change on |
/// | `magnetar_retries_total` | `name` | attempts that followed a failure |
/// | `magnetar_retry_stops_total` | `name`, `why` | calls that failed for good |
/// | `magnetar_rate_limited_total` | `limiter` | refusals of a limiter |
/// | `magnetar_pool_wait_seconds` | `pool` | how long callers waited for a connection, a histogram |
/// | `magnetar_pool_created_total` | `pool` | connections made |
/// | `magnetar_pool_dial_failures_total` | `pool` | connections that could not be made |
/// | `magnetar_pool_closed_total` | `pool`, `reason` | connections that left |
#[derive(Clone, Copy, Debug, Default)]
pub struct MetricsObserver;

impl Observer for MetricsObserver {
    fn observe(&self, event: &Event<'_>) {
        match *event {
            Event::Transition { breaker, from, to, .. } => {
                let name = breaker.to_owned();
                counter!("magnetar_breaker_transitions_total", "breaker" => name, "from" => from.as_str(), "to" => to.as_str())
                    .increment(1);
                // Each mode is written, so that the one it left does not stand at 1 beside the new one.
                for mode in [BreakerMode::Closed, BreakerMode::Open, BreakerMode::HalfOpen] {
                    gauge!("magnetar_breaker_mode", "breaker" => breaker.to_owned(), "mode" => mode.as_str())
                        .set(if mode == to { 1.0 } else { 0.0 });
                }
            }
            Event::Call { breaker, outcome } => {
                counter!("magnetar_breaker_calls_total", "breaker" => breaker.to_owned(), "outcome" => outcome.as_str())
                    .increment(1);
            }
            Event::Retry { name, .. } => counter!("magnetar_retries_total", "name" => name.to_owned()).increment(1),
            Event::RetryStopped { name, why, .. } => {
                counter!("magnetar_retry_stops_total", "name" => name.to_owned(), "why" => why.as_str()).increment(1);
            }
            // The stop was counted; the cause is for reading.
            Event::Exhausted { .. } => {}
            Event::RateLimited { limiter } => {
                counter!("magnetar_rate_limited_total", "limiter" => limiter.to_owned()).increment(1);
            }
            Event::Acquired { pool, waited } => {
                histogram!("magnetar_pool_wait_seconds", "pool" => pool.to_owned()).record(waited.as_secs_f64());
            }
            Event::Created { pool } => counter!("magnetar_pool_created_total", "pool" => pool.to_owned()).increment(1),
            Event::DialFailed { pool, .. } => {
                counter!("magnetar_pool_dial_failures_total", "pool" => pool.to_owned()).increment(1);
            }
            Event::Closed { pool, reason } => {
                counter!("magnetar_pool_closed_total", "pool" => pool.to_owned(), "reason" => reason.as_str()).increment(1);
            }
        }
    }
}
