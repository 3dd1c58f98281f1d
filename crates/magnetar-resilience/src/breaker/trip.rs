//! Whether what was counted opens the breaker.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use super::{
    config::{RateRule, Trip},
    window::{Sample, Samples, Tally},
    word::is_newer,
};

/// The rule, and what it counts beside the word.
#[derive(Debug)]
pub(super) enum Rule {
    Consecutive { threshold: u64 },
    Rate { rule: RateRule, counted: Box<Mutex<Counted>> },
}

/// What was counted under one generation. Another begins anew.
#[derive(Debug)]
pub(super) struct Counted {
    generation: u32,
    samples: Samples,
}

impl Rule {
    pub(super) fn new(trip: Trip, threshold: u64) -> Self {
        match trip {
            Trip::Consecutive => Self::Consecutive { threshold },
            Trip::Rate(rule) => {
                let counted = Counted { generation: 0, samples: Samples::new(rule.window) };
                Self::Rate { rule, counted: Box::new(Mutex::new(counted)) }
            }
        }
    }

    /// So many failures in a row open the breaker.
    pub(super) fn threshold(&self) -> u64 {
        match self {
            Self::Consecutive { threshold } => *threshold,
            Self::Rate { .. } => u64::MAX,
        }
    }

    /// Whether it matters how long a call takes.
    pub(super) fn is_timed(&self) -> bool {
        matches!(self, Self::Rate { rule: RateRule { slow: Some(_), .. }, .. })
    }

    /// Counts a call of a closed breaker that ended now, and tells whether that opens it.
    pub(super) fn opens(&self, generation: u32, failed: bool, took: Duration, now: Duration) -> bool {
        let Self::Rate { rule, counted } = self else { return false };
        let sample = Sample { failed, slow: rule.slow.is_some_and(|slow| took > slow.over) };
        let mut counted = counted.lock().unwrap_or_else(PoisonError::into_inner);
        if counted.generation != generation {
            if !is_newer(generation, counted.generation) {
                return false;
            }
            counted.generation = generation;
            counted.samples.clear();
        }
        rule.opens(counted.samples.add(sample, now))
    }
}

impl RateRule {
    fn opens(&self, tally: Tally) -> bool {
        let reaches = |count: usize, rate: f64| share(count, tally.calls) >= rate;
        tally.calls >= self.min_calls
            && (reaches(tally.failed, self.failure_rate) || self.slow.is_some_and(|slow| reaches(tally.slow, slow.rate)))
    }
}

#[expect(clippy::cast_precision_loss, reason = "a window holds far fewer calls than an f64 counts exactly")]
fn share(count: usize, of: usize) -> f64 {
    count as f64 / of as f64
}
