//! Opening a store whose process was killed, and claiming what that process held.

#![expect(clippy::unwrap_used, reason = "a benchmark that cannot go on panics")]

use std::{
    cell::LazyCell,
    env,
    io::{BufRead, BufReader, Read, Write},
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use criterion::{BenchmarkId, Criterion, SamplingMode};
use futures_lite::future::block_on;
use magnetar_bench::{
    group, now,
    raw::checksum,
    side::{Redb, Side, Sqlite, import, manifest},
};
use magnetar_core::{Fence, JobStore};

const CHUNKS: usize = 1_000_000;
/// How many of them the killed process holds.
const LEASES: usize = 10_000;
/// How many a claim takes at the most.
const BATCH: usize = 1000;

/// Set for a process that is to be killed: which backend, and where the store is.
const ROLE: &str = "MAGNETAR_BENCH_ROLE";
const STORE: &str = "MAGNETAR_BENCH_STORE";

fn main() {
    let store = || env::var_os(STORE).unwrap();
    match env::var(ROLE).as_deref() {
        Ok(Sqlite::NAME) => hold::<Sqlite>(Path::new(&store())),
        Ok(Redb::NAME) => hold::<Redb>(Path::new(&store())),
        _ => {
            let mut criterion = Criterion::default().configure_from_args();
            openings::<Sqlite>(&mut criterion);
            openings::<Redb>(&mut criterion);
            takeovers(&mut criterion);
            criterion.final_summary();
        }
    }
}

/// In the process that is to be killed: claims, says the last token, and waits for the end.
fn hold<S: Side>(path: &Path) {
    let store = S::open(path);
    let (mut claimed, mut last) = (0, 0);
    while claimed < LEASES {
        let batch = block_on(store.claim_pending_batch(1, BATCH)).unwrap();
        assert!(!batch.is_empty());
        claimed += batch.len();
        last = batch.last().unwrap().fence().unwrap().token().get();
    }
    println!("{last}");
    std::io::stdout().flush().unwrap();
    // The parent never writes: this is the end.
    let _ = std::io::stdin().read(&mut [0]);
}

/// Lets a process claim, kills it, and returns the last token that it had.
fn kill_a_holder<S: Side>(path: &Path) -> u64 {
    let mut holder = start::<S>(path);
    let mut line = String::new();
    BufReader::new(holder.stdout.take().unwrap()).read_line(&mut line).unwrap();
    holder.kill().unwrap();
    holder.wait().unwrap();
    line.trim().parse().unwrap()
}

fn start<S: Side>(path: &Path) -> Child {
    let mut command = Command::new(env::current_exe().unwrap());
    command.env(ROLE, S::NAME).env(STORE, path).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap()
}

fn claim(store: &dyn JobStore) -> Fence {
    block_on(store.claim_pending(1)).unwrap().unwrap().fence().unwrap()
}

/// Opening after a kill, alone and with the first claim, beside what the engine itself needs to come back.
fn openings<S: Side>(criterion: &mut Criterion) {
    let folder = tempfile::tempdir().unwrap();
    let path = LazyCell::new(|| {
        let path = folder.path().join("jobs.db");
        import(&*S::open(&path), 1, &manifest(&(1..).take(CHUNKS).map(checksum).collect::<Vec<_>>()));
        path
    });
    let mut group = criterion.benchmark_group(group("open-after-kill", S::NAME));
    group.sample_size(10).sampling_mode(SamplingMode::Flat);
    let mut bench = |name: &str, time: &dyn Fn(u64) -> Duration| {
        group.bench_function(BenchmarkId::new(name, CHUNKS), |bencher| {
            bencher.iter_custom(|count| (0..count).map(|_| time(kill_a_holder::<S>(&path))).sum());
        });
    };
    bench("store", &|_| {
        let begin = now();
        let store = S::open(&path);
        let time = begin.elapsed();
        drop(store);
        time
    });
    bench("store-and-claim", &|last| {
        let begin = now();
        let store = S::open(&path);
        let fence = claim(&*store);
        let time = begin.elapsed();
        assert!(fence.token().get() > last);
        time
    });
    bench("raw", &|_| {
        let begin = now();
        S::recover(&path);
        begin.elapsed()
    });
    group.finish();
}

/// A claim by a process that has the file open while another, which holds all there is, is killed.
fn takeovers(criterion: &mut Criterion) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("jobs.db");
    let store = LazyCell::new(|| {
        let store = Sqlite::open(&path);
        import(&*store, 1, &manifest(&(1..).take(LEASES).map(checksum).collect::<Vec<_>>()));
        store
    });
    let mut group = criterion.benchmark_group(group("claim-after-kill", Sqlite::NAME));
    group.sample_size(10).sampling_mode(SamplingMode::Flat);
    group.bench_function(BenchmarkId::new("store", LEASES), |bencher| {
        let one = || {
            let store = &**store;
            let last = kill_a_holder::<Sqlite>(&path);
            let begin = now();
            let fence = claim(store);
            let time = begin.elapsed();
            assert!(fence.token().get() > last);
            block_on(store.release(&fence)).unwrap();
            time
        };
        bencher.iter_custom(|count| (0..count).map(|_| one()).sum());
    });
    group.finish();
}
