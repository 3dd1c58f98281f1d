//! What there is to do in a round, and how each chunk must end. All of it follows from a seed, so that workers and the rig know
//! the same without telling each other.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use anyhow::{Context, Result};
use fastrand::Rng;
use magnetar_core::{ChunkId, JobId, JobOptions, JobSpec, JobState, JobStatus, Manifest, NewChunk, OnFailure, RetryPolicy};

/// How the work on a chunk goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Temper {
    /// It succeeds.
    Good,
    /// It fails so often, and then succeeds.
    Flaky(u32),
    /// It fails as long as it is tried.
    Hopeless,
    /// It kills whoever works on it.
    Poison,
}

/// A chunk of a plan.
#[derive(Clone, Debug)]
pub(crate) struct ChunkPlan {
    pub(crate) temper: Temper,
    /// What must have ended before it may run.
    pub(crate) parents: Vec<(JobId, ChunkId)>,
    priority: i16,
    payload_bytes: usize,
}

/// A job of a plan.
#[derive(Clone, Debug)]
pub(crate) struct JobPlan {
    pub(crate) id: JobId,
    pub(crate) options: JobOptions,
    pub(crate) chunks: BTreeMap<ChunkId, ChunkPlan>,
    /// Those that end as Skipped.
    skipped: BTreeSet<ChunkId>,
}

/// The jobs of a round.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) jobs: Vec<JobPlan>,
}

/// The job with the graph, which bears any number of kills: each of its chunks ends as the plan says.
pub(crate) const GRAPH: JobId = 1;
/// The job with the poison, whose budget of crashes is small.
pub(crate) const POISON: JobId = 2;

const FAILS_MAX: u32 = 3;
const POISON_CRASHES_MAX: u32 = 3;
const POISON_CHUNKS: u64 = 24;
const STEADY_CHUNKS: u64 = 12;

impl Plan {
    /// A plan of about so many chunks.
    pub(crate) fn random(seed: u64, chunks: u64) -> Self {
        let mut rng = Rng::with_seed(seed);
        let retry = RetryPolicy {
            max_fails: FAILS_MAX,
            max_crashes: u32::MAX,
            first_wait: Duration::from_millis(2),
            longest_wait: Duration::from_millis(4),
            jitter: 0.5,
            ..RetryPolicy::default()
        };
        let graph: BTreeMap<_, _> = (1..=chunks).map(|id| (id, graph_chunk(&mut rng, id))).collect();
        let graph = JobPlan {
            id: GRAPH,
            options: JobOptions { retry, on_failure: OnFailure::Skip },
            skipped: skipped(&graph),
            chunks: graph,
        };
        let poison = JobPlan {
            id: POISON,
            options: JobOptions { retry: RetryPolicy { max_crashes: POISON_CRASHES_MAX, ..retry }, on_failure: OnFailure::Run },
            chunks: (1..=POISON_CHUNKS).map(|id| (id, poison_chunk(&mut rng, id, chunks))).collect(),
            skipped: BTreeSet::new(),
        };
        Self { jobs: vec![graph, poison] }
    }

    /// A plan of so many chunks that depend on nothing and succeed.
    pub(crate) fn flat(chunks: u64) -> Self {
        let chunk = ChunkPlan { temper: Temper::Good, parents: Vec::new(), priority: 0, payload_bytes: 20 };
        let retry = RetryPolicy { max_crashes: u32::MAX, ..RetryPolicy::default() };
        let options = JobOptions { retry, on_failure: OnFailure::Skip };
        let chunks = (1..=chunks).map(|id| (id, chunk.clone())).collect();
        Self { jobs: vec![JobPlan { id: GRAPH, options, chunks, skipped: BTreeSet::new() }] }
    }

    /// A small plan without poison and without waits: the same calls each time it is played.
    pub(crate) fn steady(seed: u64) -> Self {
        let mut rng = Rng::with_seed(seed);
        let chunks: BTreeMap<_, _> = (1..=STEADY_CHUNKS).map(|id| (id, graph_chunk(&mut rng, id))).collect();
        let retry =
            RetryPolicy { max_fails: FAILS_MAX, max_crashes: u32::MAX, first_wait: Duration::ZERO, ..RetryPolicy::default() };
        let options = JobOptions { retry, on_failure: OnFailure::Skip };
        Self { jobs: vec![JobPlan { id: GRAPH, options, skipped: skipped(&chunks), chunks }] }
    }

    pub(crate) fn job(&self, id: JobId) -> Option<&JobPlan> {
        self.jobs.iter().find(|job| job.id == id)
    }

    pub(crate) fn chunk(&self, job: JobId, chunk: ChunkId) -> Option<&ChunkPlan> {
        self.job(job)?.chunks.get(&chunk)
    }

    /// How many chunks there are in all.
    pub(crate) fn len(&self) -> usize {
        self.jobs.iter().map(|job| job.chunks.len()).sum()
    }
}

fn graph_chunk(rng: &mut Rng, id: ChunkId) -> ChunkPlan {
    let temper = match rng.u32(0..100) {
        0..82 => Temper::Good,
        82..97 => Temper::Flaky(rng.u32(1..FAILS_MAX)),
        _ => Temper::Hopeless,
    };
    // One chunk in forty waits for many, so that there are wide joins among the narrow ones.
    let count = if rng.u32(0..40) == 0 { 12 } else { rng.usize(0..4) };
    let mut parents: Vec<_> = (0..count).map(|_| id.saturating_sub(rng.u64(1..=30))).filter(|parent| *parent > 0).collect();
    parents.sort_unstable();
    parents.dedup();
    ChunkPlan {
        temper,
        parents: parents.into_iter().map(|parent| (GRAPH, parent)).collect(),
        priority: rng.i16(-1..=1),
        // Some take pages of their own.
        payload_bytes: if rng.u32(0..30) == 0 { 9000 } else { rng.usize(0..200) },
    }
}

fn poison_chunk(rng: &mut Rng, id: ChunkId, graph: u64) -> ChunkPlan {
    let mut parents = Vec::new();
    if id > 1 && rng.u32(0..3) == 0 {
        parents.push((POISON, rng.u64(1..id)));
    }
    // A chunk of another job; what it does there, that job says.
    if rng.u32(0..4) == 0 {
        parents.push((GRAPH, rng.u64(1..=graph / 2)));
    }
    let temper = if rng.u32(0..8) == 0 { Temper::Poison } else { Temper::Good };
    ChunkPlan { temper, parents, priority: rng.i16(-1..=1), payload_bytes: rng.usize(0..100) }
}

impl JobPlan {
    pub(crate) fn manifest(&self) -> Result<Manifest> {
        let chunks = self.chunks.iter().map(|(id, chunk)| chunk.as_new(*id, self.id)).collect();
        let spec = JobSpec { name: Some(format!("job-{}", self.id)), options: Some(self.options), ..JobSpec::default() };
        Manifest::new(spec, chunks).context("make a manifest")
    }

    /// Whether a chunk may stand like this once nothing is open any more.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn check_end(&self, state: &JobState) -> Result<(), String> {
        let max_crashes = self.options.retry.max_crashes;
        let is_spent = state.crashes == max_crashes && max_crashes < u32::MAX;
        let is_right = match (self.wanted(state.chunk), state.status) {
            (None, _) => return Err("is not in the manifest".to_owned()),
            (Some(_), JobStatus::Failed) if is_spent => true,
            (Some(Temper::Poison), _) => false,
            (Some(Temper::Hopeless), JobStatus::Failed) => state.fails == FAILS_MAX,
            (Some(Temper::Flaky(fails)), JobStatus::Done) => state.fails == fails,
            (Some(Temper::Good), JobStatus::Done) => state.fails == 0,
            (Some(_), JobStatus::Skipped) => self.skipped.contains(&state.chunk),
            _ => false,
        };
        // What is skipped is so because of its parents alone, and then nothing else.
        if is_right && (state.status == JobStatus::Skipped) == self.skipped.contains(&state.chunk) {
            return Ok(());
        }
        Err(format!(
            "ended as {} with {} failures and {} crashes, and is {:?}",
            state.status,
            state.fails,
            state.crashes,
            self.wanted(state.chunk)
        ))
    }

    fn wanted(&self, chunk: ChunkId) -> Option<Temper> {
        self.chunks.get(&chunk).map(|chunk| chunk.temper)
    }
}

/// The chunks of a job that skips which nobody may work on: one of those before them is hopeless.
fn skipped(chunks: &BTreeMap<ChunkId, ChunkPlan>) -> BTreeSet<ChunkId> {
    let mut skipped = BTreeSet::new();
    // Parents have smaller numbers.
    for (id, chunk) in chunks {
        let is_bad = |parent: &ChunkId| {
            skipped.contains(parent) || chunks.get(parent).is_some_and(|parent| parent.temper == Temper::Hopeless)
        };
        if chunk.parents.iter().any(|(_, parent)| is_bad(parent)) {
            skipped.insert(*id);
        }
    }
    skipped
}

impl ChunkPlan {
    fn as_new(&self, id: ChunkId, job: JobId) -> NewChunk {
        let own = self.parents.iter().filter(|(parent, _)| *parent == job).map(|(_, chunk)| *chunk);
        let mut new = NewChunk::new(id).depends_on(own).priority(self.priority).payload(vec![7; self.payload_bytes]);
        new.depends_on_jobs = self.parents.iter().copied().filter(|(parent, _)| *parent != job).collect();
        new
    }
}
