//! Claims and finishes: alone, as a pair, and fused into one op, for crowds of callers.

#![expect(clippy::unwrap_used, reason = "a benchmark that cannot go on panics")]

use std::{path::Path, sync::Arc, time::Duration};

use criterion::{BenchmarkId, Criterion, SamplingMode, Throughput, criterion_group, criterion_main};
use magnetar_bench::{
    crowd::Crowd,
    group, now,
    raw::{Claimed, Raw, checksum},
    scaled,
    side::{Redb, Side, Sqlite, import, manifest},
};
use magnetar_core::{Fence, JobId, JobStore, Lane};

const CALLERS: [usize; 4] = [1, 8, 64, 256];

/// What a caller does with each chunk.
#[derive(Clone, Copy, PartialEq)]
enum What {
    Claim,
    Finish,
    Pair,
    Fused,
}

impl What {
    const ALL: [Self; 4] = [Self::Claim, Self::Finish, Self::Pair, Self::Fused];

    const fn name(self) -> &'static str {
        match self {
            Self::Claim => "claim",
            Self::Finish => "finish",
            Self::Pair => "claim+finish",
            Self::Fused => "finish-and-claim",
        }
    }
}

/// A store and the jobs that were put into it, one for each sample.
struct Measured {
    store: Arc<dyn JobStore>,
    crowd: Crowd,
    last_job: JobId,
}

impl Measured {
    fn job(&mut self, chunks: usize) -> JobId {
        self.last_job += 1;
        import(&*self.store, self.last_job, &manifest(&checksums(chunks)));
        self.last_job
    }

    /// The time for so many chunks by each of so many callers.
    fn time(&mut self, what: What, callers: usize, rounds: usize) -> Duration {
        let in_hand = if what == What::Fused { callers } else { 0 };
        let job = self.job(rounds * callers + in_hand);
        let held = match what {
            What::Finish => self.claim(job, rounds * callers),
            What::Fused => self.claim(job, callers),
            What::Claim | What::Pair => Vec::new(),
        };
        // Dealt out in turn, so that what is finished at once lies together, as what was claimed at once does.
        let callers = (0..callers).map(|caller| {
            let hand: Vec<Fence> = held.iter().skip(caller).step_by(callers).copied().collect();
            call(what, Arc::clone(&self.store), job, rounds, hand)
        });
        self.crowd.time(callers)
    }

    fn claim(&self, job: JobId, count: usize) -> Vec<Fence> {
        let mut held = Vec::new();
        while held.len() < count {
            let batch = self.crowd.wait(self.store.claim_pending_batch(job, (count - held.len()).min(1000))).unwrap();
            held.extend(batch.iter().map(|chunk| chunk.fence().unwrap()));
        }
        held
    }
}

async fn call(what: What, store: Arc<dyn JobStore>, job: JobId, rounds: usize, hand: Vec<Fence>) {
    match what {
        What::Claim => {
            for _ in 0..rounds {
                store.claim_pending(job).await.unwrap().unwrap();
            }
        }
        What::Finish => {
            for fence in &hand {
                store.complete(fence, Vec::new()).await.unwrap();
            }
        }
        What::Pair => {
            for _ in 0..rounds {
                let chunk = store.claim_pending(job).await.unwrap().unwrap();
                store.complete(&chunk.fence().unwrap(), Vec::new()).await.unwrap();
            }
        }
        What::Fused => {
            let mut fence = *hand.first().unwrap();
            for _ in 0..rounds {
                let next = store.complete_and_claim(&fence, Vec::new(), vec![Lane::of(job)], 1).await.unwrap();
                fence = next.first().unwrap().fence().unwrap();
            }
        }
    }
}

/// The same in hand-written code, `callers` operations a transaction.
fn time_raw(raw: &mut impl Raw, job: u64, what: What, callers: usize, rounds: usize) -> Duration {
    raw.import(job, &checksums((rounds + 1) * callers));
    let held: Vec<Vec<Claimed>> = match what {
        What::Finish => (0..rounds).map(|_| raw.claim(job, callers)).collect(),
        What::Fused => vec![raw.claim(job, callers)],
        What::Claim | What::Pair => Vec::new(),
    };
    let begin = now();
    match what {
        What::Claim => (0..rounds).for_each(|_| drop(raw.claim(job, callers))),
        What::Finish => held.iter().for_each(|held| raw.finish(job, held)),
        What::Pair => (0..rounds).for_each(|_| {
            let held = raw.claim(job, callers);
            raw.finish(job, &held);
        }),
        What::Fused => {
            let mut hand = held.into_iter().next().unwrap();
            (0..rounds).for_each(|_| hand = raw.finish_and_claim(job, &hand));
        }
    }
    begin.elapsed()
}

fn checksums(chunks: usize) -> Vec<String> {
    (1..).take(chunks).map(checksum).collect()
}

/// What criterion asks for, of what was done: whole rounds of all callers.
fn whole_rounds(iterations: u64, callers: usize, time: impl FnOnce(usize) -> Duration) -> Duration {
    let rounds = iterations.div_ceil(callers as u64);
    scaled(time(usize::try_from(rounds).unwrap()), rounds * callers as u64, iterations)
}

fn measure<S: Side>(criterion: &mut Criterion) {
    for what in What::ALL {
        let mut group = criterion.benchmark_group(group(what.name(), S::NAME));
        group.sample_size(10).sampling_mode(SamplingMode::Flat).throughput(Throughput::Elements(1));
        group.warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(2));
        for callers in CALLERS {
            let folder = tempfile::tempdir().unwrap();
            group.bench_function(BenchmarkId::new("store", callers), |bencher| {
                let store = S::open(&folder.path().join("store.db"));
                let mut measured = Measured { store, crowd: Crowd::default(), last_job: 0 };
                bencher.iter_custom(|count| whole_rounds(count, callers, |rounds| measured.time(what, callers, rounds)));
                drop(measured);
                empty(folder.path());
            });
            group.bench_function(BenchmarkId::new("raw", callers), |bencher| {
                let (mut raw, mut job) = (S::Raw::create(&folder.path().join("raw.db")), 0);
                bencher.iter_custom(|count| {
                    job += 1;
                    whole_rounds(count, callers, |rounds| time_raw(&mut raw, job, what, callers, rounds))
                });
                drop(raw);
                empty(folder.path());
            });
        }
        group.finish();
    }
}

fn empty(folder: &Path) {
    std::fs::remove_dir_all(folder).unwrap();
    std::fs::create_dir(folder).unwrap();
}

criterion_group!(pair, measure::<Sqlite>, measure::<Redb>);
criterion_main!(pair);
