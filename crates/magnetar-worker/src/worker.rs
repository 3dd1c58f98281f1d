//! The worker: how it is set up, and what it is told to run.

use std::{fmt, future::Future, sync::Arc, time::Duration};

use magnetar_core::{JobId, JobStore, Result, limits};

use crate::{
    attempt::Attempt, cancellation::Cancellation, completion::Completion, event::Event, failure::Failure, summary::Summary,
};

/// Claims chunks, runs a handler on each, and writes down what came of it. It is its own builder.
///
/// ```
/// use std::sync::Arc;
///
/// use magnetar_core::{JobStore, Manifest, manifest::Format};
/// use magnetar_worker::{Attempt, End, Worker};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let store: Arc<dyn JobStore> = Arc::new(magnetar_memory::MemoryStore::open().await?);
/// let manifest = Manifest::parse("[[chunks]]\nid = 1\npayload = \"abc\"\n", Format::Toml)?;
/// store.init_from_manifest(42, &manifest).await?;
///
/// let length = |attempt: Attempt| async move { Ok::<_, String>(attempt.chunk().payload.len().to_string()) };
/// let summary = Worker::builder(Arc::clone(&store)).concurrency(4).run(42, length).await?;
/// assert!(matches!(summary.end, End::Ended { stats } if stats.is_complete()));
/// assert_eq!(store.get_chunk(42, 1).await?.and_then(|chunk| chunk.result), Some(b"3".to_vec()));
/// # Ok(())
/// # }
/// ```
///
/// # Behavior
/// - No handler waits for the finish of another: finishes and the next claims go to the store together, as many in one commit as came
///   in the meantime, while handlers run on what was claimed ahead. Where handlers are so long that nothing is claimed
///   [ahead](Self::prefetch), the next one starts with the claim, which the same commit brings.
/// - Whether and when a chunk is tried again is the store's business. A handler that panics has failed.
/// - The worker looks after its claims. Where one was taken back, or the store cannot be written to for as long as a lease
///   lives, the handler is cancelled and what it returns is not written.
/// - A store that is busy or full is tried again, and what came of a handler is kept meanwhile.
/// - When the future of [`run`](Self::run) is dropped, its handlers are dropped without any grace, and what it had claimed is given back by a task
///   of its own. Where the runtime ends at the same time, the chunks come back when the store is closed, at the latest.
/// - Memory is bounded by `concurrency` and `prefetch`, not by the size of the job.
#[derive(Clone)]
pub struct Worker {
    pub(crate) store: Arc<dyn JobStore>,
    pub(crate) settings: Settings,
}

/// What a worker does when a chunk ends as Failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StopRule {
    /// It goes on with everything that does not depend on it. The default.
    #[default]
    KeepGoing,
    /// It starts nothing new, lets what runs finish, and ends. What was started before the store had counted the failure runs
    /// to its end.
    FailFast,
}

pub(crate) type OnEvent = Arc<dyn Fn(&Event) + Send + Sync>;

#[derive(Clone)]
pub(crate) struct Settings {
    pub(crate) concurrency: usize,
    pub(crate) prefetch: Option<usize>,
    pub(crate) repeats_max: Option<usize>,
    pub(crate) lanes: Vec<String>,
    pub(crate) attempt_timeout: Option<Duration>,
    pub(crate) cancel_grace: Duration,
    pub(crate) poll_interval: Duration,
    pub(crate) lease_time: Duration,
    pub(crate) store_patience: Duration,
    pub(crate) stop_rule: StopRule,
    pub(crate) cancellation: Cancellation,
    pub(crate) on_event: Option<OnEvent>,
    pub(crate) seed: u64,
}

impl Worker {
    /// A worker on this store, with the defaults.
    pub fn builder(store: Arc<dyn JobStore>) -> Self {
        let settings = Settings {
            concurrency: 1,
            prefetch: None,
            repeats_max: None,
            lanes: vec![String::new()],
            attempt_timeout: None,
            cancel_grace: Duration::ZERO,
            poll_interval: Duration::from_secs(1),
            lease_time: Duration::from_secs(30),
            store_patience: Duration::from_mins(1),
            stop_rule: StopRule::KeepGoing,
            cancellation: Cancellation::new(),
            on_event: None,
            seed: u64::from(std::process::id()),
        };
        Self { store, settings }
    }

    /// How many handlers run at once: from 1, the default, to 10,000.
    #[must_use]
    pub fn concurrency(mut self, handlers: usize) -> Self {
        self.settings.concurrency = handlers.clamp(1, limits::CLAIM_CHUNKS_MAX);
        self
    }

    /// How many chunks are claimed ahead, beyond those that run. Default: as many as run at once; 0 claims none ahead; at most
    /// 10,000.
    ///
    /// It is the most: what is claimed ahead is kept from other workers, counts as crashed when the process dies, and uses up
    /// its timeout, which begins with the claim. So chunks are claimed ahead only while handlers take less than half a second on
    /// average, and are given back when they have waited for a second, or for a tenth of their timeout.
    #[must_use]
    pub fn prefetch(mut self, chunks: usize) -> Self {
        self.settings.prefetch = Some(chunks.min(limits::CLAIM_CHUNKS_MAX));
        self
    }

    /// How many attempts may be started whose end the store does not have yet; from 1. Default: no such limit.
    ///
    /// These are what is repeated when this process is killed: what runs, and what is over while its end is on its way. With as many
    /// as run at once, a handler starts only when the end of another is durable, which costs short handlers a part of
    /// their pace.
    #[must_use]
    pub fn repeats_max(mut self, attempts: usize) -> Self {
        self.settings.repeats_max = Some(attempts.max(1));
        self
    }

    /// The lanes to claim from, by their names within the job, the preferred first. Default: the job's own lane alone, which
    /// has the empty name.
    #[must_use]
    pub fn lanes<N: Into<String>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
        self.settings.lanes = names.into_iter().map(Into::into).collect();
        self
    }

    /// How long one attempt may take, where its chunk does not name a shorter time. Default: no limit.
    ///
    /// When it is over, the handler is cancelled and the attempt has failed, whatever it still returns. A chunk's own timeout is
    /// also kept by the store, for workers that are gone; it takes the claim back at that instant, so what a handler returns in
    /// its grace after that comes too late. A handler that wants to leave records then keeps a shorter limit of its own.
    #[must_use]
    pub fn attempt_timeout(mut self, timeout: Duration) -> Self {
        self.settings.attempt_timeout = Some(timeout);
        self
    }

    /// How long a cancelled handler may go on before it is dropped. Default zero: it is dropped at its next await.
    ///
    /// What it returns in that time counts, as far as the reason lets it: after an abort a completion is written, and anything
    /// else gives the chunk back; after a time-out its ops are kept with the failure; after a lost claim nothing is written.
    #[must_use]
    pub fn cancel_grace(mut self, grace: Duration) -> Self {
        self.settings.cancel_grace = grace;
        self
    }

    /// How often an idle worker looks for work that no hint of the store told of, give or take a quarter. Default 1 s.
    #[must_use]
    pub fn poll_interval(mut self, interval: Duration) -> Self {
        self.settings.poll_interval = interval.max(Duration::from_millis(1));
        self
    }

    /// How long a lease of the store lives when nobody renews it. Default 30 s, as in every store of Magnetar.
    ///
    /// Claims are checked at a third of it. Where a check is not answered within the other two thirds, the worker takes its
    /// claims for lost.
    #[must_use]
    pub fn lease_time(mut self, time: Duration) -> Self {
        self.settings.lease_time = time.max(Duration::from_millis(3));
        self
    }

    /// How long a store that is busy, full or not to be reached is tried again, and one that does not answer is waited for, before
    /// the run ends with an error. Default 60 s; once the worker is told to abort, 5 s at most.
    #[must_use]
    pub fn store_patience(mut self, patience: Duration) -> Self {
        self.settings.store_patience = patience;
        self
    }

    /// What a chunk that ends as Failed means for the others. Default [`StopRule::KeepGoing`].
    #[must_use]
    pub fn stop_rule(mut self, rule: StopRule) -> Self {
        self.settings.stop_rule = rule;
        self
    }

    /// What stops this worker from outside.
    #[must_use]
    pub fn cancellation(mut self, cancellation: Cancellation) -> Self {
        self.settings.cancellation = cancellation;
        self
    }

    /// Tells each [`Event`] to this function, in order, from the worker's own loop: it must return quickly.
    ///
    /// A call loses nothing and costs nothing where nobody listens; for a stream see [`Events`](crate::Events). A panic of the function
    /// ends the run like any panic of its caller, and drops it.
    #[must_use]
    pub fn on_event(mut self, on_event: impl Fn(&Event) + Send + Sync + 'static) -> Self {
        self.settings.on_event = Some(Arc::new(on_event));
        self
    }

    /// What the jitter of polls and waits is drawn from. Default: the number of the process, so that processes differ.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.settings.seed = seed;
        self
    }

    /// Works on a job until every chunk of it has ended, or nothing can go on by itself any more, or it is told to stop.
    ///
    /// While chunks wait for a time, run elsewhere, or stand in a lane that this worker does not claim from, it waits. A paused
    /// job waits until it is resumed. Needs a tokio runtime with its timer on.
    ///
    /// # Errors
    /// `NotFound` where there is no such job, or no longer; `Invalid` for more lanes than a claim may name; what the store says
    /// where it cannot be used any more (`Poisoned`, `Closed`, …) or could not be for longer than
    /// [`store_patience`](Self::store_patience). The handlers have been cancelled then.
    pub async fn run<F, W, T, E>(&self, job: JobId, handler: F) -> Result<Summary>
    where
        F: Fn(Attempt) -> W + Send + Sync + 'static,
        W: Future<Output = std::result::Result<T, E>> + Send + 'static,
        T: Into<Completion>,
        E: Into<Failure>,
    {
        crate::run::run(self, crate::run::Goal::Finish(job), crate::run::boxed(handler)).await
    }

    /// Works on whatever comes in these jobs, until it is told to stop. A job that does not exist yet is waited for.
    ///
    /// # Errors
    /// As [`run`](Self::run), without `NotFound`.
    pub async fn serve<F, W, T, E>(&self, jobs: impl IntoIterator<Item = JobId>, handler: F) -> Result<Summary>
    where
        F: Fn(Attempt) -> W + Send + Sync + 'static,
        W: Future<Output = std::result::Result<T, E>> + Send + 'static,
        T: Into<Completion>,
        E: Into<Failure>,
    {
        crate::run::run(self, crate::run::Goal::Serve(jobs.into_iter().collect()), crate::run::boxed(handler)).await
    }
}

impl fmt::Debug for Worker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Settings { concurrency, lanes, stop_rule, .. } = &self.settings;
        f.debug_struct("Worker")
            .field("concurrency", concurrency)
            .field("lanes", lanes)
            .field("stop_rule", stop_rule)
            .finish_non_exhaustive()
    }
}
