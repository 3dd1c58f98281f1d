//! Everything that a store holds at one instant, as a value: what a checkpoint keeps and a restore brings back.

mod bytes;
mod check;

use serde::{Deserialize, Serialize};

use crate::{
    chunk::Extra,
    id::{ChunkId, JobId},
    job::JobOptions,
    status::JobStatus,
    time::Timestamp,
};

/// All jobs, chunks, dependencies, results and records of a store, as one read saw them.
///
/// Claims are not in it: what ran when it was taken is Pending, with the budget that it had. Nor is it known which fence ended a
/// chunk: `complete` with the fence that won is `FenceLost` in a store that was restored, and changes nothing.
///
/// In formats that people read (JSON), payloads, results and records are text where they are UTF-8, else `{"hex": "…"}`, and what is
/// absent or zero is left out; so it must be a format that names its fields.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Snapshot {
    /// The largest token that may have been given. A store into which this is restored gives larger ones only.
    pub last_token: u64,
    /// The largest id that was given to a job ensured by name.
    #[serde(default, skip_serializing_if = "is_default")]
    pub last_job_id: JobId,
    /// The jobs by id.
    pub jobs: Vec<JobSnapshot>,
    /// The records by space and key.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub records: Vec<RecordSnapshot>,
}

/// A job of a [`Snapshot`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct JobSnapshot {
    /// Its id.
    pub id: JobId,
    /// Its name, if it has one.
    #[serde(default, skip_serializing_if = "is_default")]
    pub name: Option<String>,
    /// What sort of job it is.
    #[serde(default, skip_serializing_if = "is_default")]
    pub kind: String,
    /// How it is run.
    pub options: JobOptions,
    /// Whether its chunks are held back from being claimed.
    #[serde(default, skip_serializing_if = "is_default")]
    pub paused: bool,
    /// When it was created.
    pub created_at: Timestamp,
    /// The largest chunk id that it ever had: the store numbers on from there.
    #[serde(default, skip_serializing_if = "is_default")]
    pub last_chunk: ChunkId,
    /// Its chunks by id.
    pub chunks: Vec<ChunkSnapshot>,
}

/// A chunk of a [`Snapshot`]. What is not told here is as in [`JobState`](crate::JobState).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ChunkSnapshot {
    /// Its id.
    pub id: ChunkId,
    /// Where it stands; never Processing.
    pub status: JobStatus,
    /// What the manifest expects.
    #[serde(default, skip_serializing_if = "is_default")]
    pub expected_checksum: Option<String>,
    /// What was recorded when it was marked.
    #[serde(default, skip_serializing_if = "is_default")]
    pub recorded_checksum: Option<String>,
    /// Chunks that must be Done first, of any job.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub depends_on: Vec<(JobId, ChunkId)>,
    /// Chunks whose end it is parked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parked_until: Vec<(JobId, ChunkId)>,
    /// What the worker gets.
    #[serde(default, with = "bytes", skip_serializing_if = "Vec::is_empty")]
    pub payload: Vec<u8>,
    /// What `complete` was given.
    #[serde(default, with = "bytes::optional", skip_serializing_if = "is_default")]
    pub result: Option<Vec<u8>>,
    /// What its last failure said.
    #[serde(default, skip_serializing_if = "is_default")]
    pub error: Option<String>,
    /// Larger is claimed first.
    #[serde(default, skip_serializing_if = "is_default")]
    pub priority: i16,
    /// The lane's name within the job.
    #[serde(default, skip_serializing_if = "is_default")]
    pub lane: String,
    /// Failures so far.
    #[serde(default, skip_serializing_if = "is_default")]
    pub fails: u32,
    /// Failures after which it ends as Failed; none for the job's own budget.
    #[serde(default, skip_serializing_if = "is_default")]
    pub max_fails: Option<u32>,
    /// Leases lost so far.
    #[serde(default, skip_serializing_if = "is_default")]
    pub crashes: u32,
    /// Not handed out before this instant.
    #[serde(default, skip_serializing_if = "is_default")]
    pub not_before: Option<Timestamp>,
    /// How long one attempt may take, in milliseconds.
    #[serde(default, skip_serializing_if = "is_default")]
    pub timeout_millis: Option<u64>,
    /// Its own key within the job.
    #[serde(default, skip_serializing_if = "is_default")]
    pub key: Option<String>,
    /// When it was put in.
    pub created_at: Timestamp,
    /// When it ended.
    #[serde(default, skip_serializing_if = "is_default")]
    pub ended_at: Option<Timestamp>,
    /// Keys of the manifest that core does not know.
    #[serde(default, skip_serializing_if = "Extra::is_empty")]
    pub extra: Extra,
}

/// A record of a [`Snapshot`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RecordSnapshot {
    /// The space.
    pub space: String,
    /// The key within the space.
    #[serde(with = "bytes")]
    pub key: Vec<u8>,
    /// The value.
    #[serde(with = "bytes")]
    pub value: Vec<u8>,
    /// The number of the write that put it there.
    pub version: u64,
}

/// What a restore brought back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Restored {
    /// Jobs.
    pub jobs: u64,
    /// Chunks.
    pub chunks: u64,
    /// Records.
    pub records: u64,
}

impl Snapshot {
    /// What it holds.
    pub fn counts(&self) -> Restored {
        Restored {
            jobs: self.jobs.len() as u64,
            chunks: self.jobs.iter().map(|job| job.chunks.len() as u64).sum(),
            records: self.records.len() as u64,
        }
    }
}

impl JobSnapshot {
    /// A job of this id with nothing in it; a backend fills in the rest.
    pub fn new(id: JobId, options: JobOptions, created_at: Timestamp) -> Self {
        let (name, kind, chunks) = (None, String::new(), Vec::new());
        Self { id, name, kind, options, paused: false, created_at, last_chunk: 0, chunks }
    }
}

impl ChunkSnapshot {
    /// A chunk with nothing in it; a backend fills in the rest.
    pub fn new(id: ChunkId, status: JobStatus, created_at: Timestamp) -> Self {
        Self {
            id,
            status,
            expected_checksum: None,
            recorded_checksum: None,
            depends_on: Vec::new(),
            parked_until: Vec::new(),
            payload: Vec::new(),
            result: None,
            error: None,
            priority: 0,
            lane: String::new(),
            fails: 0,
            max_fails: None,
            crashes: 0,
            not_before: None,
            timeout_millis: None,
            key: None,
            created_at,
            ended_at: None,
            extra: Extra::default(),
        }
    }
}

impl RecordSnapshot {
    /// A record.
    pub const fn new(space: String, key: Vec<u8>, value: Vec<u8>, version: u64) -> Self {
        Self { space, key, value, version }
    }
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}
