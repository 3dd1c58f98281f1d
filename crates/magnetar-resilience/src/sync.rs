//! The primitives that the small concurrent parts are made of.
//!
//! A test compiles those parts a second time with another module of this name: `tests/loom.rs` with loom's atomics,
//! `tests/shuttle.rs` with shuttle's mutex. So the files that import from here import nothing else of the crate.

pub(crate) use std::sync::{Mutex, MutexGuard, PoisonError, atomic::AtomicU64};
