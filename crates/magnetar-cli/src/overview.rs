//! What a job looks like at one moment: how far it is, what runs, what failed, what is stuck.

mod document;
mod page;

use anyhow::Result;
use magnetar::{Answer, ChunkId, Filter, Job, JobId, JobState, JobStats, JobStatus, JobStore, Query, Timestamp};

pub(crate) use self::{
    document::{CSV_HEAD, csv_row, document},
    page::{hint, progress, trouble},
};

/// Chunks of a sort that are named; the rest are counted.
pub(crate) const NAMED: usize = 10;
/// Bad dependencies of a held chunk that are named.
const BEHIND: usize = 3;
/// Dependencies of a held chunk that are looked at to find the bad ones.
const DEPENDENCIES_SEEN: usize = 1000;

/// A job at one moment.
pub(crate) struct Overview {
    pub(crate) job: Job,
    /// What runs.
    pub(crate) running: Vec<JobState>,
    /// What failed, the lowest ids first.
    pub(crate) failed: Vec<JobState>,
    /// What a bad dependency keeps back.
    pub(crate) held: Vec<Held>,
    /// When it was seen.
    pub(crate) at: Timestamp,
}

/// A chunk that is held, and the chunks that hold it.
pub(crate) struct Held {
    pub(crate) chunk: JobState,
    pub(crate) behind: Vec<(JobId, ChunkId, JobStatus)>,
}

/// What can be said of a job in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// It has no chunks.
    Empty,
    /// A chunk is claimed.
    Running,
    /// Its chunks are held back, and none is claimed.
    Paused,
    /// What is open waits for something that ended badly.
    Stalled,
    /// Chunks are open, and nobody works on them.
    Waiting,
    /// Every chunk is done.
    Done,
    /// Every chunk has ended, some of them badly.
    Failed,
    /// Every chunk has ended, and those that are not done were called off.
    Cancelled,
}

impl State {
    /// The state of a job.
    pub(crate) fn of(job: &Job) -> Self {
        let stats = &job.stats;
        match () {
            () if stats.total_chunks == 0 => Self::Empty,
            () if stats.processing > 0 => Self::Running,
            () if stats.is_complete() => Self::Done,
            () if stats.pending == 0 && stats.failed + stats.skipped > 0 => Self::Failed,
            () if stats.pending == 0 => Self::Cancelled,
            () if stats.is_stalled() => Self::Stalled,
            () if job.paused => Self::Paused,
            () => Self::Waiting,
        }
    }

    /// The word.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Stalled => "stalled",
            Self::Waiting => "waiting",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// Whether nothing will happen any more unless somebody steps in.
    pub(crate) const fn is_end(self) -> bool {
        matches!(self, Self::Empty | Self::Stalled | Self::Done | Self::Failed | Self::Cancelled)
    }
}

impl Overview {
    /// Looks at a job, none where it is gone: its counters and what runs, which takes no longer for a million chunks than for ten.
    pub(crate) async fn look(store: &dyn JobStore, job: JobId, now: Timestamp) -> Result<Option<Self>> {
        let Some(job) = store.job(job).await? else { return Ok(None) };
        let running = some(store, job.id, JobStatus::Processing, job.stats.processing).await?;
        Ok(Some(Self { job, running, failed: Vec::new(), held: Vec::new(), at: now }))
    }

    /// Finds what failed and what is held. Where there is little of it among many chunks, they are all read; so what was named
    /// before is named again where its number has not changed.
    pub(crate) async fn find_trouble(&mut self, store: &dyn JobStore, before: Option<Self>) -> Result<()> {
        let (id, stats) = (self.job.id, self.job.stats);
        let same = |count: fn(&JobStats) -> u64| before.as_ref().is_some_and(|before| count(&before.job.stats) == count(&stats));
        let (same_failed, same_held) = (same(|stats| stats.failed), same(|stats| stats.held));
        let (failed, held) = before.map_or_else(Default::default, |before| (before.failed, before.held));
        self.failed = if same_failed { failed } else { some(store, id, JobStatus::Failed, stats.failed).await? };
        self.held = if same_held { held } else { held_chunks(store, id, stats.held).await? };
        Ok(())
    }

    /// What can be said of it in one word.
    pub(crate) fn state(&self) -> State {
        State::of(&self.job)
    }
}

/// The first chunks that stand there, if there are any.
async fn some(store: &dyn JobStore, job: JobId, status: JobStatus, count: u64) -> Result<Vec<JobState>> {
    if count == 0 {
        return Ok(Vec::new());
    }
    Ok(store.chunks(job, Filter::Status(status), None, NAMED).await?.items)
}

async fn held_chunks(store: &dyn JobStore, job: JobId, count: u64) -> Result<Vec<Held>> {
    let mut held = Vec::new();
    if count > 0 {
        for chunk in store.chunks(job, Filter::Held, None, NAMED).await?.items {
            let behind = bad_dependencies(store, &chunk).await?;
            held.push(Held { chunk, behind });
        }
    }
    Ok(held)
}

async fn bad_dependencies(store: &dyn JobStore, chunk: &JobState) -> Result<Vec<(JobId, ChunkId, JobStatus)>> {
    let mut bad = Vec::new();
    for (job, id) in dependencies(store, chunk.job_id, chunk.chunk).await?.into_iter().take(DEPENDENCIES_SEEN) {
        if let Some(parent) = store.get_chunk(job, id).await?.filter(|parent| parent.status.is_bad()) {
            bad.push((job, id, parent.status));
            if bad.len() == BEHIND {
                break;
            }
        }
    }
    Ok(bad)
}

/// What a chunk must wait for, in this job and in others.
pub(crate) async fn dependencies(store: &dyn JobStore, job: JobId, chunk: ChunkId) -> Result<Vec<(JobId, ChunkId)>> {
    match store.read(Query::Dependencies { job, chunk }).await? {
        Answer::Dependencies(all) => Ok(all),
        other => anyhow::bail!("the store answered something else than was asked: {other:?}"),
    }
}

#[cfg(test)]
mod tests {
    use magnetar::JobOptions;

    use super::*;

    fn state(stats: impl FnOnce(&mut JobStats), paused: bool) -> State {
        let mut job = Job::new(1, JobOptions::default(), Timestamp::default());
        job.paused = paused;
        stats(&mut job.stats);
        let stats = &mut job.stats;
        stats.total_chunks = JobStatus::ALL.into_iter().map(|status| stats.count(status)).sum();
        State::of(&job)
    }

    #[test]
    fn job_is_called_what_it_is() {
        assert_eq!(state(|_| {}, true), State::Empty);
        assert_eq!(state(|stats| (stats.done, stats.processing) = (1, 1), true), State::Running);
        assert_eq!(state(|stats| stats.done = 2, true), State::Done);
        assert_eq!(state(|stats| (stats.done, stats.failed) = (2, 1), false), State::Failed);
        assert_eq!(state(|stats| (stats.done, stats.cancelled) = (2, 1), false), State::Cancelled);
        assert_eq!(state(|stats| (stats.pending, stats.blocked, stats.held) = (2, 2, 1), true), State::Stalled);
        assert_eq!(state(|stats| stats.pending = 2, true), State::Paused);
        assert_eq!(state(|stats| stats.pending = 2, false), State::Waiting);
    }
}
