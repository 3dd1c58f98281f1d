//! What many laws need: jobs made without a manifest, a claim that must succeed, the kind of a refusal.

use std::{fmt::Debug, sync::Arc, time::Duration};

use magnetar_core::{Error, ErrorKind, Fence, JobOptions, JobRef, JobSpec, JobState, JobStore, NewChunk, Op, RetryPolicy};

use crate::harness::World;

pub(super) const SECOND: Duration = Duration::from_secs(1);
pub(super) const MILLI: Duration = Duration::from_millis(1);

/// The kind of a refusal; panics where there is none.
pub(super) fn kind<T: Debug>(result: Result<T, Error>) -> ErrorKind {
    match result {
        Ok(value) => panic!("a refusal was due, and this came: {value:?}"),
        Err(error) => error.kind(),
    }
}

/// A retry policy whose waits are exact: 1 s, 2 s, 4 s, and so on.
pub(super) fn still() -> RetryPolicy {
    RetryPolicy { jitter: 0.0, ..RetryPolicy::default() }
}

/// Makes a job of these chunks, or inserts them into it once more.
pub(super) async fn job_of(world: &World, job: i64, chunks: impl IntoIterator<Item = NewChunk>) {
    job_with(world, job, JobOptions { retry: still(), ..JobOptions::default() }, chunks).await;
}

/// Makes a job of these options and chunks.
pub(super) async fn job_with(world: &World, job: i64, options: JobOptions, chunks: impl IntoIterator<Item = NewChunk>) {
    let spec = JobSpec { options: Some(options), ..JobSpec::default() };
    world.store().ensure_job(JobRef::Id(job), spec).await.unwrap();
    world.store().insert(job, chunks.into_iter().collect()).await.unwrap();
}

/// Makes a job of `count` chunks numbered from 1, with nothing else in them and no jitter.
pub(super) async fn plain_job(world: &World, job: i64, count: u64) {
    job_of(world, job, (1..=count).map(NewChunk::new)).await;
}

/// Claims the next chunk of a job; panics where nothing is ready.
pub(super) async fn claim(store: &Arc<dyn JobStore>, job: i64) -> JobState {
    store.claim_pending(job).await.unwrap().expect("a chunk is ready")
}

/// Claims the next chunk of a job for its fence.
pub(super) async fn fence(store: &Arc<dyn JobStore>, job: i64) -> Fence {
    claim(store, job).await.fence().unwrap()
}

/// Reads a chunk that is there.
pub(super) async fn chunk(world: &World, job: i64, chunk: u64) -> JobState {
    world.store().get_chunk(job, chunk).await.unwrap().expect("the chunk is there")
}

/// The ids of these chunks, in their order.
pub(super) fn ids(chunks: &[JobState]) -> Vec<u64> {
    chunks.iter().map(|chunk| chunk.chunk).collect()
}

/// Has any handle do its upkeep.
pub(super) async fn reap(store: &Arc<dyn JobStore>) {
    store.apply(vec![Op::Reap]).await.unwrap();
}
