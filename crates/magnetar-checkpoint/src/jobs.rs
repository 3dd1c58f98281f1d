//! A store of jobs, saved and brought back.

use std::sync::Arc;

use magnetar_core::{Clock, JobStatus, JobStore, Op, Reply, Restored, Snapshot, Timestamp};

use crate::{
    checkpoint::Checkpoint,
    clock::SystemClock,
    error::{CheckpointError, Result},
    manager::CheckpointManager,
    recovery::{Recovered, Recovery},
    saved::Saved,
};

/// A store that was brought back.
#[derive(Debug)]
#[non_exhaustive]
pub struct RestoredJobs {
    /// How many jobs, chunks and records.
    pub restored: Restored,
    /// The checkpoint that they were in, and how it stands to what was saved.
    pub from: Box<Recovered>,
}

impl Checkpoint {
    /// Everything that a store of jobs holds, as one read of it sees it: no chunk is in it twice or not at all, whatever others do
    /// meanwhile. Work that runs is in it as work that waits. It is in memory at once.
    ///
    /// # Errors
    /// `Store`.
    pub async fn of_store(store: &dyn JobStore) -> Result<Self> {
        Ok(of_snapshot(snapshot(store).await?, SystemClock.now()))
    }

    /// Brings everything of it into a store that has none of its jobs and records, in one commit. Every token that the store gives
    /// from then on is larger than any that was given before, so workers of the lost store are fenced.
    ///
    /// # Errors
    /// `NoJobs` where it was not made of a store; `Store`, of the kind `Conflict` where the store has one of the jobs or records.
    pub async fn restore_into(&self, store: &dyn JobStore) -> Result<Restored> {
        let Some(jobs) = &self.jobs else { return Err(CheckpointError::NoJobs { sequence: self.sequence }) };
        let replies = store.apply(vec![Op::Restore { snapshot: Arc::clone(jobs) }]).await;
        let replies = replies.map_err(|source| CheckpointError::Store { doing: "restore into", source })?;
        let restored = replies.into_iter().find_map(|reply| match reply {
            Reply::Restored(restored) => Some(restored),
            _ => None,
        });
        Ok(restored.unwrap_or_else(|| jobs.counts()))
    }
}

impl CheckpointManager {
    /// Saves [everything that a store of jobs holds](Checkpoint::of_store), by a call that blocks while it writes.
    ///
    /// # Errors
    /// `Store`, and those of [`CheckpointManager::save_checkpoint`].
    pub async fn save_jobs(&self, store: &dyn JobStore) -> Result<Saved> {
        self.save(&of_snapshot(snapshot(store).await?, self.now()))
    }

    /// Brings [everything of the newest checkpoint that verifies](Checkpoint::restore_into) into a store.
    ///
    /// # Errors
    /// `Nothing` where nothing was saved, and those of [`Checkpoint::restore_into`] and [`CheckpointManager::recover`].
    pub async fn restore_into(&self, store: &dyn JobStore) -> Result<RestoredJobs> {
        let Recovery::Recovered(from) = self.recover()? else {
            return Err(CheckpointError::Nothing { folder: self.dir().to_owned() });
        };
        let restored = from.checkpoint.restore_into(store).await?;
        Ok(RestoredJobs { restored, from })
    }
}

pub(crate) async fn snapshot(store: &dyn JobStore) -> Result<Snapshot> {
    store.snapshot().await.map_err(|source| CheckpointError::Store { doing: "read", source })
}

/// The checkpoint of a store: beside what is in it, which jobs are not done, for whoever reads the file.
pub(crate) fn of_snapshot(snapshot: Snapshot, now: Timestamp) -> Checkpoint {
    let is_open = |status: JobStatus| matches!(status, JobStatus::Pending | JobStatus::Processing);
    let open = snapshot.jobs.iter().filter(|job| job.chunks.iter().any(|chunk| is_open(chunk.status)));
    let queued = open.map(|job| job.name.clone().unwrap_or_else(|| job.id.to_string())).collect();
    let counts = snapshot.counts();
    Checkpoint { timestamp_secs: now.as_millis() / 1000, ..Checkpoint::default() }
        .with_queued(queued)
        .with_meta("jobs", counts.jobs.to_string())
        .with_meta("chunks", counts.chunks.to_string())
        .with_meta("records", counts.records.to_string())
        .with_jobs(snapshot)
}
