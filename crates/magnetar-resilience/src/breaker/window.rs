//! What the last calls were like: the last so many, or those of the last so long.

use std::{collections::VecDeque, time::Duration};

use crate::clock::nanos;

/// How many parts a time window is counted in: it slides by a tenth.
const BUCKETS: usize = 10;

/// Which calls a rate is taken of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Window {
    /// The last so many, from 1 to 1,000,000.
    Calls(usize),
    /// Those that ended within the last so long, to a tenth of it.
    Time(Duration),
}

/// How one call went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sample {
    pub(crate) failed: bool,
    pub(crate) slow: bool,
}

/// Calls, and how many of them went badly.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) calls: usize,
    pub(crate) failed: usize,
    pub(crate) slow: usize,
}

/// The calls in the window. Adding one costs the same whatever came before, and however long ago.
#[derive(Debug)]
pub(crate) enum Samples {
    Calls { ring: VecDeque<Sample>, size: usize, tally: Tally },
    Time { buckets: [Tally; BUCKETS], width: u64, newest: u64 },
}

impl Samples {
    pub(crate) fn new(window: Window) -> Self {
        match window {
            Window::Calls(size) => Self::Calls { ring: VecDeque::new(), size: size.max(1), tally: Tally::default() },
            Window::Time(length) => {
                let width = (nanos(length) / BUCKETS as u64).max(1);
                Self::Time { buckets: [Tally::default(); BUCKETS], width, newest: 0 }
            }
        }
    }

    /// Adds a call that ended now, and returns what the window holds then.
    pub(crate) fn add(&mut self, sample: Sample, now: Duration) -> Tally {
        match self {
            Self::Calls { ring, size, tally } => {
                if ring.len() == *size
                    && let Some(oldest) = ring.pop_front()
                {
                    tally.remove(oldest);
                }
                ring.push_back(sample);
                tally.add(sample);
                *tally
            }
            Self::Time { buckets, width, newest } => {
                let bucket = nanos(now) / *width;
                // However long nothing came, there are only so many buckets to empty.
                for before in (*newest..bucket).rev().take(BUCKETS) {
                    *slot(buckets, before + 1) = Tally::default();
                }
                *newest = bucket.max(*newest);
                slot(buckets, *newest).add(sample);
                buckets.iter().fold(Tally::default(), Tally::plus)
            }
        }
    }

    pub(crate) fn clear(&mut self) {
        match self {
            Self::Calls { ring, tally, .. } => {
                ring.clear();
                *tally = Tally::default();
            }
            Self::Time { buckets, .. } => buckets.fill(Tally::default()),
        }
    }
}

#[expect(clippy::indexing_slicing, clippy::cast_possible_truncation, reason = "a remainder is below what it is the remainder of")]
fn slot(buckets: &mut [Tally; BUCKETS], bucket: u64) -> &mut Tally {
    &mut buckets[(bucket % BUCKETS as u64) as usize]
}

impl Tally {
    fn add(&mut self, sample: Sample) {
        self.calls += 1;
        self.failed += usize::from(sample.failed);
        self.slow += usize::from(sample.slow);
    }

    fn remove(&mut self, sample: Sample) {
        self.calls -= 1;
        self.failed -= usize::from(sample.failed);
        self.slow -= usize::from(sample.slow);
    }

    fn plus(self, other: &Self) -> Self {
        Self { calls: self.calls + other.calls, failed: self.failed + other.failed, slow: self.slow + other.slow }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BAD: Sample = Sample { failed: true, slow: false };
    const GOOD: Sample = Sample { failed: false, slow: true };

    #[test]
    fn count_window_forgets_what_is_older_than_its_size() {
        let mut samples = Samples::new(Window::Calls(3));
        for _ in 0..3 {
            samples.add(BAD, Duration::ZERO);
        }
        assert_eq!(samples.add(GOOD, Duration::ZERO), Tally { calls: 3, failed: 2, slow: 1 });
        samples.add(GOOD, Duration::ZERO);
        assert_eq!(samples.add(GOOD, Duration::ZERO), Tally { calls: 3, failed: 0, slow: 3 });
    }

    #[test]
    fn time_window_slides_by_tenths() {
        let mut samples = Samples::new(Window::Time(Duration::from_secs(10)));
        for second in 0..10 {
            assert_eq!(samples.add(BAD, Duration::from_secs(second)).calls, usize::try_from(second).unwrap() + 1);
        }
        assert_eq!(samples.add(GOOD, Duration::from_secs(10)), Tally { calls: 10, failed: 9, slow: 1 });
        assert_eq!(samples.add(GOOD, Duration::from_secs(15)), Tally { calls: 6, failed: 4, slow: 2 });
    }

    #[test]
    fn t07_rotation_after_a_long_idle_time_is_bounded_by_the_buckets() {
        let mut samples = Samples::new(Window::Time(Duration::from_nanos(10)));
        samples.add(BAD, Duration::ZERO);
        // A loop over what elapsed would take 2^62 steps of one nanosecond.
        let tally = samples.add(GOOD, Duration::from_nanos(1 << 62));
        assert_eq!(tally, Tally { calls: 1, failed: 0, slow: 1 });
    }

    #[test]
    fn time_window_at_the_end_of_time_counts_on() {
        let mut samples = Samples::new(Window::Time(Duration::from_nanos(1)));
        samples.add(BAD, Duration::MAX);
        assert_eq!(samples.add(GOOD, Duration::MAX), Tally { calls: 2, failed: 1, slow: 1 });
    }
}
