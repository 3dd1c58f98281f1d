//! What the end of a call means, and that it counts only where it belongs.

use std::{future, panic::AssertUnwindSafe, sync::Arc, time::Duration};

use magnetar_resilience::{
    CircuitBreaker, CircuitBreakerConfig, CircuitState, ManualClock, ResilienceError, Trip, Verdict, Window,
};

use super::{rate, rested};
use crate::support::{Outcome, SECOND, poll_once, touchy};

#[test]
fn t01_dropped_permit_frees_its_place_and_is_no_success() {
    let (breaker, _) = rested(&touchy());
    let probe = breaker.try_acquire().unwrap();
    assert!(breaker.try_acquire().is_err());
    drop(probe);
    assert_eq!(breaker.state(), CircuitState::HalfOpen { in_flight: 0, successes: 0 });
    breaker.try_acquire().unwrap().ignore();
    assert_eq!(breaker.state(), CircuitState::HalfOpen { in_flight: 0, successes: 0 });
    breaker.try_acquire().unwrap().success();
    assert_eq!(breaker.state(), CircuitState::Closed);
}

#[test]
fn t01_dropped_permit_is_no_failure() {
    let breaker = Arc::new(CircuitBreaker::new(touchy()));
    drop(breaker.try_acquire().unwrap());
    drop(breaker.try_acquire_owned().unwrap());
    assert_eq!(breaker.state(), CircuitState::Closed);
    assert_eq!(breaker.snapshot().cancelled, 2);
}

#[test]
fn t02_d02_late_outcome_moves_no_newer_state() {
    let config = CircuitBreakerConfig { cooldown: Duration::from_hours(1), ..touchy() };
    let clock = ManualClock::new();
    let breaker = CircuitBreaker::builder().config(config).clock(Arc::new(clock.clone())).build().unwrap();
    let [late_success, late_failure, tripping] = [(); 3].map(|()| breaker.try_acquire().unwrap());
    tripping.failure();
    late_success.success();
    assert!(matches!(breaker.state(), CircuitState::Open { .. }), "a success from before closes no open breaker");

    clock.advance(Duration::from_hours(1));
    let probe = breaker.try_acquire().unwrap();
    late_failure.failure();
    assert_eq!(breaker.state(), CircuitState::HalfOpen { in_flight: 1, successes: 0 }, "a failure from before is no probe's");
    probe.success();
    assert_eq!(breaker.state(), CircuitState::Closed);
    assert_eq!(breaker.snapshot().stale, 2);
}

#[tokio::test(start_paused = true)]
async fn t08_d06_hang_within_the_breaker_is_a_failure() {
    let breaker = CircuitBreaker::builder().config(touchy()).attempt_timeout(SECOND).build().unwrap();
    let hung = breaker.call(future::pending::<Outcome>).await;
    assert_eq!(hung, Err(ResilienceError::Timeout(SECOND)));
    assert!(matches!(breaker.state(), CircuitState::Open { .. }));
}

#[tokio::test(start_paused = true)]
async fn t08_timeout_outside_of_the_breaker_is_a_cancellation() {
    let breaker = CircuitBreaker::new(touchy());
    let cut = tokio::time::timeout(SECOND, breaker.call(future::pending::<Outcome>)).await;
    assert!(cut.is_err());
    assert_eq!((breaker.state(), breaker.snapshot().cancelled), (CircuitState::Closed, 1));

    let breaker = CircuitBreaker::builder().config(touchy()).count_cancelled_after(SECOND / 2).build().unwrap();
    let cut = tokio::time::timeout(SECOND / 4, breaker.call(future::pending::<Outcome>)).await;
    assert!(cut.is_err() && breaker.state() == CircuitState::Closed, "too short to blame the service");
    let cut = tokio::time::timeout(SECOND, breaker.call(future::pending::<Outcome>)).await;
    assert!(cut.is_err() && matches!(breaker.state(), CircuitState::Open { .. }), "long enough");
}

#[tokio::test]
async fn t09_panic_is_a_failure_and_goes_on_unwinding() {
    for trip in [Trip::Consecutive, rate(Window::Calls(1), 1)] {
        let breaker = Arc::new(CircuitBreaker::builder().config(touchy()).trip(trip).build().unwrap());
        let shared = Arc::clone(&breaker);
        let panicked = tokio::spawn(async move {
            let op = || async {
                tokio::task::yield_now().await;
                panic!("inside of the operation")
            };
            shared.call::<(), _, _>(op).await
        });
        assert!(panicked.await.unwrap_err().is_panic());
        assert!(matches!(breaker.state(), CircuitState::Open { .. }));
        breaker.reset_now();
        let classifier = |_: &Result<(), ()>| -> Verdict { panic!("inside of the classifier") };
        let mut call = Box::pin(breaker.run_once(&classifier, || async { Ok(()) }));
        assert!(std::panic::catch_unwind(AssertUnwindSafe(|| poll_once(&mut call))).is_err());
        assert!(matches!(breaker.state(), CircuitState::Open { .. }));
        breaker.reset_now();
        assert_eq!(breaker.call(|| async { Ok(1) }).await, Ok(1), "no lock is left poisoned");
    }
}

#[tokio::test]
async fn t10_d05_our_own_refusals_count_as_nothing() {
    let local = [ResilienceError::PoolExhausted, ResilienceError::RateLimitExceeded, ResilienceError::CircuitOpen];
    for refusal in local {
        let (breaker, _) = rested(&touchy());
        for _ in 0..3 {
            let refused: Outcome = breaker.call(|| async { Err(refusal.clone()) }).await;
            assert_eq!(refused, Err(refusal.clone()));
            let refused: Outcome = breaker.execute(|| async { Err(refusal.clone()) }).await;
            assert_eq!(refused, Err(refusal.clone()));
            assert_eq!(breaker.state(), CircuitState::HalfOpen { in_flight: 0, successes: 0 });
        }
    }
}

#[tokio::test]
async fn t11_d05_permanent_answer_is_an_answer() {
    let permanent = || async { Err::<(), _>(ResilienceError::Permanent("no such key".to_owned())) };
    let (breaker, _) = rested(&touchy());
    assert!(breaker.call(permanent).await.is_err());
    assert_eq!(breaker.state(), CircuitState::Closed, "a success of the probe");
    for _ in 0..3 {
        assert!(breaker.execute(permanent).await.is_err());
        assert!(breaker.call(permanent).await.is_err());
    }
    assert_eq!((breaker.state(), breaker.snapshot().failures), (CircuitState::Closed, 1));
}
