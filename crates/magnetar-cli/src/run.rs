//! `magnetar run`: a manifest's commands, or one command for each file, run to the end whatever happens in between.
//!
//! The order of things: the manifest is read and checked whole ([`plan`]); the turn is taken, so that no second run goes on
//! beside this one ([`turn`]); the supervisor is started, because the store's session hands its lock to it; the store is
//! opened, and the job brought up to date ([`begin`]); then a worker runs one [`handler`] a chunk until nothing is left to do.

mod args;
mod begin;
mod each;
mod handler;
mod manifest;
mod plan;
mod preview;
mod progress;
mod report;
mod signals;
mod slots;
mod turn;

use std::{sync::Arc, time::Duration};

use anyhow::{Context, Result};
use magnetar::{
    Cancellation, Fence, JobId, JobStore, Options, Worker,
    worker::{Event, StopRule, Summary},
};
use rustix::process::{Resource, getrlimit, setrlimit};
use tokio::time::Instant;

pub(crate) use self::args::RunArgs;
use self::{
    args::processors, begin::Begun, handler::Shop, plan::Plan, progress::Progress, signals::Signals, slots::Slots, turn::Turn,
};
use crate::{
    exec::Supervisors,
    exit::Code,
    store::{Site, explain},
    time::now,
};

/// How long a command that is told to stop is waited for. It is killed within seconds; one that the system cannot kill is
/// better waited for than run a second time.
const CANCEL_GRACE: Duration = Duration::from_hours(24);

/// Files that each command needs open at once, with some room: two pipes, and a third while it is started.
const FILES_A_COMMAND: u64 = 4;
/// Files that are open besides.
const FILES_BESIDES: u64 = 64;

pub(crate) async fn run(args: RunArgs) -> Result<Code> {
    let plan = Plan::of(&args)?;
    if args.dry_run {
        return preview::show(&plan, &args.output).await;
    }
    let (since, clock) = (now(), Instant::now());
    let turn = Turn::take(&plan.location, args.join)?;
    allow_files(args.jobs());
    let signals = Signals::listen().context("listen to signals")?;
    let supervisors = Supervisors::start(args.jobs()).context("start the supervisor of commands")?;
    let mut options = Options::default();
    options.lock_heir = Some(supervisors.heir());
    let store = plan.location.open_with(options).await.map_err(explain)?;
    let (job, begun) =
        if turn.is_alone { begin::begin(&*store, &plan, since).await? } else { begin::join(&*store, &plan).await? };
    let progress = Progress::new(args.progress, store.get_stats(job).await?);
    report::begun(&begun, &progress);
    let slots = Slots::new(args.jobs(), processors());
    let shop = Shop { supervisors: supervisors.clone(), base: plan.base, job: plan.name, progress: progress.clone(), slots };
    let summary = work(&args, Arc::clone(&store), job, &begun, shop, signals).await;
    supervisors.close().await;
    progress.end(store.get_stats(job).await.ok());
    let site = Site::new(store, plan.location, plan.manifest);
    let code = report::ended(&site, job, &summary?, clock.elapsed(), args.output.output).await?;
    site.store.close().await?;
    Ok(code)
}

/// Runs the worker, and beside it what watches and what listens to signals.
async fn work(
    args: &RunArgs,
    store: Arc<dyn JobStore>,
    job: JobId,
    begun: &Begun,
    shop: Shop,
    signals: Signals,
) -> Result<Summary> {
    let cancellation = Cancellation::new();
    let progress = shop.progress.clone();
    let (events, slots) = (progress.clone(), shop.slots.clone());
    let worker = Worker::builder(Arc::clone(&store))
        .concurrency(args.jobs())
        .lanes(begun.lanes.iter().map(String::as_str))
        .cancel_grace(CANCEL_GRACE)
        .stop_rule(if args.fail_fast { StopRule::FailFast } else { StopRule::KeepGoing })
        .cancellation(cancellation.clone())
        .on_event(move |event| {
            if let Some(fence) = ended(event) {
                slots.release(fence);
            }
            events.event(event);
        });
    let shop = Arc::new(shop);
    let run = worker.run(job, move |attempt| Arc::clone(&shop).work(attempt));
    tokio::select! {
        summary = run => Ok(summary?),
        never = progress.follow(&*store) => match never {},
        never = signals.pass_on(&cancellation, &progress) => match never {},
    }
}

/// The claim whose end the store has by this event, or that is lost.
fn ended(event: &Event) -> Option<Fence> {
    match event {
        Event::Done { fence }
        | Event::Failed { fence, .. }
        | Event::Released { fence }
        | Event::Parked { fence }
        | Event::Lost { fence } => Some(*fence),
        _ => None,
    }
}

/// Sees to it that so many commands may run at once. If the system allows no more, starting one fails and is tried again.
fn allow_files(jobs: usize) {
    let needed = FILES_BESIDES + FILES_A_COMMAND * u64::try_from(jobs).unwrap_or(u64::MAX);
    let mut limit = getrlimit(Resource::Nofile);
    if limit.current.is_some_and(|current| current < needed) {
        limit.current = Some(limit.maximum.map_or(needed, |maximum| maximum.min(needed)));
        let _ = setrlimit(Resource::Nofile, limit);
    }
}
