//! A reference model: what every store must do, written down from the contract as plainly as it can be said.
//!
//! It keeps jobs, chunks, records and sessions in maps, and works out counters, places and stats anew at each look. A group
//! is applied to the model itself and undone by putting back a copy. It shares with the stores the plain types of
//! `magnetar_core` and the checks of an op, and none of the rules.
//!
//! Three things it does not decide:
//! - What the rules leave to a store (tokens, versions, ids of numbered chunks and of jobs ensured by name) it is told:
//!   [`Model::submit`] takes what the store answered, follows its choices, and lists in [`Model::faults`] those that no store
//!   may make.
//! - Where two answers are both right, the expectation holds both: see [`Refusal`] and [`ExpectedChunk`].
//! - Where the rules do not say what happens to the data, the model notes a [`Doubt`], and what follows is not comparable.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a model that finds itself inconsistent can only stop the test, and the line of the panic says where"
)]

mod chunk;
mod claims;
mod graph;
mod guesses;
mod insert;
mod jobs;
mod marks;
mod prune;
mod reads;
mod records;
mod refusal;
mod sessions;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use magnetar_core::{ChunkId, Fence, Group, InsertReport, JobId, Op, Rejection, Reply, Timestamp, check_group};

use self::{chunk::Chunk, guesses::Guesses, jobs::StoredJob, sessions::Session};
pub use self::{
    chunk::ExpectedChunk,
    refusal::Refusal,
    sessions::{HandleId, RENEWED_AFTER, SESSION_LIVES_FOR},
};

/// What a store answered to a group.
pub type Outcome = Result<Vec<Reply>, Rejection>;

/// What a store must answer to a group.
pub type Expectation = Result<Vec<ExpectedReply>, Refusal>;

/// A chunk of any job.
type Key = (JobId, ChunkId);

/// What a store must answer to an op.
#[derive(Clone, Debug)]
pub enum ExpectedReply {
    /// Just this.
    Exactly(Reply),
    /// The report of an insert.
    Inserted(InsertReport),
    /// These chunks in this order.
    Claimed(Vec<ExpectedChunk>),
    /// The verdict on a mark.
    Marked {
        /// Whether anything changed.
        changed: bool,
        /// What fence comes with it.
        fence: ExpectedFence,
    },
    /// These chunks in any order.
    Reopened(Vec<Key>),
    /// What a prune did.
    Pruned {
        /// Chunks that were removed.
        removed: u64,
        /// Where to go on: one of these. There are two where exactly the last chunk of the job was looked at last.
        next: Vec<Option<ChunkId>>,
    },
    /// Any count of chunks taken back: the upkeep before the op may have done it all.
    Reaped,
}

/// What fence must come with a mark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExpectedFence {
    /// This one: the mark was a claim.
    Is(Fence),
    /// None, or that of the claim: the mark claimed and ended at once, or changed nothing.
    Either,
    /// None.
    None,
}

/// Where the rules do not say what happens, so that a store and the model may differ and both be right.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Doubt {
    /// In an op: leave the submit out.
    Op(&'static str),
    /// In the upkeep that any submit begins with: nothing after it is comparable.
    Upkeep(&'static str),
}

impl Doubt {
    /// What is not said.
    pub fn what(self) -> &'static str {
        match self {
            Self::Op(what) | Self::Upkeep(what) => what,
        }
    }
}

/// The model of a store.
#[derive(Clone, Debug, Default)]
pub struct Model {
    now: Timestamp,
    jobs: BTreeMap<JobId, StoredJob>,
    chunks: BTreeMap<Key, Chunk>,
    records: BTreeMap<(String, Vec<u8>), (Vec<u8>, u64)>,
    sessions: BTreeMap<u64, Session>,
    handles: BTreeMap<HandleId, sessions::Handle>,
    last_token: u64,
    last_version: u64,
    last_number: u64,
    doubts: Vec<Doubt>,
    faults: Vec<String>,
}

impl Model {
    /// The model of a store with nothing in it that nobody has opened.
    pub fn new() -> Self {
        Self::default()
    }

    /// Does the upkeep that each submit begins with, then applies groups in this order. `told` is what the store answered;
    /// empty where there is no store to follow, or where it is to be found out whether the submit raises a [`Doubt`].
    ///
    /// # Panics
    /// For a handle that is not open, and for an op that the model does not know.
    pub fn submit(&mut self, handle: HandleId, groups: &[Group], now: Timestamp, told: &[Outcome]) -> Vec<Expectation> {
        self.now = now;
        self.doubts.clear();
        self.faults.clear();
        self.upkeep(handle);
        let told = |group: usize| match told.get(group) {
            Some(Ok(replies)) => replies.as_slice(),
            _ => &[],
        };
        groups.iter().enumerate().map(|(at, group)| self.group(handle, group, told(at))).collect()
    }

    /// What the rules do not say of the last submit.
    pub fn doubts(&self) -> &[Doubt] {
        &self.doubts
    }

    /// What the store chose in the last submit and must not have chosen: a token that does not grow, an id that is taken.
    pub fn faults(&self) -> &[String] {
        &self.faults
    }

    /// Applies a group wholly, or puts everything back.
    fn group(&mut self, handle: HandleId, group: &Group, told: &[Reply]) -> Expectation {
        check_group(group)?;
        let before = self.clone();
        let mut replies = Vec::new();
        let mut guesses = Guesses::default();
        for (at, op) in group.iter().enumerate() {
            if told.is_empty() {
                self.doubt_guesses(op, &before, &mut guesses);
            }
            match self.op(handle, op, told.get(at)) {
                Ok(reply) => replies.push(reply),
                Err(refusal) => {
                    let (doubts, faults) = (std::mem::take(&mut self.doubts), std::mem::take(&mut self.faults));
                    *self = Self { doubts, faults, ..before };
                    return Err(refusal);
                }
            }
        }
        Ok(replies)
    }

    fn op(&mut self, handle: HandleId, op: &Op, told: Option<&Reply>) -> Result<ExpectedReply, Refusal> {
        match op {
            Op::EnsureJob { job, spec } => self.ensure_job(job, spec, told),
            Op::Insert { job, chunks } => self.insert(job, chunks, told),
            Op::Claim(claim) => Ok(self.claim(handle, claim, told)),
            Op::Complete { fence, result, checksum } => self.complete(handle, fence, result, checksum.as_deref()),
            Op::Fail { fence, error } => self.fail(handle, fence, error),
            Op::Release { fence } => self.release(handle, fence),
            Op::Check { fence } => self.check(fence),
            Op::Park { fence, until } => self.park(handle, fence, until),
            Op::Mark { job, update } => self.mark(handle, *job, update, told),
            Op::Depend { job, chunk, on } => self.depend((*job, *chunk), on),
            Op::Reopen { job, chunks } => self.reopen(*job, chunks),
            Op::Pause { job } => self.set_paused(*job, true),
            Op::Resume { job } => self.set_paused(*job, false),
            Op::DeleteJob { job } => self.delete_job(*job),
            Op::PutRecord { space, key, value, expect } => self.put_record(space, key, value.as_deref(), *expect, told),
            Op::Prune { job, ended_before, after, limit } => self.prune(*job, *ended_before, *after, *limit),
            Op::Reap => Ok(ExpectedReply::Reaped),
            other => panic!("the model does not know {other:?}"),
        }
    }

    fn doubt(&mut self, what: &'static str) {
        self.doubts.push(Doubt::Op(what));
    }

    fn fault(&mut self, what: String) {
        self.faults.push(what);
    }

    /// A number that was never given before: for sessions, and to tell a chunk from one that had its id earlier.
    fn number(&mut self) -> u64 {
        self.last_number += 1;
        self.last_number
    }

    fn chunk(&self, key: Key) -> &Chunk {
        &self.chunks[&key]
    }

    fn chunk_mut(&mut self, key: Key) -> &mut Chunk {
        self.chunks.get_mut(&key).unwrap()
    }

    fn known_job(&self, job: JobId) -> Result<&StoredJob, Refusal> {
        self.jobs.get(&job).ok_or_else(|| Rejection::JobNotFound { job }.into())
    }

    fn known_chunk(&self, (job, chunk): Key) -> Result<Key, Refusal> {
        self.known_job(job)?;
        if self.chunks.contains_key(&(job, chunk)) {
            Ok((job, chunk))
        } else {
            Err(Rejection::ChunkNotFound { job, chunk }.into())
        }
    }
}

/// What happened, where there is nothing more to say.
const APPLIED: ExpectedReply = ExpectedReply::Exactly(Reply::Applied);
