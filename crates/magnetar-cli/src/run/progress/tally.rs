//! What is known of a run at one moment.

use std::{collections::BTreeMap, fmt::Write, time::Duration};

use magnetar::{ChunkId, Fence, JobStats, Timestamp};

use crate::{pace::Pace, text::thousands, time::Elapsed};

/// The counters of the job, and what runs here.
pub(super) struct Tally {
    /// How far the job is, as of the last look.
    pub(super) stats: JobStats,
    pace: Pace,
    /// What was started, by the tokens of its claims, until the store has its end.
    runs: BTreeMap<u64, Run>,
}

/// A command.
pub(super) struct Run {
    pub(super) chunk: ChunkId,
    pub(super) label: String,
    pub(super) since: Timestamp,
    /// Whether it has ended, and the store does not know yet.
    is_over: bool,
}

impl Tally {
    /// A run in which nothing has happened yet.
    pub(super) fn new(stats: JobStats, now: Timestamp) -> Self {
        let mut tally = Self { stats, pace: Pace::default(), runs: BTreeMap::new() };
        tally.look(stats, now);
        tally
    }

    /// Takes in a look at the counters.
    pub(super) fn look(&mut self, stats: JobStats, now: Timestamp) {
        self.pace.note(now, &stats);
        self.stats = stats;
    }

    /// A command was started.
    pub(super) fn start(&mut self, fence: Fence, label: String, now: Timestamp) {
        let run = Run { chunk: fence.chunk(), label, since: now, is_over: false };
        self.runs.insert(fence.token().get(), run);
    }

    /// A command has ended.
    pub(super) fn stop(&mut self, fence: Fence) {
        if let Some(run) = self.runs.get_mut(&fence.token().get()) {
            run.is_over = true;
        }
    }

    /// The store knows the end of a command. Returns what it was about.
    pub(super) fn forget(&mut self, fence: Fence) -> Option<String> {
        self.runs.remove(&fence.token().get()).map(|run| run.label)
    }

    /// The commands that run, the oldest first.
    pub(super) fn running(&self) -> impl Iterator<Item = &Run> {
        self.runs.values().filter(|run| !run.is_over)
    }

    /// Chunks that have ended.
    pub(super) fn ended(&self) -> u64 {
        self.stats.total_chunks.saturating_sub(self.stats.open())
    }

    /// The counters in words: `37/120 done, 2 failed, 4 running, 12.3 chunks/s, about 7 s left`.
    pub(super) fn words(&self) -> String {
        let stats = &self.stats;
        let mut words = format!("{}/{} done", thousands(stats.done), thousands(stats.total_chunks));
        let running = u64::try_from(self.running().count()).unwrap_or_default();
        let counts = [
            (stats.failed, "failed"),
            (stats.skipped, "skipped"),
            (stats.cancelled, "cancelled"),
            (running, "running"),
            (stats.delayed, "waiting for another try"),
        ];
        for (count, what) in counts.into_iter().filter(|(count, _)| *count > 0) {
            let _ = write!(words, ", {} {what}", thousands(count));
        }
        if let Some(pace) = self.pace.words(stats) {
            let _ = write!(words, ", {pace}");
        }
        words
    }
}

impl Run {
    /// How long it has run.
    pub(super) fn elapsed(&self, now: Timestamp) -> Elapsed {
        Elapsed(Duration::from_millis(now.as_millis().saturating_sub(self.since.as_millis())))
    }
}

#[cfg(test)]
mod tests {
    use magnetar::Token;

    use super::*;

    fn fence(token: u64) -> Fence {
        Fence::new(1, 10 + token, Token::new(token).unwrap())
    }

    #[test]
    fn what_runs_is_what_was_started_and_has_not_ended() {
        let mut tally = Tally::new(JobStats::new(1), Timestamp::default());
        for token in [1, 2, 3] {
            tally.start(fence(token), format!("file {token}"), Timestamp::default());
        }
        tally.stop(fence(1));
        assert_eq!(tally.forget(fence(2)).as_deref(), Some("file 2"));
        tally.stop(fence(2));
        assert_eq!(tally.running().map(|run| run.chunk).collect::<Vec<_>>(), [13]);
        assert_eq!(tally.forget(fence(1)).as_deref(), Some("file 1"));
        assert_eq!(tally.forget(fence(1)), None);
    }

    #[test]
    fn words_name_what_there_is() {
        let mut stats = JobStats::new(1);
        (stats.total_chunks, stats.done, stats.pending) = (2000, 1000, 1000);
        assert_eq!(Tally::new(stats, Timestamp::default()).words(), "1,000/2,000 done");
        (stats.pending, stats.failed, stats.skipped, stats.delayed) = (997, 2, 1, 3);
        let mut tally = Tally::new(stats, Timestamp::default());
        tally.start(fence(1), String::new(), Timestamp::default());
        assert_eq!(tally.words(), "1,000/2,000 done, 2 failed, 1 skipped, 1 running, 3 waiting for another try");
        assert_eq!(tally.ended(), 1003);
    }
}
