//! The task that writes, and what it shares with whoever reports.

use std::{
    collections::HashSet,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering::SeqCst},
    },
};

use magnetar_core::{ChunkId, Error, ErrorKind, Group, JobId, JobStore, JobUpdate, Op, Rejection, Result};
use tokio::{
    sync::{mpsc, oneshot, watch},
    time::{Instant, sleep},
};
use tokio_util::sync::CancellationToken;

use super::{ManagerConfig, Refused};
use crate::{
    backoff::Backoff,
    time::{later, sleep_until},
};

/// Refusals that are kept until somebody asks for them.
const REFUSED_MAX: usize = 10_000;

/// What the writer is sent.
pub(super) enum Message {
    Update(JobUpdate),
    /// Everything before this is to be written now; answered when it is.
    Flush(oneshot::Sender<()>),
}

/// What the writer and its callers share.
pub(super) struct Shared {
    closing: CancellationToken,
    accepted: AtomicU64,
    written: AtomicU64,
    refused: Mutex<Refusals>,
    /// How the writer ended, once it has.
    end: watch::Sender<Option<Result<(), (ErrorKind, String)>>>,
}

/// What was refused: those not asked for, and those not told of.
#[derive(Default)]
struct Refusals {
    kept: Vec<Refused>,
    untold: u64,
    first: Option<(ChunkId, Rejection)>,
}

impl Default for Shared {
    fn default() -> Self {
        Self {
            closing: CancellationToken::new(),
            accepted: AtomicU64::new(0),
            written: AtomicU64::new(0),
            refused: Mutex::default(),
            end: watch::Sender::new(None),
        }
    }
}

impl Shared {
    /// Accepts nothing more.
    pub(super) fn close(&self) {
        self.closing.cancel();
    }

    pub(super) fn is_closing(&self) -> bool {
        self.closing.is_cancelled()
    }

    /// Waits until nothing more is accepted.
    pub(super) async fn closed(&self) {
        self.closing.cancelled().await;
    }

    /// Counts an update that is about to be sent.
    pub(super) fn accept(&self) {
        self.accepted.fetch_add(1, SeqCst);
    }

    /// Whether everything that was accepted is written.
    pub(super) fn is_written(&self) -> bool {
        self.accepted.load(SeqCst) == self.written.load(SeqCst)
    }

    /// Why nothing is accepted.
    pub(super) fn why_closed(&self) -> Error {
        match &*self.end.borrow() {
            Some(Err((kind, message))) => Error::new(*kind, message),
            _ if self.is_closing() => Error::new(ErrorKind::Closed, "take an update: the manager was shut down; spawn another"),
            _ => Error::new(ErrorKind::Closed, "take an update: the manager's writer was aborted; spawn another"),
        }
    }

    /// Waits until the writer has ended, and says how.
    pub(super) async fn ended(&self) -> Result<()> {
        let mut end = self.end.subscribe();
        let ended = end.wait_for(Option::is_some).await;
        match ended.as_deref() {
            Ok(Some(Err((kind, message)))) => Err(Error::new(*kind, message)),
            Ok(_) => Ok(()),
            Err(_) => Err(self.why_closed()),
        }
    }

    /// An error that tells what was refused since the last report.
    pub(super) fn report(&self) -> Result<()> {
        let mut refused = self.refusals();
        let count = std::mem::take(&mut refused.untold);
        match refused.first.take() {
            None => Ok(()),
            Some((chunk, rejection)) => Err(Error::new(
                rejection.kind(),
                format!("write {count} of the accepted updates, the first of chunk {chunk}; the others are written"),
            )
            .with_source(Error::from(rejection))),
        }
    }

    pub(super) fn take_refused(&self) -> Vec<Refused> {
        std::mem::take(&mut self.refusals().kept)
    }

    fn refuse(&self, update: JobUpdate, rejection: Rejection) {
        let mut refused = self.refusals();
        refused.untold += 1;
        refused.first.get_or_insert_with(|| (update.chunk_id, rejection.clone()));
        if refused.kept.len() < REFUSED_MAX {
            refused.kept.push(Refused { update, rejection });
        }
    }

    fn refusals(&self) -> MutexGuard<'_, Refusals> {
        self.refused.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The task that writes.
pub(super) struct Writer {
    store: Arc<dyn JobStore>,
    job: JobId,
    config: ManagerConfig,
    queue: mpsc::Receiver<Message>,
    shared: Arc<Shared>,
    batch: Vec<JobUpdate>,
    /// The chunks of the batch: groups of one commit have no order, so each is in it once.
    chunks: HashSet<ChunkId>,
    /// When the batch is written at the latest.
    due: Option<Instant>,
}

impl Writer {
    pub(super) fn new(
        store: Arc<dyn JobStore>,
        job: JobId,
        config: ManagerConfig,
        queue: mpsc::Receiver<Message>,
        shared: Arc<Shared>,
    ) -> Self {
        Self { store, job, config, queue, shared, batch: Vec::new(), chunks: HashSet::new(), due: None }
    }

    /// Writes what comes until nothing can come any more.
    pub(super) async fn run(mut self) -> Result<()> {
        let ended = self.write_all().await;
        let told = ended.as_ref().copied().map_err(|error| (error.kind(), crate::failure::chain(error)));
        self.shared.end.send_replace(Some(told));
        ended?;
        // Whoever shut the manager down is told of refusals; where everybody just went away, only this handle is left.
        if self.shared.is_closing() { Ok(()) } else { self.shared.report() }
    }

    async fn write_all(&mut self) -> Result<()> {
        let shared = Arc::clone(&self.shared);
        loop {
            let due = self.due;
            tokio::select! {
                biased;
                () = shared.closing.cancelled(), if !self.queue.is_closed() => self.queue.close(),
                message = self.queue.recv() => match message {
                    Some(Message::Update(update)) => self.take(update).await?,
                    Some(Message::Flush(done)) => {
                        self.write().await?;
                        // Whoever asked may be gone.
                        let _ = done.send(());
                    }
                    None => return self.write().await,
                },
                () = sleep_until(due) => self.write().await?,
            }
        }
    }

    async fn take(&mut self, update: JobUpdate) -> Result<()> {
        if !self.chunks.insert(update.chunk_id) {
            self.write().await?;
            self.chunks.insert(update.chunk_id);
        }
        self.batch.push(update);
        if self.batch.len() >= self.config.batch_size {
            return self.write().await;
        }
        self.due.get_or_insert_with(|| later(Instant::now(), self.config.flush_interval));
        Ok(())
    }

    /// Writes the batch, however often it takes.
    async fn write(&mut self) -> Result<()> {
        self.due = None;
        self.chunks.clear();
        if self.batch.is_empty() {
            return Ok(());
        }
        let mut backoff = Backoff::new(self.job.unsigned_abs());
        let verdicts = loop {
            let groups: Vec<Group> =
                self.batch.iter().map(|update| vec![Op::Mark { job: self.job, update: update.clone() }]).collect();
            match self.store.submit(groups).await {
                Ok(verdicts) => break verdicts,
                Err(error) if error.is_transient() => sleep(backoff.next_wait()).await,
                Err(error) => return Err(self.lost(error)),
            }
        };
        let count = self.batch.len() as u64;
        for (update, verdict) in self.batch.drain(..).zip(verdicts) {
            if let Err(rejection) = verdict {
                self.shared.refuse(update, rejection);
            }
        }
        self.shared.written.fetch_add(count, SeqCst);
        Ok(())
    }

    /// The error of a writer that cannot go on.
    fn lost(&self, error: Error) -> Error {
        let count = self.shared.accepted.load(SeqCst) - self.shared.written.load(SeqCst);
        let job = self.job;
        Error::new(error.kind(), format!("write updates of job {job}: {count} that were accepted are not known to be written"))
            .with_source(error)
    }
}

impl Drop for Writer {
    /// Tells whoever waits for the end where there was none: the task was aborted, maybe before it had begun.
    fn drop(&mut self) {
        self.shared.end.send_if_modified(|end| {
            let is_aborted = end.is_none();
            if is_aborted {
                let message = "write updates: the manager's writer was aborted; what was accepted may not be written";
                *end = Some(Err((ErrorKind::Closed, message.to_owned())));
            }
            is_aborted
        });
    }
}
