//! The write-behind: many workers report, one task writes what they reported in batches.

mod writer;

use std::{fmt, sync::Arc, time::Duration};

use magnetar_core::{ChunkId, JobId, JobState, JobStatus, JobStore, JobUpdate, Rejection, Result};
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinHandle,
};

use self::writer::{Message, Shared, Writer};

/// How a [`JobManager`] gathers updates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ManagerConfig {
    /// The most updates of one commit. Default 100.
    pub batch_size: usize,
    /// How long an accepted update waits for others at most. Default 500 ms.
    pub flush_interval: Duration,
    /// How many accepted updates may wait; whoever brings more waits. Default 10,000.
    pub channel_capacity: usize,
}

impl Default for ManagerConfig {
    fn default() -> Self {
        Self { batch_size: 100, flush_interval: Duration::from_millis(500), channel_capacity: 10_000 }
    }
}

/// An update that the store refused.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Refused {
    /// What was to be written.
    pub update: JobUpdate,
    /// Why it was not.
    pub rejection: Rejection,
}

/// Claims for the workers of one job, and writes what they report a little later, many updates a commit. Clones share one queue.
///
/// [`update_status`](Self::update_status) returning means that the update was *accepted*: it is in the memory of this process. It is
/// *durable* once [`flush`](Self::flush) or [`shutdown`](Self::shutdown) has returned `Ok`, or the flush interval and a commit later.
///
/// ```
/// use std::sync::Arc;
///
/// use magnetar_core::{JobStatus, JobStore, Manifest, manifest::Format};
/// use magnetar_worker::JobManager;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let store: Arc<dyn JobStore> = Arc::new(magnetar_memory::MemoryStore::open().await?);
/// store.init_from_manifest(42, &Manifest::parse("[[chunks]]\nid = 1\n", Format::Toml)?).await?;
///
/// let (manager, writer) = JobManager::spawn(Arc::clone(&store), 42).await?;
/// while let Some(chunk) = manager.claim_pending().await? {
///     manager.update_status(chunk.chunk, JobStatus::Done, None, None).await?;
/// }
/// manager.shutdown().await?;
/// writer.await??;
/// assert!(store.get_stats(42).await?.is_complete());
/// # Ok(())
/// # }
/// ```
///
/// # Behavior
/// - Updates of one chunk are written in the order in which they were accepted.
/// - Each update has a verdict of its own: one that is refused does not undo the others. [`flush`](Self::flush) and
///   [`shutdown`](Self::shutdown) are errors where one was, and [`refused`](Self::refused) tells each.
/// - A store that is busy, full or not to be reached is tried again, for as long as it takes; meanwhile the queue fills and callers wait.
/// - A store that cannot be used any more ends the writer, with the store's error for the writer's handle and for every later call.
/// - When every clone is dropped, the writer writes what was accepted and ends. When the writer's handle is aborted, or the runtime
///   ends, what was accepted and not written is gone, and what was claimed stays Processing until the store is closed.
#[derive(Clone)]
pub struct JobManager {
    store: Arc<dyn JobStore>,
    job: JobId,
    updates: mpsc::Sender<Message>,
    shared: Arc<Shared>,
}

impl JobManager {
    /// Starts the writer with the default configuration. Returns the manager and the writer's handle, which ends with the writer: with
    /// the store's error where that could not be used any more, and, where the manager was dropped without a shutdown, with what
    /// no flush has told of refusals.
    ///
    /// # Errors
    /// None that are known; see [`spawn_with_config`](Self::spawn_with_config).
    pub async fn spawn(store: Arc<dyn JobStore>, job: JobId) -> Result<(Self, JoinHandle<Result<()>>)> {
        Self::spawn_with_config(store, job, ManagerConfig::default()).await
    }

    /// Starts the writer. The job may be created later.
    ///
    /// # Errors
    /// `Invalid` for a batch, a channel or an interval of nothing, `TooLarge` for more than fits one commit or one channel.
    #[expect(clippy::unused_async, reason = "whoever starts a manager awaits it, and starting one may come to ask the store")]
    pub async fn spawn_with_config(
        store: Arc<dyn JobStore>,
        job: JobId,
        config: ManagerConfig,
    ) -> Result<(Self, JoinHandle<Result<()>>)> {
        check(&config)?;
        let (updates, queue) = mpsc::channel(config.channel_capacity);
        let shared = Arc::new(Shared::default());
        let writer = Writer::new(Arc::clone(&store), job, config, queue, Arc::clone(&shared));
        Ok((Self { store, job, updates, shared }, tokio::spawn(writer.run())))
    }

    /// Accepts a mark of a chunk. Waits where too many wait already; a caller that goes away meanwhile has marked nothing.
    ///
    /// # Errors
    /// `Closed` once shutdown has begun, or where the writer was aborted; the store's error where the store cannot be used any more.
    pub async fn update_status(
        &self,
        chunk: ChunkId,
        status: JobStatus,
        checksum: Option<String>,
        error: Option<String>,
    ) -> Result<()> {
        let place = tokio::select! {
            biased;
            () = self.shared.closed() => return Err(self.shared.why_closed()),
            place = self.updates.reserve() => place.map_err(|_| self.shared.why_closed())?,
        };
        self.shared.accept();
        place.send(Message::Update(JobUpdate { chunk_id: chunk, status, checksum, error }));
        Ok(())
    }

    /// Takes the lowest ready chunk; none where nothing is ready.
    ///
    /// # Errors
    /// As [`claim_pending_batch`](Self::claim_pending_batch).
    pub async fn claim_pending(&self) -> Result<Option<JobState>> {
        Ok(self.claim_pending_batch(1).await?.pop())
    }

    /// Takes up to `limit` ready chunks, straight from the store. Where nothing is ready, what was accepted is written first, because it
    /// may free what waits for it.
    ///
    /// # Errors
    /// What the store says to a claim; that of the writer where it has ended with one.
    pub async fn claim_pending_batch(&self, limit: usize) -> Result<Vec<JobState>> {
        let claimed = self.store.claim_pending_batch(self.job, limit).await?;
        if !claimed.is_empty() || self.shared.is_written() {
            return Ok(claimed);
        }
        self.written().await?;
        self.store.claim_pending_batch(self.job, limit).await
    }

    /// Waits until everything that was accepted before is durable.
    ///
    /// # Errors
    /// The first refusal since the last flush, with their number: everything else is durable all the same. `Closed` and the store's
    /// error as for [`update_status`](Self::update_status).
    pub async fn flush(&self) -> Result<()> {
        self.written().await?;
        self.shared.report()
    }

    /// Accepts no more, and waits until everything that was accepted is durable. Again, it only waits.
    ///
    /// A caller that stops waiting does not stop the shutdown.
    ///
    /// # Errors
    /// As [`flush`](Self::flush).
    pub async fn shutdown(&self) -> Result<()> {
        self.shared.close();
        self.shared.ended().await?;
        self.shared.report()
    }

    /// Takes what was refused so far and not taken before, the oldest first; of more than 10,000 the rest is only counted in the error
    /// of a flush.
    pub fn refused(&self) -> Vec<Refused> {
        self.shared.take_refused()
    }

    /// Waits until everything that was accepted before is written, whatever the store said to it.
    async fn written(&self) -> Result<()> {
        let (done, wait) = oneshot::channel();
        match self.updates.send(Message::Flush(done)).await {
            Ok(()) => wait.await.map_err(|_| self.shared.why_closed()),
            // After a shutdown the writer ends when it has written everything.
            Err(_) => self.shared.ended().await,
        }
    }
}

impl fmt::Debug for JobManager {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JobManager").field("job", &self.job).finish_non_exhaustive()
    }
}

fn check(config: &ManagerConfig) -> Result<()> {
    if config.batch_size == 0 || config.channel_capacity == 0 || config.flush_interval.is_zero() {
        return Err(Rejection::invalid("a batch, a channel or an interval of 0 would write nothing; take 1 or more").into());
    }
    let largest = magnetar_core::limits::SUBMIT_GROUPS_MAX;
    Rejection::limit("the number of updates of one batch", config.batch_size, largest)?;
    Rejection::limit("the number of updates that may wait", config.channel_capacity, tokio::sync::Semaphore::MAX_PERMITS)?;
    Ok(())
}
