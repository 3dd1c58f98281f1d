//! The fixed workload: a store is made, worked on in every way that writes, closed, opened again and worked on to the end.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use fastrand::Rng;
use futures_lite::future::block_on;
use magnetar_core::{Expect, JobId, JobSpec, JobStatus, JobStore, Manifest, NewChunk, Op};
use magnetar_embedded::Options;

use super::{
    flaw::Flaw,
    hand::{Deed, Hand},
    log::{Kind, Log, Record},
    oracle::Oracle,
    plan::Plan,
    process::Orders,
    trace,
};

/// A job whose chunks are marked.
const MARKED: JobId = 3;
/// A job that is deleted.
const DELETED: JobId = 4;
/// Where records are put.
const SPACE: &str = "script";
/// The marks, in their order: what chunk 1 and on are marked as.
const MARKS: [JobStatus; 3] = [JobStatus::Done, JobStatus::Failed, JobStatus::Cancelled];

/// Options under which nothing happens by itself within a round.
pub(crate) fn options() -> Options {
    let mut options = Options::default();
    options.session_ttl = Duration::from_hours(1);
    options.renew_every = Duration::from_mins(20);
    options.upkeep_every = Duration::from_mins(20);
    options
}

/// Plays the workload under the eyes of the process that started this one.
pub(crate) fn play_traced(orders: &Orders) -> Result<()> {
    trace::be_traced()?;
    let log = Log::open(&orders.log())?;
    let plan = Plan::steady(orders.seed);
    let open = || -> Result<_> {
        let store = orders.engine.open(&orders.file(), options())?;
        log.write(Record::of(Kind::Opened, orders.number))?;
        Ok(store)
    };
    let close = |store: &dyn JobStore| -> Result<()> {
        block_on(store.close()).context("close")?;
        log.write(Record::of(Kind::Closed, orders.number))
    };

    let store = open()?;
    for job in &plan.jobs {
        put_in(&*store, &log, orders.number, job.id, &job.manifest()?)?;
    }
    let mut hand = flawed(&*store, &log, &plan, orders, orders.seed);
    let held = hand.work_for(5)?;
    let fences: Vec<_> = held.iter().filter_map(magnetar_core::JobState::fence).collect();
    mark_and_more(&*store, &log, orders.number)?;
    // Closing gives back what is held.
    for fence in &fences {
        hand.log_intent(*fence, Deed::Return)?;
    }
    close(&*store)?;
    for fence in &fences {
        hand.note(*fence, Deed::Return, Ok(0))?;
    }
    drop(store);

    let store = open()?;
    flawed(&*store, &log, &plan, orders, orders.seed + 1).work()?;
    close(&*store)
}

/// A hand that takes no time for its work.
pub(crate) fn hand<'a>(store: &'a dyn JobStore, log: &'a Log, plan: &'a Plan, worker: u32, seed: u64) -> Hand<'a> {
    Hand { store, log, plan, flaw: Flaw::None, worker, thread: 0, rng: Rng::with_seed(seed), longest: Duration::ZERO }
}

/// A hand with the flaw that it was ordered to have.
fn flawed<'a>(store: &'a dyn JobStore, log: &'a Log, plan: &'a Plan, orders: &Orders, seed: u64) -> Hand<'a> {
    Hand { flaw: orders.flaw, ..hand(store, log, plan, orders.number, seed) }
}

fn put_in(store: &dyn JobStore, log: &Log, worker: u32, job: JobId, manifest: &Manifest) -> Result<()> {
    block_on(store.init_from_manifest(job, manifest)).context("put a job in")?;
    log.write(Record { job: u16::try_from(job)?, ..Record::of(Kind::Inserted, worker) })
}

/// Marks, records, a dependency, a pause and a deletion.
fn mark_and_more(store: &dyn JobStore, log: &Log, worker: u32) -> Result<()> {
    let chunks = || (1..=MARKS.len() as u64 + 2).map(NewChunk::new).collect();
    for job in [MARKED, DELETED] {
        put_in(store, log, worker, job, &Manifest::new(JobSpec::default(), chunks())?)?;
    }
    for (chunk, status) in (1..).zip(MARKS) {
        block_on(store.mark_status(MARKED, chunk, status, Some("sum".to_owned()))).context("mark")?;
        let record = Record { job: u16::try_from(MARKED)?, chunk: u32::try_from(chunk)?, ..Record::of(Kind::Marked, worker) };
        log.write(record)?;
    }
    for key in 1..=2_u32 {
        let value = Some(key.to_le_bytes().to_vec());
        let version = block_on(store.put_record(SPACE, &key.to_le_bytes(), value, Expect::Absent)).context("put")?;
        log.write(Record { chunk: key, token: version.context("no version")?, ..Record::of(Kind::Put, worker) })?;
    }
    let last = MARKS.len() as u64 + 2;
    block_on(store.add_dependency(MARKED, last, vec![last - 1])).context("depend")?;
    block_on(store.pause(MARKED)).context("pause")?;
    block_on(store.apply(vec![Op::Reap])).context("reap")?;
    block_on(store.delete_job(DELETED)).context("delete")?;
    log.write(Record { job: u16::try_from(DELETED)?, ..Record::of(Kind::Deleted, worker) })
}

/// Checks what [`mark_and_more`] left, as far as it was acknowledged.
pub(crate) fn check(store: &dyn JobStore, oracle: &Oracle) -> Result<()> {
    for job in [MARKED, DELETED] {
        let audit = block_on(store.audit(job)).context("audit")?;
        ensure!(audit.problems.is_empty(), "the audit of job {job} found: {}", audit.problems.join("; "));
        let number = u16::try_from(job)?;
        let is_there = block_on(store.job(job)).context("read a job")?.is_some();
        if oracle.deleted.contains(&number) {
            ensure!(!is_there, "job {job} was deleted, and is there");
        } else if oracle.inserted.contains(&number) && job == MARKED {
            ensure!(is_there, "job {job} was put in, and is not there");
        }
        ensure!(!is_there || audit.chunks == MARKS.len() as u64 + 2, "job {job} has {} chunks", audit.chunks);
    }
    for (job, chunk) in &oracle.marks {
        let state = block_on(store.get_chunk((*job).into(), (*chunk).into())).context("read a chunk")?;
        let wanted = usize::try_from(*chunk)?.checked_sub(1).and_then(|index| MARKS.get(index)).copied();
        let found = state.as_ref().map(|state| (state.status, state.recorded_checksum.as_deref()));
        ensure!(
            found == wanted.map(|status| (status, Some("sum"))),
            "chunk {job}/{chunk} was marked {wanted:?}, and is {found:?}"
        );
    }
    for (key, version) in &oracle.puts {
        let record = block_on(store.get_record(SPACE, &key.to_le_bytes())).context("read a record")?;
        let is_right = record.as_ref().is_some_and(|record| record.version == *version && record.value == key.to_le_bytes());
        ensure!(is_right, "record {key} was put as version {version}, and is {record:?}");
    }
    Ok(())
}
