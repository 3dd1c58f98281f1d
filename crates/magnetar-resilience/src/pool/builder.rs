//! The settings of a pool beyond its config.

use std::{
    fmt,
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::runtime::Handle;

use super::{ConnectionPool, config::PoolConfig, factory::ConnectionFactory, roster::Roster, shared::Shared};
use crate::{
    clock::{Clock, TokioClock},
    error::ConfigError,
    observe::{Observer, Observers},
    random::Random,
};

/// The settings of a [`ConnectionPool`].
pub struct PoolBuilder<T: Send + 'static> {
    factory: Arc<dyn ConnectionFactory<T>>,
    name: Arc<str>,
    config: PoolConfig,
    max_waiters: usize,
    dial_timeout: Option<Duration>,
    check_after: Duration,
    check_timeout: Duration,
    close_timeout: Duration,
    clock: Option<Arc<dyn Clock>>,
    seed: Option<u64>,
    observers: Observers,
}

impl<T: Send + 'static> PoolBuilder<T> {
    pub(super) fn new(factory: Arc<dyn ConnectionFactory<T>>) -> Self {
        Self {
            factory,
            name: "pool".into(),
            config: PoolConfig::default(),
            max_waiters: 16_384,
            dial_timeout: None,
            check_after: Duration::from_millis(500),
            check_timeout: Duration::from_secs(5),
            close_timeout: Duration::from_secs(5),
            clock: None,
            seed: None,
            observers: Observers::default(),
        }
    }

    /// The name that observers are told; "pool" unless told otherwise.
    #[must_use]
    pub fn name(mut self, name: &str) -> Self {
        self.name = name.into();
        self
    }

    /// Sizes and times.
    #[must_use]
    pub fn config(mut self, config: PoolConfig) -> Self {
        self.config = config;
        self
    }

    /// How many may wait for a connection of others at a time; who comes then is told that the pool is exhausted. Those who dial, because
    /// there is room, are not among them. 16,384 unless told otherwise; with none nobody waits for others.
    #[must_use]
    pub fn max_waiters(mut self, waiters: usize) -> Self {
        self.max_waiters = waiters;
        self
    }

    /// How long the making of a connection may take, whoever waits for it; the acquire timeout unless told otherwise.
    #[must_use]
    pub fn dial_timeout(mut self, after: Duration) -> Self {
        self.dial_timeout = Some(after);
        self
    }

    /// A connection that was idle for less than this is handed out without a check; 500 ms unless told otherwise.
    #[must_use]
    pub fn check_after(mut self, idle: Duration) -> Self {
        self.check_after = idle;
        self
    }

    /// How long a check may take before the connection counts as unhealthy; 5 s unless told otherwise.
    #[must_use]
    pub fn check_timeout(mut self, after: Duration) -> Self {
        self.check_timeout = after;
        self
    }

    /// How long a connection may take to close before it is dropped; 5 s unless told otherwise.
    #[must_use]
    pub fn close_timeout(mut self, after: Duration) -> Self {
        self.close_timeout = after;
        self
    }

    /// Another clock than tokio's.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = Some(clock);
        self
    }

    /// A seed for jitter, so that a test repeats exactly.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// Somebody who is told of connections made, handed out and closed.
    #[must_use]
    pub fn observer(mut self, observer: Arc<dyn Observer>) -> Self {
        self.observers.add(observer);
        self
    }

    /// The pool.
    ///
    /// # Errors
    /// The first setting that cannot be meant: a size of zero, more idle than there may be, a time of zero within which nothing
    /// could be done.
    pub fn build(self) -> Result<ConnectionPool<T>, ConfigError> {
        self.config.check()?;
        self.dial_timeout.map_or(Ok(()), |after| ConfigError::positive("dial_timeout", after))?;
        ConfigError::positive("check_timeout", self.check_timeout)?;
        ConfigError::positive("close_timeout", self.close_timeout)?;
        Ok(self.assemble())
    }

    /// The same, with the nearest setting that can be meant for each that cannot.
    pub(super) fn assemble(self) -> ConnectionPool<T> {
        let config = self.config.tamed();
        ConnectionPool::over(Shared {
            roster: Roster::new(config.max_size, self.max_waiters),
            factory: self.factory,
            name: self.name,
            dial_timeout: self.dial_timeout.unwrap_or(config.acquire_timeout),
            config,
            check_after: self.check_after,
            check_timeout: self.check_timeout,
            close_timeout: self.close_timeout,
            clock: self.clock.unwrap_or_else(TokioClock::shared),
            random: self.seed.map_or_else(Random::from_entropy, Random::seeded),
            observers: self.observers,
            runtime: Handle::try_current().ok(),
            upkeep: Mutex::new(None),
        })
    }
}

impl<T: Send + 'static> fmt::Debug for PoolBuilder<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PoolBuilder").field("name", &self.name).field("config", &self.config).finish_non_exhaustive()
    }
}
