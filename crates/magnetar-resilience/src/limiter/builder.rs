//! The settings of a limiter.

use std::{
    sync::{Arc, atomic::AtomicUsize},
    time::Duration,
};

use tokio::sync::Semaphore;

use super::{Bucket, RateLimiter, Shared, gcra::Gcra};
use crate::{
    clock::{Clock, TokioClock, nanos},
    error::ConfigError,
    observe::{Observer, Observers},
};

/// The settings of a [`RateLimiter`].
#[derive(Clone, Debug)]
pub struct RateLimiterBuilder {
    pub(super) n: usize,
    pub(super) period: Duration,
    pub(super) burst: Option<usize>,
    initial: Option<usize>,
    max_waiters: usize,
    name: Arc<str>,
    clock: Option<Arc<dyn Clock>>,
    observers: Observers,
    #[cfg(feature = "governor")]
    governor: bool,
}

impl RateLimiterBuilder {
    pub(super) fn new(n: usize, period: Duration) -> Self {
        Self {
            n,
            period,
            burst: None,
            initial: None,
            max_waiters: 65_536,
            name: "limiter".into(),
            clock: None,
            observers: Observers::default(),
            #[cfg(feature = "governor")]
            governor: false,
        }
    }

    /// How many calls may pass at once after a time without any; the number of a period unless told otherwise.
    #[must_use]
    pub fn burst(mut self, tokens: usize) -> Self {
        self.burst = Some(tokens);
        self
    }

    /// How many tokens there are at the start; the burst unless told otherwise. With a burst of `b` and none at the start, no window
    /// of one period sees more than `n + b` calls, and the first no more than `n`.
    #[must_use]
    pub fn initial(mut self, tokens: usize) -> Self {
        self.initial = Some(tokens);
        self
    }

    /// How many may wait at a time; who comes then is refused. 65,536 unless told otherwise.
    #[must_use]
    pub fn max_waiters(mut self, waiters: usize) -> Self {
        self.max_waiters = waiters;
        self
    }

    /// The name that observers are told; "limiter" unless told otherwise.
    #[must_use]
    pub fn name(mut self, name: &str) -> Self {
        self.name = name.into();
        self
    }

    /// Another clock than tokio's.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = Some(clock);
        self
    }

    /// Somebody who is told of refusals.
    #[must_use]
    pub fn observer(mut self, observer: Arc<dyn Observer>) -> Self {
        self.observers.add(observer);
        self
    }

    /// Keeps the tokens in a bucket of the `governor` crate instead of our own. It is always full at the start, and holds at most
    /// 4,294,967,295 tokens. Queue, clock and everything else are the same.
    #[cfg(feature = "governor")]
    #[must_use]
    pub fn governor(mut self) -> Self {
        self.governor = true;
        self
    }

    /// The limiter.
    ///
    /// # Errors
    /// A rate, a period or a burst of zero, more tokens at the start than the burst; with the `governor` backend also tokens at
    /// the start, and a burst that it cannot hold.
    pub fn build(self) -> Result<RateLimiter, ConfigError> {
        ConfigError::range("n", self.n, 1, usize::MAX)?;
        ConfigError::positive("period", self.period)?;
        let burst = self.burst.unwrap_or(self.n);
        ConfigError::range("burst", burst, 1, usize::MAX)?;
        self.initial.map_or(Ok(()), |initial| ConfigError::range("initial", initial, 0, burst))?;
        #[cfg(feature = "governor")]
        if self.governor {
            super::governor::check(self.interval(), burst, self.initial)?;
        }
        Ok(self.assemble())
    }

    /// The same, with the nearest setting that can be meant for each that cannot.
    pub(super) fn assemble(self) -> RateLimiter {
        let clock = self.clock.clone().unwrap_or_else(TokioClock::shared);
        let burst = self.burst.unwrap_or(self.n);
        let shared = Shared {
            bucket: self.bucket(burst, &clock),
            name: self.name,
            burst,
            turn: Semaphore::new(1),
            waiting: AtomicUsize::new(0),
            max_waiters: self.max_waiters,
            clock,
            observers: self.observers,
        };
        RateLimiter { shared: Arc::new(shared) }
    }

    fn bucket(&self, burst: usize, clock: &Arc<dyn Clock>) -> Bucket {
        if self.n == 0 || burst == 0 {
            return Bucket::Never;
        }
        #[cfg(feature = "governor")]
        if self.governor {
            let bucket = super::governor::Bucket::new(self.interval(), burst, Arc::clone(clock));
            return bucket.map_or(Bucket::Never, Bucket::Governor);
        }
        let initial = self.initial.unwrap_or(burst);
        Bucket::Own(Gcra::new(nanos(self.interval()), burst as u64, initial as u64, nanos(clock.now())))
    }

    /// The time that a token takes, rounded up to the nanosecond so that the rate is never passed.
    fn interval(&self) -> Duration {
        let interval = self.period.as_nanos().div_ceil(self.n.max(1) as u128).max(1);
        Duration::from_nanos(u64::try_from(interval).unwrap_or(u64::MAX))
    }
}
