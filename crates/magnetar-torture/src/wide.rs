//! Rounds on all processors at once.

use std::{
    num::NonZero,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
};

use crate::rig::{Counts, Failure, Rig, replay};

/// Plays rounds on every processor, each with a seed of its own from `first_seed` on, until so many things were counted.
///
/// # Errors
/// A round in which a promise did not hold.
pub fn play_wide(rig: &dyn Rig, first_seed: u64, what: &str, count: u64) -> Result<Counts, Failure> {
    let (next, is_over) = (AtomicU64::new(first_seed), AtomicBool::new(false));
    let (total, failure) = (Mutex::new(Counts::default()), Mutex::new(None));
    let work = || {
        while !is_over.load(Ordering::Relaxed) {
            match replay(rig, next.fetch_add(1, Ordering::Relaxed)) {
                Ok(counts) => {
                    let mut total = total.lock().unwrap_or_else(PoisonError::into_inner);
                    total.absorb(&counts);
                    is_over.fetch_or(total.get(what) >= count, Ordering::Relaxed);
                }
                Err(found) => {
                    failure.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(found);
                    is_over.store(true, Ordering::Relaxed);
                }
            }
        }
    };
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, NonZero::get) {
            scope.spawn(work);
        }
    });
    match failure.into_inner().unwrap_or_else(PoisonError::into_inner) {
        Some(failure) => Err(failure),
        None => Ok(total.into_inner().unwrap_or_else(PoisonError::into_inner)),
    }
}
