//! How long to wait before each retry.

use std::time::Duration;

use crate::{
    error::ConfigError,
    random::{Random, scaled},
};

/// How the waits grow, up to a longest one, and how they are spread.
///
/// No wait is ever longer than the longest, whatever the jitter. Jitter is [`Jitter::Full`] unless told otherwise.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Backoff {
    shape: Shape,
    initial: Duration,
    max: Duration,
    jitter: Jitter,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Shape {
    Fixed,
    Linear { step: Duration },
    Exponential { multiplier: f64 },
    Decorrelated,
}

/// How a wait is spread, so that callers who failed together do not come back together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Jitter {
    /// The wait as it is.
    None,
    /// From half the wait to the whole.
    Equal,
    /// From nothing to the whole wait.
    #[default]
    Full,
}

impl Backoff {
    /// The same wait each time.
    pub fn fixed(delay: Duration) -> Self {
        Self { shape: Shape::Fixed, initial: delay, max: delay, jitter: Jitter::default() }
    }

    /// A wait that grows by `step` each time, up to `max`.
    pub fn linear(initial: Duration, step: Duration, max: Duration) -> Self {
        Self { shape: Shape::Linear { step }, initial, max, jitter: Jitter::default() }
    }

    /// A wait that doubles each time, up to `max`.
    pub fn exponential(initial: Duration, max: Duration) -> Self {
        Self { shape: Shape::Exponential { multiplier: 2.0 }, initial, max, jitter: Jitter::default() }
    }

    /// A wait drawn between `base` and three times the one before, up to `max`. It is jitter in itself, and takes no other.
    pub fn decorrelated(base: Duration, max: Duration) -> Self {
        Self { shape: Shape::Decorrelated, initial: base, max, jitter: Jitter::None }
    }

    /// Another factor than 2 for an exponential wait. The other shapes have none and ignore it.
    #[must_use]
    pub fn multiplier(mut self, by: f64) -> Self {
        if let Shape::Exponential { multiplier } = &mut self.shape {
            *multiplier = by;
        }
        self
    }

    /// Another spread.
    #[must_use]
    pub fn jitter(mut self, jitter: Jitter) -> Self {
        if self.shape != Shape::Decorrelated {
            self.jitter = jitter;
        }
        self
    }

    /// The waits, one after another, without end.
    pub fn delays(self, random: Random) -> Delays {
        Delays { backoff: self, pace: Pace::default(), random }
    }

    /// The next wait of a series.
    pub(crate) fn next(&self, pace: &mut Pace, random: &Random) -> Duration {
        let raw = match (pace.last, self.shape) {
            (None, Shape::Decorrelated) => random.between(self.initial, self.initial.saturating_mul(3)),
            (None, _) | (_, Shape::Fixed) => self.initial,
            (Some(last), Shape::Linear { step }) => last.saturating_add(step),
            (Some(last), Shape::Exponential { multiplier }) => scaled(last, multiplier),
            (Some(last), Shape::Decorrelated) => random.between(self.initial, last.saturating_mul(3)),
        };
        let capped = raw.min(self.max);
        pace.last = Some(capped);
        match self.jitter {
            Jitter::None => capped,
            Jitter::Equal => random.between(capped / 2, capped),
            Jitter::Full => random.between(Duration::ZERO, capped),
        }
    }

    /// # Errors
    /// A multiplier that is no number, infinite or below 1; an initial wait beyond the longest.
    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        if let Shape::Exponential { multiplier } = self.shape {
            ConfigError::growth("backoff_multiplier", multiplier)?;
        }
        if self.initial > self.max {
            let problem = format!("must be at most max_backoff, {:?}, and is {:?}", self.max, self.initial);
            return Err(ConfigError::new("initial_backoff", problem));
        }
        Ok(())
    }

    /// The nearest backoff that can be meant: a multiplier that would shrink or is no number counts as 1.
    pub(crate) fn tamed(mut self) -> Self {
        if let Shape::Exponential { multiplier } = &mut self.shape {
            *multiplier = if *multiplier >= 1.0 { *multiplier } else { 1.0 };
        }
        self
    }
}

/// Where a series of waits stands: the last one, before its jitter.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Pace {
    last: Option<Duration>,
}

/// A series of waits without end. Take as many as there may be retries.
#[derive(Debug)]
pub struct Delays {
    backoff: Backoff,
    pace: Pace,
    random: Random,
}

impl Iterator for Delays {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        Some(self.backoff.next(&mut self.pace, &self.random))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn check(backoff: Backoff, expected: [u64; 5]) {
        let delays: Vec<_> = backoff.jitter(Jitter::None).delays(Random::seeded(0)).take(5).collect();
        assert_eq!(delays, expected.map(Duration::from_secs), "{backoff:?}");
    }

    #[test]
    fn each_shape_grows_as_told_up_to_its_longest() {
        check(Backoff::fixed(2 * SECOND), [2, 2, 2, 2, 2]);
        check(Backoff::linear(SECOND, 3 * SECOND, 9 * SECOND), [1, 4, 7, 9, 9]);
        check(Backoff::exponential(SECOND, 10 * SECOND), [1, 2, 4, 8, 10]);
        check(Backoff::exponential(SECOND, 10 * SECOND).multiplier(3.0), [1, 3, 9, 10, 10]);
        check(Backoff::exponential(20 * SECOND, 10 * SECOND), [10, 10, 10, 10, 10]);
    }

    #[test]
    fn t19_arithmetic_saturates_and_the_longest_is_never_passed() {
        for multiplier in [1e30, f64::MAX, f64::INFINITY, f64::NAN, -2.0, 0.0] {
            for jitter in [Jitter::None, Jitter::Equal, Jitter::Full] {
                let backoff = Backoff::exponential(SECOND, 30 * SECOND).multiplier(multiplier).jitter(jitter);
                for backoff in [backoff, backoff.tamed()] {
                    assert!(backoff.delays(Random::seeded(3)).take(2000).all(|delay| delay <= 30 * SECOND), "{backoff:?}");
                }
            }
        }
        let longest = Backoff::linear(Duration::MAX, Duration::MAX, Duration::MAX).jitter(Jitter::Equal);
        assert!(longest.delays(Random::seeded(1)).take(3).all(|delay| delay >= Duration::MAX / 2));
    }

    #[test]
    fn t19_multiplier_that_cannot_be_meant_is_refused() {
        for multiplier in [f64::NAN, -1.0, 0.5, f64::INFINITY] {
            let error = Backoff::exponential(SECOND, SECOND).multiplier(multiplier).check().unwrap_err();
            assert_eq!(error.setting(), "backoff_multiplier");
        }
        assert_eq!(Backoff::exponential(2 * SECOND, SECOND).check().unwrap_err().setting(), "initial_backoff");
    }

    /// The largest distance between what was drawn and an even spread over a range (Kolmogorov and Smirnov).
    fn distance(mut drawn: Vec<Duration>, low: Duration, high: Duration) -> f64 {
        drawn.sort();
        let count = f64::from(u32::try_from(drawn.len()).unwrap());
        let span = high.saturating_sub(low).as_secs_f64();
        let distances = drawn.iter().zip(1_u32..).map(|(delay, rank)| {
            assert!(*delay >= low && *delay <= high);
            (delay.saturating_sub(low).as_secs_f64() / span - f64::from(rank) / count).abs()
        });
        distances.fold(0.0, f64::max)
    }

    #[test]
    fn t19_jitter_spreads_evenly_over_its_range() {
        // 1.95 / sqrt(n) is passed by chance once in a thousand seeds; this one is fixed.
        let limit = 1.95 / 2000_f64.sqrt();
        let draw = |backoff: Backoff| backoff.delays(Random::seeded(11)).take(2000).collect::<Vec<_>>();
        assert!(distance(draw(Backoff::fixed(SECOND)), Duration::ZERO, SECOND) < limit);
        assert!(distance(draw(Backoff::fixed(SECOND).jitter(Jitter::Equal)), SECOND / 2, SECOND) < limit);
    }

    #[test]
    fn t19_decorrelated_wait_stays_between_its_base_and_three_times_the_last() {
        let mut last = SECOND;
        for delay in Backoff::decorrelated(SECOND, 20 * SECOND).delays(Random::seeded(5)).take(1000) {
            assert!(delay >= SECOND && delay <= (last * 3).min(20 * SECOND), "{delay:?} after {last:?}");
            last = delay;
        }
    }
}
