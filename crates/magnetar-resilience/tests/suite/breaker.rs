//! What a breaker lets through, and what moves it.

mod calls;
mod half_open;
mod opening;
mod outcome;
mod registry;

use std::sync::Arc;

use magnetar_resilience::{CircuitBreaker, CircuitBreakerConfig, CircuitState, ManualClock, RateRule, Trip, Window};

/// A breaker that has just become ready for its first probe.
fn rested(config: &CircuitBreakerConfig) -> (Arc<CircuitBreaker>, ManualClock) {
    let clock = ManualClock::new();
    let breaker = CircuitBreaker::builder().config(config.clone()).clock(Arc::new(clock.clone())).build().unwrap();
    for _ in 0..config.failure_threshold {
        breaker.try_acquire().unwrap().failure();
    }
    assert!(matches!(breaker.state(), CircuitState::Open { .. }));
    clock.advance(config.cooldown);
    (Arc::new(breaker), clock)
}

fn rate(window: Window, min_calls: usize) -> Trip {
    Trip::Rate(RateRule { window, min_calls, failure_rate: 0.5, slow: None })
}
