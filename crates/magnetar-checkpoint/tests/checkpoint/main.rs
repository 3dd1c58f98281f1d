//! What users see of checkpoints.

#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod contract;
mod flaws;
mod folders;
mod formats;
mod jobs;
mod kill;
mod periodic;
mod retention;
mod support;
mod trouble;
