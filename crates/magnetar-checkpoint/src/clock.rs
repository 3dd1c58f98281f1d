//! The clock of the system.

use std::time::SystemTime;

use magnetar_core::{Clock, Timestamp};

/// The time of the system's own clock, in UTC.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the one place where the time comes in")]
    fn now(&self) -> Timestamp {
        SystemTime::now().into()
    }
}
