//! What the model shows of itself.

use magnetar_core::{Filter, Job, JobId, JobStats, JobStatus, Record};

use super::{ExpectedChunk, Key, Model};

impl Model {
    /// Every job, by id.
    pub fn jobs(&self) -> Vec<Job> {
        self.jobs.keys().map(|id| self.show_job(*id)).collect()
    }

    /// How far a job is; zeros for an unknown one.
    pub fn stats(&self, job: JobId) -> JobStats {
        let mut stats = JobStats::new(job);
        for (key, chunk) in self.chunks.iter().filter(|(key, _)| key.0 == job) {
            let is_blocked = chunk.status == JobStatus::Pending && self.is_blocked(*key);
            stats.total_chunks += 1;
            *stats.count_mut(chunk.status) += 1;
            stats.blocked += u64::from(is_blocked);
            stats.delayed += u64::from(self.is_delayed(*key));
            stats.held += u64::from(self.is_held(*key));
        }
        stats
    }

    /// The chunks of a job that pass a filter, by id.
    ///
    /// # Panics
    /// For a filter that the model does not know.
    pub fn chunks(&self, job: JobId, filter: Filter) -> Vec<ExpectedChunk> {
        let passes = |key: Key, status: JobStatus| match filter {
            Filter::All => true,
            Filter::Status(wanted) => status == wanted,
            Filter::Unblocked => status == JobStatus::Pending && !self.is_blocked(key),
            Filter::Held => self.is_held(key),
            other => panic!("the model does not know {other:?}"),
        };
        let chunks = self.chunks.iter().filter(|(key, chunk)| key.0 == job && passes(**key, chunk.status));
        chunks.map(|(key, _)| self.show(*key)).collect()
    }

    /// One chunk.
    pub fn get(&self, key: Key) -> Option<ExpectedChunk> {
        self.chunks.contains_key(&key).then(|| self.show(key))
    }

    /// What a chunk depends on, by job and id.
    pub fn dependencies(&self, key: Key) -> Vec<Key> {
        self.chunks.get(&key).map(|chunk| chunk.depends_on.iter().copied().collect()).unwrap_or_default()
    }

    /// The records of a space whose keys begin so, by key.
    pub fn records(&self, space: &str, prefix: &[u8]) -> Vec<Record> {
        let records = self.records.iter().filter(|((of, key), _)| of == space && key.starts_with(prefix));
        records.map(|((_, key), (value, version))| Record { key: key.clone(), value: value.clone(), version: *version }).collect()
    }

    pub(super) fn show(&self, key: Key) -> ExpectedChunk {
        let (unmet, bad) = self.counters(key);
        self.chunk(key).show(key, unmet, bad)
    }
}
