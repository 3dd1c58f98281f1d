//! Jobs: what they are made of, and how far they are.

use serde::{Deserialize, Serialize};

use crate::{error::Rejection, id::JobId, limits, retry::RetryPolicy, status::JobStatus, time::Timestamp};

/// What becomes of a chunk when something it depends on ended otherwise than Done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnFailure {
    /// It is Skipped, and so is what depends on it. The default.
    #[default]
    Skip,
    /// It stays Pending and blocked until the dependency is redriven and Done.
    Hold,
    /// The dependency counts as met, and it runs.
    Run,
}

/// How a job is run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct JobOptions {
    /// Budgets and waits of its chunks.
    pub retry: RetryPolicy,
    /// What becomes of chunks behind a bad one. Fixed when the job is created.
    pub on_failure: OnFailure,
}

/// A job as it is created.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct JobSpec {
    /// A name of its own within the store, at most [`limits::NAME_BYTES_MAX`] bytes.
    pub name: Option<String>,
    /// What sort of job it is, for whoever lists jobs. Empty by default.
    pub kind: String,
    /// How it is run; none leaves an existing job as it is and gives a new one the defaults.
    pub options: Option<JobOptions>,
}

impl JobSpec {
    /// Refuses names and options that cannot be meant.
    pub(crate) fn check(&self) -> Result<(), Rejection> {
        check_name(self.name.as_deref().unwrap_or("a"))?;
        Rejection::limit("a job's kind in bytes", self.kind.len(), limits::NAME_BYTES_MAX)?;
        self.options.map_or(Ok(()), |options| options.retry.check())
    }
}

/// Refuses a job's name that is empty or too long.
pub(crate) fn check_name(name: &str) -> Result<(), Rejection> {
    if name.is_empty() {
        return Err(Rejection::invalid("a job's name is empty; leave it out for a job without one"));
    }
    Rejection::limit("a job's name in bytes", name.len(), limits::NAME_BYTES_MAX)
}

/// A job as the store has it.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Job {
    /// Its id.
    pub id: JobId,
    /// Its name, if it has one.
    pub name: Option<String>,
    /// What sort of job it is.
    pub kind: String,
    /// How it is run.
    pub options: JobOptions,
    /// Whether its chunks are held back from being claimed.
    pub paused: bool,
    /// When it was created.
    pub created_at: Timestamp,
    /// How far it is.
    pub stats: JobStats,
}

impl Job {
    /// A job of this id, with no name and nothing in it; a backend fills in the rest.
    pub fn new(id: JobId, options: JobOptions, created_at: Timestamp) -> Self {
        Self {
            id,
            name: None,
            kind: String::new(),
            options,
            paused: false,
            created_at,
            stats: JobStats { job_id: id, ..JobStats::default() },
        }
    }
}

/// How far a job is: its chunks counted by status, and its Pending ones by what they wait for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct JobStats {
    /// The job.
    pub job_id: JobId,
    /// All chunks.
    pub total_chunks: u64,
    /// Chunks that wait: ready, delayed and blocked ones.
    pub pending: u64,
    /// Chunks that are claimed.
    pub processing: u64,
    /// Chunks that ended well.
    pub done: u64,
    /// Chunks that ended badly.
    pub failed: u64,
    /// Chunks that never ran because of a bad dependency.
    pub skipped: u64,
    /// Chunks that were called off.
    pub cancelled: u64,
    /// Pending chunks that wait for a dependency, held ones among them.
    pub blocked: u64,
    /// Pending chunks that wait for a time.
    pub delayed: u64,
    /// Blocked chunks that have a bad dependency: only a redrive of it frees them.
    pub held: u64,
}

impl JobStats {
    /// The stats of a job with nothing in it.
    pub fn new(job_id: JobId) -> Self {
        Self { job_id, ..Self::default() }
    }

    /// The share of chunks that are Done, from 0.0 to 100.0; 0.0 for an empty job.
    #[expect(clippy::cast_precision_loss, reason = "a percentage of more than 2^52 chunks may be off in its last digit")]
    pub fn completion_percent(&self) -> f64 {
        if self.total_chunks == 0 {
            return 0.0;
        }
        self.done as f64 * 100.0 / self.total_chunks as f64
    }

    /// Whether every chunk is Done. True for an empty job.
    pub fn is_complete(&self) -> bool {
        self.done == self.total_chunks
    }

    /// Whether a chunk has Failed.
    pub fn has_failures(&self) -> bool {
        self.failed > 0
    }

    /// Pending chunks that could be claimed now, or as soon as the job is resumed.
    pub fn ready(&self) -> u64 {
        self.pending.saturating_sub(self.blocked).saturating_sub(self.delayed)
    }

    /// Chunks that have not ended.
    pub fn open(&self) -> u64 {
        self.pending + self.processing
    }

    /// Whether nothing will happen by itself any more: chunks are open, all of them blocked, one at least held.
    pub fn is_stalled(&self) -> bool {
        self.held > 0 && self.processing == 0 && self.blocked == self.pending
    }

    /// How many chunks have this status.
    pub fn count(&self, status: JobStatus) -> u64 {
        match status {
            JobStatus::Pending => self.pending,
            JobStatus::Processing => self.processing,
            JobStatus::Done => self.done,
            JobStatus::Failed => self.failed,
            JobStatus::Skipped => self.skipped,
            JobStatus::Cancelled => self.cancelled,
        }
    }

    /// The counter of a status, for whoever keeps them.
    pub fn count_mut(&mut self, status: JobStatus) -> &mut u64 {
        match status {
            JobStatus::Pending => &mut self.pending,
            JobStatus::Processing => &mut self.processing,
            JobStatus::Done => &mut self.done,
            JobStatus::Failed => &mut self.failed,
            JobStatus::Skipped => &mut self.skipped,
            JobStatus::Cancelled => &mut self.cancelled,
        }
    }
}
