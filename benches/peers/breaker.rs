//! Calls under a breaker: one that does well, and one that is refused.

use std::{hint::black_box, time::Duration};

use criterion::{BenchmarkGroup, Criterion, measurement::WallTime};
use failsafe::{CircuitBreaker as _, backoff, failure_policy::consecutive_failures};
use magnetar_resilience::{CircuitBreaker, RateRule, ResilienceError, Trip, Window};
use recloser::Recloser;

use crate::crowd::{ready, threads};

const HOUR: Duration = Duration::from_hours(1);

fn peer() -> impl failsafe::CircuitBreaker + Sync {
    failsafe::Config::new().failure_policy(consecutive_failures(5, backoff::constant(HOUR))).build()
}

fn each_crowd(group: &mut BenchmarkGroup<'_, WallTime>, side: &str, op: impl Fn() + Sync) {
    for crowd in [1, 2] {
        threads(group, side, crowd, &op);
    }
}

/// A closed breaker, and an operation that does nothing and does it well.
pub(crate) fn success(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("breaker-success");
    let own = CircuitBreaker::new_default();
    each_crowd(&mut group, "own", || {
        let permit = own.try_acquire().unwrap();
        black_box(Ok::<_, ()>(1)).unwrap();
        permit.success();
    });
    each_crowd(&mut group, "own-call", || {
        ready(own.call(|| async { black_box(Ok::<_, ResilienceError>(1)) })).unwrap();
    });
    let rule = RateRule { window: Window::Calls(100), min_calls: 100, failure_rate: 0.5, slow: None };
    let window = CircuitBreaker::builder().trip(Trip::Rate(rule)).build().unwrap();
    each_crowd(&mut group, "own-window", || {
        let permit = window.try_acquire().unwrap();
        black_box(Ok::<_, ()>(1)).unwrap();
        permit.success();
    });
    let failsafe = peer();
    each_crowd(&mut group, "failsafe", || {
        failsafe.call(|| black_box(Ok::<_, ()>(1))).unwrap();
    });
    let recloser = Recloser::default();
    each_crowd(&mut group, "recloser", || {
        recloser.call(|| black_box(Ok::<_, ()>(1))).unwrap();
    });
    group.finish();
}

/// An open breaker.
pub(crate) fn reject(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("breaker-reject");
    let config = magnetar_resilience::CircuitBreakerConfig { failure_threshold: 1, cooldown: HOUR, ..Default::default() };
    let own = CircuitBreaker::new(config);
    own.try_acquire().unwrap().failure();
    each_crowd(&mut group, "own", || assert!(black_box(own.try_acquire()).is_err()));
    let failsafe = peer();
    (0..5).for_each(|_| assert!(failsafe.call(|| Err::<(), _>(())).is_err()));
    each_crowd(&mut group, "failsafe", || assert!(failsafe.call(|| black_box(Ok::<_, ()>(1))).is_err()));
    let recloser = Recloser::custom().closed_len(1).open_wait(HOUR).build();
    (0..5).for_each(|_| assert!(recloser.call(|| Err::<(), _>(())).is_err()));
    each_crowd(&mut group, "recloser", || assert!(recloser.call(|| black_box(Ok::<_, ()>(1))).is_err()));
    group.finish();
}
