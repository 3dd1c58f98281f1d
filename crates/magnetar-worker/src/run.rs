//! A run: the loop that claims, starts handlers and writes what came of them.
//!
//! One loop does all of it and never waits for one thing alone. At most one submit is on its way to the store; what ends
//! meanwhile waits in the outbox and goes with the next, together with the claims for the room that it left. So the slower
//! the store, the more goes in one commit, and handlers never wait for it as long as something is claimed ahead.

mod ahead;
mod answer;
mod ask;
mod clock;
mod crew;
mod finish;
mod held;
mod leave;
mod lookout;
mod report;
mod trouble;
mod turn;
mod vigil;

use std::{future::Future, pin::Pin, sync::Arc};

use magnetar_core::{Claim, JobId, Lane, Op, Rejection, Result};

use self::turn::Loop;
use crate::{attempt::Attempt, completion::Completion, failure::Failure, summary::Summary, worker::Worker};

/// What a worker works on, and until when.
pub(crate) enum Goal {
    /// One job, until nothing of it is left to do.
    Finish(JobId),
    /// Whatever comes in these jobs.
    Serve(Vec<JobId>),
}

/// What a handler returns.
pub(crate) type Outcome = std::result::Result<Completion, Failure>;

/// The handler behind one type, so that the loop is compiled once.
pub(crate) type Handler = Arc<dyn Fn(Attempt) -> Boxed<Outcome> + Send + Sync>;

type Boxed<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// Puts a handler behind the one type.
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

/// Runs until the goal is reached, or the worker is told to stop.
pub(crate) async fn run(worker: &Worker, goal: Goal, handler: Handler) -> Result<Summary> {
    let (jobs, finishes) = match goal {
        Goal::Finish(job) => (vec![job], Some(job)),
        Goal::Serve(jobs) => (jobs, None),
    };
    let lanes = lanes(&jobs, &worker.settings.lanes)?;
    Loop::new(worker, finishes, lanes, handler).run().await
}

/// The lanes of these names in these jobs.
fn lanes(jobs: &[JobId], names: &[String]) -> Result<Vec<Lane>> {
    let lanes: Vec<_> = jobs.iter().flat_map(|job| names.iter().map(|name| Lane::named(*job, name))).collect();
    if lanes.is_empty() {
        return Err(Rejection::invalid("a worker without a job or a lane has nothing to claim; name one").into());
    }
    let claim = Claim { lanes, limit: 1 };
    Op::Claim(claim.clone()).check()?;
    Ok(claim.lanes)
}
