//! The names of things: jobs, chunks, lanes, sessions, and the fence that a claim hands out.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{error::Rejection, limits};

/// The id of a job: any `i64`, chosen by the caller or, for a job ensured by name, by the store.
pub type JobId = i64;

/// The id of a chunk within its job: at most [`i64::MAX`] on every backend.
pub type ChunkId = u64;

/// The number of one claim: from 1 to [`i64::MAX`], larger at every claim of the store and never used again.
///
/// The high 31 bits are the store's generation, raised at every open; the low 32 bits count the claims.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u64", into = "u64")]
pub struct Token(u64);

impl Token {
    /// The token of this number, if it is one: 1 to [`i64::MAX`].
    pub const fn new(number: u64) -> Option<Self> {
        if number == 0 || number > limits::ID_MAX { None } else { Some(Self(number)) }
    }

    /// The number of this token.
    pub const fn get(self) -> u64 {
        self.0
    }
}

impl TryFrom<u64> for Token {
    type Error = &'static str;

    fn try_from(number: u64) -> Result<Self, Self::Error> {
        Self::new(number).ok_or("a token lies between 1 and i64::MAX")
    }
}

impl From<Token> for u64 {
    fn from(token: Token) -> Self {
        token.0
    }
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The proof that a claim was won: it names the chunk and the one attempt that may end it.
///
/// A receiver of effects that remembers the largest [`Fence::token`] it has seen for a chunk and refuses smaller
/// ones is safe from workers that were taken for dead and come back (Kleppmann, "How to do distributed locking", 2016).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Fence {
    job: JobId,
    chunk: ChunkId,
    token: Token,
}

impl Fence {
    /// Rebuilds a fence from its parts, for a worker that got them as text.
    pub const fn new(job: JobId, chunk: ChunkId, token: Token) -> Self {
        Self { job, chunk, token }
    }

    /// The job of the claimed chunk.
    pub const fn job(&self) -> JobId {
        self.job
    }

    /// The claimed chunk.
    pub const fn chunk(&self) -> ChunkId {
        self.chunk
    }

    /// The number of the claim.
    pub const fn token(&self) -> Token {
        self.token
    }
}

impl fmt::Display for Fence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}@{}", self.job, self.chunk, self.token)
    }
}

/// The number of a session: one open handle of a store. Never used again within a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SessionId(u64);

impl SessionId {
    /// The session of this number.
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// The number of this session.
    pub const fn get(self) -> u64 {
        self.0
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A set of chunks that a claim draws from: the chunks of one job that carry one lane name.
///
/// The job's own lane has the empty name, and is where chunks are that name none. `claim_pending` draws from it
/// alone, so what needs a special worker is never handed to one that did not ask for it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Lane {
    /// The job.
    pub job: JobId,
    /// The name within the job: at most [`limits::LANE_BYTES_MAX`] bytes, no NUL; empty for the job's own lane.
    pub name: String,
}

impl Lane {
    /// The own lane of a job.
    pub fn of(job: JobId) -> Self {
        Self { job, name: String::new() }
    }

    /// A named lane of a job.
    pub fn named(job: JobId, name: impl Into<String>) -> Self {
        Self { job, name: name.into() }
    }
}

/// A job as it is named in an op that may create it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum JobRef {
    /// By its id.
    Id(JobId),
    /// By its name; the store picks the id when there is no such job yet.
    Name(String),
}

/// Refuses a chunk id that some backend could not hold.
pub(crate) fn check_chunk_id(chunk: ChunkId) -> Result<(), Rejection> {
    if chunk > limits::ID_MAX {
        return Err(Rejection::invalid(format!(
            "chunk id {chunk} is beyond {}, the largest id a store can hold",
            limits::ID_MAX
        )));
    }
    Ok(())
}
