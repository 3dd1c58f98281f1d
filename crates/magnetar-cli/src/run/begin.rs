//! Before anything runs: the job as it was left, brought up to date with the manifest and the files.

mod changed;
mod failed;

use std::{collections::BTreeSet, time::Duration};

use anyhow::Result;
use magnetar::{Error, ErrorKind, InsertReport, Job, JobId, JobRef, JobStore, NewChunk, Op, Reply, Timestamp, limits};
use tokio::time::{Instant, sleep};

use super::{
    manifest::Chunks,
    plan::{Plan, Source},
};
use crate::{
    exit::{Code, fault},
    store::title,
};

pub(super) use self::{
    changed::{Change, find_changes},
    failed::find_failed,
};

/// How long the commands of a run that was killed are waited for. They are killed within a few seconds, and their chunks come
/// back then; whatever else holds chunks (another program) goes on holding them.
const LEFTOVERS_WAIT: Duration = Duration::from_secs(10);
const LEFTOVERS_PAUSE: Duration = Duration::from_millis(20);

/// What was done before anything ran.
#[derive(Debug, Default)]
pub(super) struct Begun {
    pub(super) report: InsertReport,
    /// Done chunks that run again, with the reason of each.
    pub(super) changed: Vec<Change>,
    /// Chunks behind those, which run again too.
    pub(super) behind: usize,
    /// Failed chunks that run again.
    pub(super) redriven: usize,
    /// Failed chunks that do not run again: they lost their workers while this run began.
    pub(super) given_up: usize,
    /// Chunks that were called off, because their file does not match any more.
    pub(super) called_off: usize,
    /// The lanes that the chunks are in.
    pub(super) lanes: BTreeSet<String>,
}

/// The job of this name.
///
/// # Errors
/// A conflict where the store holds other jobs and not this one.
pub(super) async fn find_job(store: &dyn JobStore, plan: &Plan) -> Result<Option<Job>> {
    if let Some(job) = store.job_by_name(&plan.name).await? {
        return Ok(Some(job));
    }
    match store.jobs().await?.first() {
        None => Ok(None),
        Some(other) => Err(fault(
            Code::Conflict,
            format!(
                "{} holds another job, {}, and this one is called {:?}; name another store with --store",
                plan.location,
                title(other),
                plan.name
            ),
        )),
    }
}

/// Brings the job up to date: what changed and what failed is open again, then the chunks are put in.
///
/// Those come first, because chunks that have ended take no new command or checksum. `since` is when this run began.
pub(super) async fn begin(store: &dyn JobStore, plan: &Plan, since: Timestamp) -> Result<(JobId, Begun)> {
    let mut begun = Begun::default();
    let id = match find_job(store, plan).await? {
        None => ensure(store, plan).await?,
        Some(job) => {
            wait_for_leftovers(store, job.id).await?;
            let changes = find_changes(store, job.id, &plan.base).await?;
            begun.behind = changes.reopen(store, job.id).await?;
            begun.changed = changes.changed;
            let failed = find_failed(store, job.id, since).await?;
            begun.redriven = failed.redrive(store, job.id).await?;
            begun.given_up = failed.given_up.len();
            job.id
        }
    };
    insert(store, plan, id, &mut begun).await?;
    Ok((id, begun))
}

/// The job of this name, for a run that joins another: that has brought everything up to date.
pub(super) async fn join(store: &dyn JobStore, plan: &Plan) -> Result<(JobId, Begun)> {
    let job = find_job(store, plan).await?;
    let lanes = lanes(plan)?;
    let id = job.map(|job| job.id).ok_or_else(|| {
        fault(
            Code::NotFound,
            format!("{} holds no job {:?} that could be joined yet; try again in a moment", plan.location, plan.name),
        )
    })?;
    Ok((id, Begun { lanes, ..Begun::default() }))
}

async fn ensure(store: &dyn JobStore, plan: &Plan) -> Result<JobId> {
    Ok(store.ensure_job(JobRef::Name(plan.name.clone()), plan.spec.clone()).await?)
}

/// Waits until nobody holds a chunk any more. This run alone has the turn, so what is held is what a killed run has left.
async fn wait_for_leftovers(store: &dyn JobStore, job: JobId) -> Result<()> {
    let deadline = Instant::now() + LEFTOVERS_WAIT;
    loop {
        store.apply(vec![Op::Reap]).await?;
        if store.get_stats(job).await?.processing == 0 || Instant::now() >= deadline {
            return Ok(());
        }
        sleep(LEFTOVERS_PAUSE).await;
    }
}

async fn insert(store: &dyn JobStore, plan: &Plan, id: JobId, begun: &mut Begun) -> Result<()> {
    let chunks = match &plan.source {
        Source::Manifest(chunks) => chunks,
        Source::Each(files) => {
            ensure(store, plan).await?;
            let brought = files.bring(store, id, &plan.name, &plan.base).await?;
            begun.report = brought.report;
            begun.called_off = brought.called_off.len();
            begun.lanes.insert(String::new());
            return Ok(());
        }
    };
    begun.lanes = lanes(plan)?;
    begun.report = match chunks.held() {
        Some(held) => insert_at_once(store, plan, id, held).await?,
        None => insert_in_batches(store, plan, id, chunks).await?,
    };
    Ok(())
}

/// Puts all chunks in with one commit.
async fn insert_at_once(store: &dyn JobStore, plan: &Plan, id: JobId, chunks: &[NewChunk]) -> Result<InsertReport> {
    let job = JobRef::Id(id);
    let ensure = Op::EnsureJob { job: job.clone(), spec: plan.spec.clone() };
    inserted(store.apply(vec![ensure, Op::Insert { job, chunks: chunks.into() }]).await?.pop())
}

/// Puts a stream of chunks in. A crash leaves the batches before it, and the next run goes on.
async fn insert_in_batches(store: &dyn JobStore, plan: &Plan, id: JobId, chunks: &Chunks) -> Result<InsertReport> {
    ensure(store, plan).await?;
    let mut report = InsertReport::default();
    let mut all = chunks.all()?;
    loop {
        let batch: Vec<NewChunk> = all.by_ref().take(limits::STREAM_BATCH_CHUNKS).collect::<Result<_>>()?;
        if batch.is_empty() {
            break;
        }
        add(&mut report, store.insert(id, batch).await?);
    }
    let named = report.added + report.updated + report.unchanged + report.ended + report.conflicts.len() as u64;
    report.absent = store.get_stats(id).await?.total_chunks.saturating_sub(named);
    Ok(report)
}

/// The lanes of the chunks. A worker that names none of them would leave what is in them.
fn lanes(plan: &Plan) -> Result<BTreeSet<String>> {
    let mut lanes = BTreeSet::from([String::new()]);
    if let Source::Manifest(chunks) = &plan.source {
        for chunk in chunks.all()? {
            let lane = chunk?.lane;
            if !lanes.contains(&lane) {
                lanes.insert(lane);
            }
        }
    }
    if lanes.len() > limits::CLAIM_LANES_MAX {
        let (found, max) = (lanes.len(), limits::CLAIM_LANES_MAX);
        return Err(fault(Code::Usage, format!("the manifest names {found} lanes, and a run works on {max} at most")));
    }
    Ok(lanes)
}

fn inserted(reply: Option<Reply>) -> Result<InsertReport> {
    match reply {
        Some(Reply::Inserted(report)) => Ok(report),
        other => Err(Error::new(ErrorKind::Backend, format!("insert chunks: the store answered {other:?}")).into()),
    }
}

fn add(total: &mut InsertReport, part: InsertReport) {
    total.added += part.added;
    total.updated += part.updated;
    total.unchanged += part.unchanged;
    total.ended += part.ended;
    total.conflicts.extend(part.conflicts);
}
