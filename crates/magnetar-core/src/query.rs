//! What can be read from a store, without stopping whoever writes to it.

use serde::{Deserialize, Serialize};

use crate::{
    chunk::JobState,
    error::Rejection,
    id::{ChunkId, JobId},
    job::{Job, JobStats},
    limits,
    op::check_record,
    snapshot::Snapshot,
    status::JobStatus,
};

/// One thing to read. What is not there is answered as empty, none or zeros.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Query {
    /// A job by id: [`Answer::Job`].
    Job(JobId),
    /// A job by name: [`Answer::Job`].
    JobByName(String),
    /// A page of jobs by id: [`Answer::Jobs`].
    Jobs {
        /// Begins behind this job; none for the first.
        after: Option<JobId>,
        /// The most jobs on the page, from 1 to [`limits::PAGE_ROWS_MAX`].
        limit: usize,
    },
    /// How far a job is: [`Answer::Stats`].
    Stats(JobId),
    /// A chunk: [`Answer::Chunk`].
    Chunk {
        /// The job.
        job: JobId,
        /// The chunk.
        chunk: ChunkId,
    },
    /// A page of chunks by id: [`Answer::Chunks`].
    Chunks {
        /// The job.
        job: JobId,
        /// Which chunks.
        filter: Filter,
        /// Begins behind this chunk; none for the first.
        after: Option<ChunkId>,
        /// The most chunks on the page, from 1 to [`limits::PAGE_ROWS_MAX`].
        limit: usize,
    },
    /// A page of chunk ids, like [`Query::Chunks`] but without what is in them: [`Answer::Ids`].
    Ids {
        /// The job.
        job: JobId,
        /// Which chunks.
        filter: Filter,
        /// Begins behind this chunk; none for the first.
        after: Option<ChunkId>,
        /// The most ids on the page, from 1 to [`limits::PAGE_ROWS_MAX`].
        limit: usize,
    },
    /// What a chunk must wait for, by job and id: [`Answer::Dependencies`].
    Dependencies {
        /// The job.
        job: JobId,
        /// The chunk.
        chunk: ChunkId,
    },
    /// A record: [`Answer::Record`].
    Record {
        /// The space.
        space: String,
        /// The key.
        key: Vec<u8>,
    },
    /// A page of the records of a space by key: [`Answer::Records`].
    Records {
        /// The space.
        space: String,
        /// Only keys that begin so.
        prefix: Vec<u8>,
        /// Begins behind this key; none for the first.
        after: Option<Vec<u8>>,
        /// The most records on the page, from 1 to [`limits::PAGE_ROWS_MAX`].
        limit: usize,
    },
    /// Everything that the store holds, in memory at once: [`Answer::Snapshot`].
    Snapshot,
    /// Everything about a job held against everything else: [`Answer::Audit`].
    Audit(JobId),
    /// Everything that belongs to no job, and whether each row belongs to one: [`Answer::Audit`].
    AuditStore,
}

/// Which chunks a listing shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Filter {
    /// All of them.
    All,
    /// Those that stand there.
    Status(JobStatus),
    /// Pending ones whose dependencies are all met, delayed ones among them.
    Unblocked,
    /// Pending ones that a bad dependency holds.
    Held,
}

/// What a query is answered with: the variant that the query names.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Answer {
    /// A job.
    Job(Option<Box<Job>>),
    /// Jobs.
    Jobs(Page<Job, JobId>),
    /// How far a job is.
    Stats(JobStats),
    /// A chunk.
    Chunk(Option<Box<JobState>>),
    /// Chunks.
    Chunks(Page<JobState, ChunkId>),
    /// Ids of chunks.
    Ids(Page<ChunkId, ChunkId>),
    /// What a chunk waits for.
    Dependencies(Vec<(JobId, ChunkId)>),
    /// A record.
    Record(Option<Record>),
    /// Records.
    Records(Page<Record, Vec<u8>>),
    /// Everything.
    Snapshot(Box<Snapshot>),
    /// What an audit found.
    Audit(Audit),
}

/// One page of a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T, K> {
    /// What is on it.
    pub items: Vec<T>,
    /// The `after` of the next page; none where this is the last.
    pub next: Option<K>,
}

impl<T, K> Default for Page<T, K> {
    fn default() -> Self {
        Self { items: Vec::new(), next: None }
    }
}

/// A small value kept beside the jobs: a journal entry, a schedule, a resume token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// The key within its space.
    pub key: Vec<u8>,
    /// The value.
    pub value: Vec<u8>,
    /// The number of the write that put it there: larger at each write of the store, never used again.
    pub version: u64,
}

/// What an audit of a job or of a store found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Audit {
    /// Chunks that were looked at; none by the audit of a store, which leaves them to those of its jobs.
    pub chunks: u64,
    /// What does not fit together, one sentence each; empty where all is sound.
    pub problems: Vec<String>,
}

impl Query {
    /// Refuses a query that no store answers. Every store calls this before anything else.
    ///
    /// # Errors
    /// `Invalid` or `TooLarge`, naming the thing. A chunk id beyond the largest is not refused: no such chunk is found.
    pub fn check(&self) -> Result<(), Rejection> {
        match self {
            Self::Jobs { limit, .. } | Self::Chunks { limit, .. } | Self::Ids { limit, .. } => page(*limit),
            Self::Records { space, limit, .. } => page(*limit).and_then(|()| self::space(space)),
            Self::Record { space, .. } => self::space(space),
            _ => Ok(()),
        }
    }
}

fn page(limit: usize) -> Result<(), Rejection> {
    if limit == 0 {
        return Err(Rejection::invalid("a page of 0 rows shows nothing; ask for 1 or more"));
    }
    Rejection::limit("the number of rows of one page", limit, limits::PAGE_ROWS_MAX)
}

fn space(space: &str) -> Result<(), Rejection> {
    check_record(space, &[], None)
}
