//! How long a breaker stays open.

use std::{
    sync::atomic::{AtomicI32, Ordering::Relaxed},
    time::Duration,
};

use super::word::{Mode, Moved};
use crate::{
    clock::millis_up,
    random::{Random, scaled},
};

/// The cooldown, how it is spread, and how it grows while probes keep failing.
#[derive(Debug)]
pub(super) struct Cooldown {
    base: Duration,
    jitter: f64,
    growth: Option<(f64, Duration)>,
    /// How many probes had failed one after another when the breaker was opened last.
    reopened: AtomicI32,
    random: Random,
}

impl Cooldown {
    pub(super) fn new(base: Duration, jitter: f64, growth: Option<(f64, Duration)>, random: Random) -> Self {
        Self { base, jitter, growth, reopened: AtomicI32::new(0), random }
    }

    /// The length of a cooldown that would begin in that mode, in milliseconds.
    pub(super) fn next(&self, from: Mode) -> u64 {
        let grown = match self.growth {
            Some((factor, max)) => scaled(self.base, factor.powi(self.streak(from))).min(max.max(self.base)),
            None => self.base,
        };
        let jitter = scaled(grown, self.jitter * self.random.unit());
        millis_up(grown.saturating_add(jitter))
    }

    /// The breaker changed its mode.
    pub(super) fn moved(&self, moved: &Moved) {
        if let Mode::Open { .. } = moved.to.mode {
            self.reopened.store(self.streak(moved.from), Relaxed);
        }
    }

    fn streak(&self, from: Mode) -> i32 {
        match from {
            Mode::HalfOpen { .. } => self.reopened.load(Relaxed).saturating_add(1),
            _ => 0,
        }
    }
}
