//! A clock that is set by hand.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use magnetar_core::{Clock, Timestamp};

/// 2025-01-01T00:00:00Z.
const BEGIN_MILLIS: u64 = 1_735_689_600_000;

/// A clock that stands still until it is told to go on.
pub(crate) struct HandClock(AtomicU64);

impl HandClock {
    /// A clock that shows this instant.
    pub(crate) fn at(now: Timestamp) -> Self {
        Self(AtomicU64::new(now.as_millis()))
    }

    /// Goes on by a duration.
    pub(crate) fn advance(&self, by: Duration) {
        self.0.store(self.now().after(by).as_millis(), Ordering::Relaxed);
    }
}

impl Default for HandClock {
    fn default() -> Self {
        Self::at(Timestamp::from_millis(BEGIN_MILLIS))
    }
}

impl Clock for HandClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::Relaxed))
    }
}
