//! What observers, traces and metrics are told.

use std::sync::Arc;

use magnetar_resilience::{Backoff, ByClass, CircuitBreaker, ClosedReason, RateLimiter, Retry};

use crate::{
    lab::{Lab, Script},
    support::{Log, SECOND, failing, touchy},
};

#[tokio::test(start_paused = true)]
async fn d10_every_end_of_a_call_is_told() {
    let log = Log::default();
    let breaker = CircuitBreaker::builder().name("s3-eu").config(touchy()).observer(Arc::new(log.clone())).build().unwrap();
    breaker.try_acquire().unwrap().success();
    breaker.try_acquire().unwrap().ignore();
    drop(breaker.try_acquire().unwrap());
    let late = breaker.try_acquire().unwrap();
    breaker.try_acquire().unwrap().failure();
    assert!(breaker.try_acquire().is_err());
    late.success();
    for outcome in ["Success", "Ignored", "Cancelled", "Failure", "Rejected", "Stale"] {
        assert_eq!(log.count(&format!("Call {{ breaker: \"s3-eu\", outcome: {outcome} }}")), 1, "{outcome}");
    }
    assert_eq!(log.count("Transition { breaker: \"s3-eu\", from: Closed, to: Open, generation: 1 }"), 1);
}

#[tokio::test(start_paused = true)]
async fn d10_retries_and_their_end_are_told() {
    let log = Log::default();
    let retry =
        Retry::builder(Backoff::fixed(SECOND)).name("upload").max_retries(2).observer(Arc::new(log.clone())).build().unwrap();
    assert!(retry.run(&ByClass, failing).await.is_err());
    assert_eq!(log.count("Retry { name: \"upload\""), 2);
    assert_eq!(log.count("RetryStopped { name: \"upload\", attempts: 3, why: Exhausted }"), 1);
}

#[test]
fn words_are_labels() {
    assert_eq!(
        (ClosedReason::PoolClosed.as_str(), ClosedReason::PoolClosed.to_string().as_str()),
        ("pool_closed", "pool_closed")
    );
}

#[cfg(feature = "metrics")]
mod metrics {
    use std::{
        collections::BTreeMap,
        sync::{
            Mutex,
            atomic::{AtomicU64, Ordering},
        },
    };

    use ::metrics::{
        Counter, Gauge, GaugeFn, Histogram, HistogramFn, Key, KeyName, Metadata, Recorder, SharedString, Unit,
        with_local_recorder,
    };
    use magnetar_resilience::MetricsObserver;

    use super::*;

    /// Keeps every metric by its name and labels.
    #[derive(Default)]
    struct Kept(Mutex<BTreeMap<String, Arc<AtomicU64>>>);

    /// Shows a gauge's number as it is.
    struct Shown(Arc<AtomicU64>);

    impl GaugeFn for Shown {
        fn increment(&self, _: f64) {}
        fn decrement(&self, _: f64) {}
        fn set(&self, value: f64) {
            self.0.store(u64::from(value > 0.0), Ordering::SeqCst);
        }
    }

    impl HistogramFn for Shown {
        fn record(&self, _: f64) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    impl Kept {
        fn at(&self, key: &Key) -> Arc<AtomicU64> {
            let labels: Vec<_> = key.labels().map(|label| format!("{}={}", label.key(), label.value())).collect();
            let name = format!("{}{{{}}}", key.name(), labels.join(","));
            Arc::clone(self.0.lock().unwrap().entry(name).or_default())
        }

        fn get(&self, name: &str) -> Option<u64> {
            self.0.lock().unwrap().get(name).map(|value| value.load(Ordering::SeqCst))
        }
    }

    impl Recorder for Kept {
        fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
        fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
        fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

        fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
            Counter::from_arc(self.at(key))
        }

        fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
            Gauge::from_arc(Arc::new(Shown(self.at(key))))
        }

        fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
            Histogram::from_arc(Arc::new(Shown(self.at(key))))
        }
    }

    #[test]
    fn t39_gauge_of_the_mode_that_was_left_is_reset() {
        let kept = Kept::default();
        with_local_recorder(&kept, || {
            let breaker = CircuitBreaker::builder().config(touchy()).observer(Arc::new(MetricsObserver)).build().unwrap();
            breaker.try_acquire().unwrap().failure();
            let modes = |closed, open| {
                assert_eq!(kept.get("magnetar_breaker_mode{breaker=breaker,mode=closed}"), Some(closed));
                assert_eq!(kept.get("magnetar_breaker_mode{breaker=breaker,mode=open}"), Some(open));
                assert_eq!(kept.get("magnetar_breaker_mode{breaker=breaker,mode=half_open}"), Some(0));
            };
            modes(0, 1);
            breaker.reset_now();
            modes(1, 0);
        });
        assert_eq!(kept.get("magnetar_breaker_calls_total{breaker=breaker,outcome=failure}"), Some(1));
        assert_eq!(kept.get("magnetar_breaker_transitions_total{breaker=breaker,from=closed,to=open}"), Some(1));
    }

    #[test]
    fn every_event_is_counted() {
        let kept = Kept::default();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        let told = || Arc::new(MetricsObserver);
        with_local_recorder(&kept, || {
            runtime.block_on(async {
                let retry = Retry::builder(Backoff::fixed(SECOND)).max_retries(1).observer(told()).build().unwrap();
                assert!(retry.run(&ByClass, failing).await.is_err());
                let limiter = RateLimiter::builder(1, SECOND).initial(0).observer(told()).build().unwrap();
                assert!(limiter.try_acquire().is_err());
                let lab = Lab::default();
                lab.book().creates.push_back(Script::Fails(0));
                let pool = lab.builder(1).observer(told()).build().unwrap();
                assert!(pool.acquire().await.is_err());
                pool.acquire().await.unwrap().discard();
            });
        });
        for name in [
            "magnetar_retries_total{name=retry}",
            "magnetar_retry_stops_total{name=retry,why=exhausted}",
            "magnetar_rate_limited_total{limiter=limiter}",
            "magnetar_pool_wait_seconds{pool=pool}",
            "magnetar_pool_created_total{pool=pool}",
            "magnetar_pool_dial_failures_total{pool=pool}",
            "magnetar_pool_closed_total{pool=pool,reason=discarded}",
        ] {
            assert_eq!(kept.get(name), Some(1), "{name}");
        }
    }
}

#[cfg(feature = "tracing")]
mod tracing {
    use std::{
        fmt::{self, Write},
        sync::Mutex,
    };

    use ::tracing::{
        Event, Metadata, Subscriber,
        field::{Field, Visit},
        span,
        subscriber::with_default,
    };
    use magnetar_resilience::CircuitBreakerConfig;

    use super::*;

    /// Keeps every event as a line.
    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<String>>>);

    struct Line(String);

    impl Visit for Line {
        fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
            write!(self.0, " {}={value:?}", field.name()).unwrap();
        }
    }

    impl Subscriber for Kept {
        fn enabled(&self, _: &Metadata<'_>) -> bool {
            true
        }

        fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
            span::Id::from_u64(1)
        }

        fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
        fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
        fn enter(&self, _: &span::Id) {}
        fn exit(&self, _: &span::Id) {}

        fn event(&self, event: &Event<'_>) {
            let mut line = Line(event.metadata().level().to_string());
            event.record(&mut line);
            self.0.lock().unwrap().push(line.0);
        }
    }

    /// Panics at whatever it is told.
    struct Panics;

    impl Subscriber for Panics {
        fn enabled(&self, _: &Metadata<'_>) -> bool {
            true
        }

        fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
            span::Id::from_u64(1)
        }

        fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
        fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
        fn enter(&self, _: &span::Id) {}
        fn exit(&self, _: &span::Id) {}

        fn event(&self, _: &Event<'_>) {
            panic!("inside of a subscriber");
        }
    }

    #[test]
    fn t39_subscriber_that_panics_harms_nobody() {
        let log = Log::default();
        let breaker = CircuitBreaker::builder().config(touchy()).observer(Arc::new(log.clone())).build().unwrap();
        with_default(Panics, || {
            breaker.try_acquire().unwrap().failure();
            assert!(breaker.try_acquire().is_err());
        });
        breaker.reset_now();
        assert_eq!((log.count("Transition"), log.count("Call")), (2, 2), "{:?}", log.lines());
    }

    #[test]
    fn d08_last_cause_goes_to_traces() {
        let kept = Kept::default();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        with_default(kept.clone(), || {
            let breaker = CircuitBreaker::new(CircuitBreakerConfig { failure_threshold: 4, ..Default::default() });
            assert!(runtime.block_on(breaker.execute(failing)).is_err());
        });
        let lines = kept.0.lock().unwrap().join("\n");
        for part in [
            "WARN message=retries are used up name=\"breaker\" cause=transient failure: reset by peer",
            "WARN message=circuit breaker opened breaker=\"breaker\" from=closed generation=1",
            "DEBUG message=attempt failed, another follows name=\"breaker\" retry=1",
            "TRACE message=call ended breaker=\"breaker\" outcome=failure",
        ] {
            assert!(lines.contains(part), "{part}\n{lines}");
        }
    }
}
