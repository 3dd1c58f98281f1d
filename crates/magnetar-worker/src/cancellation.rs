//! How a worker is told to stop, and how it tells its handlers.

use std::sync::{Arc, OnceLock};

use tokio_util::sync::CancellationToken;

/// The way to stop a worker from outside, in two levels. Clones share one state; stopping cannot be taken back.
///
/// *Drain*: nothing new is started, what was claimed ahead is given back, and what runs may finish. *Abort*: what runs is
/// cancelled too, and its chunks are given back at no cost. A program drains at the first Ctrl-C and aborts at the second.
///
/// ```
/// let cancellation = magnetar_worker::Cancellation::new();
/// cancellation.drain();
/// assert!(cancellation.is_draining() && !cancellation.is_aborting());
/// ```
#[derive(Clone, Debug, Default)]
pub struct Cancellation {
    drain: CancellationToken,
    abort: CancellationToken,
}

/// Why an attempt was cancelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Cancelled {
    /// Its time was over. It counts as a failure.
    TimedOut,
    /// The claim was taken back, or the store has not answered for so long that it may have been. Nothing that the handler
    /// returns is written any more, and another may be at work on the chunk.
    Lost,
    /// The worker was told to abort, or its store is gone. The chunk is given back at no cost.
    Aborted,
}

impl Cancellation {
    /// Nothing is stopped yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Drains when the first token is cancelled, and aborts when the second is.
    pub fn from_tokens(drain: CancellationToken, abort: CancellationToken) -> Self {
        Self { drain, abort }
    }

    /// Starts nothing new, and lets what runs finish.
    pub fn drain(&self) {
        self.drain.cancel();
    }

    /// Starts nothing new, and cancels what runs.
    pub fn abort(&self) {
        self.drain.cancel();
        self.abort.cancel();
    }

    /// Whether nothing new is started: after [`drain`](Self::drain) and after [`abort`](Self::abort).
    pub fn is_draining(&self) -> bool {
        self.drain.is_cancelled() || self.is_aborting()
    }

    /// Whether what runs is cancelled.
    pub fn is_aborting(&self) -> bool {
        self.abort.is_cancelled()
    }

    /// The token of the first level.
    pub(crate) fn drain_token(&self) -> &CancellationToken {
        &self.drain
    }

    /// The token of the second level.
    pub(crate) fn abort_token(&self) -> &CancellationToken {
        &self.abort
    }
}

/// What tells one attempt to stop, and why. The first reason stands.
#[derive(Clone, Debug, Default)]
pub(crate) struct Signal {
    token: CancellationToken,
    why: Arc<OnceLock<Cancelled>>,
}

impl Signal {
    /// Tells the attempt to stop.
    pub(crate) fn cancel(&self, why: Cancelled) {
        // A second reason changes nothing.
        let _ = self.why.set(why);
        self.token.cancel();
    }

    /// Why it was told to stop, if it was.
    pub(crate) fn why(&self) -> Option<Cancelled> {
        self.why.get().copied()
    }

    /// Waits until it is told to stop.
    pub(crate) async fn cancelled(&self) -> Cancelled {
        self.token.cancelled().await;
        // The reason is set before the token.
        self.why().unwrap_or(Cancelled::Aborted)
    }

    /// A token for what the handler starts. Cancelling it tells nobody else.
    pub(crate) fn child(&self) -> CancellationToken {
        self.token.child_token()
    }
}
