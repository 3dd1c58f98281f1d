//! Waiting for a lock of another process: short random sleeps that grow, and an end of them.

use std::{
    hash::{BuildHasher, Hasher, RandomState},
    thread,
    time::{Duration, Instant},
};

/// How long a call waits before it is `Busy`.
const WAIT_MAX: Duration = Duration::from_secs(30);

/// The first sleep is about this long.
const SLEEP_MIN: Duration = Duration::from_micros(50);

/// No sleep is longer.
const SLEEP_MAX: Duration = Duration::from_millis(5);

/// Waits that grow, for one lock; they are at an end after 30 s.
#[derive(Debug)]
pub struct Patience {
    random: Random,
    sleep: Duration,
    since: Instant,
}

impl Default for Patience {
    fn default() -> Self {
        Self { random: Random::default(), sleep: SLEEP_MIN, since: now() }
    }
}

impl Patience {
    /// Does something until it is not refused as busy, or the patience is at its end.
    ///
    /// # Errors
    /// That of the last try.
    pub fn with<T, E>(&mut self, is_busy: impl Fn(&E) -> bool, mut act: impl FnMut() -> Result<T, E>) -> Result<T, E> {
        loop {
            match act() {
                Err(error) if is_busy(&error) && self.wait() => {}
                done => return done,
            }
        }
    }

    /// Sleeps and says true, unless the patience is at its end.
    pub fn wait(&mut self) -> bool {
        if self.since.elapsed() >= WAIT_MAX {
            return false;
        }
        // Between half and the whole, so that those who were refused together do not come back together.
        pause(self.sleep.mul_f64(self.random.between_half_and_one()));
        self.sleep = (self.sleep * 2).min(SLEEP_MAX);
        true
    }

    /// One whose time is over.
    #[cfg(test)]
    pub(super) fn at_its_end() -> Self {
        Self { since: now().checked_sub(WAIT_MAX).unwrap(), ..Self::default() }
    }
}

/// Random numbers that need not be good (xorshift64*).
#[derive(Debug)]
struct Random(u64);

impl Default for Random {
    fn default() -> Self {
        Self(RandomState::new().build_hasher().finish() | 1)
    }
}

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    fn between_half_and_one(&mut self) -> f64 {
        // The upper 16 bits: of what this makes they are the best.
        let sixteen = u16::try_from(self.next() >> 48).unwrap_or_default();
        0.5 + f64::from(sixteen) / 131_072.0
    }
}

#[expect(clippy::disallowed_methods, reason = "how long one waits for a lock has nothing to do with the time of the store")]
fn now() -> Instant {
    Instant::now()
}

#[expect(clippy::disallowed_methods, reason = "another process gives no condition to wait for")]
fn pause(duration: Duration) {
    thread::sleep(duration);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_and_stay_below_their_maximum() {
        let mut patience = Patience::default();
        for _ in 0..10 {
            assert!(patience.wait());
        }
        assert_eq!(patience.sleep, SLEEP_MAX);
    }

    #[test]
    fn only_what_is_busy_is_tried_again() {
        let mut tries = 0;
        let ended = Patience::default().with(
            |error| *error == "busy",
            || {
                tries += 1;
                Err::<(), _>(if tries < 5 { "busy" } else { "broken" })
            },
        );
        assert_eq!((ended, tries), (Err("broken"), 5));
    }

    #[test]
    fn patience_ends_with_the_error_of_the_last_try() {
        let mut tries = 0;
        let ended = Patience::at_its_end().with(
            |_| true,
            || {
                tries += 1;
                Err::<(), _>(tries)
            },
        );
        assert_eq!(ended, Err(1));
    }

    #[test]
    fn random_numbers_lie_between_half_and_one_and_differ() {
        let mut random = Random::default();
        let drawn: Vec<f64> = (0..100).map(|_| random.between_half_and_one()).collect();
        assert!(drawn.iter().all(|number| (0.5..1.0).contains(number)), "{drawn:?}");
        assert!(drawn.windows(2).any(|pair| pair[0] < pair[1]) && drawn.windows(2).any(|pair| pair[0] > pair[1]));
    }
}
