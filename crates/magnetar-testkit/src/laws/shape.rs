//! Jobs of a shape, the steps that laws over them take again and again, and a picture of everything to hold against later.

use magnetar_core::{ErrorKind, Expect, Job, JobOptions, JobState, JobStatus, NewChunk, OnFailure, Op, Query, Record};

use super::support::{ids, job_with, kind, still};
use crate::harness::World;

/// No ids.
pub(super) const NONE: [u64; 0] = [];

/// A chunk behind these chunks of its job.
pub(super) fn behind(id: u64, parents: impl IntoIterator<Item = u64>) -> NewChunk {
    NewChunk::new(id).depends_on(parents)
}

/// A chunk behind these chunks of other jobs.
pub(super) fn abroad(id: u64, parents: impl IntoIterator<Item = (i64, u64)>) -> NewChunk {
    let mut chunk = NewChunk::new(id);
    chunk.depends_on_jobs = parents.into_iter().collect();
    chunk
}

/// Chunks from 1 to `count`, each behind the one before it.
pub(super) fn chain(count: u64) -> impl Iterator<Item = NewChunk> {
    (1..=count).map(|id| behind(id, (id > 1).then(|| id - 1)))
}

/// Chunk 1, and `children` chunks from 2 on behind it.
pub(super) fn fan_out(children: u64) -> impl Iterator<Item = NewChunk> {
    (1..=children + 1).map(|id| behind(id, (id > 1).then_some(1)))
}

/// Makes a job that does this with what is behind a bad chunk.
pub(super) async fn job_that(world: &World, job: i64, on_failure: OnFailure, chunks: impl IntoIterator<Item = NewChunk>) {
    job_with(world, job, JobOptions { retry: still(), on_failure }, chunks).await;
}

/// Marks a chunk; panics where that is refused.
pub(super) async fn mark(world: &World, job: i64, chunk: u64, status: JobStatus) {
    world.store().mark_status(job, chunk, status, None).await.unwrap();
}

/// Claims up to so many chunks, for their ids.
pub(super) async fn take(world: &World, job: i64, limit: usize) -> Vec<u64> {
    ids(&world.store().claim_pending_batch(job, limit).await.unwrap())
}

/// The unblocked chunks of a job.
pub(super) async fn ready(world: &World, job: i64) -> Vec<u64> {
    world.store().topo_sort_ready(job).await.unwrap()
}

/// The ids of the chunks that stand there.
pub(super) async fn standing(world: &World, job: i64, status: JobStatus) -> Vec<u64> {
    ids(&world.store().get_by_status(job, status).await.unwrap())
}

/// Makes a chunk wait for chunks of any job; the kind of the refusal where there is one.
pub(super) async fn depend(world: &World, job: i64, chunk: u64, on: Vec<(i64, u64)>) -> Option<ErrorKind> {
    world.store().apply(vec![Op::Depend { job, chunk, on }]).await.err().map(|error| error.kind())
}

/// Everything that can be read: jobs, chunks, what they wait for, and the records of the space `laws`.
#[derive(Debug, PartialEq)]
pub(super) struct Picture {
    jobs: Vec<Job>,
    chunks: Vec<(JobState, String)>,
    records: Vec<Record>,
}

impl Picture {
    /// The chunks, and what they wait for.
    pub(super) fn chunks(&self) -> &[(JobState, String)] {
        &self.chunks
    }
}

/// Takes the picture.
pub(super) async fn picture(world: &World) -> Picture {
    let store = world.store();
    let jobs = store.jobs().await.unwrap();
    let mut chunks = Vec::new();
    for job in &jobs {
        for status in JobStatus::ALL {
            for chunk in store.get_by_status(job.id, status).await.unwrap() {
                let on = store.read(Query::Dependencies { job: job.id, chunk: chunk.chunk }).await.unwrap();
                chunks.push((chunk, format!("{on:?}")));
            }
        }
    }
    Picture { jobs, chunks, records: store.records(SPACE, b"", None, 1000).await.unwrap().items }
}

/// The space of records that a picture shows.
pub(super) const SPACE: &str = "laws";

/// An op that every store refuses with `Conflict`.
pub(super) fn refused() -> Op {
    Op::PutRecord { space: SPACE.to_owned(), key: b"never".to_vec(), value: Some(Vec::new()), expect: Expect::Version(1) }
}

/// Applies a group that is refused in this way and, as the picture shows, changes nothing.
pub(super) async fn changes_nothing(world: &World, group: Vec<Op>, refusal: ErrorKind) {
    let before = picture(world).await;
    let told = format!("{group:?}");
    assert_eq!(kind(world.store().apply(group).await), refusal, "{told}");
    assert_eq!(picture(world).await, before, "{told}");
}

/// Numbers that look random and are the same in every run (splitmix64: Steele, Lea, Flood, OOPSLA 2014).
pub(super) struct Dice(u64);

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A number below `end`.
    pub(super) fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % end
    }

    /// An index below `len`.
    pub(super) fn index(&mut self, len: usize) -> usize {
        usize::try_from(self.below(len as u64)).unwrap()
    }
}
