//! The tables of an embedded store.

/// A table: rows of bytes, ordered by their keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Table {
    /// Numbers that only grow: tokens, sessions, jobs, versions.
    Meta,
    /// Jobs by their inner number, which is never used again: a deleted job and its successor share nothing.
    Job,
    /// Inner numbers by job id.
    JobId,
    /// Inner numbers by job name.
    JobName,
    /// The counters of jobs.
    Tally,
    /// Chunks: all but payload and extra.
    Chunk,
    /// Payloads and extras of chunks that have any.
    Body,
    /// Chunks by their keys.
    Key,
    /// What can be claimed, in the order in which it is: runs of chunks, each under its last.
    Ready,
    /// What waits for a time, by that time.
    Timer,
    /// What is claimed.
    Lease,
    /// What is taken back when its time is over, by that time.
    Deadline,
    /// Who waits for a chunk.
    Child,
    /// What a chunk waits for.
    Parent,
    /// Chunks that have ended and whose children do not all know yet.
    Release,
    /// Deleted jobs whose rows are still there.
    Purge,
    /// Open handles.
    Session,
    /// Records.
    Record,
}

impl Table {
    /// Every table.
    pub const ALL: [Self; 18] = [
        Self::Meta,
        Self::Job,
        Self::JobId,
        Self::JobName,
        Self::Tally,
        Self::Chunk,
        Self::Body,
        Self::Key,
        Self::Ready,
        Self::Timer,
        Self::Lease,
        Self::Deadline,
        Self::Child,
        Self::Parent,
        Self::Release,
        Self::Purge,
        Self::Session,
        Self::Record,
    ];

    /// The name, in lower case with underscores.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Meta => "meta",
            Self::Job => "job",
            Self::JobId => "job_id",
            Self::JobName => "job_name",
            Self::Tally => "tally",
            Self::Chunk => "chunk",
            Self::Body => "body",
            Self::Key => "chunk_key",
            Self::Ready => "ready",
            Self::Timer => "timer",
            Self::Lease => "lease",
            Self::Deadline => "deadline",
            Self::Child => "child",
            Self::Parent => "parent",
            Self::Release => "release",
            Self::Purge => "purge",
            Self::Session => "session",
            Self::Record => "record",
        }
    }

    /// Its place in [`Table::ALL`].
    pub const fn index(self) -> usize {
        self as usize
    }
}
