//! What a breaker lets through, and what moves it.

use std::{future, panic::AssertUnwindSafe, sync::Arc, thread, time::Duration};

use magnetar_resilience::{
    BreakerRegistry, ByClass, CircuitBreaker, CircuitBreakerConfig, CircuitState, Error, ErrorClass, ManualClock, RateRule,
    Rejection, ResilienceError, Trip, Verdict, Window,
};

use crate::support::{Counter, Log, Outcome, SECOND, failing, poll_once, touchy, transient};

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

fn rate(window: Window, min_calls: usize) -> Trip {
    Trip::Rate(RateRule { window, min_calls, failure_rate: 0.5, slow: None })
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
fn t14_one_key_fails_alone_and_the_keys_are_bounded() {
    let clock = ManualClock::new();
    let shared = Arc::new(clock);
    let make = move |key: &String| {
        CircuitBreaker::builder().name(key).config(touchy()).clock(shared.clone()).build().expect("settings that can be meant")
    };
    let registry = BreakerRegistry::new(3, make).unwrap();
    let key = |number: usize| format!("host-{number}");
    registry.get(&key(0)).try_acquire().unwrap().failure();
    assert!(registry.get(&key(0)).try_acquire().is_err());
    assert!(registry.get(&key(1)).try_acquire().is_ok(), "another host");
    for number in 1..100 {
        assert_eq!(registry.get(&key(number)).name(), key(number));
        assert!(registry.len() <= 3);
    }
    assert!(registry.get(&key(0)).try_acquire().is_err(), "an open one outlives those with nothing to remember");
    assert!(BreakerRegistry::<u8>::new(0, |_| CircuitBreaker::new_default()).is_err());
}

#[tokio::test(start_paused = true)]
async fn d03_admission_is_asked_before_each_attempt() {
    let (breaker, run) = (CircuitBreaker::new(touchy()), Counter::default());
    let op = || {
        run.add();
        failing()
    };
    assert_eq!(breaker.execute(op).await, Err(transient()), "the last real error, not that the breaker is open");
    assert_eq!(run.get(), 1);
}

#[tokio::test(start_paused = true)]
async fn d04_each_attempt_counts() {
    let (breaker, run) = (CircuitBreaker::new_default(), Counter::default());
    let op = || {
        run.add();
        failing()
    };
    assert_eq!(breaker.execute(op).await, Err(ResilienceError::MaxRetriesExceeded(3)));
    assert_eq!(breaker.state(), CircuitState::Closed);
    assert_eq!(breaker.execute(op).await, Err(transient()));
    assert_eq!(run.get(), 5, "the second call opened it in its midst");
    assert_eq!(breaker.execute(op).await, Err(ResilienceError::CircuitOpen));
    assert_eq!(run.get(), 5);
}

#[tokio::test(start_paused = true)]
async fn d08_retries_end_with_their_number_and_the_cause_is_kept() {
    let log = Log::default();
    let config = CircuitBreakerConfig { failure_threshold: 100, ..Default::default() };
    let breaker = CircuitBreaker::builder().config(config).observer(Arc::new(log.clone())).build().unwrap();
    assert_eq!(breaker.execute(failing).await, Err(ResilienceError::MaxRetriesExceeded(3)));
    assert_eq!(log.count("Exhausted { name: \"breaker\", cause: Inner(Transient(\"reset by peer\")"), 1, "{:?}", log.lines());
    let whole = breaker.run(&ByClass, failing).await.unwrap_err();
    assert_eq!(whole, Error::Exhausted { attempts: 4, last: Box::new(Error::Inner(transient())) });

    let foreign = |result: &Result<(), std::io::Error>| match result {
        Ok(()) => Verdict::Success,
        Err(_) => Verdict::failure(ErrorClass::Transient),
    };
    let whole = breaker.run(&foreign, || async { Err(std::io::Error::other("a type that knows no class")) }).await;
    assert_eq!(whole.unwrap_err().into_inner().unwrap().to_string(), "a type that knows no class");
}

#[test]
fn d09_state_is_read_without_waiting() {
    let breaker = CircuitBreaker::new_default();
    assert_eq!(breaker.state(), CircuitState::Closed);
    assert_eq!(poll_once(&mut Box::pin(breaker.get_state())), std::task::Poll::Ready(CircuitState::Closed));
    assert_eq!(poll_once(&mut Box::pin(breaker.reset())), std::task::Poll::Ready(()));
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

#[test]
fn slow_calls_open_a_breaker_although_they_succeed() {
    let clock = ManualClock::new();
    let slow = magnetar_resilience::SlowRule { over: SECOND, rate: 0.5 };
    let rule = RateRule { window: Window::Calls(10), min_calls: 4, failure_rate: 1.0, slow: Some(slow) };
    let breaker = CircuitBreaker::builder().trip(Trip::Rate(rule)).clock(Arc::new(clock.clone())).build().unwrap();
    for took in [SECOND, 2 * SECOND, SECOND] {
        let permit = breaker.try_acquire().unwrap();
        clock.advance(took);
        permit.success();
    }
    let permit = breaker.try_acquire().unwrap();
    clock.advance(2 * SECOND);
    permit.success();
    assert!(matches!(breaker.state(), CircuitState::Open { .. }), "two of four were slow");
}
