//! Every row that ever was, as callers see it.

use std::collections::HashMap;

use magnetar_core::{Job, JobId, JobState, JobStats, JobStatus, Lease, Record};

use crate::workload::Sight;

/// What chunks, jobs and records have been. A chunk is three rows: the chunk itself, its payload and its lease.
#[derive(Default)]
pub(super) struct Versions {
    chunks: HashMap<(JobId, u64), Vec<JobState>>,
    leases: Vec<Lease>,
    jobs: Vec<Job>,
    stats: Vec<JobStats>,
    records: Vec<Record>,
}

impl Versions {
    /// All that was seen.
    pub(super) fn of<'s>(sights: impl Iterator<Item = &'s Sight> + Clone) -> Self {
        let mut versions = Self::default();
        for (job, chunks) in sights.clone().flat_map(|sight| &sight.jobs) {
            versions.stats.push(job.stats);
            versions.jobs.push(without_stats(job));
            for chunk in chunks {
                versions.leases.extend(chunk.lease);
                versions.chunks.entry((job.id, chunk.chunk)).or_default().push(without_lease(chunk));
            }
        }
        versions.records.extend(sights.flat_map(|sight| &sight.records).cloned());
        versions
    }

    pub(super) fn has_job(&self, job: &Job) -> bool {
        self.jobs.contains(&without_stats(job)) && self.has_stats(&job.stats)
    }

    pub(super) fn has_stats(&self, stats: &JobStats) -> bool {
        *stats == JobStats::new(stats.job_id) || self.stats.contains(stats)
    }

    pub(super) fn has_chunk(&self, chunk: &JobState) -> bool {
        let Some(known) = self.chunks.get(&(chunk.job_id, chunk.chunk)) else { return false };
        let bare = without_lease(chunk);
        let has_body = known.iter().any(|known| (&known.payload, &known.extra) == (&bare.payload, &bare.extra));
        let has_row = known.iter().any(|known| {
            let mut known = known.clone();
            (known.payload, known.extra) = (bare.payload.clone(), bare.extra.clone());
            if chunk.lease.is_some() {
                // Whatever its own row says, a lease makes it Processing.
                known.status = bare.status;
            }
            known == bare
        });
        has_body && has_row && chunk.lease.iter().all(|lease| self.leases.contains(lease))
    }

    pub(super) fn has_record(&self, record: &Record) -> bool {
        self.records.contains(record)
    }

    pub(super) fn has_id(&self, chunk: u64) -> bool {
        self.chunks.keys().any(|(_, known)| *known == chunk)
    }
}

fn without_stats(job: &Job) -> Job {
    let mut bare = job.clone();
    bare.stats = JobStats::default();
    bare
}

/// A chunk as its own row has it: a lease is another row, and makes it Processing.
fn without_lease(chunk: &JobState) -> JobState {
    let mut bare = chunk.clone();
    bare.lease = None;
    if bare.status == JobStatus::Processing {
        bare.status = JobStatus::Pending;
    }
    bare
}
