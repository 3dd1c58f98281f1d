//! Large jobs: putting a million chunks in, listing what is left of them, and claims whatever the size of the job.

#![expect(clippy::unwrap_used, reason = "a benchmark that cannot go on panics")]

use std::{cell::LazyCell, path::Path, sync::Arc, time::Duration};

use criterion::{BenchmarkId, Criterion, SamplingMode, Throughput, criterion_group, criterion_main};
use futures_lite::future::block_on;
use magnetar_bench::{
    crowd::Crowd,
    group, now,
    raw::{Raw, checksum},
    scaled,
    side::{Redb, Side, Sqlite, import, manifest},
};
use magnetar_core::{Fence, Filter, JobId, JobStatus, JobStore, JobUpdate, Op, limits};

const LARGE: usize = 1_000_000;
const SMALL: usize = 10_000;
const CALLERS: usize = 64;

fn checksums(chunks: usize) -> Vec<String> {
    (1..).take(chunks).map(checksum).collect()
}

fn imports<S: Side>(criterion: &mut Criterion) {
    let checksums = checksums(LARGE);
    let manifest = LazyCell::new(|| manifest(&checksums));
    let mut group = criterion.benchmark_group(group("import", S::NAME));
    group.sample_size(10).sampling_mode(SamplingMode::Flat).throughput(Throughput::Elements(LARGE as u64));
    let fresh = |time: &dyn Fn(&Path) -> Duration| {
        let folder = tempfile::tempdir().unwrap();
        time(&folder.path().join("jobs.db"))
    };
    group.bench_function(BenchmarkId::new("store", LARGE), |bencher| {
        let one = |path: &Path| {
            let store = S::open(path);
            let begin = now();
            import(&*store, 1, &manifest);
            begin.elapsed()
        };
        bencher.iter_custom(|count| (0..count).map(|_| fresh(&one)).sum());
    });
    group.bench_function(BenchmarkId::new("raw", LARGE), |bencher| {
        let one = |path: &Path| {
            let mut raw = S::Raw::create(path);
            let begin = now();
            raw.import(1, &checksums);
            begin.elapsed()
        };
        bencher.iter_custom(|count| (0..count).map(|_| fresh(&one)).sum());
    });
    group.finish();
}

fn scans<S: Side>(criterion: &mut Criterion) {
    let folder = tempfile::tempdir().unwrap();
    let store = LazyCell::new(|| {
        let store = S::open(&folder.path().join("store.db"));
        import(&*store, 1, &manifest(&checksums(LARGE)));
        store
    });
    let raw = LazyCell::new(|| {
        let mut raw = S::Raw::create(&folder.path().join("raw.db"));
        raw.import(1, &checksums(LARGE));
        raw
    });
    let mut group = criterion.benchmark_group(group("resume-scan", S::NAME));
    group.sample_size(10).sampling_mode(SamplingMode::Flat).throughput(Throughput::Elements(LARGE as u64));
    group.bench_function(BenchmarkId::new("store", LARGE), |bencher| {
        bencher.iter(|| assert_eq!(block_on(pending(&**store)), LARGE));
    });
    group.bench_function(BenchmarkId::new("raw", LARGE), |bencher| bencher.iter(|| assert_eq!(raw.pending(1).len(), LARGE)));
    group.finish();
}

async fn pending(store: &dyn JobStore) -> usize {
    let (mut ids, mut after) = (Vec::new(), None);
    loop {
        let page = store.ids(1, Filter::Status(JobStatus::Pending), after, limits::PAGE_ROWS_MAX).await.unwrap();
        ids.extend(page.items);
        match page.next {
            Some(next) => after = Some(next),
            None => return ids.len(),
        }
    }
}

/// A claim in a job of 10,000, in one of a million, and in one of a million of which 99 of 100 are done.
fn sizes<S: Side>(criterion: &mut Criterion) {
    let folder = tempfile::tempdir().unwrap();
    let crowd = Crowd::default();
    let store = LazyCell::new(|| {
        let store = S::open(&folder.path().join("store.db"));
        for (job, chunks) in [(1, SMALL), (2, LARGE), (3, LARGE)] {
            import(&*store, job, &manifest(&checksums(chunks)));
        }
        finish_most(&*store, 3);
        store
    });
    let mut group = criterion.benchmark_group(group("claim-among", S::NAME));
    group.sample_size(20).sampling_mode(SamplingMode::Flat).throughput(Throughput::Elements(1));
    for (job, name) in [(1, "10k"), (2, "1M"), (3, "1M-99%-done")] {
        group.bench_function(BenchmarkId::new("store", name), |bencher| {
            bencher.iter_custom(|count| {
                // No more than a small job has.
                let rounds = usize::try_from(count).unwrap().div_ceil(CALLERS).min(SMALL / CALLERS);
                scaled(claim_and_release(&store, &crowd, job, rounds), (rounds * CALLERS) as u64, count)
            });
        });
    }
    group.finish();
}

fn finish_most(store: &dyn JobStore, job: JobId) {
    let ids: Vec<u64> = (1..=LARGE as u64).filter(|id| id % 100 != 0).collect();
    for ids in ids.chunks(1000) {
        let done = |id: &u64| JobUpdate { chunk_id: *id, status: JobStatus::Done, checksum: None, error: None };
        let updates: Vec<_> = ids.iter().map(done).collect();
        for verdict in block_on(store.apply_batch_updates(job, &updates)).unwrap() {
            verdict.unwrap();
        }
    }
}

/// The time for the claims; what was claimed is given back.
fn claim_and_release(store: &Arc<dyn JobStore>, crowd: &Crowd, job: JobId, rounds: usize) -> Duration {
    let (send, receive) = std::sync::mpsc::channel::<Fence>();
    let callers = (0..CALLERS).map(|_| {
        let (store, send) = (Arc::clone(store), send.clone());
        async move {
            for _ in 0..rounds {
                let chunk = store.claim_pending(job).await.unwrap().unwrap();
                send.send(chunk.fence().unwrap()).unwrap();
            }
        }
    });
    let time = crowd.time(callers);
    let claimed: Vec<Fence> = receive.try_iter().collect();
    for fences in claimed.chunks(500) {
        let groups = fences.iter().map(|fence| vec![Op::Release { fence: *fence }]).collect();
        for released in crowd.wait(store.submit(groups)).unwrap() {
            released.unwrap();
        }
    }
    time
}

criterion_group!(bulk, imports::<Sqlite>, imports::<Redb>, scans::<Sqlite>, scans::<Redb>, sizes::<Sqlite>, sizes::<Redb>);
criterion_main!(bulk);
