//! Settings of a breaker and of retries that cannot be meant, and observers that misbehave.

use std::{sync::Arc, time::Duration};

use magnetar_resilience::{
    Backoff, CircuitBreaker, CircuitBreakerBuilder, CircuitBreakerConfig, CircuitState, Event, ManualClock, RateRule,
    ResilienceError, Retry, SlowRule, Trip, Window,
};

use crate::support::{Counter, Log, SECOND, failing, touchy};

#[test]
fn each_setting_that_cannot_be_meant_is_refused_by_name() {
    let config = |change: fn(&mut CircuitBreakerConfig)| {
        let mut config = CircuitBreakerConfig::default();
        change(&mut config);
        CircuitBreaker::builder().config(config)
    };
    let rule = RateRule { window: Window::Calls(10), min_calls: 5, failure_rate: 0.5, slow: None };
    let trip = |rule: RateRule| CircuitBreaker::builder().trip(Trip::Rate(rule));
    let cases: Vec<(&str, CircuitBreakerBuilder)> = vec![
        ("failure_threshold", config(|config| config.failure_threshold = 0)),
        ("success_threshold", config(|config| config.success_threshold = 0)),
        ("success_threshold", config(|config| config.success_threshold = usize::MAX)),
        ("backoff_multiplier", config(|config| config.backoff_multiplier = f64::NAN)),
        ("backoff_multiplier", config(|config| config.backoff_multiplier = f64::INFINITY)),
        ("backoff_multiplier", config(|config| config.backoff_multiplier = -1.0)),
        ("initial_backoff", config(|config| config.initial_backoff = Duration::MAX)),
        ("window", trip(RateRule { window: Window::Calls(0), ..rule })),
        ("window", trip(RateRule { window: Window::Calls(usize::MAX), ..rule })),
        ("window", trip(RateRule { window: Window::Time(Duration::ZERO), ..rule })),
        ("min_calls", trip(RateRule { min_calls: 0, ..rule })),
        ("min_calls", trip(RateRule { min_calls: 11, ..rule })),
        ("failure_rate", trip(RateRule { failure_rate: f64::NAN, ..rule })),
        ("failure_rate", trip(RateRule { failure_rate: 0.0, ..rule })),
        ("slow.rate", trip(RateRule { slow: Some(SlowRule { over: SECOND, rate: 1.5 }), ..rule })),
        ("probe_lease", CircuitBreaker::builder().probe_lease(Duration::ZERO)),
        ("deadline", CircuitBreaker::builder().deadline(Duration::ZERO)),
        ("attempt_timeout", CircuitBreaker::builder().attempt_timeout(Duration::ZERO)),
        ("cooldown_jitter", CircuitBreaker::builder().cooldown_jitter(f64::NAN)),
        ("cooldown_jitter", CircuitBreaker::builder().cooldown_jitter(-0.1)),
        ("cooldown_growth", CircuitBreaker::builder().cooldown_growth(0.5, SECOND)),
        ("cooldown_growth", CircuitBreaker::builder().cooldown_growth(f64::NAN, SECOND)),
    ];
    for (setting, builder) in cases {
        assert_eq!(builder.build().unwrap_err().setting(), setting);
    }
    let backoff = Backoff::fixed(SECOND);
    assert_eq!(Retry::builder(backoff).deadline(Duration::ZERO).build().unwrap_err().setting(), "deadline");
    assert_eq!(Retry::builder(backoff).attempt_timeout(Duration::ZERO).build().unwrap_err().setting(), "attempt_timeout");
}

/// What may not be meant, all of it at once, in a constructor that cannot refuse.
fn senseless(multiplier: f64) -> CircuitBreakerConfig {
    CircuitBreakerConfig {
        failure_threshold: 0,
        success_threshold: 0,
        cooldown: Duration::ZERO,
        initial_backoff: Duration::MAX,
        max_backoff: Duration::ZERO,
        backoff_multiplier: multiplier,
        max_retries: 0,
    }
}

#[tokio::test(start_paused = true)]
async fn d07_plain_constructor_takes_the_nearest_setting_and_never_panics() {
    for multiplier in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -1.0, 0.0, 1e30] {
        let breaker = CircuitBreaker::new(senseless(multiplier));
        assert_eq!(breaker.execute(failing).await, Err(ResilienceError::MaxRetriesExceeded(0)));
        assert_eq!(breaker.state(), CircuitState::Open { retry_after: Duration::ZERO }, "a threshold of 0 counts as 1");
        assert_eq!(breaker.call(|| async { Ok(1) }).await, Ok(1), "no cooldown: the next call is a probe");
        assert_eq!(breaker.state(), CircuitState::Closed);

        let config = CircuitBreakerConfig { backoff_multiplier: multiplier, failure_threshold: usize::MAX, ..Default::default() };
        let breaker = CircuitBreaker::new(CircuitBreakerConfig { max_retries: 50, ..config });
        assert_eq!(breaker.execute(failing).await, Err(ResilienceError::MaxRetriesExceeded(50)));
        assert_eq!(breaker.state(), CircuitState::Closed, "a threshold that is never reached");
    }
}

#[tokio::test(start_paused = true)]
async fn d07_no_wait_is_longer_than_the_longest() {
    let config = CircuitBreakerConfig {
        failure_threshold: 1000,
        initial_backoff: Duration::from_hours(1),
        max_backoff: SECOND,
        backoff_multiplier: 10.0,
        ..Default::default()
    };
    let breaker = CircuitBreaker::new(config);
    let start = tokio::time::Instant::now();
    assert!(breaker.execute(failing).await.is_err());
    assert!(start.elapsed() <= 3 * SECOND + Duration::from_millis(3), "{:?}", start.elapsed());
}

#[test]
fn huge_settings_of_time_saturate() {
    let clock = ManualClock::new();
    let config = CircuitBreakerConfig { cooldown: Duration::MAX, ..touchy() };
    let builder = CircuitBreaker::builder().config(config).cooldown_growth(f64::MAX, Duration::MAX).cooldown_jitter(1.0);
    let breaker = builder.probe_lease(Duration::MAX).clock(Arc::new(clock.clone())).build().unwrap();
    breaker.try_acquire().unwrap().failure();
    clock.advance(Duration::from_hours(24 * 365));
    assert!(breaker.try_acquire().is_err());
    clock.advance(Duration::MAX);
    let probe = breaker.try_acquire().unwrap();
    assert!(breaker.try_acquire().is_err());
    probe.success();
    assert_eq!(breaker.state(), CircuitState::Closed);
}

#[test]
fn under_a_clock_that_stands_still_an_open_breaker_stays_open() {
    let breaker = CircuitBreaker::builder().config(touchy()).clock(Arc::new(ManualClock::new())).build().unwrap();
    breaker.try_acquire().unwrap().failure();
    assert!((0..1000).all(|_| breaker.try_acquire().is_err()));
    breaker.reset_now();
    assert!(breaker.try_acquire().is_ok());
}

#[test]
fn t39_observer_that_panics_harms_nobody() {
    let (seen, log) = (Counter::default(), Log::default());
    let panics = {
        let seen = seen.clone();
        move |_: &Event<'_>| {
            seen.add();
            panic!("inside of an observer");
        }
    };
    let builder = CircuitBreaker::builder().config(touchy()).observer(Arc::new(panics)).observer(Arc::new(log.clone()));
    let breaker = builder.build().unwrap();
    breaker.try_acquire().unwrap().success();
    breaker.try_acquire().unwrap().failure();
    assert!(matches!(breaker.state(), CircuitState::Open { .. }));
    assert_eq!((seen.get(), log.lines().len()), (3, 3), "both were told of two calls and a transition");
}

#[test]
fn t39_observer_may_use_the_breaker() {
    let slot = Arc::new(std::sync::OnceLock::<Arc<CircuitBreaker>>::new());
    let log = Log::default();
    let resets = {
        let slot = Arc::clone(&slot);
        move |event: &Event<'_>| {
            if matches!(event, Event::Transition { to: magnetar_resilience::BreakerMode::Open, .. }) {
                slot.get().unwrap().reset_now();
            }
        }
    };
    let builder = CircuitBreaker::builder().config(touchy()).observer(Arc::new(resets)).observer(Arc::new(log.clone()));
    let breaker = slot.get_or_init(|| Arc::new(builder.build().unwrap()));
    breaker.try_acquire().unwrap().failure();
    assert_eq!(breaker.state(), CircuitState::Closed);
    let modes: Vec<_> = log.lines().into_iter().filter(|line| line.starts_with("Transition")).collect();
    assert!(modes[0].contains("to: Open") && modes[1].contains("to: Closed"), "each observer sees the order: {modes:?}");
}
