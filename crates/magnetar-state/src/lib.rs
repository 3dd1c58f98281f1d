//! Resume tokens: where a change stream, a log or any other ordered source goes on after a restart.
//!
//! A *collection* is the name under which one token is kept. [`StateStore`] has three methods that every program needs
//! (`save_resume_token`, `load_resume_token`, `clear_resume_token`) and, beneath them, a compare-and-set core: every
//! collection has a version that only grows and an epoch that fences off writers of the past, and a write that carries an
//! id may be repeated after a lost reply.
//!
//! ```
//! use magnetar_state::{MemoryStore, StateStore, doc};
//!
//! # futures_lite::future::block_on(async {
//! let store = MemoryStore::new();
//! store.save_resume_token("shop.orders", doc! { "_data": "8263" }).await?;
//! assert_eq!(store.load_resume_token("shop.orders").await?, Some(doc! { "_data": "8263" }));
//! store.clear_resume_token("shop.orders").await?;
//! assert_eq!(store.load_resume_token("shop.orders").await?, None);
//! # Ok::<(), magnetar_state::StateError>(())
//! # }).unwrap();
//! ```

mod base64;
pub mod bytes;
pub mod check;
mod clock;
mod entry;
mod error;
mod files;
mod format;
mod jobs;
pub mod limits;
mod lock;
mod memory;
pub mod simple;
mod slot;
mod store;
mod store_file;
mod tracker;

pub use bson::{self, Bson, Document, doc};
pub use magnetar_core::{Clock, Durability, Sharing, Timestamp};

pub use crate::{
    clock::SystemClock,
    entry::{Entry, Epoch, Expect, Guard, Listed, Loaded, Page, Saved, Version, WriteId},
    error::{Result as StateResult, StateError},
    files::{FileOptions, Files},
    jobs::{JobStateStore, PreparedSave},
    lock::Lock,
    memory::MemoryStore,
    store::{StateCapabilities, StateStore},
    store_file::FileStore,
    tracker::{Flushed, Pending, Tracker, save_flushed},
};
