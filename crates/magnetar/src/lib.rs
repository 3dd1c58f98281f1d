#![doc = include_str!("../../../README.md")]

mod location;
mod salvage;

#[cfg(feature = "checkpoint")]
#[doc(no_inline)]
pub use magnetar_checkpoint as checkpoint;
#[doc(no_inline)]
pub use magnetar_core::limits;
pub use magnetar_core::{
    Answer, Audit, Backoff, Capabilities, ChunkId, ChunkSnapshot, Claim, Clock, Durability, Error, ErrorKind, Expect, Extra,
    Fence, Filter, Group, InsertReport, Job, JobId, JobOptions, JobRef, JobSnapshot, JobSpec, JobState, JobStats, JobStatus,
    JobStore, JobUpdate, Lane, Lease, Manifest, ManifestError, NewChunk, OnFailure, Op, Page, Pruned, Query, Record,
    RecordSnapshot, Rejection, Reply, Restored, Result, RetryPolicy, SessionId, Sharing, Snapshot, Timestamp, Token,
    UnknownStatus, Until, machine, manifest,
};
pub use magnetar_embedded::{LockHeir, Options, Salvaged};
pub use magnetar_memory::MemoryStore;
#[cfg(feature = "redb")]
pub use magnetar_redb::RedbStore;
#[cfg(feature = "resilience")]
#[doc(no_inline)]
pub use magnetar_resilience as resilience;
#[cfg(feature = "s3-integration")]
#[doc(no_inline)]
pub use magnetar_s3 as s3;
#[cfg(feature = "sqlite")]
pub use magnetar_sqlite::SqliteStore;
#[cfg(feature = "worker")]
#[doc(no_inline)]
pub use magnetar_worker as worker;
#[cfg(feature = "worker")]
pub use magnetar_worker::{Attempt, Cancellation, Completion, Failure, JobManager, ManagerConfig, Worker};

pub use crate::location::{Location, open};

/// Stores of resume tokens: where a change stream goes on after a restart.
#[cfg(feature = "state")]
pub mod state {
    #[cfg(feature = "redis-store")]
    #[doc(no_inline)]
    pub use magnetar_redis::{RedisConfig, RedisConfigBuilder, RedisDurability, RedisProbe, RedisStore};
    #[doc(no_inline)]
    pub use magnetar_state::*;
}

/// What most programs import: `use magnetar::prelude::*`.
pub mod prelude {
    pub use crate::{Fence, JobState, JobStats, JobStatus, JobStore, JobUpdate, Manifest, NewChunk, open};
}
