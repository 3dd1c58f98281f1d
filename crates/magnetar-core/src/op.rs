//! What can be asked of a store, what it answers, and the groups that happen wholly or not at all.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{
    chunk::{JobState, JobUpdate, NewChunk},
    error::Rejection,
    id::{ChunkId, Fence, JobId, JobRef, Lane},
    job::JobSpec,
    snapshot::{Restored, Snapshot},
    status::JobStatus,
    time::Timestamp,
};

mod check;

pub use self::check::group as check_group;
pub(crate) use self::check::record as check_record;

/// Ops that happen in this order, wholly or not at all. Groups of one submit are unordered among each other.
pub type Group = Vec<Op>;

/// One thing asked of a store: what a client sends, what a change feed records, what a fuzzer feeds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Op {
    /// Creates the job if there is none; gives an existing one the name and the retry policy it lacks or is told.
    EnsureJob {
        /// The job, by id or by name.
        job: JobRef,
        /// What a new one is made of. A name here must not differ from that of the reference.
        spec: JobSpec,
    },
    /// Puts chunks into a job that exists. "Once more" of the contract says what becomes of those that are there already.
    Insert {
        /// The job, by id or by name, so that it can follow an [`Op::EnsureJob`] by name in the same group.
        job: JobRef,
        /// The chunks. Their dependencies may name each other in any order, and chunks that are there already.
        chunks: Arc<[NewChunk]>,
    },
    /// Takes ready chunks.
    Claim(Claim),
    /// Ends a claimed chunk as Done.
    Complete {
        /// The claim.
        fence: Fence,
        /// What is kept with the chunk.
        result: Vec<u8>,
        /// The checksum to record.
        checksum: Option<String>,
    },
    /// Says that the attempt failed. Retries while budget is left.
    Fail {
        /// The claim.
        fence: Fence,
        /// What went wrong.
        error: String,
    },
    /// Gives a claimed chunk back. Costs no budget.
    Release {
        /// The claim.
        fence: Fence,
    },
    /// Rejects the whole group unless the claim is in force: for what a worker writes while it goes on working.
    Check {
        /// The claim.
        fence: Fence,
    },
    /// Gives a claimed chunk back until something happens. Costs no budget and frees the worker.
    Park {
        /// The claim.
        fence: Fence,
        /// What it waits for.
        until: Until,
    },
    /// Marks a chunk without a fence. "Marks" of the contract says what is allowed.
    Mark {
        /// The job.
        job: JobId,
        /// The chunk and what it is marked as.
        update: JobUpdate,
    },
    /// Makes a Pending chunk wait for others, of any job.
    Depend {
        /// The job of the chunk.
        job: JobId,
        /// The chunk.
        chunk: ChunkId,
        /// What it waits for.
        on: Vec<(JobId, ChunkId)>,
    },
    /// Makes ended chunks Pending again, and all their ended descendants. Refused while a descendant is Processing.
    Reopen {
        /// The job.
        job: JobId,
        /// The chunks.
        chunks: Vec<ChunkId>,
    },
    /// Holds the chunks of a job back from being claimed. What is claimed already goes on.
    Pause {
        /// The job.
        job: JobId,
    },
    /// Lets the chunks of a job be claimed again.
    Resume {
        /// The job.
        job: JobId,
    },
    /// Removes a job and all in it, also while chunks run: their fences are then of a job that is not found.
    DeleteJob {
        /// The job.
        job: JobId,
    },
    /// Writes or removes a record: a journal entry, a schedule, a resume token.
    PutRecord {
        /// The space, which keeps records of different kinds apart.
        space: String,
        /// The key within the space.
        key: Vec<u8>,
        /// The value; none removes the record.
        value: Option<Vec<u8>>,
        /// What must stand there now.
        expect: Expect,
    },
    /// Removes chunks that ended before an instant and that no open chunk depends on, looking at `limit` chunks from `after` on.
    Prune {
        /// The job.
        job: JobId,
        /// What ended later stays.
        ended_before: Timestamp,
        /// Begins behind this chunk; none for the first.
        after: Option<ChunkId>,
        /// How many chunks are looked at, at most [`crate::limits::PRUNE_CHUNKS_MAX`].
        limit: usize,
    },
    /// Brings back everything of a snapshot, into a store that has none of its jobs and records.
    Restore {
        /// The snapshot.
        snapshot: Arc<Snapshot>,
    },
    /// Takes back at once what dead sessions hold, what has timed out, and what is due.
    Reap,
}

/// A claim: up to `limit` chunks, the most urgent first, from any of the lanes.
///
/// Order: larger priority, then the lane that stands first in the list, then the lowest chunk id.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// The lanes, at most [`crate::limits::CLAIM_LANES_MAX`]. Those of paused and unknown jobs give nothing.
    pub lanes: Vec<Lane>,
    /// The most chunks that are taken, from 1 to [`crate::limits::CLAIM_CHUNKS_MAX`].
    pub limit: usize,
}

/// What a parked chunk waits for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Until {
    /// An instant.
    At(Timestamp),
    /// The end, good or bad, of all these chunks.
    Ended(Vec<(JobId, ChunkId)>),
}

/// What must stand where a record is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Expect {
    /// Anything, or nothing.
    Any,
    /// Nothing.
    Absent,
    /// A record of this version.
    Version(u64),
}

/// What an op answers.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Reply {
    /// It happened, and there is nothing more to say.
    Applied,
    /// The job, and whether it was created.
    Job {
        /// Its id.
        id: JobId,
        /// Whether it is new.
        created: bool,
    },
    /// What became of the chunks that were put in.
    Inserted(InsertReport),
    /// The chunks that were taken, most urgent first.
    Claimed(Vec<JobState>),
    /// The failure was counted; the chunk is tried again at this instant, or never.
    Failed {
        /// When it is due again; none where it ended as Failed.
        retry_at: Option<Timestamp>,
    },
    /// The mark was accepted.
    Marked {
        /// Whether anything changed; false where the chunk was so already.
        changed: bool,
        /// The fence of the claim, where the mark was one.
        fence: Option<Fence>,
    },
    /// The chunks that are Pending again.
    Reopened(Vec<(JobId, ChunkId)>),
    /// The new version of the record; none where it was removed.
    Version(Option<u64>),
    /// What a prune did.
    Pruned(Pruned),
    /// What a restore brought back.
    Restored(Restored),
    /// How many chunks were taken back.
    Reaped {
        /// Chunks whose lease was taken back.
        chunks: u64,
    },
}

/// What became of the chunks of an insert. Every chunk of the insert is counted in exactly one of `added`,
/// `updated`, `unchanged`, `ended` and `conflicts`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct InsertReport {
    /// New chunks.
    pub added: u64,
    /// Pending chunks that took a new checksum or definition.
    pub updated: u64,
    /// Open chunks that were so already.
    pub unchanged: u64,
    /// Chunks that have ended, which an insert never touches.
    pub ended: u64,
    /// Chunks that run with another checksum, and were left alone.
    pub conflicts: Vec<ChunkId>,
    /// Chunks of the job that the insert does not name, which stay.
    pub absent: u64,
    /// The ids of numbered and keyed chunks, in the order of the insert: new ones, or those that carry the key.
    pub ids: Vec<ChunkId>,
}

/// What a prune did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Pruned {
    /// Chunks that were removed.
    pub removed: u64,
    /// Where to go on; none at the end of the job.
    pub next: Option<ChunkId>,
}

impl Pruned {
    /// What a prune did: how many it removed, and where to go on.
    pub const fn new(removed: u64, next: Option<ChunkId>) -> Self {
        Self { removed, next }
    }
}

impl Op {
    /// Refuses an op that no store takes, whatever is in it. Every store calls this before anything else.
    ///
    /// # Errors
    /// `Invalid` or `TooLarge`, naming the thing.
    pub fn check(&self) -> Result<(), Rejection> {
        check::op(self)
    }

    /// Whether this op only takes chunks or gives them back, so that losing it in a power cut loses nothing.
    pub fn is_claim(&self) -> bool {
        match self {
            Self::Claim(_) => true,
            Self::Mark { update, .. } => update.status == JobStatus::Processing,
            _ => false,
        }
    }
}
