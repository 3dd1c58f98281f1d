//! The settings of a breaker beyond its config.

use std::{sync::Arc, time::Duration};

use super::{
    CircuitBreaker,
    config::{CircuitBreakerConfig, Trip},
    cooldown::Cooldown,
    trip::Rule,
    word::Probing,
};
use crate::{
    backoff::Jitter,
    clock::{Clock, TokioClock, millis_up},
    error::ConfigError,
    observe::{Observer, Observers},
    random::Random,
    retry::{Retry, RetryBudget},
};

/// The shortest probe lease that is taken unless one is named.
const LEASE_MIN: Duration = Duration::from_secs(10);

/// The settings of a [`CircuitBreaker`].
#[derive(Clone, Debug, Default)]
pub struct CircuitBreakerBuilder {
    name: Option<Arc<str>>,
    config: CircuitBreakerConfig,
    trip: Trip,
    probe_lease: Option<Duration>,
    cooldown_jitter: f64,
    cooldown_growth: Option<(f64, Duration)>,
    cancelled_after: Option<Duration>,
    jitter: Jitter,
    budget: Option<Arc<RetryBudget>>,
    deadline: Option<Duration>,
    attempt_timeout: Option<Duration>,
    clock: Option<Arc<dyn Clock>>,
    seed: Option<u64>,
    observers: Observers,
}

impl CircuitBreakerBuilder {
    /// The name that observers are told; "breaker" unless told otherwise.
    #[must_use]
    pub fn name(mut self, name: &str) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Thresholds, cooldown and retries.
    #[must_use]
    pub fn config(mut self, config: CircuitBreakerConfig) -> Self {
        self.config = config;
        self
    }

    /// What opens it; failures in a row unless told otherwise.
    #[must_use]
    pub fn trip(mut self, trip: Trip) -> Self {
        self.trip = trip;
        self
    }

    /// How long probes hold their places. Probes that hang for longer are given up, and others are let through. The longest of
    /// the cooldown, the timeout of an attempt and 10 s, unless told otherwise; kept to a sixteenth of it. A probe that is given up counts
    /// no more, so with calls that take longer than the lease a busy breaker never closes: name one that is longer than they are.
    #[must_use]
    pub fn probe_lease(mut self, lease: Duration) -> Self {
        self.probe_lease = Some(lease);
        self
    }

    /// Makes each cooldown longer by a random share of up to this much, from 0 to 1, so that a fleet does not come back in step.
    /// None unless told otherwise; 0.1 is a good choice.
    #[must_use]
    pub fn cooldown_jitter(mut self, share: f64) -> Self {
        self.cooldown_jitter = share;
        self
    }

    /// Makes the cooldown longer each time a probe fails, by this factor and up to this length. It does not grow unless told otherwise.
    #[must_use]
    pub fn cooldown_growth(mut self, factor: f64, max: Duration) -> Self {
        self.cooldown_growth = Some((factor, max));
        self
    }

    /// Counts a call that was dropped before its end as a failure, where it had taken longer than this. Never unless told otherwise.
    #[must_use]
    pub fn count_cancelled_after(mut self, after: Duration) -> Self {
        self.cancelled_after = Some(after);
        self
    }

    /// How the waits of `execute` are spread; [`Jitter::Full`] unless told otherwise.
    #[must_use]
    pub fn jitter(mut self, jitter: Jitter) -> Self {
        self.jitter = jitter;
        self
    }

    /// A budget that the retries of `execute` are paid from.
    #[must_use]
    pub fn budget(mut self, budget: Arc<RetryBudget>) -> Self {
        self.budget = Some(budget);
        self
    }

    /// How long `execute` may take, with its waits.
    #[must_use]
    pub fn deadline(mut self, after: Duration) -> Self {
        self.deadline = Some(after);
        self
    }

    /// How long one attempt of `call` and `execute` may take. Longer is a failure, where a timeout outside of the breaker would be
    /// no more than a call that went away.
    #[must_use]
    pub fn attempt_timeout(mut self, after: Duration) -> Self {
        self.attempt_timeout = Some(after);
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

    /// Somebody who is told of transitions, calls and retries.
    #[must_use]
    pub fn observer(mut self, observer: Arc<dyn Observer>) -> Self {
        self.observers.add(observer);
        self
    }

    /// The breaker.
    ///
    /// # Errors
    /// The first setting that cannot be meant: a threshold of zero, a share or a factor that is none, a duration of zero where
    /// nothing could be done within it.
    pub fn build(self) -> Result<CircuitBreaker, ConfigError> {
        self.config.check()?;
        if let Trip::Rate(rule) = &self.trip {
            rule.check()?;
        }
        self.probe_lease.map_or(Ok(()), |lease| ConfigError::positive("probe_lease", lease))?;
        self.deadline.map_or(Ok(()), |after| ConfigError::positive("deadline", after))?;
        self.attempt_timeout.map_or(Ok(()), |after| ConfigError::positive("attempt_timeout", after))?;
        if self.cooldown_jitter != 0.0 {
            ConfigError::share("cooldown_jitter", self.cooldown_jitter)?;
        }
        self.cooldown_growth.map_or(Ok(()), |(factor, _)| ConfigError::growth("cooldown_growth", factor))?;
        Ok(self.assemble())
    }

    /// The same, with the nearest setting that can be meant for each that cannot.
    pub(super) fn assemble(self) -> CircuitBreaker {
        let clock = self.clock.unwrap_or_else(TokioClock::shared);
        let lease =
            self.probe_lease.unwrap_or_else(|| self.config.cooldown.max(self.attempt_timeout.unwrap_or_default()).max(LEASE_MIN));
        let name = self.name.unwrap_or_else(|| "breaker".into());
        let mut retry = Retry::builder(self.config.backoff().jitter(self.jitter)).max_retries(self.config.max_retries);
        retry.name = Arc::clone(&name);
        retry.budget = self.budget;
        retry.deadline = self.deadline;
        retry.attempt_timeout = self.attempt_timeout;
        retry.clock = Some(Arc::clone(&clock));
        retry.seed = self.seed;
        retry.observers = self.observers.clone();
        let random = self.seed.map_or_else(Random::from_entropy, Random::seeded);
        let rule = Rule::new(self.trip, self.config.failure_threshold.max(1) as u64);
        CircuitBreaker::assemble(super::Parts {
            name,
            base: clock.now(),
            probing: Probing::new(self.config.success_threshold, millis_up(lease)),
            is_timed: self.cancelled_after.is_some() || rule.is_timed(),
            is_quiet: matches!(rule, Rule::Consecutive { .. }) && self.observers.is_empty(),
            rule,
            cooldown: Cooldown::new(self.config.cooldown, self.cooldown_jitter, self.cooldown_growth, random),
            cancelled_after: self.cancelled_after,
            attempt_timeout: self.attempt_timeout,
            retry: retry.assemble(),
            clock,
            observers: self.observers,
        })
    }
}
