//! Magnetar's store in one redb file: pure Rust, one process a file.
//!
//! Tables of bytes, opening, errors, and nothing else: the rules are the embedded engine's. Every commit is flushed, with
//! two phases where it must survive a power cut. The second handle on a file, in this process or another, is refused.

mod backend;
mod error;
mod guard;
mod open;
mod schema;
#[cfg(feature = "threaded")]
mod store;
mod tx;
mod view;

pub use crate::backend::RedbBackend;
#[cfg(feature = "threaded")]
pub use crate::store::RedbStore;
