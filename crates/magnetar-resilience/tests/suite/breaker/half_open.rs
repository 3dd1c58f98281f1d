//! Probes: how many, for how long, and what ends their turn.

use std::{sync::Arc, time::Duration};

use magnetar_resilience::{CircuitBreaker, CircuitBreakerConfig, CircuitState, ManualClock, ResilienceError, Window};

use super::{rate, rested};
use crate::support::{Counter, SECOND, touchy};

#[tokio::test(start_paused = true)]
async fn t03_d01_no_more_probes_than_are_needed() {
    let (breaker, _) = rested(&CircuitBreakerConfig { success_threshold: 3, ..touchy() });
    let run = Counter::default();
    let calls: Vec<_> = (0..500)
        .map(|_| {
            let (breaker, run) = (Arc::clone(&breaker), run.clone());
            tokio::spawn(async move {
                let probe = || async {
                    run.add();
                    tokio::time::sleep(SECOND).await;
                    Ok(())
                };
                breaker.call(probe).await
            })
        })
        .collect();
    let mut refused = 0;
    for call in calls {
        refused += usize::from(call.await.unwrap() == Err(ResilienceError::CircuitOpen));
    }
    assert_eq!((run.get(), refused), (3, 497));
    assert_eq!(breaker.state(), CircuitState::Closed);
}

#[test]
fn t03_each_half_open_turn_has_a_fresh_quota() {
    let (breaker, clock) = rested(&CircuitBreakerConfig { success_threshold: 2, ..touchy() });
    for _ in 0..3 {
        let [first, second] = [(); 2].map(|()| breaker.try_acquire().unwrap());
        assert!(breaker.try_acquire().is_err());
        first.failure();
        second.success();
        assert!(matches!(breaker.state(), CircuitState::Open { .. }));
        clock.advance(SECOND);
    }
}

#[test]
fn t04_probes_that_hang_are_given_up() {
    let clock = ManualClock::new();
    let builder = CircuitBreaker::builder().config(touchy()).clock(Arc::new(clock.clone())).probe_lease(16 * SECOND);
    let breaker = builder.build().unwrap();
    breaker.try_acquire().unwrap().failure();
    clock.advance(SECOND);
    let hung = breaker.try_acquire().unwrap();
    clock.advance(16 * SECOND);
    assert!(breaker.try_acquire().is_err(), "the lease holds for its whole length");
    clock.advance(2 * SECOND);
    let fresh = breaker.try_acquire().unwrap();
    hung.failure();
    assert_eq!(breaker.state(), CircuitState::HalfOpen { in_flight: 1, successes: 0 }, "what was given up moves nothing");
    fresh.success();
    assert_eq!(breaker.state(), CircuitState::Closed);
}

#[test]
fn t05_half_open_ends_however_short_the_window_is() {
    let clock = ManualClock::new();
    let config = CircuitBreakerConfig { success_threshold: 20, cooldown: SECOND, ..Default::default() };
    let trip = rate(Window::Time(Duration::from_millis(200)), 1);
    let breaker = CircuitBreaker::builder().config(config).trip(trip).clock(Arc::new(clock.clone())).build().unwrap();
    breaker.try_acquire().unwrap().failure();
    clock.advance(SECOND);
    for _ in 0..20 {
        breaker.try_acquire().unwrap().success();
        clock.advance(Duration::from_millis(80));
    }
    assert_eq!(breaker.state(), CircuitState::Closed);
}
