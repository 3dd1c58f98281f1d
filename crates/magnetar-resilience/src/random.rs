//! Random numbers for jitter: a seedable generator that many threads may share.

use std::{
    collections::hash_map::RandomState,
    hash::{BuildHasher, Hasher},
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

/// The step between two states, the golden ratio as a fraction of 2^64 (the generator is known as `SplitMix64`).
const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

/// A source of random numbers for spreading callers in time. It is no source of secrets.
///
/// The same seed yields the same series, so a test repeats exactly. Drawing is one atomic addition.
#[derive(Debug)]
pub struct Random {
    state: AtomicU64,
}

impl Random {
    /// The series that belongs to a seed.
    pub fn seeded(seed: u64) -> Self {
        Self { state: AtomicU64::new(seed) }
    }

    /// A series that nobody can foresee, from the seed that the standard library keys its hash maps with.
    pub fn from_entropy() -> Self {
        Self::seeded(RandomState::new().build_hasher().finish())
    }

    /// The next number.
    pub fn next_u64(&self) -> u64 {
        let mut mixed = self.state.fetch_add(STEP, Ordering::Relaxed).wrapping_add(STEP);
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number from 0 up to but without 1.
    pub fn unit(&self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "53 bits are what an f64 holds exactly")]
        let bits = (self.next_u64() >> 11) as f64;
        bits / 9_007_199_254_740_992.0
    }

    /// A duration from `low` up to `high`; `low` where that is not shorter than `high`.
    pub fn between(&self, low: Duration, high: Duration) -> Duration {
        let span = high.saturating_sub(low);
        low.saturating_add(scaled(span, self.unit()))
    }
}

impl Default for Random {
    fn default() -> Self {
        Self::from_entropy()
    }
}

/// A duration times a factor. It never panics: what is too long is the longest duration, what is below zero or no number is zero.
pub(crate) fn scaled(duration: Duration, factor: f64) -> Duration {
    let seconds = duration.as_secs_f64() * factor;
    if seconds.is_nan() || seconds <= 0.0 {
        return Duration::ZERO;
    }
    Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn same_seed_yields_the_same_series() {
        let (one, two) = (Random::seeded(7), Random::seeded(7));
        assert!((0..100).all(|_| one.next_u64() == two.next_u64()));
        assert_ne!(Random::seeded(8).next_u64(), Random::seeded(7).next_u64());
    }

    #[test]
    fn unit_is_spread_evenly_below_one() {
        let random = Random::seeded(1);
        let mut tenths = [0_u32; 10];
        for _ in 0..10_000 {
            let unit = random.unit();
            assert!((0.0..1.0).contains(&unit));
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 0 to 9")]
            let tenth = (unit * 10.0) as usize;
            tenths[tenth] += 1;
        }
        assert!(tenths.iter().all(|count| (850..1150).contains(count)), "{tenths:?}");
    }

    #[test]
    fn scaling_saturates() {
        let cases = [
            (Duration::from_secs(2), 1.5, Duration::from_secs(3)),
            (Duration::MAX, 2.0, Duration::MAX),
            (Duration::from_secs(1), 1e300, Duration::MAX),
            (Duration::from_secs(1), f64::INFINITY, Duration::MAX),
            (Duration::from_secs(1), f64::NAN, Duration::ZERO),
            (Duration::from_secs(1), -1.0, Duration::ZERO),
        ];
        for (duration, factor, expected) in cases {
            assert_eq!(scaled(duration, factor), expected, "{duration:?} times {factor}");
        }
    }
}
