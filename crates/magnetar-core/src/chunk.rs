//! Chunks: as they are put in, as they come out, and as they are marked.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{
    error::Rejection,
    id::{ChunkId, Fence, JobId, Lane, check_chunk_id},
    limits,
    status::JobStatus,
    time::Timestamp,
};

/// Keys of a manifest's chunk that core does not know, kept as JSON text for whoever does.
///
/// The text is parsed when it is asked for, so a claim does not pay for what nobody reads.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Extra(Option<Box<str>>);

impl Extra {
    /// The extra of these keys.
    ///
    /// Its text has them in alphabetical order, so that equal keys are equal text.
    pub fn new(map: &serde_json::Map<String, serde_json::Value>) -> Self {
        if map.is_empty() {
            return Self(None);
        }
        let mut keys = serde_json::Value::Object(map.clone());
        // They are in order already, unless some crate of the program turns on serde_json's `preserve_order`, as bson does.
        keys.sort_all_objects();
        Self(Some(keys.to_string().into()))
    }

    /// Whether there are no keys.
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// The JSON text: `{}` where there are no keys.
    pub fn as_json(&self) -> &str {
        self.0.as_deref().unwrap_or("{}")
    }

    /// The keys and their values.
    pub fn to_map(&self) -> serde_json::Map<String, serde_json::Value> {
        serde_json::from_str(self.as_json()).unwrap_or_default()
    }

    /// The keys as a type of the caller's.
    ///
    /// # Errors
    /// What serde says where the keys do not fit the type.
    pub fn parse<T: serde::de::DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        serde_json::from_str(self.as_json())
    }
}

/// A chunk as it is put in. `NewChunk::new(id)` or `NewChunk::numbered()`, then the fields that matter.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct NewChunk {
    /// Its id in the job, at most [`i64::MAX`]; none lets the store take the next free one.
    pub id: Option<ChunkId>,
    /// What the work is verified against, byte for byte as given.
    pub checksum: Option<String>,
    /// Chunks of the same job that must be Done first.
    pub depends_on: Vec<ChunkId>,
    /// Chunks of other jobs that must be Done first.
    pub depends_on_jobs: Vec<(JobId, ChunkId)>,
    /// What the worker gets, at most [`limits::PAYLOAD_BYTES_MAX`] bytes.
    pub payload: Vec<u8>,
    /// Larger is claimed first. Default 0.
    pub priority: i16,
    /// The lane's name within the job; empty for the job's own lane.
    pub lane: String,
    /// Not handed out before this instant.
    pub not_before: Option<Timestamp>,
    /// How long one attempt may take, from its claim on; the store then takes it back as a failure. Default: no limit.
    pub timeout: Option<Duration>,
    /// Failures after which it ends as Failed; none for the job's own budget.
    pub max_fails: Option<u32>,
    /// A key of its own within the job: a second chunk with the same key is not inserted, the first is answered.
    pub key: Option<String>,
    /// Whatever else the caller wants kept with it.
    pub extra: Extra,
}

impl NewChunk {
    /// A chunk with this id and nothing else.
    pub fn new(id: ChunkId) -> Self {
        Self { id: Some(id), ..Self::default() }
    }

    /// A chunk that the store numbers.
    pub fn numbered() -> Self {
        Self::default()
    }

    /// The same chunk with this payload.
    #[must_use]
    pub fn payload(mut self, payload: impl Into<Vec<u8>>) -> Self {
        self.payload = payload.into();
        self
    }

    /// The same chunk with this checksum.
    #[must_use]
    pub fn checksum(mut self, checksum: impl Into<String>) -> Self {
        self.checksum = Some(checksum.into());
        self
    }

    /// The same chunk behind these chunks of its job.
    #[must_use]
    pub fn depends_on(mut self, chunks: impl IntoIterator<Item = ChunkId>) -> Self {
        self.depends_on = chunks.into_iter().collect();
        self
    }

    /// The same chunk with this priority; larger is claimed first.
    #[must_use]
    pub fn priority(mut self, priority: i16) -> Self {
        self.priority = priority;
        self
    }

    /// The same chunk in this lane of its job.
    #[must_use]
    pub fn lane(mut self, name: impl Into<String>) -> Self {
        self.lane = name.into();
        self
    }

    /// The same chunk, not handed out before this instant.
    #[must_use]
    pub fn not_before(mut self, at: Timestamp) -> Self {
        self.not_before = Some(at);
        self
    }

    /// The same chunk with this limit on one attempt.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// The same chunk with this budget of failures.
    #[must_use]
    pub fn max_fails(mut self, max_fails: u32) -> Self {
        self.max_fails = Some(max_fails);
        self
    }

    /// The same chunk with this key.
    #[must_use]
    pub fn key(mut self, key: impl Into<String>) -> Self {
        self.key = Some(key.into());
        self
    }

    /// Refuses ids, names and sizes that no store takes.
    ///
    /// # Errors
    /// `Invalid` or `TooLarge`, naming the chunk.
    pub fn check(&self) -> Result<(), Rejection> {
        let name = || self.id.map_or_else(|| "a numbered chunk".to_owned(), |id| format!("chunk {id}"));
        if let Some(id) = self.id {
            check_chunk_id(id)?;
        }
        for id in self.depends_on.iter().chain(self.depends_on_jobs.iter().map(|(_, id)| id)) {
            check_chunk_id(*id)?;
            if Some(*id) == self.id && self.depends_on.contains(id) {
                return Err(Rejection::invalid(format!("{} depends on itself", name())));
            }
        }
        // What is too large is named only where something is: a manifest has a million chunks that are not.
        let limit = |what: &str, unit: &str, size: usize, max: usize| {
            if size <= max { Ok(()) } else { Rejection::limit(&format!("{what} of {}{unit}", name()), size, max) }
        };
        limit("the payload", " in bytes", self.payload.len(), limits::PAYLOAD_BYTES_MAX)?;
        limit("the extra", " in bytes", self.extra.as_json().len(), limits::EXTRA_BYTES_MAX)?;
        limit("the checksum", " in bytes", self.checksum.as_ref().map_or(0, String::len), limits::CHECKSUM_BYTES_MAX)?;
        limit("the key", " in bytes", self.key.as_ref().map_or(0, String::len), limits::KEY_BYTES_MAX)?;
        limit("the number of dependencies", "", self.depends_on.len() + self.depends_on_jobs.len(), limits::DEPENDENCIES_MAX)?;
        check_lane(&self.lane)?;
        if self.key.as_deref() == Some("") {
            return Err(Rejection::invalid(format!("the key of {} is empty; leave it out for none", name())));
        }
        if self.max_fails == Some(0) {
            return Err(Rejection::invalid(format!("{} may fail 0 times, so it could never run; 1 means no second try", name())));
        }
        if self.timeout.is_some_and(|timeout| timeout.as_millis() == 0) {
            return Err(Rejection::invalid(format!("the timeout of {} is less than a millisecond", name())));
        }
        Ok(())
    }
}

/// Refuses a lane's name that is too long or holds a NUL, which separates names in keys.
pub(crate) fn check_lane(name: &str) -> Result<(), Rejection> {
    if name.contains('\0') {
        return Err(Rejection::invalid(format!("lane {name:?} holds a NUL")));
    }
    Rejection::limit("a lane's name in bytes", name.len(), limits::LANE_BYTES_MAX)
}

/// A chunk as the store has it.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct JobState {
    /// Its job.
    pub job_id: JobId,
    /// Its id.
    pub chunk: ChunkId,
    /// The recorded checksum, else the expected one, else empty.
    pub checksum: String,
    /// Where it stands.
    pub status: JobStatus,
    /// What its last failure said.
    pub error: Option<String>,
    /// What the manifest expects.
    pub expected_checksum: Option<String>,
    /// What was recorded when it was marked.
    pub recorded_checksum: Option<String>,
    /// What the worker gets.
    pub payload: Vec<u8>,
    /// What `complete` was given.
    pub result: Option<Vec<u8>>,
    /// Larger is claimed first.
    pub priority: i16,
    /// The lane's name within the job.
    pub lane: String,
    /// Failures so far.
    pub fails: u32,
    /// Failures after which it ends as Failed; none for the job's own budget.
    pub max_fails: Option<u32>,
    /// Leases lost so far.
    pub crashes: u32,
    /// Dependencies that have not ended.
    pub unmet: u64,
    /// Dependencies that ended otherwise than Done.
    pub bad: u64,
    /// Not handed out before this instant.
    pub not_before: Option<Timestamp>,
    /// How long one attempt may take.
    pub timeout: Option<Duration>,
    /// Its own key within the job.
    pub key: Option<String>,
    /// Who holds it, while it is Processing.
    pub lease: Option<Lease>,
    /// When it was put in.
    pub created_at: Timestamp,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// Keys of the manifest that core does not know.
    pub extra: Extra,
}

/// Who holds a chunk, and until when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Lease {
    /// The fence of the claim.
    pub fence: Fence,
    /// The session that claimed it.
    pub session: crate::id::SessionId,
    /// When it was claimed.
    pub claimed_at: Timestamp,
    /// When the attempt is taken back as a failure, if it has a limit.
    pub deadline: Option<Timestamp>,
}

impl Lease {
    /// A lease of this fence.
    pub const fn new(fence: Fence, session: crate::id::SessionId, claimed_at: Timestamp, deadline: Option<Timestamp>) -> Self {
        Self { fence, session, claimed_at, deadline }
    }
}

impl JobState {
    /// A Pending chunk with nothing in it; a backend fills in the rest.
    pub fn new(job_id: JobId, chunk: ChunkId) -> Self {
        Self {
            job_id,
            chunk,
            checksum: String::new(),
            status: JobStatus::Pending,
            error: None,
            expected_checksum: None,
            recorded_checksum: None,
            payload: Vec::new(),
            result: None,
            priority: 0,
            lane: String::new(),
            fails: 0,
            max_fails: None,
            crashes: 0,
            unmet: 0,
            bad: 0,
            not_before: None,
            timeout: None,
            key: None,
            lease: None,
            created_at: Timestamp::default(),
            ended_at: None,
            extra: Extra::default(),
        }
    }

    /// The fence of the claim that holds it; none unless it is Processing.
    pub fn fence(&self) -> Option<Fence> {
        self.lease.map(|lease| lease.fence)
    }

    /// The number of the attempt that runs, or would run next: 1 for the first.
    pub fn attempt(&self) -> u32 {
        self.fails.saturating_add(self.crashes).saturating_add(1)
    }

    /// A key that stays the same over all attempts: the chunk's own, else `job:chunk`.
    ///
    /// A receiver that remembers it makes a repeated effect harmless.
    pub fn idempotency_key(&self) -> String {
        self.key.clone().unwrap_or_else(|| format!("{}:{}", self.job_id, self.chunk))
    }

    /// The lane it is claimed from.
    pub fn lane(&self) -> Lane {
        Lane { job: self.job_id, name: self.lane.clone() }
    }
}

/// A mark for one chunk of a batch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobUpdate {
    /// The chunk.
    pub chunk_id: ChunkId,
    /// What it is marked as.
    pub status: JobStatus,
    /// The checksum to record.
    pub checksum: Option<String>,
    /// What went wrong, for a Failed chunk.
    pub error: Option<String>,
}
