//! What a handler gets: the chunk, the proof that it was claimed, and the sign to stop.

use std::{fmt, sync::Arc};

use magnetar_core::{ErrorKind, Fence, JobState, JobStore, Result};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::cancellation::{Cancelled, Signal};

/// One attempt at a chunk.
pub struct Attempt {
    chunk: JobState,
    fence: Fence,
    deadline: Option<Instant>,
    signal: Signal,
    store: Arc<dyn JobStore>,
}

impl Attempt {
    pub(crate) fn new(
        chunk: JobState,
        fence: Fence,
        deadline: Option<Instant>,
        signal: Signal,
        store: Arc<dyn JobStore>,
    ) -> Self {
        Self { chunk, fence, deadline, signal, store }
    }

    /// The chunk as it was claimed: payload, checksum, extra keys of its manifest, and so on.
    pub fn chunk(&self) -> &JobState {
        &self.chunk
    }

    /// The proof of the claim. Whoever receives effects of this attempt should see its token.
    pub fn fence(&self) -> Fence {
        self.fence
    }

    /// The number of this attempt: 1 for the first, and one more for each failure and each crash before it.
    pub fn number(&self) -> u32 {
        self.chunk.attempt()
    }

    /// A key that is the same for all attempts at this chunk: its own, else `job:chunk`.
    pub fn idempotency_key(&self) -> String {
        self.chunk.idempotency_key()
    }

    /// When this attempt is over, if it has a limit.
    pub fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// Waits until this attempt is to stop, and says why. It does not return otherwise.
    ///
    /// A handler that has not returned when the worker's [`cancel_grace`](crate::Worker::cancel_grace) is over is dropped at its
    /// next await, whether it looks or not.
    pub async fn cancelled(&self) -> Cancelled {
        self.signal.cancelled().await
    }

    /// Why this attempt is to stop; none where it is not.
    pub fn why_cancelled(&self) -> Option<Cancelled> {
        self.signal.why()
    }

    /// A token for what the handler starts outside its own future, such as a blocking task: it is cancelled when this
    /// attempt is to stop. A handler that returns by itself does not cancel it.
    pub fn cancellation_token(&self) -> CancellationToken {
        self.signal.child()
    }

    /// Asks the store whether the claim is in force, before an effect that must not be repeated by a worker that lost it.
    ///
    /// # Errors
    /// `FenceLost` where it is not, and this attempt is cancelled with it; anything else that the store says.
    pub async fn check(&self) -> Result<()> {
        let checked = self.store.check(&self.fence).await;
        if checked.as_ref().is_err_and(|error| matches!(error.kind(), ErrorKind::FenceLost | ErrorKind::NotFound)) {
            self.signal.cancel(Cancelled::Lost);
        }
        checked
    }
}

impl fmt::Debug for Attempt {
    /// Leaves out the payload.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Attempt").field("fence", &self.fence).field("number", &self.number()).finish_non_exhaustive()
    }
}
