//! The steps of a run, as they are drawn: small numbers, which become ops of a store when they are taken.

use std::time::Duration;

use magnetar_core::{JobOptions, JobStatus};

/// One step.
#[derive(Clone, Debug)]
pub(super) enum Step {
    /// Submits groups on a handle.
    Submit { handle: usize, groups: Vec<Vec<Ask>> },
    /// Moves the clock on.
    Advance(Duration),
    /// Moves the clock back.
    GoBack(Duration),
    /// Opens a second handle.
    Open,
    /// Closes a handle in good order, and opens another where none is left.
    Close { handle: usize },
    /// Kills a handle, and opens another where none is left.
    Kill { handle: usize },
    /// Reads everything on a handle, so many rows a page.
    Read { handle: usize, page_rows: usize },
}

/// An op, before it is known what there is to name.
#[derive(Clone, Debug)]
pub(super) enum Ask {
    EnsureJob { job: JobPick, name: Option<usize>, is_by_name: bool, kind: usize, options: Option<JobOptions> },
    Insert { job: JobPick, is_by_name: bool, is_numbered: bool, is_careful: bool, chunks: Vec<Sketch> },
    Claim { lanes: Vec<(JobPick, usize)>, limit: usize },
    Complete { fence: FencePick, result: Vec<u8>, checksum: Option<usize> },
    Fail { fence: FencePick, error: usize },
    Release { fence: FencePick },
    Check { fence: FencePick },
    ParkUntil { fence: FencePick, at: Instant },
    ParkBehind { fence: FencePick, chunks: Vec<ChunkPick> },
    Mark { chunk: ChunkPick, status: JobStatus, checksum: Option<usize>, error: Option<usize> },
    Depend { chunk: ChunkPick, on: Vec<ChunkPick>, is_careful: bool },
    Reopen { chunk: ChunkPick, others: Vec<u64> },
    Pause { job: JobPick },
    Resume { job: JobPick },
    DeleteJob { job: JobPick },
    PutRecord { space: usize, key: usize, value: Option<Vec<u8>>, expect: ExpectPick },
    Prune { job: JobPick, ended_before: Instant, after: Option<u64>, limit: usize },
    Reap,
}

/// A job.
#[derive(Clone, Copy, Debug)]
pub(super) enum JobPick {
    /// The job of this id, whether it exists or not.
    Id(i64),
    /// One of those that exist.
    Existing(usize),
}

/// A chunk of a job.
#[derive(Clone, Copy, Debug)]
pub(super) enum ChunkPick {
    /// The chunk of this id, whether it exists or not.
    Id { job: JobPick, chunk: u64 },
    /// One of those that stand so.
    Standing(Standing, usize),
}

/// How a chunk stands.
#[derive(Clone, Copy, Debug)]
pub(super) enum Standing {
    Pending,
    Processing,
    Ended,
    Bad,
}

/// A chunk to put in.
#[derive(Clone, Debug)]
pub(super) struct Sketch {
    pub(super) id: u64,
    pub(super) checksum: Option<usize>,
    pub(super) depends_on: Vec<u64>,
    pub(super) depends_on_jobs: Vec<ChunkPick>,
    pub(super) payload: Vec<u8>,
    pub(super) priority: i16,
    pub(super) lane: usize,
    pub(super) not_before: Option<Instant>,
    pub(super) timeout: Option<Duration>,
    pub(super) max_fails: Option<u32>,
    pub(super) key: Option<usize>,
    pub(super) has_extra: bool,
}

/// A fence.
#[derive(Clone, Copy, Debug)]
pub(super) enum FencePick {
    /// One in force that the handle itself was given.
    Own(usize),
    /// One in force.
    InForce(usize),
    /// One of all that were ever given.
    Given(usize),
    /// One that was never given.
    Invented { chunk: ChunkPick, token: u64 },
}

/// An instant, seen from the time at which the step is taken.
#[derive(Clone, Copy, Debug)]
pub(super) enum Instant {
    Ago(Duration),
    In(Duration),
}

/// What is expected where a record is written.
#[derive(Clone, Copy, Debug)]
pub(super) enum ExpectPick {
    Any,
    Absent,
    /// The version that stands there, if one does.
    Current,
    Version(u64),
}

/// Names of jobs.
pub(super) const NAMES: [&str; 3] = ["alpha", "beta", "gamma"];
/// Kinds of jobs.
pub(super) const KINDS: [&str; 2] = ["", "import"];
/// Names of lanes; the first is the job's own.
pub(super) const LANES: [&str; 3] = ["", "gpu", "slow"];
/// Checksums.
pub(super) const CHECKSUMS: [&str; 3] = ["", "abc123", "DEF 456"];
/// Keys of chunks.
pub(super) const KEYS: [&str; 3] = ["k1", "k2", "k3"];
/// Errors.
pub(super) const ERRORS: [&str; 2] = ["broken pipe", ""];
/// Spaces of records.
pub(super) const SPACES: [&str; 2] = ["journal", "tokens"];
/// Keys of records.
pub(super) const RECORD_KEYS: [&[u8]; 4] = [b"", b"a", b"ab", b"\xff\x00"];
