//! How often a chunk is tried, and how long it waits in between.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{error::Rejection, limits, time::millis};

/// How the wait grows with each failure.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Backoff {
    /// The first wait, then twice that, four times, eight times, and so on.
    #[default]
    Exponential,
    /// The first wait, then two times that, three times, four times, and so on.
    Linear,
    /// The first wait each time.
    Fixed,
}

/// When a chunk is tried again, and when it is given up.
///
/// Failures (a handler said so, or its time ran out) and crashes (its lease was lost) have budgets of their own.
/// The wait after failure n is `first_wait` grown by `backoff`, at most `longest_wait`, moved by up to ± `jitter`
/// of itself. Sums and products saturate. A lost lease waits for nothing: the chunk is ready at once.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct RetryPolicy {
    /// Failures after which the chunk ends as Failed; 1 or more. Default 3: the first try and two more.
    pub max_fails: u32,
    /// Lost leases after which the chunk ends as Failed; 1 or more. Default 3.
    pub max_crashes: u32,
    /// How the wait grows. Default exponential.
    pub backoff: Backoff,
    /// The wait after the first failure. Default 1 s; zero is allowed.
    pub first_wait: Duration,
    /// What no wait exceeds before jitter. Default 60 s.
    pub longest_wait: Duration,
    /// The share of the wait by which it is moved at random, from 0.0 to 1.0. Default 0.1.
    pub jitter: f64,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            max_fails: limits::FAILS_DEFAULT,
            max_crashes: limits::CRASHES_DEFAULT,
            backoff: Backoff::Exponential,
            first_wait: Duration::from_secs(1),
            longest_wait: Duration::from_mins(1),
            jitter: 0.1,
        }
    }
}

impl RetryPolicy {
    /// How long a chunk waits after its `fails`-th failure (the first is 1).
    ///
    /// `seed` decides the jitter: the same failure of the same attempt waits the same time wherever it is computed.
    pub fn wait(&self, fails: u32, seed: u64) -> Duration {
        let first = millis(self.first_wait);
        let grown = match self.backoff {
            Backoff::Exponential => {
                1_u64.checked_shl(fails.saturating_sub(1)).map_or(u64::MAX, |factor| first.saturating_mul(factor))
            }
            Backoff::Linear => first.saturating_mul(u64::from(fails.max(1))),
            Backoff::Fixed => first,
        };
        let wait = Duration::from_millis(grown.min(millis(self.longest_wait)));
        let swing = self.jitter.clamp(0.0, 1.0) * (2.0 * unit(seed) - 1.0);
        // Only a wait of centuries overflows; it then stands as it is.
        Duration::try_from_secs_f64(wait.as_secs_f64() * (1.0 + swing)).unwrap_or(wait)
    }

    /// Refuses a policy that cannot be meant.
    ///
    /// # Errors
    /// `Invalid` for a budget of zero, or a jitter outside 0.0 to 1.0.
    pub fn check(&self) -> Result<(), Rejection> {
        if self.max_fails == 0 || self.max_crashes == 0 {
            return Err(Rejection::invalid("a budget of 0 failures or crashes would never run a chunk; 1 means no second try"));
        }
        if !(0.0..=1.0).contains(&self.jitter) {
            return Err(Rejection::invalid(format!("jitter {} lies outside 0.0 to 1.0", self.jitter)));
        }
        Ok(())
    }
}

/// A number from 0.0 up to 1.0 drawn from a seed (splitmix64: Steele, Lea, Flood, OOPSLA 2014).
fn unit(seed: u64) -> f64 {
    let mut z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^= z >> 31;
    // The top 32 bits are exact in an f64.
    f64::from(u32::try_from(z >> 32).unwrap_or(u32::MAX)) / (f64::from(u32::MAX) + 1.0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn waits(backoff: Backoff) -> Vec<u64> {
        let policy = RetryPolicy { backoff, jitter: 0.0, longest_wait: Duration::from_secs(6), ..RetryPolicy::default() };
        (1..=5).map(|fails| policy.wait(fails, 0).as_secs()).collect()
    }

    #[test]
    fn waits_grow_as_told_up_to_the_longest() {
        assert_eq!(waits(Backoff::Exponential), [1, 2, 4, 6, 6]);
        assert_eq!(waits(Backoff::Linear), [1, 2, 3, 4, 5]);
        assert_eq!(waits(Backoff::Fixed), [1, 1, 1, 1, 1]);
    }

    proptest! {
        #[test]
        fn wait_stays_within_its_jitter(fails in 0_u32.., seed: u64, first in 0_u64.., longest in 0_u64.., jitter in 0.0..=1.0_f64) {
            let policy = RetryPolicy {
                first_wait: Duration::from_millis(first),
                longest_wait: Duration::from_millis(longest),
                jitter,
                ..RetryPolicy::default()
            };
            let still = RetryPolicy { jitter: 0.0, ..policy }.wait(fails, seed).as_secs_f64();
            let wait = policy.wait(fails, seed).as_secs_f64();
            prop_assert!(wait <= still * (1.0 + jitter) + 1e-6);
            prop_assert!(wait >= still * (1.0 - jitter) - 1e-6);
        }
    }

    #[test]
    fn jitter_spreads_over_both_sides() {
        let policy = RetryPolicy { jitter: 0.5, ..RetryPolicy::default() };
        let (below, above): (Vec<_>, Vec<_>) =
            (0..1000).map(|seed| policy.wait(1, seed)).partition(|wait| wait.as_millis() < 1000);
        assert!(below.len() > 400 && above.len() > 400, "{} below, {} above", below.len(), above.len());
    }
}
