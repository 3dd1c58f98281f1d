//! What is done on a store after something happened to it, and must go well.

use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use futures_lite::future::block_on;
use magnetar_core::{Claim, Fence, JobState, JobStatus, JobStore, Lane, Op, Rejection, Reply};
use magnetar_embedded::Store;

use super::{
    HandClock, Known, Sight, audit,
    script::{JOBS, LANE},
};

/// How often everything is drained until a rig says that it does not end.
const DRAINS_MAX: usize = 200;

/// How far a chunk is brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Work {
    Claimed,
    Done,
}

/// An audit of every job finds nothing.
pub(crate) fn sound(store: &Store, sight: &Sight) -> Result<()> {
    let problems = audit(store, sight.jobs.iter().map(|(job, _)| job.id)).context("an audit fails")?;
    ensure!(problems.is_empty(), "the audit finds: {}", problems.join("; "));
    Ok(())
}

fn submit(store: &Store, op: Op) -> Result<Result<Vec<Reply>, Rejection>> {
    block_on(store.submit(vec![vec![op]])).context("a call fails")?.pop().context("a group has an outcome")
}

fn claim(store: &Store, limit: usize) -> Result<Vec<JobState>> {
    let lanes = JOBS.iter().flat_map(|job| [Lane::of(*job), Lane::named(*job, LANE)]).collect();
    match submit(store, Op::Claim(Claim { lanes, limit }))? {
        Ok(mut replies) => match replies.pop() {
            Some(Reply::Claimed(chunks)) => Ok(chunks),
            other => bail!("a claim is answered with {other:?}"),
        },
        Err(rejection) => bail!("a claim is refused: {rejection}"),
    }
}

/// A chunk is claimed, under a larger token than any that was handed out, and done.
pub(crate) fn work(store: &Store, last_token: u64, how: Work) -> Result<()> {
    for chunk in claim(store, 1)? {
        let fence = chunk.fence().context("what is claimed has a fence")?;
        ensure!(
            fence.token().get() > last_token,
            "claim {fence} is not above token {last_token}, which was handed out before the cut"
        );
        if how == Work::Claimed {
            continue;
        }
        complete(store, fence)?;
        let done = block_on(store.get_chunk(fence.job(), fence.chunk()))?;
        ensure!(done.is_some_and(|chunk| chunk.status == JobStatus::Done), "{fence} was acknowledged as done and is not");
    }
    Ok(())
}

fn complete(store: &Store, fence: Fence) -> Result<()> {
    match submit(store, Op::Complete { fence, result: b"after the cut".to_vec(), checksum: None })? {
        Ok(_) => Ok(()),
        Err(rejection) => bail!("{fence} cannot be completed: {rejection}"),
    }
}

/// What was acknowledged as done is known to be so; what was done under one fence is done under no other.
pub(crate) fn repeat(store: &Store, known: &Known) -> Result<()> {
    for (fence, result) in known.done.values() {
        match submit(store, Op::Complete { fence: *fence, result: result.clone(), checksum: None })? {
            Err(Rejection::AlreadyApplied { .. }) => {}
            other => bail!("{fence} was acknowledged as done; saying it again is answered with {other:?}"),
        }
    }
    Ok(())
}

/// Time goes on until sessions die, and all that can be claimed is done.
pub(crate) fn drain(store: &Store, clock: &HandClock) -> Result<()> {
    for job in JOBS {
        // There may be no such job.
        let _ = submit(store, Op::Resume { job })?;
    }
    for _ in 0..DRAINS_MAX {
        clock.advance(Duration::from_hours(2));
        let _ = submit(store, Op::Reap)?;
        let chunks = claim(store, 100)?;
        if chunks.is_empty() {
            let jobs = block_on(store.jobs())?;
            let stuck = jobs.iter().find(|job| job.stats.open() > 0 && !job.stats.is_stalled());
            return stuck.map_or(Ok(()), |job| bail!("chunks are never handed out: {:?}", job.stats));
        }
        for chunk in chunks {
            complete(store, chunk.fence().context("what is claimed has a fence")?)?;
        }
    }
    bail!("there is always something to claim")
}
