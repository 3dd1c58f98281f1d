//! What opens a breaker, for how long, and who is told.

use std::{sync::Arc, thread, time::Duration};

use magnetar_resilience::{
    CircuitBreaker, CircuitBreakerConfig, CircuitState, ManualClock, RateRule, Rejection, ResilienceError, SlowRule, Trip, Window,
};

use super::rate;
use crate::support::{Log, SECOND, failing, touchy};

#[test]
fn t06_count_window_slides_and_waits_for_its_minimum() {
    let breaker = CircuitBreaker::builder().trip(rate(Window::Calls(100), 100)).build().unwrap();
    (0..10_000).for_each(|_| breaker.try_acquire().unwrap().success());
    (0..49).for_each(|_| breaker.try_acquire().unwrap().failure());
    assert_eq!(breaker.state(), CircuitState::Closed);
    breaker.try_acquire().unwrap().failure();
    assert!(matches!(breaker.state(), CircuitState::Open { .. }), "the 50th failure among the last 100");

    let breaker = CircuitBreaker::builder().trip(rate(Window::Calls(100), 10)).build().unwrap();
    (0..9).for_each(|_| breaker.try_acquire().unwrap().failure());
    assert_eq!(breaker.state(), CircuitState::Closed);
    breaker.try_acquire().unwrap().failure();
    assert!(matches!(breaker.state(), CircuitState::Open { .. }), "the tenth call is the minimum, not the eleventh");
}

#[test]
fn slow_calls_open_a_breaker_although_they_succeed() {
    let clock = ManualClock::new();
    let slow = SlowRule { over: SECOND, rate: 0.5 };
    let rule = RateRule { window: Window::Calls(10), min_calls: 4, failure_rate: 1.0, slow: Some(slow) };
    let breaker = CircuitBreaker::builder().trip(Trip::Rate(rule)).clock(Arc::new(clock.clone())).build().unwrap();
    let calls = |took: [Duration; 4]| {
        for took in took {
            let permit = breaker.try_acquire().unwrap();
            clock.advance(took);
            permit.success();
        }
        breaker.state()
    };
    assert_eq!(calls([SECOND, 2 * SECOND, SECOND, SECOND]), CircuitState::Closed, "one of four was slow");
    breaker.reset_now();
    let opened = calls([SECOND, 2 * SECOND, SECOND, 2 * SECOND]);
    assert!(matches!(opened, CircuitState::Open { .. }), "two of four were slow: {opened:?}");
}

#[test]
fn reset_begins_the_window_anew() {
    let breaker = CircuitBreaker::builder().trip(rate(Window::Calls(10), 4)).build().unwrap();
    for _ in 0..3 {
        (0..3).for_each(|_| breaker.try_acquire().unwrap().failure());
        assert_eq!(breaker.state(), CircuitState::Closed, "three calls are too few");
        breaker.reset_now();
    }
}

#[test]
fn t12_cooldowns_of_a_fleet_are_spread() {
    let mut waits: Vec<_> = (0..1000)
        .map(|seed| {
            let builder = CircuitBreaker::builder().config(CircuitBreakerConfig { cooldown: 100 * SECOND, ..touchy() });
            let breaker = builder.cooldown_jitter(0.1).seed(seed).clock(Arc::new(ManualClock::new())).build().unwrap();
            breaker.try_acquire().unwrap().failure();
            let CircuitState::Open { retry_after } = breaker.state() else { panic!("not open") };
            retry_after
        })
        .collect();
    waits.sort();
    assert!(waits[0] >= 100 * SECOND && waits[999] <= 110 * SECOND, "{:?} to {:?}", waits[0], waits[999]);
    for tenth in 0..10_u32 {
        let expected = 100 * SECOND + SECOND * tenth;
        let came = waits.iter().filter(|wait| **wait >= expected && **wait < expected + SECOND).count();
        assert!((60..140).contains(&came), "{came} in the second from {expected:?}");
    }
}

#[test]
fn t12_cooldown_grows_while_probes_fail_and_is_short_again_after_a_close() {
    let clock = ManualClock::new();
    let builder = CircuitBreaker::builder().config(touchy()).cooldown_growth(2.0, 5 * SECOND);
    let breaker = builder.clock(Arc::new(clock.clone())).build().unwrap();
    let fails_for = || {
        breaker.try_acquire().unwrap().failure();
        let CircuitState::Open { retry_after } = breaker.state() else { panic!("not open") };
        clock.advance(retry_after);
        retry_after.as_secs()
    };
    assert_eq!([(); 5].map(|()| fails_for()), [1, 2, 4, 5, 5]);
    breaker.try_acquire().unwrap().success();
    assert_eq!(fails_for(), 1);
}

#[test]
fn cooldown_is_never_shorter_than_told() {
    let clock = ManualClock::new();
    let breaker = CircuitBreaker::builder().config(touchy()).clock(Arc::new(clock.clone())).build().unwrap();
    clock.advance(Duration::from_micros(900));
    breaker.try_acquire().unwrap().failure();
    clock.advance(Duration::from_micros(999_500));
    assert!(breaker.try_acquire().is_err(), "half a millisecond before its end");
    clock.advance(Duration::from_millis(1));
    assert!(breaker.try_acquire().is_ok());
}

#[tokio::test(start_paused = true)]
async fn d10_cooldown_follows_paused_time() {
    let breaker = CircuitBreaker::new(CircuitBreakerConfig { cooldown: Duration::from_hours(24), ..touchy() });
    assert!(breaker.call(failing).await.is_err());
    tokio::time::sleep(Duration::from_hours(24) - Duration::from_millis(1)).await;
    assert_eq!(breaker.call(|| async { Ok(1) }).await, Err(ResilienceError::CircuitOpen));
    tokio::time::sleep(Duration::from_millis(1)).await;
    assert_eq!(breaker.call(|| async { Ok(1) }).await, Ok(1));
}

#[test]
fn t13_transitions_are_told_once_and_in_their_order() {
    let log = Log::default();
    let clock = ManualClock::new();
    let builder = CircuitBreaker::builder().config(touchy()).clock(Arc::new(clock.clone()));
    let breaker = builder.observer(Arc::new(log.clone())).build().unwrap();
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for round in 0..2000 {
                    clock.advance(SECOND);
                    match breaker.try_acquire() {
                        Ok(permit) if round % 3 == 0 => permit.success(),
                        Ok(permit) => permit.failure(),
                        Err(_) => {}
                    }
                }
            });
        }
    });
    let transitions: Vec<_> = log.lines().into_iter().filter(|line| line.starts_with("Transition")).collect();
    let field = |line: &str, name: &str| {
        let start = line.find(&format!("{name}: ")).unwrap() + name.len() + 2;
        line[start..].split([',', ' ', '}']).next().unwrap().to_owned()
    };
    assert_eq!(transitions.len(), breaker.snapshot().generation as usize);
    assert!(transitions.len() > 1000, "{}", transitions.len());
    let mut mode = "Closed".to_owned();
    for (line, generation) in transitions.iter().zip(1..) {
        assert_eq!(field(line, "generation"), generation.to_string());
        assert_eq!(field(line, "from"), mode);
        mode = field(line, "to");
    }
}

#[test]
fn forced_states_hold_until_they_are_lifted() {
    let clock = ManualClock::new();
    let breaker = CircuitBreaker::builder().config(touchy()).clock(Arc::new(clock.clone())).build().unwrap();
    breaker.force_open();
    clock.advance(Duration::from_hours(24 * 365 * 100));
    assert_eq!(breaker.try_acquire().unwrap_err(), Rejection::CircuitOpen { retry_after: Duration::from_millis(u64::MAX) });
    assert!(breaker.snapshot().forced);
    breaker.force_closed();
    (0..100).for_each(|_| breaker.try_acquire().unwrap().failure());
    assert_eq!(breaker.state(), CircuitState::Closed);
    breaker.reset_now();
    assert!(!breaker.snapshot().forced);
    breaker.try_acquire().unwrap().failure();
    assert!(matches!(breaker.state(), CircuitState::Open { .. }));
}
