//! Checkpoints beside `serde_json`, `sha2`, a write and an fsync by hand.

#![expect(clippy::unwrap_used, reason = "a benchmark that cannot go on panics")]

use std::{
    fs::{self, File},
    io::Write,
    path::{Path, PathBuf},
};

use criterion::{BenchmarkId, Criterion, SamplingMode, Throughput, criterion_group, criterion_main};
use magnetar_bench::group;
use magnetar_checkpoint::{Checkpoint, CheckpointManager};
use sha2::{Digest, Sha256};

/// Jobs of a checkpoint.
const SIZES: [usize; 2] = [1000, 1_000_000];
const DIGEST_BYTES: usize = 32;

fn checkpoint(jobs: usize) -> Checkpoint {
    let name = |n: usize| format!("encode/2026-11-27/{n:07}");
    let running = jobs / 1000;
    let workers = (0..running).map(|n| (format!("worker-{n}"), name(n))).collect();
    Checkpoint::new(0)
        .with_queued((running..jobs).map(name).collect())
        .with_in_progress((0..running).map(name).collect())
        .with_workers(workers)
}

/// Files that were written by hand, of which the newest is kept.
struct Raw {
    folder: PathBuf,
    number: u64,
}

impl Raw {
    fn file(&self) -> PathBuf {
        self.folder.join(format!("raw_{}.json", self.number))
    }

    fn save(&mut self, checkpoint: &Checkpoint) {
        let bytes = serde_json::to_vec(checkpoint).unwrap();
        let digest = Sha256::digest(&bytes);
        let before = self.file();
        self.number += 1;
        let mut target = File::create(self.file()).unwrap();
        target.write_all(&bytes).unwrap();
        target.write_all(&digest).unwrap();
        target.sync_all().unwrap();
        // The first time there is none.
        let _ = fs::remove_file(before);
    }

    fn load(&self) -> Checkpoint {
        let bytes = fs::read(self.file()).unwrap();
        let (text, digest) = bytes.split_at(bytes.len() - DIGEST_BYTES);
        assert_eq!(Sha256::digest(text).as_slice(), digest);
        serde_json::from_slice(text).unwrap()
    }
}

fn folder(within: &Path, name: &str) -> PathBuf {
    let folder = within.join(name);
    fs::create_dir(&folder).unwrap();
    folder
}

fn saves(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group(group("save", "checkpoint"));
    for jobs in SIZES {
        let place = tempfile::tempdir().unwrap();
        let checkpoint = checkpoint(jobs);
        group.sample_size(20).sampling_mode(SamplingMode::Flat).throughput(Throughput::Elements(1));
        let manager = CheckpointManager::new(folder(place.path(), "store"), 1).unwrap();
        group.bench_function(BenchmarkId::new("store", jobs), |bencher| bencher.iter(|| manager.save(&checkpoint).unwrap()));
        let mut raw = Raw { folder: folder(place.path(), "raw"), number: 0 };
        group.bench_function(BenchmarkId::new("raw", jobs), |bencher| bencher.iter(|| raw.save(&checkpoint)));
    }
    group.finish();
}

fn loads(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group(group("load", "checkpoint"));
    for jobs in SIZES {
        let place = tempfile::tempdir().unwrap();
        let checkpoint = checkpoint(jobs);
        group.sample_size(20).sampling_mode(SamplingMode::Flat).throughput(Throughput::Elements(1));
        let manager = CheckpointManager::new(folder(place.path(), "store"), 1).unwrap();
        manager.save(&checkpoint).unwrap();
        group.bench_function(BenchmarkId::new("store", jobs), |bencher| bencher.iter(|| manager.load_latest().unwrap()));
        let mut raw = Raw { folder: folder(place.path(), "raw"), number: 0 };
        raw.save(&checkpoint);
        group.bench_function(BenchmarkId::new("raw", jobs), |bencher| bencher.iter(|| raw.load()));
    }
    group.finish();
}

criterion_group!(checkpoints, saves, loads);
criterion_main!(checkpoints);
