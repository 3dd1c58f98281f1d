//! What can be said of a snapshot without a store: that no store could not have held it.

use std::collections::HashSet;

use super::{ChunkSnapshot, JobSnapshot, RecordSnapshot, Snapshot};
use crate::{
    chunk::check_lane,
    error::Rejection,
    id::{ChunkId, JobId, Token, check_chunk_id},
    job::check_name,
    limits,
    op::check_record,
    status::JobStatus,
};

impl Snapshot {
    /// Refuses what no store can hold: ids and names that are there twice, dependencies on nothing, what is too large.
    ///
    /// # Errors
    /// `Invalid` or `TooLarge`, naming the job and the chunk. Circles are up to the store.
    pub fn check(&self) -> Result<(), Rejection> {
        if self.last_token > 0 && Token::new(self.last_token).is_none() {
            return Err(Rejection::invalid(format!("a snapshot ends at token {}, and there is none so large", self.last_token)));
        }
        let mut ids = HashSet::new();
        let mut names = HashSet::new();
        for job in &self.jobs {
            once(&mut ids, job.id, || format!("job {}", job.id))?;
            if let Some(name) = &job.name {
                once(&mut names, name, || format!("the name {name:?} of job {}", job.id))?;
            }
            job.check()?;
        }
        let chunks: HashSet<(JobId, ChunkId)> =
            self.jobs.iter().flat_map(|job| job.chunks.iter().map(|chunk| (job.id, chunk.id))).collect();
        for job in &self.jobs {
            job.chunks.iter().try_for_each(|chunk| chunk.check_needs(job.id, &chunks))?;
        }
        let mut keys = HashSet::new();
        for record in &self.records {
            once(&mut keys, (&record.space, &record.key), || format!("a record of space {:?}", record.space))?;
            record.check()?;
        }
        Ok(())
    }
}

impl JobSnapshot {
    fn check(&self) -> Result<(), Rejection> {
        check_name(self.name.as_deref().unwrap_or("a"))?;
        Rejection::limit("a job's kind in bytes", self.kind.len(), limits::NAME_BYTES_MAX)?;
        self.options.retry.check()?;
        check_chunk_id(self.last_chunk)?;
        let mut ids = HashSet::new();
        let mut keys = HashSet::new();
        for chunk in &self.chunks {
            once(&mut ids, chunk.id, || format!("chunk {} of job {}", chunk.id, self.id))?;
            if let Some(key) = &chunk.key {
                once(&mut keys, key, || format!("the key {key:?} of chunk {} of job {}", chunk.id, self.id))?;
            }
            chunk.check(self.id)?;
        }
        Ok(())
    }
}

impl ChunkSnapshot {
    fn check(&self, job: JobId) -> Result<(), Rejection> {
        let invalid = |what: &str| Err(Rejection::invalid(format!("chunk {} of job {job} {what}", self.id)));
        check_chunk_id(self.id)?;
        check_lane(&self.lane)?;
        if self.status == JobStatus::Processing {
            return invalid("is Processing, and a snapshot holds no claims");
        }
        if self.key.as_deref() == Some("") {
            return invalid("has an empty key");
        }
        if self.max_fails == Some(0) || self.timeout_millis == Some(0) {
            return invalid("may fail 0 times or take 0 ms, so it could never run");
        }
        let limit = |what: &str, size: usize, max: usize| {
            if size <= max { Ok(()) } else { Rejection::limit(&format!("{what} of chunk {} of job {job}", self.id), size, max) }
        };
        limit("the payload in bytes", self.payload.len(), limits::PAYLOAD_BYTES_MAX)?;
        limit("the result in bytes", self.result.as_ref().map_or(0, Vec::len), limits::RESULT_BYTES_MAX)?;
        limit("the extra in bytes", self.extra.as_json().len(), limits::EXTRA_BYTES_MAX)?;
        limit("the key in bytes", self.key.as_ref().map_or(0, String::len), limits::KEY_BYTES_MAX)?;
        for checksum in [&self.expected_checksum, &self.recorded_checksum].into_iter().flatten() {
            limit("a checksum in bytes", checksum.len(), limits::CHECKSUM_BYTES_MAX)?;
        }
        Ok(())
    }

    fn check_needs(&self, job: JobId, chunks: &HashSet<(JobId, ChunkId)>) -> Result<(), Rejection> {
        let mut needs = HashSet::new();
        for (on_job, on) in self.depends_on.iter().chain(&self.parked_until) {
            let edge = || format!("what chunk {} of job {job} waits for, chunk {on} of job {on_job},", self.id);
            once(&mut needs, (*on_job, *on), edge)?;
            if !chunks.contains(&(*on_job, *on)) {
                return Err(Rejection::invalid(format!("{} is not in the snapshot", edge())));
            }
        }
        Ok(())
    }
}

impl RecordSnapshot {
    fn check(&self) -> Result<(), Rejection> {
        check_record(&self.space, &self.key, Some(&self.value))
    }
}

/// Refuses what was seen before.
fn once<T: Eq + std::hash::Hash>(seen: &mut HashSet<T>, item: T, what: impl FnOnce() -> String) -> Result<(), Rejection> {
    if seen.insert(item) { Ok(()) } else { Err(Rejection::invalid(format!("{} is in the snapshot twice", what()))) }
}
