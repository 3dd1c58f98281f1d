//! What a worker process does.

use std::{process::ExitCode, thread, time::Duration};

use anyhow::{Context, Result, anyhow};
use fastrand::Rng;
use futures_lite::future::block_on;

use super::{
    engine::short_lived,
    hand::Hand,
    log::{Kind, Log, Record},
    plan::Plan,
    process::{Orders, Role},
    script, sys, zombie,
};

/// How many threads of a worker share its handle.
pub(crate) const THREADS: u8 = 2;
/// How long a session of the torture lives without being renewed.
pub(crate) const SESSION_TTL: Duration = Duration::from_millis(150);
/// How many chunks the graph of a round has.
pub(crate) const CHUNKS: u64 = 450;
/// The longest that the work on a chunk takes.
const LONGEST_WORK: Duration = Duration::from_micros(800);

/// The whole program of a worker, with the arguments behind [`WORKER`](super::WORKER).
pub fn work(args: &[String]) -> ExitCode {
    match Orders::from_args(args).and_then(|orders| obey(&orders)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:?}");
            ExitCode::FAILURE
        }
    }
}

fn obey(orders: &Orders) -> Result<()> {
    sys::die_with_parent(orders.parent)?;
    match orders.role {
        Role::Works | Role::Begins => torture(orders),
        Role::Zombie => zombie::be_one(orders),
        Role::Script => script::play_traced(orders),
    }
}

/// Works on the plan until nothing is open, with two threads on one handle.
fn torture(orders: &Orders) -> Result<()> {
    let plan = Plan::random(orders.seed, CHUNKS);
    let log = Log::open(&orders.log())?;
    let store = orders.engine.open(&orders.file(), short_lived(SESSION_TTL))?;
    let store = orders.flaw.of(store, "host-1");
    log.write(Record::of(Kind::Opened, orders.number))?;
    if orders.role == Role::Begins {
        for job in &plan.jobs {
            block_on(store.init_from_manifest(job.id, &job.manifest()?)).context("put a job in")?;
            log.write(Record { job: u16::try_from(job.id)?, ..Record::of(Kind::Inserted, orders.number) })?;
        }
    }
    let outcomes: Vec<Result<()>> = thread::scope(|scope| {
        let start = |number| {
            let hand = Hand {
                store: &*store,
                log: &log,
                plan: &plan,
                flaw: orders.flaw,
                worker: orders.number,
                thread: number,
                rng: Rng::with_seed(orders.seed ^ u64::from(orders.number) << 8 ^ u64::from(number)),
                longest: LONGEST_WORK,
            };
            scope.spawn(move || hand.work())
        };
        let threads: Vec<_> = (1..=THREADS).map(start).collect();
        threads.into_iter().map(|thread| thread.join().unwrap_or_else(|_| Err(anyhow!("a thread panicked")))).collect()
    });
    outcomes.into_iter().collect::<Result<()>>()?;
    block_on(store.close()).context("close the store")?;
    log.write(Record::of(Kind::Closed, orders.number))
}
