//! Instants that a caller's numbers cannot overflow.

use std::time::Duration;

use magnetar_core::Timestamp;
use tokio::time::Instant;

/// As good as never: what tokio takes for it, too.
const NEVER: Duration = Duration::from_hours(30 * 365 * 24);

/// The instant a duration later.
pub(crate) fn later(at: Instant, by: Duration) -> Instant {
    at + by.min(NEVER)
}

/// One moment on the worker's clock and on the store's: the way from the one to the other.
///
/// The worker learns of a claim after the store has made it, so what is reckoned by it is a little late, never early.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    pub(crate) here: Instant,
    pub(crate) store: Timestamp,
}

impl Moment {
    /// When the store's clock will show this instant.
    pub(crate) fn instant_of(self, at: Timestamp) -> Instant {
        later(self.here, at.since(self.store))
    }
}

/// Sleeps until an instant; for ever where there is none.
pub(crate) async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}
