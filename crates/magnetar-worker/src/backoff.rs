//! Waits before the store is asked again, and numbers for jitter.

use std::time::Duration;

/// The first wait, and what none exceeds.
const FIRST: Duration = Duration::from_millis(10);
const LONGEST: Duration = Duration::from_secs(1);

/// A wait that doubles, and is moved by up to a quarter of itself, so that those who failed together do not come back together.
#[derive(Debug)]
pub(crate) struct Backoff {
    next: Duration,
    jitter: Jitter,
}

impl Backoff {
    pub(crate) fn new(seed: u64) -> Self {
        Self { next: FIRST, jitter: Jitter::new(seed) }
    }

    /// How long to wait now.
    pub(crate) fn next_wait(&mut self) -> Duration {
        let wait = self.next;
        self.next = (wait * 2).min(LONGEST);
        self.jitter.about(wait)
    }

    /// It worked: the next wait is a first one.
    pub(crate) fn reset(&mut self) {
        self.next = FIRST;
    }
}

/// Numbers drawn from a seed (splitmix64: Steele, Lea, Flood, OOPSLA 2014).
#[derive(Debug)]
pub(crate) struct Jitter(u64);

impl Jitter {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A duration within a quarter of this one.
    pub(crate) fn about(&mut self, duration: Duration) -> Duration {
        // From 768 to 1280 of 1024.
        let share = 768 + u32::try_from(self.draw() % 513).unwrap_or(0);
        (duration / 1024).saturating_mul(share)
    }

    fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waits(seed: u64) -> Vec<Duration> {
        let mut backoff = Backoff::new(seed);
        (0..12).map(|_| backoff.next_wait()).collect()
    }

    #[test]
    fn waits_double_up_to_the_longest_give_or_take_a_quarter() {
        for seed in 0..100 {
            for (time, wait) in waits(seed).into_iter().enumerate() {
                let still = (FIRST * 2_u32.pow(u32::try_from(time).unwrap())).min(LONGEST);
                // A little less, because a 1024th is a whole number of nanoseconds.
                assert!(still * 74 / 100 <= wait && wait <= still * 5 / 4, "{time}: {wait:?}");
            }
        }
    }

    #[test]
    fn one_seed_waits_the_same_each_time_and_another_differently() {
        assert_eq!(waits(1), waits(1));
        assert_ne!(waits(1), waits(2));
    }

    #[test]
    fn wait_is_a_first_one_again_once_it_worked() {
        let mut backoff = Backoff::new(1);
        for _ in 0..12 {
            backoff.next_wait();
        }
        backoff.reset();
        assert!(backoff.next_wait() <= FIRST * 5 / 4);
    }

    #[test]
    fn longest_duration_does_not_overflow() {
        let mut jitter = Jitter::new(0);
        assert!((0..100).all(|_| jitter.about(Duration::MAX) > Duration::MAX / 2));
    }
}
