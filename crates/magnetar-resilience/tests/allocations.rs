//! What the paths that are taken always cost in allocations: nothing.

use std::{
    pin::pin,
    sync::Arc,
    task::{Context, Waker},
};

use async_trait::async_trait;
use magnetar_resilience::{
    Backoff, ByClass, CircuitBreaker, ConnectionFactory, ConnectionPool, RateLimiter, ResilienceError, Retry,
};

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
    // Unseen by the optimiser, which would do without.
    assert!(allocations(|| drop(std::hint::black_box(Box::new(1)))) > 0, "the counter counts");
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

struct Units;

#[async_trait]
impl ConnectionFactory<()> for Units {
    async fn create(&self) -> Result<(), ResilienceError> {
        Ok(())
    }

    async fn is_healthy(&self, (): &()) -> bool {
        true
    }
}

#[test]
fn d20_idle_connection_is_lent_and_taken_back_without_allocation() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let pool = ConnectionPool::new_default(Arc::new(Units));
    drop(runtime.block_on(pool.acquire()).unwrap());
    assert_eq!(allocations(|| ready(pool.acquire())), 0);
    assert_eq!((pool.snapshot().idle, pool.snapshot().created), (1, 1));
}
