//! Who wants to know: observers, and the events they are told.

mod event;
#[cfg(feature = "metrics")]
mod metrics;
#[cfg(feature = "tracing")]
mod tracing;

use std::{
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

pub use self::event::{BreakerMode, CallOutcome, ClosedReason, Event, RetryStop};
#[cfg(feature = "metrics")]
pub use self::metrics::MetricsObserver;

/// Told what happens inside a part.
///
/// # Behavior
/// - Called outside every lock, on the thread where it happens: be quick, and hand longer work to another task.
/// - A panic of an observer is caught and goes no further; so is one of a `tracing` subscriber.
/// - Transitions of one breaker arrive in their order, each once.
pub trait Observer: Send + Sync {
    /// Something happened.
    fn observe(&self, event: &Event<'_>);
}

impl<F: Fn(&Event<'_>) + Send + Sync> Observer for F {
    fn observe(&self, event: &Event<'_>) {
        self(event);
    }
}

/// The observers of one part.
#[derive(Clone, Default)]
pub(crate) struct Observers(Vec<Arc<dyn Observer>>);

impl Observers {
    pub(crate) fn add(&mut self, observer: Arc<dyn Observer>) {
        self.0.push(observer);
    }

    /// Whether nobody is told: no observer, and no trace.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty() && !cfg!(feature = "tracing")
    }

    /// Tells everyone.
    #[inline]
    pub(crate) fn tell(&self, event: &Event<'_>) {
        #[cfg(feature = "tracing")]
        guarded(|| tracing::log(event));
        for observer in &self.0 {
            guarded(|| observer.observe(event));
        }
    }
}

/// Goes on whatever happens. What an observer or a subscriber breaks of its own is its own: nothing of ours is touched by it.
fn guarded(tell: impl FnOnce()) {
    let _caught = catch_unwind(AssertUnwindSafe(tell));
}

impl fmt::Debug for Observers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} observers", self.0.len())
    }
}
