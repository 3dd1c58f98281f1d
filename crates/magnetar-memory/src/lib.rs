//! Magnetar's store in memory: for tests, and the model that other backends are held against.
//!
//! Nothing survives the process. Everything else is as in the stores that keep things: the same engine, the same rules.

mod backend;
mod store;

pub use crate::{backend::MemoryBackend, store::MemoryStore};
