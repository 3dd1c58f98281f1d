//! A clock that stands still until it is set.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use magnetar_core::{Clock, Timestamp};

type Wake = Arc<dyn Fn() + Send + Sync>;

/// A clock that is set by hand. Clones share one time. It begins on 2026-01-01T00:00:00Z.
#[derive(Clone)]
pub struct ManualClock {
    inner: Arc<Mutex<Inner>>,
}

struct Inner {
    now: Timestamp,
    wakes: Vec<Wake>,
}

impl Default for ManualClock {
    fn default() -> Self {
        Self { inner: Arc::new(Mutex::new(Inner { now: Timestamp::from_millis(1_767_225_600_000), wakes: Vec::new() })) }
    }
}

impl fmt::Debug for ManualClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ManualClock({})", self.now())
    }
}

impl ManualClock {
    /// Moves the time on.
    pub fn advance(&self, by: Duration) {
        self.set(self.now().after(by));
    }

    /// Sets the time, also back.
    pub fn set(&self, now: Timestamp) {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.now = now;
        let wakes = inner.wakes.clone();
        drop(inner);
        for wake in wakes {
            wake();
        }
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner).now
    }

    fn on_set(&self, wake: Wake) {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner).wakes.push(wake);
    }
}
