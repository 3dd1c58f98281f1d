//! The state machine of Magnetar: types, rules, manifest, and the [`JobStore`] trait.
//!
//! This crate does no I/O, starts no thread, reads no clock and draws no random number. A *job* is a set of *chunks*; a
//! chunk is claimed, worked on and marked. What may happen to one is in [`machine`], once, as a pure function and a
//! table; what can be asked of a store is [`Op`] and [`Query`]; how it is called is [`JobStore`].

mod chunk;
mod error;
mod id;
mod job;
pub mod limits;
pub mod machine;
pub mod manifest;
mod op;
mod query;
mod retry;
mod snapshot;
mod status;
mod store;
mod time;

pub use crate::{
    chunk::{Extra, JobState, JobUpdate, Lease, NewChunk},
    error::{Error, ErrorKind, Rejection, Result},
    id::{ChunkId, Fence, JobId, JobRef, Lane, SessionId, Token},
    job::{Job, JobOptions, JobSpec, JobStats, OnFailure},
    manifest::{Manifest, ManifestError},
    op::{Claim, Expect, Group, InsertReport, Op, Pruned, Reply, Until, check_group},
    query::{Answer, Audit, Filter, Page, Query, Record},
    retry::{Backoff, RetryPolicy},
    snapshot::{ChunkSnapshot, JobSnapshot, RecordSnapshot, Restored, Snapshot},
    status::{JobStatus, UnknownStatus},
    store::{Capabilities, Durability, JobStore, Sharing},
    time::{Clock, Timestamp},
};
