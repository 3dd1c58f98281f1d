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
