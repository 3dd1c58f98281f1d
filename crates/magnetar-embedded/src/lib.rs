//! The engine that Magnetar's single-writer backends share.
//!
//! A backend is ordered tables of bytes with snapshots and one commit at a time ([`Backend`]); everything else is here:
//! the rules over those tables, sessions, fences, upkeep, and two drivers. [`Store::threaded`] has a thread that writes,
//! with group commit; [`Store::inline`] works in the thread of its caller and has no thread, clock or lock file of its
//! own, for wasm, model checking and the exploration of schedules.
//!
//! With the feature `files` there is also what backends in a file share beside the tables: `files` says where the file is,
//! makes it, and tells when it is gone.

#[cfg(feature = "threaded")]
mod answer;
mod audit;
mod backend;
#[cfg(feature = "threaded")]
mod clock;
mod digest;
mod engine;
#[cfg(feature = "files")]
pub mod files;
mod forward;
mod heir;
mod hint;
#[cfg(feature = "threaded")]
mod host;
mod inline;
mod key;
mod lanes;
mod locks;
mod look;
mod memo;
mod options;
mod plant;
mod read;
mod ready;
mod recount;
mod row;
mod salvage;
mod snapshot;
mod sorted;
mod stop;
mod store;
mod sync;
mod table;
#[cfg(feature = "threaded")]
mod threaded;
mod txn;
mod writer;
mod writes;

#[cfg(feature = "threaded")]
pub use crate::clock::SystemClock;
#[doc(hidden)]
pub use crate::forward::parts;
pub use crate::{
    backend::{Backend, Flush, Reader, Show, Tx, View},
    heir::LockHeir,
    options::Options,
    salvage::{Salvaged, salvage},
    store::Store,
    table::Table,
    writes::Writes,
};
