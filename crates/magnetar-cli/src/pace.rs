//! How fast chunks end, by what was seen: the store does not know how long nobody worked.

use std::{collections::VecDeque, time::Duration};

use magnetar::{JobStats, Timestamp};

use crate::time::Elapsed;

/// Looks further back than this do not count.
const WINDOW: Duration = Duration::from_mins(1);
/// A shorter time says nothing.
const SPREAD_MIN: Duration = Duration::from_secs(2);

/// How many chunks had ended at each of the last looks.
#[derive(Default)]
pub(crate) struct Pace {
    looks: VecDeque<(Timestamp, u64)>,
}

impl Pace {
    /// Notes a look.
    pub(crate) fn note(&mut self, at: Timestamp, stats: &JobStats) {
        let ended = stats.total_chunks - stats.open();
        // Chunks that were given another chance, and a clock that was set back, make what was seen before worthless.
        if self.looks.back().is_some_and(|(before, more)| *more > ended || *before > at) {
            self.looks.clear();
        }
        self.looks.push_back((at, ended));
        while self.looks.len() > 2 && self.looks.front().is_some_and(|(first, _)| at.since(*first) > WINDOW) {
            self.looks.pop_front();
        }
    }

    /// Chunks a second; none where too little was seen.
    fn rate(&self) -> Option<f64> {
        let ((first, some), (last, more)) = (self.looks.front()?, self.looks.back()?);
        let spread = last.since(*first);
        let ended = u32::try_from(more - some).unwrap_or(u32::MAX);
        (spread >= SPREAD_MIN && ended > 0).then(|| f64::from(ended) / spread.as_secs_f64())
    }

    /// The rate, and when the open chunks have ended if it stays like this.
    pub(crate) fn words(&self, stats: &JobStats) -> Option<String> {
        let rate = self.rate()?;
        let open = stats.open().saturating_sub(stats.held);
        let left = Duration::try_from_secs_f64(f64::from(u32::try_from(open).unwrap_or(u32::MAX)) / rate).ok()?;
        let left = if open > 0 { format!(", about {} left", Elapsed(left)) } else { String::new() };
        Some(format!("{rate:.1} chunks/s{left}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stats(total: u64, done: u64) -> JobStats {
        let mut stats = JobStats::new(1);
        (stats.total_chunks, stats.done, stats.pending) = (total, done, total - done);
        stats
    }

    fn words(looks: &[(u64, u64)]) -> Option<String> {
        let mut pace = Pace::default();
        for &(seconds, done) in looks {
            pace.note(Timestamp::from_millis(1000 * seconds), &stats(1000, done));
        }
        pace.words(&stats(1000, looks.last()?.1))
    }

    #[test]
    fn rate_is_what_was_seen_to_end_in_the_last_minute() {
        assert_eq!(words(&[(0, 100), (10, 120)]).as_deref(), Some("2.0 chunks/s, about 7 min 20 s left"));
        assert_eq!(words(&[(0, 0), (100, 100), (150, 900), (160, 1000)]).as_deref(), Some("15.0 chunks/s"));
    }

    #[test]
    fn nothing_is_said_where_too_little_was_seen() {
        assert_eq!(words(&[(0, 100)]), None);
        assert_eq!(words(&[(0, 100), (1, 120)]), None);
        assert_eq!(words(&[(0, 100), (10, 100)]), None);
        assert_eq!(words(&[(0, 100), (10, 120), (11, 50)]), None);
        assert_eq!(words(&[(0, 100), (10, 120), (5, 130)]), None);
    }
}
