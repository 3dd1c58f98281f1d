//! A connection that is lent out, and comes back by itself.

use std::{
    fmt,
    future::poll_fn,
    ops::{Deref, DerefMut},
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    thread,
    time::Duration,
};

use tokio::task::JoinHandle;

use super::shared::{Connection, Shared};
use crate::{deadline, observe::ClosedReason};

/// A connection of a pool. It goes back when it is dropped; it is closed instead if that happens in a panic, if it was
/// marked dirty, or if it is old.
pub struct Pooled<T: Send + 'static> {
    shared: Arc<Shared<T>>,
    /// None only while it is being taken out at the very end.
    connection: Option<Connection<T>>,
    is_dirty: bool,
    watch: Option<Watch>,
}

/// Whether the operation that a connection is lent to is suspended. Dropped meanwhile, the connection is in the midst of something:
/// it was the operation that was dropped.
#[derive(Clone, Debug, Default)]
pub(crate) struct Watch(Arc<AtomicBool>);

impl Watch {
    /// Runs the operation, under watch.
    pub(crate) async fn over<F: Future>(self, operation: F) -> F::Output {
        let mut operation = pin!(operation);
        poll_fn(|context| {
            self.0.store(false, SeqCst);
            let polled = operation.as_mut().poll(context);
            self.0.store(polled.is_pending(), SeqCst);
            polled
        })
        .await
    }

    fn is_suspended(&self) -> bool {
        self.0.load(SeqCst)
    }
}

impl<T: Send + 'static> Pooled<T> {
    #[inline]
    pub(super) fn new(shared: Arc<Shared<T>>, connection: Connection<T>) -> Self {
        Self { shared, connection: Some(connection), is_dirty: false, watch: None }
    }

    /// Lends the connection to an operation that is watched.
    pub(crate) fn watched(mut self, watch: Watch) -> Self {
        self.watch = Some(watch);
        self
    }

    /// From here on the connection is in the midst of something: dropped before [`mark_clean`](Self::mark_clean) it is closed, since
    /// the next user would get the rest of this one's answer. Mark it before an exchange that may be cancelled.
    pub fn mark_dirty(&mut self) {
        self.is_dirty = true;
    }

    /// The exchange is over: the connection may be used by others.
    pub fn mark_clean(&mut self) {
        self.is_dirty = false;
    }

    /// Closes the connection instead of giving it back.
    pub fn discard(self) {
        drop(self.close(ClosedReason::Discarded));
    }

    /// Takes the connection out of the pool for good. The pool may make another in its place.
    pub fn detach(mut self) -> T {
        let connection = self.take();
        self.shared.roster.detached();
        connection.value
    }

    /// How long ago the connection was made.
    pub fn age(&self) -> Duration {
        self.shared.clock.now().saturating_sub(self.connection().created)
    }

    /// Asks the factory; none where it has not answered by then. A check that is cut off or panics leaves the guard dirty: half an
    /// exchange is on the wire.
    pub(super) async fn is_healthy(&mut self, ends: Duration) -> Option<bool> {
        let was_dirty = self.is_dirty;
        self.is_dirty = true;
        let check = self.shared.factory.is_healthy(&self.connection().value);
        let is_healthy = deadline::until(&*self.shared.clock, Some(ends), check).await?;
        self.is_dirty = was_dirty;
        Some(is_healthy)
    }

    /// Checks the connection and gives it back, or closes it if it is unhealthy or was marked dirty.
    pub(super) async fn release(mut self) {
        let ends = self.shared.clock.now().saturating_add(self.shared.check_timeout);
        let reason = if self.is_dirty {
            ClosedReason::Discarded
        } else if self.is_healthy(ends).await == Some(true) {
            return;
        } else {
            ClosedReason::Unhealthy
        };
        if let Some(closing) = self.close(reason) {
            // A farewell that panics ends its own task and frees its place; there is nothing to do about it here.
            let _ended = closing.await;
        }
    }

    pub(super) fn close(mut self, reason: ClosedReason) -> Option<JoinHandle<()>> {
        let connection = self.take();
        self.shared.dispose(connection, reason)
    }

    #[expect(clippy::expect_used, reason = "the field is emptied only by methods that end the guard")]
    fn connection(&self) -> &Connection<T> {
        self.connection.as_ref().expect("a guard holds its connection until it ends")
    }

    #[expect(clippy::expect_used, reason = "the field is emptied only by methods that end the guard")]
    fn take(&mut self) -> Connection<T> {
        self.connection.take().expect("a guard holds its connection until it ends")
    }
}

impl<T: Send + 'static> Deref for Pooled<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.connection().value
    }
}

impl<T: Send + 'static> DerefMut for Pooled<T> {
    #[expect(clippy::expect_used, reason = "the field is emptied only by methods that end the guard")]
    fn deref_mut(&mut self) -> &mut T {
        &mut self.connection.as_mut().expect("a guard holds its connection until it ends").value
    }
}

impl<T: Send + 'static> Drop for Pooled<T> {
    fn drop(&mut self) {
        let Some(connection) = self.connection.take() else { return };
        if self.is_dirty || thread::panicking() || self.watch.as_ref().is_some_and(Watch::is_suspended) {
            self.shared.dispose(connection, ClosedReason::Discarded);
        } else {
            self.shared.give_back(connection);
        }
    }
}

/// Without the connection itself, which may know a password and need not be `Debug`.
impl<T: Send + 'static> fmt::Debug for Pooled<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pooled").field("pool", &self.shared.name).field("is_dirty", &self.is_dirty).finish_non_exhaustive()
    }
}
