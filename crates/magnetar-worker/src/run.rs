//! The worker's loop.

use std::{future::Future, pin::Pin, sync::Arc};

use magnetar_core::{Error, JobId, Lane, Op, Rejection, Reply, Result};
use tokio::task::JoinSet;

use crate::{
    attempt::Attempt,
    cancellation::Signal,
    completion::Completion,
    event::{Cause, Event},
    failure::{Failure, Verdict},
    summary::{Counts, End, Summary},
    worker::Worker,
};

/// What a worker works on, and until when.
pub(crate) enum Goal {
    /// One job, until nothing of it is left to do.
    Finish(JobId),
    /// Whatever comes in these jobs.
    Serve(Vec<JobId>),
}

pub(crate) type Handler =
    Arc<dyn Fn(Attempt) -> Pin<Box<dyn Future<Output = std::result::Result<Completion, Failure>> + Send>> + Send + Sync>;

/// The handler behind one type, so that the loop is compiled once.
pub(crate) fn boxed<F, W, T, E>(handler: F) -> Handler
where
    F: Fn(Attempt) -> W + Send + Sync + 'static,
    W: Future<Output = std::result::Result<T, E>> + Send + 'static,
    T: Into<Completion>,
    E: Into<Failure>,
{
    Arc::new(move |attempt| {
        let work = handler(attempt);
        Box::pin(async move { work.await.map(Into::into).map_err(Into::into) })
    })
}

/// The first shape of the loop: a batch of handlers, then their ends one by one.
pub(crate) async fn run(worker: &Worker, goal: Goal, handler: Handler) -> Result<Summary> {
    let (store, settings) = (&worker.store, &worker.settings);
    let jobs = match &goal {
        Goal::Finish(job) => vec![*job],
        Goal::Serve(jobs) => jobs.clone(),
    };
    let lanes: Vec<Lane> =
        jobs.iter().flat_map(|job| settings.lanes.iter().map(|name| Lane::named(*job, name.clone()))).collect();
    let tell = |event: Event| {
        if let Some(on_event) = &settings.on_event {
            on_event(&event);
        }
    };
    let mut counts = Counts::default();
    loop {
        if settings.cancellation.is_draining() {
            return Ok(Summary { end: End::Drained, counts });
        }
        let chunks = store.claim(lanes.clone(), settings.concurrency).await?;
        if chunks.is_empty() {
            if let Goal::Finish(job) = goal {
                let found = store.job(job).await?;
                let stats = found.ok_or_else(|| Error::from(Rejection::JobNotFound { job }))?.stats;
                if stats.open() == 0 {
                    return Ok(Summary { end: End::Ended { stats }, counts });
                }
                if stats.is_stalled() {
                    return Ok(Summary { end: End::Stalled { stats }, counts });
                }
                tell(Event::Idle { stats });
            }
            tokio::time::sleep(settings.poll_interval).await;
        }
        let mut running = JoinSet::new();
        for chunk in chunks {
            let Some(fence) = chunk.fence() else { continue };
            counts.started += 1;
            tell(Event::Started { fence, attempt: chunk.attempt() });
            let work = handler(Attempt::new(chunk, fence, None, Signal::default(), Arc::clone(store)));
            running.spawn(async move { (fence, work.await) });
        }
        while let Some(joined) = running.join_next().await {
            let Ok((fence, outcome)) = joined else { continue };
            tell(Event::Returned { fence, elapsed: std::time::Duration::ZERO });
            let mut group = match &outcome {
                Ok(completion) => {
                    vec![Op::Complete { fence, result: completion.result.clone(), checksum: completion.checksum.clone() }]
                }
                Err(Failure { verdict: Verdict::Retry(error) | Verdict::GiveUp(error), .. }) => {
                    vec![Op::Fail { fence, error: error.clone() }]
                }
                Err(Failure { verdict: Verdict::Release, .. }) => vec![Op::Release { fence }],
                Err(Failure { verdict: Verdict::Park(until), .. }) => vec![Op::Park { fence, until: until.clone() }],
            };
            group.extend(outcome.as_ref().map_or_else(|failure| failure.ops.clone(), |completion| completion.ops.clone()));
            let retry_at = match store.apply(group).await?.first() {
                Some(Reply::Failed { retry_at }) => *retry_at,
                _ => None,
            };
            match outcome {
                Ok(_) => {
                    counts.done += 1;
                    tell(Event::Done { fence });
                }
                Err(failure) => {
                    counts.failed += 1;
                    tell(Event::Failed { fence, cause: Cause::Error, error: failure.to_string(), retry_at });
                }
            }
        }
    }
}
