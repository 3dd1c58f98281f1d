//! What a zombie does: it claims, does the work, is stopped, and tells the store of it when that is another's by now.

use std::{
    io::{Read, stdin},
    time::Duration,
};

use anyhow::{Context, Result, anyhow, bail};
use fastrand::Rng;
use futures_lite::future::block_on;
use magnetar_core::{Error, ErrorKind, Fence, JobStatus, JobUpdate, Lane, Op, Timestamp, Until};

use super::{
    engine::short_lived,
    flaw::Flaw,
    hand::{Deed, Hand, result},
    log::{Kind, Log, Record},
    plan::{GRAPH, Plan},
    process::Orders,
};

/// How many chunks each holds: one for each way to write.
pub(crate) const HELD: usize = 8;
/// How long a session lives without being renewed.
pub(crate) const SESSION_TTL: Duration = Duration::from_millis(80);
/// The name under which everybody works, for the control that looks at names: containers often share a host name and a pid.
pub(crate) const OWNER: &str = "host-1";

/// The whole life of a zombie.
pub(crate) fn be_one(orders: &Orders) -> Result<()> {
    let log = Log::open(&orders.log())?;
    let store = orders.engine.open(&orders.file(), short_lived(SESSION_TTL))?;
    let store = orders.flaw.of(store, OWNER);
    let plan = Plan::flat(0);
    let mut hand = Hand {
        store: &*store,
        log: &log,
        plan: &plan,
        flaw: Flaw::None,
        worker: orders.number,
        thread: 0,
        rng: Rng::with_seed(orders.seed),
        longest: Duration::ZERO,
    };
    log.write(Record::of(Kind::Opened, orders.number))?;
    log.write(hand.record(Kind::Asked, None))?;
    let held = block_on(store.claim(vec![Lane::of(GRAPH)], HELD)).context("claim")?;
    hand.note_claimed(&held)?;
    let fences: Vec<Fence> = held.iter().filter_map(magnetar_core::JobState::fence).collect();
    for fence in &fences {
        hand.log_intent(*fence, Deed::Complete)?;
    }
    log.write(Record::of(Kind::Ready, orders.number))?;
    // The rig closes it when this goes on.
    stdin().read_to_end(&mut Vec::new()).context("wait for the rig")?;
    for (way, fence) in fences.iter().enumerate() {
        write(&mut hand, way, *fence)?;
    }
    // And all of it once more at once, now that the store has said what it says.
    let groups = fences.iter().map(|fence| vec![complete(*fence)]).collect();
    for (fence, outcome) in fences.iter().zip(block_on(store.submit(groups)).context("submit")?) {
        match outcome {
            Err(rejection) if rejection.kind() == ErrorKind::FenceLost => {}
            Err(rejection) => return Err(anyhow!(rejection).context(format!("complete {fence}, which is lost"))),
            Ok(_) => bail!("{fence} is lost, and was completed"),
        }
    }
    Ok(())
}

/// Writes in one of the ways there are. What is accepted is logged, and is for the oracle to find.
fn write(hand: &mut Hand<'_>, way: usize, fence: Fence) -> Result<()> {
    let store = hand.store;
    let (job, chunk) = (fence.job(), fence.chunk());
    match way {
        0 => hand.tell(fence, Deed::Complete),
        1 => {
            hand.log_intent(fence, Deed::Fail)?;
            hand.tell(fence, Deed::Fail)
        }
        2 => {
            hand.log_intent(fence, Deed::Return)?;
            hand.tell(fence, Deed::Return)
        }
        3 => {
            let claimed = block_on(store.complete_and_claim(&fence, result(fence), vec![Lane::of(GRAPH)], 1));
            hand.note(fence, Deed::Complete, claimed.map(|_| 0).map_err(|error| (error.kind(), anyhow!(error))))
        }
        4 => said(hand, fence, block_on(store.check(&fence))),
        5 => said(hand, fence, block_on(store.park(&fence, Until::At(Timestamp::default())))),
        6 => said(hand, fence, block_on(store.mark_status(job, chunk, JobStatus::Done, None))),
        _ => {
            let update = JobUpdate { chunk_id: chunk, status: JobStatus::Failed, checksum: None, error: None };
            let verdict = block_on(store.apply_batch_updates(job, &[update])).context("mark in a batch")?.pop();
            said(hand, fence, verdict.context("no verdict")?.map_err(Error::from))
        }
    }
}

/// Logs whatever was accepted as a completion, which it may not be.
fn said(hand: &Hand<'_>, fence: Fence, answer: magnetar_core::Result<()>) -> Result<()> {
    hand.note(fence, Deed::Complete, answer.map(|()| 0).map_err(|error| (error.kind(), anyhow!(error))))
}

fn complete(fence: Fence) -> Op {
    Op::Complete { fence, result: result(fence), checksum: None }
}
