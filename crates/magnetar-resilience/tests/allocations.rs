//! What the paths that are taken always cost in allocations: nothing.

use std::{
    pin::pin,
    task::{Context, Waker},
};

use magnetar_resilience::{Backoff, ByClass, CircuitBreaker, RateLimiter, ResilienceError, Retry};

fn allocations(work: impl FnMut()) -> u64 {
    allocation_counter::measure(work).count_total
}

/// Runs a future that is ready at once.
fn ready(future: impl Future) {
    assert!(pin!(future).poll(&mut Context::from_waker(Waker::noop())).is_ready());
}

#[test]
fn d09_success_under_a_breaker_allocates_nothing() {
    let breaker = CircuitBreaker::new_default();
    let op = || async { Ok::<_, ResilienceError>(1) };
    assert_eq!(allocations(|| breaker.try_acquire().unwrap().success()), 0);
    assert_eq!(allocations(|| ready(breaker.call(op))), 0);
    assert_eq!(allocations(|| ready(breaker.execute(op))), 0);
    assert_eq!(allocations(|| ready(breaker.run(&ByClass, op))), 0);
    assert!(allocations(|| drop(Box::new(1))) > 0, "the counter counts");
}

#[test]
fn refusal_of_a_breaker_allocates_nothing() {
    let breaker = CircuitBreaker::new_default();
    breaker.force_open();
    assert_eq!(allocations(|| assert!(breaker.try_acquire().is_err())), 0);
}

#[test]
fn first_attempt_that_succeeds_allocates_nothing() {
    let retry = Retry::builder(Backoff::fixed(std::time::Duration::ZERO)).build().unwrap();
    assert_eq!(allocations(|| ready(retry.run(&ByClass, || async { Ok::<_, ResilienceError>(1) }))), 0);
}

#[test]
fn token_that_is_there_allocates_nothing() {
    let limiter = RateLimiter::per_second(10);
    assert_eq!(allocations(|| limiter.try_acquire().unwrap()), 0);
    assert_eq!(allocations(|| ready(limiter.acquire())), 0);
}
