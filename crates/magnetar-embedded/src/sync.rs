//! The locks of this crate, in one place, so that a schedule explorer can put its own in theirs.

use std::sync::PoisonError;
pub(crate) use std::sync::{Mutex, MutexGuard};

/// Locks. A thread that panicked holding a lock left no half-made state behind: every critical section here is a few moves.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
