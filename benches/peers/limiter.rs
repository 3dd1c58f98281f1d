//! A token that is there, one that is not, and what a wait for one costs in polls.

use std::{
    future::poll_fn,
    num::NonZeroU32,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use criterion::Criterion;
use governor::{DefaultDirectRateLimiter, Quota};
use magnetar_bench::crowd::Crowd;
use magnetar_resilience::RateLimiter;

use crate::crowd::threads;

/// So many a second are never used up.
const PLENTY: u32 = 1_000_000_000;
/// Those who wait at once, each for a token of its own.
const WAITERS: usize = 500;

fn peer(per_second: u32, burst: u32) -> DefaultDirectRateLimiter {
    let number = |number| NonZeroU32::new(number).unwrap();
    DefaultDirectRateLimiter::direct(Quota::per_second(number(per_second)).allow_burst(number(burst)))
}

/// There is always a token.
pub(crate) fn allow(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("limiter-allow");
    let (own, governor) = (RateLimiter::per_second(PLENTY as usize), peer(PLENTY, PLENTY));
    for crowd in [1, 2] {
        threads(&mut group, "own", crowd, || own.try_acquire().unwrap());
        threads(&mut group, "own-acquire", crowd, || crate::crowd::ready(own.acquire()).unwrap());
        threads(&mut group, "governor", crowd, || governor.check().unwrap());
    }
    group.finish();
}

/// There is never one.
pub(crate) fn deny(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("limiter-deny");
    let own = RateLimiter::new(1, Duration::from_hours(1));
    own.try_acquire().unwrap();
    let governor = DefaultDirectRateLimiter::direct(Quota::with_period(Duration::from_hours(1)).unwrap());
    governor.check().unwrap();
    for crowd in [1, 2] {
        threads(&mut group, "own", crowd, || assert!(own.try_acquire().is_err()));
        threads(&mut group, "governor", crowd, || assert!(governor.check().is_err()));
    }
    group.finish();
}

/// How often a waiter is polled until it has its token: a number and no time, so it is printed as it is.
pub(crate) fn polls(_: &mut Criterion) {
    if !std::env::args().any(|arg| arg == "--bench") {
        return;
    }
    let own = RateLimiter::builder(WAITERS, Duration::from_secs(1)).burst(1).build().unwrap();
    let own = count(move || {
        let limiter = own.clone();
        async move { limiter.acquire().await.unwrap() }
    });
    let governor = Arc::new(peer(500, 1));
    let governor = count(move || {
        let limiter = Arc::clone(&governor);
        async move { limiter.until_ready().await }
    });
    println!("limiter-polls: own {own:.1} for each of {WAITERS} waiters, governor {governor:.1}");
}

/// Polls for each waiter.
#[expect(clippy::cast_precision_loss, reason = "far fewer than an f64 counts exactly")]
fn count<F>(wait: impl Fn() -> F) -> f64
where
    F: Future<Output = ()> + Send + 'static,
{
    let polls = Arc::new(AtomicUsize::new(0));
    let waiters = (0..WAITERS).map(|_| {
        let (mut wait, polls) = (Box::pin(wait()), Arc::clone(&polls));
        poll_fn(move |context| {
            polls.fetch_add(1, Relaxed);
            wait.as_mut().poll(context)
        })
    });
    Crowd::with_timers().time(waiters);
    polls.load(Relaxed) as f64 / WAITERS as f64
}
