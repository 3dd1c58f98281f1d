//! `magnetar run` on chunks that do nothing, beside a bare loop that starts the same processes.

#![expect(clippy::unwrap_used, reason = "a benchmark that cannot go on panics")]

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
    thread,
    time::Duration,
};

use criterion::{BenchmarkId, Criterion, SamplingMode, Throughput, criterion_group, criterion_main};
use magnetar_bench::{group, now, scaled};

/// Chunks of one run. What a run costs once (reading the manifest, making the store) is a part of the figure.
const CHUNKS: usize = 5000;
/// In a test, which only shows that it works.
const CHUNKS_IN_TEST: usize = 50;
/// Commands at once.
const JOBS: [usize; 2] = [2, 16];
const COMMAND: &str = "true";

/// The program, which cargo builds beside the benchmarks: `cargo xtask bench` and `cargo test` see to that.
fn program() -> PathBuf {
    let me = env::current_exe().unwrap();
    let program = me.ancestors().nth(2).unwrap().join("magnetar").with_extension(env::consts::EXE_EXTENSION);
    assert!(program.exists(), "{} is not there; build the package magnetar-cli in the same profile", program.display());
    program
}

fn manifest(path: &Path, chunks: usize) {
    let chunk = |id| format!("{{\"id\":{id},\"run\":[\"{COMMAND}\"]}}\n");
    fs::write(path, (1..=chunks).map(chunk).collect::<String>()).unwrap();
}

/// One run of a new job, from nothing to the summary.
fn run(program: &Path, folder: &Path, chunks: usize, jobs: usize) -> Duration {
    let folder = tempfile::tempdir_in(folder).unwrap();
    let path = folder.path().join("jobs.jsonl");
    manifest(&path, chunks);
    let mut command = Command::new(program);
    command.arg("run").arg(&path).args(["--progress", "none", "-j", &jobs.to_string()]);
    let begin = now();
    let status = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap();
    let time = begin.elapsed();
    assert!(status.success(), "magnetar run ended with {status}");
    time
}

/// The same processes, so many at once, and nothing written down.
fn bare(chunks: usize, jobs: usize) -> Duration {
    let next = AtomicUsize::new(0);
    let begin = now();
    thread::scope(|scope| {
        for _ in 0..jobs {
            scope.spawn(|| {
                while next.fetch_add(1, Relaxed) < chunks {
                    let mut command = Command::new(COMMAND);
                    assert!(command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap().success());
                }
            });
        }
    });
    begin.elapsed()
}

fn commands(criterion: &mut Criterion) {
    let program = program();
    let folder = tempfile::tempdir().unwrap();
    let chunks = if env::args().any(|arg| arg == "--bench") { CHUNKS } else { CHUNKS_IN_TEST };
    let mut group = criterion.benchmark_group(group("run-command", "sqlite"));
    group.sample_size(10).sampling_mode(SamplingMode::Flat).throughput(Throughput::Elements(1));
    let one = |count: u64, time: &dyn Fn() -> Duration| scaled(time(), chunks as u64, count);
    for jobs in JOBS {
        group.bench_function(BenchmarkId::new("store", jobs), |bencher| {
            bencher.iter_custom(|count| one(count, &|| run(&program, folder.path(), chunks, jobs)));
        });
        group.bench_function(BenchmarkId::new("raw", jobs), |bencher| {
            bencher.iter_custom(|count| one(count, &|| bare(chunks, jobs)));
        });
    }
    group.finish();
}

criterion_group!(runs, commands);
criterion_main!(runs);
