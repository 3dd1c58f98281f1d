//! Where time comes from: every part asks a [`Clock`] and none asks the machine.

mod manual;

use std::{fmt, pin::Pin, sync::Arc, time::Duration};

use tokio::time::Instant;

pub use self::manual::ManualClock;

/// A future that ends at the time it was made for.
pub type Sleep = Pin<Box<dyn Future<Output = ()> + Send>>;

/// How long a sleep may be at most, where tokio cannot express the instant.
const FOREVER: Duration = Duration::from_hours(24 * 365 * 30);

/// A source of time. Times are durations since an origin of the clock's own choosing.
///
/// # Behavior
/// - `now` never goes back. It may stand still: then nothing expires, and nothing hangs that does not wait for time.
/// - `sleep_until` ends when `now` has reached the given time, and may end later.
pub trait Clock: fmt::Debug + Send + Sync {
    /// The time.
    fn now(&self) -> Duration;

    /// A future that ends when the time has come.
    fn sleep_until(&self, at: Duration) -> Sleep;
}

/// The clock of tokio: real time, and the paused time of a runtime with `start_paused`.
///
/// Sleeping needs a tokio runtime with its time driver; reading the time needs none.
#[derive(Clone, Copy, Debug)]
pub struct TokioClock {
    origin: Instant,
}

impl TokioClock {
    /// A clock whose origin is now.
    pub fn new() -> Self {
        Self { origin: Instant::now() }
    }

    /// The same, as the parts want it.
    pub(crate) fn shared() -> Arc<dyn Clock> {
        Arc::new(Self::new())
    }
}

impl Default for TokioClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for TokioClock {
    fn now(&self) -> Duration {
        Instant::now().saturating_duration_since(self.origin)
    }

    fn sleep_until(&self, at: Duration) -> Sleep {
        let at = self.origin.checked_add(at.min(FOREVER)).unwrap_or(self.origin);
        Box::pin(tokio::time::sleep_until(at))
    }
}

/// Nanoseconds, as what fits an atomic word: 584 years.
pub(crate) fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// Milliseconds, rounded down.
pub(crate) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Milliseconds, rounded up: what is due is never due too early.
pub(crate) fn millis_up(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn tokio_clock_follows_paused_time() {
        let clock = TokioClock::new();
        let start = clock.now();
        clock.sleep_until(start + Duration::from_hours(1)).await;
        assert_eq!(clock.now().checked_sub(start), Some(Duration::from_hours(1)));
    }

    #[tokio::test(start_paused = true)]
    async fn time_that_cannot_be_expressed_is_far_away() {
        let clock = TokioClock::new();
        let mut sleep = clock.sleep_until(Duration::MAX);
        let elapsed = tokio::time::timeout(Duration::from_hours(24), &mut sleep).await;
        assert!(elapsed.is_err());
    }

    #[test]
    fn milliseconds_are_rounded_as_told() {
        let duration = Duration::from_micros(1500);
        assert_eq!((millis(duration), millis_up(duration)), (1, 2));
        assert_eq!((millis(Duration::MAX), millis_up(Duration::MAX)), (u64::MAX, u64::MAX));
    }
}
