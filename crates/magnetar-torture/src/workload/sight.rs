//! Everything that a store shows to who asks.

use futures_lite::future::block_on;
use magnetar_core::{Answer, Error, Filter, Job, JobState, JobStore, Query, Record, Result};

use super::script::SPACE;

/// The most rows of a page; no store of a rig has as many.
const ROWS_MAX: usize = 10_000;

/// All jobs with all their chunks, and all records.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Sight {
    pub(crate) jobs: Vec<(Job, Vec<JobState>)>,
    pub(crate) records: Vec<Record>,
}

impl Sight {
    /// Looks at everything.
    ///
    /// # Errors
    /// What the store says to the first query that it does not answer.
    pub(crate) fn of(store: &dyn JobStore) -> Result<Self> {
        let mut jobs = Vec::new();
        for job in block_on(store.jobs())? {
            let chunks = block_on(store.chunks(job.id, Filter::All, None, ROWS_MAX))?.items;
            jobs.push((job, chunks));
        }
        let records = block_on(store.records(SPACE, b"", None, ROWS_MAX))?.items;
        Ok(Self { jobs, records })
    }

    /// A chunk.
    pub(crate) fn chunk(&self, job: i64, chunk: u64) -> Option<&JobState> {
        let (_, chunks) = self.jobs.iter().find(|(known, _)| known.id == job)?;
        chunks.iter().find(|known| known.chunk == chunk)
    }

    /// What is otherwise in `found`, in words; none where all is the same.
    pub(crate) fn difference(&self, found: &Self) -> Option<String> {
        if self == found {
            return None;
        }
        let ids = |sight: &Self| sight.jobs.iter().map(|(job, _)| job.id).collect::<Vec<_>>();
        if ids(self) != ids(found) {
            return Some(format!("the jobs are {:?} instead of {:?}", ids(found), ids(self)));
        }
        for ((job, chunks), (found_job, found_chunks)) in self.jobs.iter().zip(&found.jobs) {
            if let Some((wanted, found)) = chunks.iter().zip(found_chunks).find(|(wanted, found)| wanted != found) {
                return Some(format!("job {}, chunk {}: {found:?} instead of {wanted:?}", job.id, wanted.chunk));
            }
            if chunks.len() != found_chunks.len() {
                return Some(format!("job {} has {} chunks instead of {}", job.id, found_chunks.len(), chunks.len()));
            }
            if job != found_job {
                return Some(format!("{found_job:?} instead of {job:?}"));
            }
        }
        Some(format!("the records are {:?} instead of {:?}", found.records, self.records))
    }
}

/// What the audits of these jobs find.
///
/// # Errors
/// What the store says to an audit that it does not do.
pub(crate) fn audit(store: &dyn JobStore, jobs: impl Iterator<Item = i64>) -> Result<Vec<String>> {
    let mut problems = Vec::new();
    for job in jobs {
        let found = match block_on(store.read(Query::Audit(job)))? {
            Answer::Audit(audit) => audit.problems,
            other => return Err(Error::new(magnetar_core::ErrorKind::Backend, format!("no audit, but {other:?}"))),
        };
        problems.extend(found.into_iter().map(|problem| format!("job {job}: {problem}")));
    }
    Ok(problems)
}
