//! Chunks that failed in an earlier run, and are tried again.

use anyhow::Result;
use magnetar::{ChunkId, Filter, JobId, JobStatus, JobStore, JobUpdate, Timestamp, limits};

/// What failed.
#[derive(Debug, Default)]
pub(in crate::run) struct Failed {
    /// Chunks that failed before this run began. Whoever runs the job again wants to see them tried again.
    pub(in crate::run) before: Vec<ChunkId>,
    /// Chunks that failed since: the last run was killed, and with that their last worker was lost. They may be what kills
    /// runs, so they are told before they are tried again.
    pub(in crate::run) given_up: Vec<ChunkId>,
}

/// Finds what has failed.
pub(in crate::run) async fn find_failed(store: &dyn JobStore, job: JobId, began: Timestamp) -> Result<Failed> {
    let mut found = Failed::default();
    if store.get_stats(job).await?.failed == 0 {
        return Ok(found);
    }
    let mut after = None;
    loop {
        let page = store.chunks(job, Filter::Status(JobStatus::Failed), after, limits::PAGE_ROWS_MAX).await?;
        for chunk in page.items {
            let list = if chunk.ended_at.is_some_and(|at| at >= began) { &mut found.given_up } else { &mut found.before };
            list.push(chunk.chunk);
        }
        match page.next {
            Some(next) => after = Some(next),
            None => return Ok(found),
        }
    }
}

impl Failed {
    /// Gives the chunks another chance, with fresh budgets, and returns how many there are. What was skipped because of them is
    /// open again too.
    pub(in crate::run) async fn redrive(&self, store: &dyn JobStore, job: JobId) -> Result<usize> {
        for chunks in self.before.chunks(limits::PAGE_ROWS_MAX) {
            let update =
                |chunk_id: &ChunkId| JobUpdate { chunk_id: *chunk_id, status: JobStatus::Pending, checksum: None, error: None };
            let updates: Vec<_> = chunks.iter().map(update).collect();
            for verdict in store.apply_batch_updates(job, &updates).await? {
                verdict.map_err(magnetar::Error::from)?;
            }
        }
        Ok(self.before.len())
    }
}
