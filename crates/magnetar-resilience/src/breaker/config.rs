//! The settings of a breaker that every caller writes, and the rules that open one.

use std::time::Duration;

use super::{window::Window, word::PROBES_MAX};
use crate::{backoff::Backoff, error::ConfigError};

/// When a breaker opens and closes, and how its `execute` retries.
#[derive(Clone, Debug, PartialEq)]
pub struct CircuitBreakerConfig {
    /// So many failures in a row open it. Every attempt counts, retries too. 5; a number beyond 10^12 is never reached.
    pub failure_threshold: usize,
    /// So many probes must succeed to close it, and no more are let through meanwhile. 2; at most 1,023.
    pub success_threshold: usize,
    /// How long it stays open, to the millisecond, rounded up. 60 s.
    pub cooldown: Duration,
    /// The wait before the first retry, before its jitter. 100 ms.
    pub initial_backoff: Duration,
    /// The longest wait before a retry, where the service does not ask for a longer one. 30 s.
    pub max_backoff: Duration,
    /// By how much each wait is longer than the one before. 2.0.
    pub backoff_multiplier: f64,
    /// How many attempts may follow the first. 3.
    pub max_retries: usize,
}

impl Default for CircuitBreakerConfig {
    fn default() -> Self {
        Self {
            failure_threshold: 5,
            success_threshold: 2,
            cooldown: Duration::from_mins(1),
            initial_backoff: Duration::from_millis(100),
            max_backoff: Duration::from_secs(30),
            backoff_multiplier: 2.0,
            max_retries: 3,
        }
    }
}

impl CircuitBreakerConfig {
    pub(crate) fn backoff(&self) -> Backoff {
        Backoff::exponential(self.initial_backoff, self.max_backoff).multiplier(self.backoff_multiplier)
    }

    pub(super) fn check(&self) -> Result<(), ConfigError> {
        ConfigError::range("failure_threshold", self.failure_threshold, 1, usize::MAX)?;
        ConfigError::range("success_threshold", self.success_threshold, 1, PROBES_MAX)?;
        self.backoff().check()
    }
}

/// What opens a closed breaker.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Trip {
    /// `failure_threshold` failures in a row.
    #[default]
    Consecutive,
    /// The share of calls that went badly among the last ones.
    Rate(RateRule),
}

/// A share of calls that went badly, among those of a window.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RateRule {
    /// Which calls.
    pub window: Window,
    /// With fewer calls than this in the window, no share is taken.
    pub min_calls: usize,
    /// The share of failures that opens the breaker, above 0 and at most 1.
    pub failure_rate: f64,
    /// The share of slow calls that opens it too, where one is named.
    pub slow: Option<SlowRule>,
}

/// A share of calls that took too long.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SlowRule {
    /// A call that took longer than this is slow.
    pub over: Duration,
    /// The share that opens the breaker, above 0 and at most 1.
    pub rate: f64,
}

impl RateRule {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        match self.window {
            Window::Calls(size) => {
                ConfigError::range("window", size, 1, 1_000_000)?;
                ConfigError::range("min_calls", self.min_calls, 1, size)?;
            }
            Window::Time(length) => {
                ConfigError::positive("window", length)?;
                ConfigError::range("min_calls", self.min_calls, 1, usize::MAX)?;
            }
        }
        ConfigError::share("failure_rate", self.failure_rate)?;
        self.slow.map_or(Ok(()), |slow| ConfigError::share("slow.rate", slow.rate))
    }
}
