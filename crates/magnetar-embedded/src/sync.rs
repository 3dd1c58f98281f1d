//! The locks of this crate, and whatever else depends on the order in which threads run, in one place: the exploration of
//! schedules puts its own in theirs.

use std::sync::PoisonError;
pub(crate) use std::sync::{Mutex, MutexGuard};
#[cfg(feature = "threaded")]
pub(crate) use std::{
    hint::spin_loop,
    sync::{
        Condvar,
        atomic::AtomicUsize,
        mpsc::{SyncSender, sync_channel},
    },
    thread,
    time::Instant,
};

/// Locks. A thread that panicked holding a lock left no half-made state behind: every critical section here is a few moves.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
