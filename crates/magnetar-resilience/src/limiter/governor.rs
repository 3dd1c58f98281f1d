//! The bucket of the `governor` crate, under our clock.

use std::{fmt, num::NonZeroU32, sync::Arc, time::Duration};

use ::governor::{
    Quota, RateLimiter,
    clock::Clock as GovernorClock,
    middleware::NoOpMiddleware,
    state::{InMemoryState, NotKeyed},
};

use crate::{clock::Clock, error::ConfigError};

/// The longest time that a full bucket may take, in nanoseconds: beyond it the numbers of governor end.
const SPAN_MAX: u128 = 1 << 62;

/// A bucket of governor.
pub(super) struct Bucket {
    limiter: RateLimiter<NotKeyed, InMemoryState, Time, NoOpMiddleware<Duration>>,
    clock: Time,
}

/// Our clock, as governor wants it.
#[derive(Clone)]
struct Time(Arc<dyn Clock>);

impl GovernorClock for Time {
    type Instant = Duration;

    fn now(&self) -> Duration {
        self.0.now()
    }
}

/// Refuses what governor cannot hold.
pub(super) fn check(interval: Duration, burst: usize, initial: Option<usize>) -> Result<(), ConfigError> {
    ConfigError::range("burst", burst, 1, u32::MAX as usize)?;
    if interval.as_nanos().saturating_mul(burst as u128) > SPAN_MAX {
        return Err(ConfigError::new("period", "must be shorter: a full bucket of governor may take 146 years"));
    }
    if initial.is_some_and(|initial| initial != burst) {
        return Err(ConfigError::new("initial", "must be the burst: a bucket of governor is always full at the start"));
    }
    Ok(())
}

impl Bucket {
    /// A bucket for `burst` tokens, one each `interval`; none where one of them is beyond what [`check`] allows.
    pub(super) fn new(interval: Duration, burst: usize, clock: Arc<dyn Clock>) -> Option<Self> {
        let burst = NonZeroU32::new(u32::try_from(burst).ok()?)?;
        // One token each interval: a quota of `burst` a period would be another rate.
        let quota = Quota::with_period(interval)?.allow_burst(burst);
        let clock = Time(clock);
        Some(Self { limiter: RateLimiter::direct_with_clock(quota, clock.clone()), clock })
    }

    /// Takes tokens, or tells how long until they are there.
    pub(super) fn take(&self, tokens: usize) -> Result<(), Duration> {
        let Some(tokens) = u32::try_from(tokens).ok().and_then(NonZeroU32::new) else { return Err(Duration::MAX) };
        match self.limiter.check_n(tokens) {
            Ok(Ok(())) => Ok(()),
            // At least a nanosecond, so that nobody asks anew at the same moment without end.
            Ok(Err(not_until)) => Err(not_until.wait_time_from(self.clock.now()).max(Duration::from_nanos(1))),
            Err(_) => Err(Duration::MAX),
        }
    }
}

impl fmt::Debug for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("governor")
    }
}
