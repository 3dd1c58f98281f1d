//! The handlers that run, each in a task of its own.

use std::{any::Any, collections::HashMap, sync::Arc, time::Duration};

use magnetar_core::{Fence, JobStore};
use tokio::{
    task::{Id, JoinError, JoinSet},
    time::{Instant, timeout},
};

use super::{Handler, Outcome, ahead::Claimed};
use crate::{
    attempt::Attempt,
    cancellation::{Cancelled, Signal},
    time::{Moment, later, sleep_until},
};

/// A handler that runs.
pub(super) struct Running {
    pub(super) fence: Fence,
    pub(super) claimed: Moment,
    pub(super) started: Instant,
    /// How long it may run, if there is a limit.
    pub(super) limit: Option<Duration>,
    pub(super) signal: Signal,
}

/// How a handler ended.
#[derive(Debug)]
pub(super) enum Ended {
    /// It returned.
    Returned(Outcome),
    /// It was told to stop, did not return in its grace, and was dropped.
    Dropped,
    /// It panicked, with this text.
    Panicked(String),
}

/// How long an attempt may take, and go on after it was told to stop.
#[derive(Clone, Copy)]
pub(super) struct Limits {
    pub(super) timeout: Option<Duration>,
    pub(super) grace: Duration,
}

pub(super) struct Crew {
    handler: Handler,
    limits: Limits,
    tasks: JoinSet<Option<Outcome>>,
    running: HashMap<Id, Running>,
}

impl Crew {
    pub(super) fn new(handler: Handler, limits: Limits) -> Self {
        Self { handler, limits, tasks: JoinSet::new(), running: HashMap::new() }
    }

    pub(super) fn len(&self) -> usize {
        self.running.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.running.is_empty()
    }

    /// The claims of all that runs.
    pub(super) fn fences(&self) -> impl Iterator<Item = Fence> {
        self.running.values().map(|running| running.fence)
    }

    /// Starts the handler on a chunk.
    pub(super) fn start(&mut self, claimed: Claimed, store: Arc<dyn JobStore>) {
        let Claimed { chunk, fence, at, .. } = claimed;
        let started = Instant::now();
        let ends = [
            chunk.timeout.map(|timeout| (later(at.here, timeout), timeout)),
            self.limits.timeout.map(|timeout| (later(started, timeout), timeout)),
        ];
        let (deadline, limit) = ends.into_iter().flatten().min().unzip();
        let signal = Signal::default();
        let attempt = Attempt::new(chunk, fence, deadline, signal.clone(), store);
        let work = work(Arc::clone(&self.handler), attempt, signal.clone(), deadline, self.limits.grace);
        let id = self.tasks.spawn(work).id();
        self.running.insert(id, Running { fence, claimed: at, started, limit, signal });
    }

    /// Waits for the next handler to end; none where nothing runs.
    pub(super) async fn next(&mut self) -> Option<(Running, Ended)> {
        loop {
            let joined = self.tasks.join_next_with_id().await?;
            if let Some(ended) = self.take(joined) {
                return Some(ended);
            }
        }
    }

    /// The next handler that has ended already.
    pub(super) fn try_next(&mut self) -> Option<(Running, Ended)> {
        loop {
            let joined = self.tasks.try_join_next_with_id()?;
            if let Some(ended) = self.take(joined) {
                return Some(ended);
            }
        }
    }

    fn take(&mut self, joined: Result<(Id, Option<Outcome>), JoinError>) -> Option<(Running, Ended)> {
        let (id, ended) = match joined {
            Ok((id, Some(outcome))) => (id, Ended::Returned(outcome)),
            Ok((id, None)) => (id, Ended::Dropped),
            Err(error) => {
                let id = error.id();
                (id, error.try_into_panic().map_or(Ended::Dropped, |panic| Ended::Panicked(text(&*panic))))
            }
        };
        // Every task of the set is in the map; a stranger would have nothing to be written.
        self.running.remove(&id).map(|running| (running, ended))
    }

    /// Tells one handler to stop, and says whether it runs.
    pub(super) fn cancel(&self, fence: Fence, why: Cancelled) -> bool {
        let found = self.running.values().find(|running| running.fence == fence);
        found.inspect(|running| running.signal.cancel(why)).is_some()
    }

    /// Tells every handler to stop.
    pub(super) fn cancel_all(&self, why: Cancelled) {
        self.running.values().for_each(|running| running.signal.cancel(why));
    }

    /// All that runs, for somebody else to wait for.
    pub(super) fn hand_over(&mut self) -> Self {
        let empty = Self::new(Arc::clone(&self.handler), self.limits);
        std::mem::replace(self, empty)
    }

    /// Lets go of all that runs, without waiting for it.
    pub(super) fn forsake(&mut self) -> Vec<Running> {
        self.tasks.abort_all();
        self.running.drain().map(|(_, running)| running).collect()
    }

    /// Stops every handler at its next await, without grace.
    pub(super) fn abort_all(&mut self) {
        self.cancel_all(Cancelled::Aborted);
        self.tasks.abort_all();
    }
}

/// Runs one handler. None where it had to be dropped.
async fn work(handler: Handler, attempt: Attempt, signal: Signal, deadline: Option<Instant>, grace: Duration) -> Option<Outcome> {
    let mut work = handler(attempt);
    tokio::select! {
        biased;
        outcome = &mut work => return Some(outcome),
        _ = signal.cancelled() => {}
        () = sleep_until(deadline) => signal.cancel(Cancelled::TimedOut),
    }
    // Without any grace this still lets a handler return that waits for just this signal.
    timeout(grace, work).await.ok()
}

/// What a panic said.
fn text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned()).or_else(|| panic.downcast_ref::<String>().cloned());
    text.map_or_else(|| "panicked".to_owned(), |text| format!("panicked: {text}"))
}
