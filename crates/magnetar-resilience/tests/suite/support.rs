//! What many tests need.

use std::{
    future,
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, Waker},
    time::Duration,
};

use magnetar_resilience::{CircuitBreakerConfig, Clock, Event, Observer, ResilienceError, Sleep};

pub(crate) const SECOND: Duration = Duration::from_secs(1);

pub(crate) type Outcome<T = ()> = Result<T, ResilienceError>;

pub(crate) fn transient() -> ResilienceError {
    ResilienceError::Transient("reset by peer".to_owned())
}

pub(crate) async fn failing() -> Outcome {
    Err(transient())
}

/// A breaker that opens at the first failure, wants one probe and rests for a second.
pub(crate) fn touchy() -> CircuitBreakerConfig {
    CircuitBreakerConfig { failure_threshold: 1, success_threshold: 1, cooldown: SECOND, ..Default::default() }
}

/// Counts, and shows the count.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counter(Arc<AtomicUsize>);

impl Counter {
    pub(crate) fn add(&self) -> usize {
        self.0.fetch_add(1, Ordering::SeqCst)
    }

    pub(crate) fn get(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

/// Keeps every event as text.
#[derive(Clone, Debug, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    pub(crate) fn lines(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }

    pub(crate) fn count(&self, part: &str) -> usize {
        self.lines().iter().filter(|line| line.contains(part)).count()
    }
}

impl Observer for Log {
    fn observe(&self, event: &Event<'_>) {
        self.0.lock().unwrap().push(format!("{event:?}"));
    }
}

/// Time stands still, and its sleeps end at once.
#[derive(Debug)]
pub(crate) struct Stopped;

impl Clock for Stopped {
    fn now(&self) -> Duration {
        SECOND
    }

    fn sleep_until(&self, _: Duration) -> Sleep {
        Box::pin(future::ready(()))
    }
}

/// Polls a future once, with nobody to wake.
pub(crate) fn poll_once<F: Future + ?Sized>(future: &mut Pin<Box<F>>) -> Poll<F::Output> {
    future.as_mut().poll(&mut Context::from_waker(Waker::noop()))
}

/// Ends after being polled so often.
pub(crate) async fn polls(mut count: usize) {
    future::poll_fn(move |context| {
        if count == 0 {
            return Poll::Ready(());
        }
        count -= 1;
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
