//! What can go wrong: refusals of the machine, and everything else behind one error with a kind.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{
    id::{ChunkId, Fence, JobId, SessionId},
    machine::Event,
    status::JobStatus,
};

/// The result of a call of a store.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a group changed nothing. Plain data: two stores that follow the same rules give equal rejections.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[non_exhaustive]
pub enum Rejection {
    /// There is no such job.
    #[error("there is no job {job}")]
    JobNotFound {
        /// The job that was named.
        job: JobId,
    },
    /// There is no job of this name.
    #[error("there is no job named {name:?}")]
    JobNameNotFound {
        /// The name that was given.
        name: String,
    },
    /// There is no such chunk in the job.
    #[error("job {job} has no chunk {chunk}")]
    ChunkNotFound {
        /// The job.
        job: JobId,
        /// The chunk that was named.
        chunk: ChunkId,
    },
    /// The claim is not in force any more: it was taken back, and maybe handed to another.
    #[error("claim {fence} is not in force any more: it was taken back or the chunk has ended; stop working on it")]
    FenceLost {
        /// The fence of the lost claim.
        fence: Fence,
    },
    /// This very write with this very fence was accepted before; an earlier reply was lost.
    #[error("claim {fence} has already applied this")]
    AlreadyApplied {
        /// The fence that won.
        fence: Fence,
    },
    /// The machine has no such step.
    #[error("chunk {chunk} of job {job} is {status}, which allows no {event}")]
    NotAllowed {
        /// The job.
        job: JobId,
        /// The chunk.
        chunk: ChunkId,
        /// Where the chunk stands.
        status: JobStatus,
        /// What was asked of it.
        event: Event,
    },
    /// The chunk waits for what it depends on.
    #[error("chunk {chunk} of job {job} is blocked: {unmet} of its dependencies have not ended and {bad} ended badly")]
    Blocked {
        /// The job.
        job: JobId,
        /// The chunk.
        chunk: ChunkId,
        /// Dependencies that have not ended.
        unmet: u64,
        /// Dependencies that ended otherwise than Done.
        bad: u64,
    },
    /// Another live session holds the chunk.
    #[error("chunk {chunk} of job {job} is held by session {session}, which is alive")]
    Held {
        /// The job.
        job: JobId,
        /// The chunk.
        chunk: ChunkId,
        /// The session that holds it.
        session: SessionId,
    },
    /// A dependency would make chunks wait for each other.
    #[error("chunk {chunk} of job {job} cannot wait for chunk {on} of job {on_job}, which waits for it")]
    Cycle {
        /// The job of the chunk that would wait.
        job: JobId,
        /// The chunk that would wait.
        chunk: ChunkId,
        /// The job of the dependency.
        on_job: JobId,
        /// The dependency.
        on: ChunkId,
    },
    /// A chunk of another job still waits for a chunk of the job that was to be deleted.
    #[error("job {job} cannot go: chunk {waiting} of job {waiting_job} waits for its chunk {chunk}")]
    Awaited {
        /// The job that was to be deleted.
        job: JobId,
        /// Its chunk that is waited for.
        chunk: ChunkId,
        /// The job of the chunk that waits.
        waiting_job: JobId,
        /// The chunk that waits.
        waiting: ChunkId,
    },
    /// The job carries another name, or another job carries this one.
    #[error("name {name:?} belongs to {owner}, and job {job} was to carry it")]
    NameTaken {
        /// The job that was to carry the name.
        job: JobId,
        /// The name.
        name: String,
        /// Who carries it: a job, by id, or this job's other name.
        owner: String,
    },
    /// There is a job of this id already.
    #[error("there is a job {job} already; delete it, or restore into another store")]
    JobExists {
        /// The job that was to come.
        job: JobId,
    },
    /// The record does not have the expected version.
    #[error("record {key} of space {space:?} has version {found:?}, not the expected {expected:?}")]
    Version {
        /// The space.
        space: String,
        /// The key, printable.
        key: String,
        /// The version that was expected: none for "absent".
        expected: Option<u64>,
        /// The version that stands: none where there is no record.
        found: Option<u64>,
    },
    /// The request itself cannot be meant.
    #[error("{reason}")]
    Invalid {
        /// What is wrong, and the way out.
        reason: String,
    },
    /// Something in the request is larger than a limit.
    #[error("{what} of {size} is beyond the limit of {max}")]
    TooLarge {
        /// What is too large, with its unit.
        what: String,
        /// Its size.
        size: u64,
        /// The limit.
        max: u64,
    },
    /// Stored data that this group needed does not verify, or is gone.
    #[error("{what}")]
    Corrupt {
        /// What was found, and where.
        what: String,
    },
    /// A number that never comes back has been used up.
    #[error("the store has used up its {what}")]
    Exhausted {
        /// Which number.
        what: String,
    },
}

impl Rejection {
    /// A request that cannot be meant.
    pub fn invalid(reason: impl Into<String>) -> Self {
        Self::Invalid { reason: reason.into() }
    }

    /// Stored data that does not verify.
    pub fn corrupt(what: impl Into<String>) -> Self {
        Self::Corrupt { what: what.into() }
    }

    /// Refuses what is larger than a limit.
    ///
    /// # Errors
    /// `TooLarge` where `size` is beyond `max`.
    pub fn limit(what: &str, size: usize, max: usize) -> Result<(), Self> {
        if size <= max {
            return Ok(());
        }
        Err(Self::TooLarge { what: what.to_owned(), size: size as u64, max: max as u64 })
    }

    /// The kind of the error that this rejection becomes.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::JobNotFound { .. } | Self::JobNameNotFound { .. } | Self::ChunkNotFound { .. } => ErrorKind::NotFound,
            Self::FenceLost { .. } => ErrorKind::FenceLost,
            Self::AlreadyApplied { .. } => ErrorKind::AlreadyApplied,
            Self::NotAllowed { .. } => ErrorKind::NotAllowed,
            Self::Blocked { .. } => ErrorKind::Blocked,
            Self::Held { .. } | Self::Awaited { .. } | Self::NameTaken { .. } | Self::JobExists { .. } | Self::Version { .. } => {
                ErrorKind::Conflict
            }
            Self::Cycle { .. } => ErrorKind::Cycle,
            Self::Invalid { .. } => ErrorKind::Invalid,
            Self::TooLarge { .. } => ErrorKind::TooLarge,
            Self::Corrupt { .. } => ErrorKind::Corrupt,
            Self::Exhausted { .. } => ErrorKind::Exhausted,
        }
    }
}

/// What kind of thing went wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The job, chunk or record that was named does not exist.
    NotFound,
    /// The claim was taken back. Stop quietly: another may be at work.
    FenceLost,
    /// The same write was accepted before. Nothing is left to do.
    AlreadyApplied,
    /// The machine allows no such step from where the chunk stands.
    NotAllowed,
    /// The chunk waits for its dependencies.
    Blocked,
    /// Somebody else got there first: a held chunk, a taken name, another version.
    Conflict,
    /// A dependency would close a circle.
    Cycle,
    /// The request cannot be meant.
    Invalid,
    /// Something is larger than a limit.
    TooLarge,
    /// Too much is waiting already. Nothing was changed; try again a little later.
    Busy,
    /// The handle was closed.
    Closed,
    /// An earlier write failed half way, so nothing this handle says can be trusted. Open the store again.
    Poisoned,
    /// The handle was made by the parent of this process. Open the store again in the child.
    Forked,
    /// Stored data does not verify.
    Corrupt,
    /// Another handle has the store open, and this backend allows one.
    AlreadyOpen,
    /// This build cannot do that: a feature is off, or a part is not built yet.
    Unsupported,
    /// The store was written by a newer version.
    Newer,
    /// The device is full. Nothing was changed; free some space and try again.
    Full,
    /// The store cannot be written to.
    ReadOnly,
    /// The store cannot be reached or opened.
    Unavailable,
    /// A number that never comes back has been used up.
    Exhausted,
    /// The engine below failed in another way.
    Backend,
}

/// Everything that a call of a store can end with instead of an answer.
///
/// Match on [`Error::kind`]; [`Error::rejection`] has the parts of a refusal, `source` the error of the engine below.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    kind: ErrorKind,
    message: String,
    rejection: Option<Box<Rejection>>,
    #[source]
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    /// An error of a kind, with a message that reads well after "failed to".
    pub fn new(kind: ErrorKind, message: impl fmt::Display) -> Self {
        Self { kind, message: message.to_string(), rejection: None, source: None }
    }

    /// The same error with its cause.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// What kind of thing went wrong.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The refusal of the machine, where it was one.
    pub fn rejection(&self) -> Option<&Rejection> {
        self.rejection.as_deref()
    }

    /// Whether the same call may succeed a little later, with nothing else changed.
    pub fn is_transient(&self) -> bool {
        matches!(self.kind, ErrorKind::Busy | ErrorKind::Full | ErrorKind::Unavailable)
    }

    /// Whether somebody else got there first: the claim is lost, or what was expected has changed.
    pub fn is_conflict(&self) -> bool {
        matches!(self.kind, ErrorKind::Conflict | ErrorKind::FenceLost | ErrorKind::AlreadyApplied)
    }

    /// Whether stored data was found damaged.
    pub fn is_corrupt(&self) -> bool {
        self.kind == ErrorKind::Corrupt
    }
}

impl From<Rejection> for Error {
    fn from(rejection: Rejection) -> Self {
        Self { kind: rejection.kind(), message: rejection.to_string(), rejection: Some(Box::new(rejection)), source: None }
    }
}
