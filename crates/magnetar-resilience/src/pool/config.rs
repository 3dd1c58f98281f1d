//! The settings of a pool that every caller writes.

use std::time::Duration;

use crate::error::ConfigError;

/// How many connections a pool has, and for how long it keeps them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PoolConfig {
    /// No more connections than this exist at any time, those being made and closed included. 10.
    pub max_size: usize,
    /// So many are kept idle, where there is room. The pool looks after that every now and then, from its first acquire on. 2.
    pub min_idle: usize,
    /// An idle connection is closed after this time, where more than `min_idle` are. 300 s; never where it is none.
    pub idle_timeout: Option<Duration>,
    /// A connection is closed when it is as old as this, less up to a fortieth so that they do not all end together. 1800 s; never where
    /// it is none.
    pub max_lifetime: Option<Duration>,
    /// How long an acquire takes at most, with waiting, checking and dialling. 30 s.
    pub acquire_timeout: Duration,
}

impl Default for PoolConfig {
    fn default() -> Self {
        Self {
            max_size: 10,
            min_idle: 2,
            idle_timeout: Some(Duration::from_mins(5)),
            max_lifetime: Some(Duration::from_mins(30)),
            acquire_timeout: Duration::from_secs(30),
        }
    }
}

impl PoolConfig {
    /// The nearest config that can be meant.
    pub(super) fn tamed(mut self) -> Self {
        self.max_size = self.max_size.max(1);
        self.min_idle = self.min_idle.min(self.max_size);
        self
    }

    pub(super) fn check(&self) -> Result<(), ConfigError> {
        ConfigError::range("max_size", self.max_size, 1, usize::MAX)?;
        ConfigError::range("min_idle", self.min_idle, 0, self.max_size)?;
        self.idle_timeout.map_or(Ok(()), |after| ConfigError::positive("idle_timeout", after))?;
        self.max_lifetime.map_or(Ok(()), |after| ConfigError::positive("max_lifetime", after))?;
        ConfigError::positive("acquire_timeout", self.acquire_timeout)
    }
}
