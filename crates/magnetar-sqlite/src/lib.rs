//! Magnetar's store in a SQLite file.
//!
//! Several processes of one host may have it open at once. What a call has acknowledged survives a power cut: every commit
//! is flushed before it is answered. The rules are those of the embedded engine; here are the file, its tables, and how
//! processes wait for each other.
//!
//! Beside `jobs.db` stand `jobs.db-wal` and `jobs.db-shm`, which belong to the database and move with it, and the folder
//! `jobs.db-sessions` with a lock file for each open handle.

mod backend;
mod connection;
mod create;
mod error;
mod schema;
mod sql;
mod store;
mod tx;
mod view;
mod wait;

pub use crate::{backend::SqliteBackend, store::SqliteStore};
