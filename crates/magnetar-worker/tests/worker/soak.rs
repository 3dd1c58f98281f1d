//! Thousands of chunks in a random graph, handlers of every kind, a store that is busy now and then: the counters are right
//! at the end, nothing ran before what it depends on, and nothing ran twice that was done.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::SeqCst},
    },
    time::Duration,
};

use magnetar_core::{JobOptions, JobStatus, NewChunk, OnFailure};
use magnetar_worker::{Attempt, Completion, Counts, End, Event, Failure, Worker};
use tokio::time::{Instant, sleep};

use crate::support::{JOB, Log, Rig, job_with, retry};

const CHUNKS: u64 = 4000;
const MAX_FAILS: u32 = 3;

/// What a chunk's handler does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Succeeds at its first attempt.
    Good,
    /// Fails so often, then succeeds.
    Fails(u32),
    /// Panics once, then succeeds.
    Panics,
    /// Hangs once, then succeeds.
    Hangs,
    /// Is given back once, then succeeds.
    Returns,
    /// Fails for good at once.
    Permanent,
    /// Fails until its budget is spent.
    Bad,
    /// Hangs until its budget is spent.
    Stuck,
}

impl Kind {
    /// What a chunk does is drawn from its id.
    fn of(id: u64, seed: u64) -> Self {
        match mix(id, seed) % 200 {
            0..=9 => Self::Fails(1 + u32::try_from(id % 2).unwrap()),
            10..=14 => Self::Panics,
            15..=17 => Self::Hangs,
            18..=25 => Self::Returns,
            26 => Self::Permanent,
            27 => Self::Bad,
            28 => Self::Stuck,
            _ => Self::Good,
        }
    }

    fn is_done_in_the_end(self) -> bool {
        !matches!(self, Self::Permanent | Self::Bad | Self::Stuck)
    }

    /// How many attempts of it fail.
    fn failures(self) -> u64 {
        match self {
            Self::Good | Self::Returns => 0,
            Self::Fails(times) => times.into(),
            Self::Panics | Self::Hangs | Self::Permanent => 1,
            Self::Bad | Self::Stuck => MAX_FAILS.into(),
        }
    }
}

/// A number that two others decide.
fn mix(one: u64, other: u64) -> u64 {
    let mut z = one.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ other.wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 31)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 29)
}

/// Up to three chunks with smaller ids; the first hundred wait for none.
fn depends_on(id: u64, seed: u64) -> Vec<u64> {
    if id <= 100 {
        return Vec::new();
    }
    let drawn: BTreeSet<_> = (0..mix(id, seed + 1) % 4).map(|n| 1 + mix(id, seed + 2 + n) % (id - 1)).collect();
    drawn.into_iter().collect()
}

async fn handle(attempt: Attempt, seed: u64, returned: Log<u64>) -> Result<Completion, Failure> {
    let id = attempt.chunk().chunk;
    sleep(Duration::from_micros(mix(id, seed) % 3000)).await;
    let hang = async || sleep(Duration::from_hours(24)).await;
    match Kind::of(id, seed) {
        Kind::Fails(times) if attempt.number() <= times => return Err("planted".into()),
        Kind::Panics if attempt.number() == 1 => std::panic::resume_unwind(Box::new("planted")),
        Kind::Hangs if attempt.number() == 1 => hang().await,
        Kind::Returns if !returned.all().contains(&id) => {
            returned.push(id);
            return Err(Failure::release());
        }
        Kind::Permanent => return Err(Failure::permanent("planted")),
        Kind::Bad => return Err("planted".into()),
        Kind::Stuck => hang().await,
        _ => {}
    }
    Ok(Completion::new(id.to_be_bytes()).record("seen", id.to_be_bytes(), b"done".to_vec()))
}

/// What each chunk must end as, and what the attempts come to.
fn expected(seed: u64) -> (BTreeMap<u64, JobStatus>, Counts) {
    let mut ends = BTreeMap::new();
    let mut counts = Counts::default();
    for id in 1..=CHUNKS {
        let kind = Kind::of(id, seed);
        let end = if depends_on(id, seed).iter().any(|dep| ends[dep] != JobStatus::Done) {
            JobStatus::Skipped
        } else if kind.is_done_in_the_end() {
            JobStatus::Done
        } else {
            JobStatus::Failed
        };
        ends.insert(id, end);
        if end == JobStatus::Skipped {
            continue;
        }
        counts.failed += kind.failures();
        counts.done += u64::from(end == JobStatus::Done);
        counts.given_up += u64::from(end == JobStatus::Failed);
        counts.released += u64::from(kind == Kind::Returns);
        counts.panicked += u64::from(kind == Kind::Panics);
        counts.timed_out += if matches!(kind, Kind::Hangs | Kind::Stuck) { kind.failures() } else { 0 };
    }
    counts.started = counts.done + counts.failed + counts.released;
    (ends, counts)
}

async fn soak(seed: u64) {
    let rig = Rig::new();
    let graph = (1..=CHUNKS).map(|id| NewChunk::new(id).depends_on(depends_on(id, seed))).collect();
    job_with(&rig.inner(), JobOptions { retry: retry(MAX_FAILS), on_failure: OnFailure::Skip }, graph).await;
    rig.delay(Duration::from_millis(2));
    rig.busy_once_in(7);
    let begin = Instant::now();
    let (returned, order, tick) = (Log::default(), Log::default(), Arc::new(AtomicU64::new(0)));
    let (ends, clock) = (order.clone(), Arc::clone(&tick));
    let on_event = move |event: &Event| {
        let now = clock.fetch_add(1, SeqCst);
        match event {
            Event::Started { fence, .. } => ends.push((fence.chunk(), now, false)),
            Event::Done { fence } => ends.push((fence.chunk(), now, true)),
            _ => {}
        }
    };
    let worker =
        Worker::builder(rig.store()).concurrency(32).prefetch(16).attempt_timeout(Duration::from_secs(2)).on_event(on_event);
    let summary = worker.run(JOB, move |attempt| handle(attempt, seed, returned.clone())).await.unwrap();
    assert!(rig.failed.load(SeqCst) > 10);

    let (expected_ends, expected_counts) = expected(seed);
    assert_eq!(summary.counts, expected_counts, "seed {seed}");
    let End::Ended { stats } = summary.end else { panic!("{summary:?}") };
    assert_eq!((stats.done, stats.failed, stats.total_chunks), (expected_counts.done, expected_counts.given_up, CHUNKS));
    for (status, some) in [JobStatus::Done, JobStatus::Failed, JobStatus::Skipped]
        .map(|status| (status, expected_ends.iter().filter(|(_, end)| **end == status).map(|(id, _)| *id).collect::<Vec<_>>()))
    {
        let found = rig.inner().get_by_status(JOB, status).await.unwrap();
        assert_eq!(found.iter().map(|chunk| chunk.chunk).collect::<Vec<_>>(), some, "seed {seed}: {status}");
    }
    assert_eq!(rig.inner().audit(JOB).await.unwrap().problems, Vec::<String>::new());

    let order = order.all();
    let done: BTreeMap<_, _> = order.iter().filter(|(.., is_done)| *is_done).map(|(id, at, _)| (*id, *at)).collect();
    let dones = order.iter().filter(|(.., is_done)| *is_done).count();
    assert_eq!(done.len(), dones, "a chunk was done twice");
    for (id, at, _) in order.iter().filter(|(.., is_done)| !is_done) {
        // The store had the end of the dependency before this was claimed, so it was told before this was started.
        assert!(depends_on(*id, seed).iter().all(|dep| done[dep] < *at), "chunk {id} was started too early");
        assert!(done.get(id).is_none_or(|done| at < done), "chunk {id} was started again");
    }
    assert!(begin.elapsed() < Duration::from_mins(3), "{:?}", begin.elapsed());
}

#[tokio::test(start_paused = true)]
async fn random_graph_with_handlers_of_every_kind_ends_with_the_right_counters() {
    for seed in 0..3 {
        soak(seed).await;
    }
}
