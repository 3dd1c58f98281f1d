//! What a checkpoint holds.

use std::{collections::HashMap, sync::Arc};

use magnetar_core::{Clock, Snapshot};
use serde::{Deserialize, Serialize};

use crate::clock::SystemClock;

/// The state of a queue at one moment, put into words by the caller: which jobs wait, which run, and who runs them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Checkpoint {
    /// Its number within the folder: 1, 2, 3 … Saving sets it.
    pub sequence: u64,
    /// When it was made, in seconds since 1970.
    pub timestamp_secs: u64,
    /// The jobs that wait, in order.
    pub queued_jobs: Vec<String>,
    /// The jobs that run.
    pub in_progress_jobs: Vec<String>,
    /// Which job each worker runs.
    pub worker_assignments: HashMap<String, String>,
    /// Anything else, up to [`limits::METADATA_BYTES_MAX`](crate::limits::METADATA_BYTES_MAX) in all.
    pub metadata: HashMap<String, String>,
    /// Everything that a store of jobs held, for [`CheckpointManager::restore_into`](crate::CheckpointManager::restore_into).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jobs: Option<Arc<Snapshot>>,
}

impl Checkpoint {
    /// An empty one, made now. A clock before 1970 counts as 1970.
    #[must_use]
    pub fn new(sequence: u64) -> Self {
        let timestamp_secs = SystemClock.now().as_millis() / 1000;
        Self { sequence, timestamp_secs, ..Self::default() }
    }

    /// The jobs that wait, in order.
    #[must_use]
    pub fn with_queued(mut self, jobs: Vec<String>) -> Self {
        self.queued_jobs = jobs;
        self
    }

    /// The jobs that run.
    #[must_use]
    pub fn with_in_progress(mut self, jobs: Vec<String>) -> Self {
        self.in_progress_jobs = jobs;
        self
    }

    /// Which job each worker runs.
    #[must_use]
    pub fn with_workers(mut self, assignments: HashMap<String, String>) -> Self {
        self.worker_assignments = assignments;
        self
    }

    /// Adds something else.
    #[must_use]
    pub fn with_meta(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.metadata.insert(key.into(), value.into());
        self
    }

    /// Adds everything that a store of jobs held.
    #[must_use]
    pub fn with_jobs(mut self, jobs: impl Into<Arc<Snapshot>>) -> Self {
        self.jobs = Some(jobs.into());
        self
    }

    /// How many jobs wait or run.
    pub fn total_jobs(&self) -> usize {
        self.queued_jobs.len() + self.in_progress_jobs.len()
    }
}
