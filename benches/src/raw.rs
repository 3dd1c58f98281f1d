//! What a program would write by hand: one thread, one table of chunks that finds its pending ones fast, tokens, and
//! transactions of the same durability as the store's. It has no sessions, no checksums of rows, no dependencies, no budgets.

mod redb;
mod sqlite;

use std::path::Path;

pub use self::{redb::RawRedb, sqlite::RawSqlite};

/// A chunk that was claimed, and the token of the claim.
pub type Claimed = (u64, u64);

/// What a chunk's checksum looks like: 64 characters, as of a SHA-256.
pub fn checksum(chunk: u64) -> String {
    format!("{chunk:064x}")
}

/// Hand-written code on an engine.
pub trait Raw {
    /// Makes a new file.
    fn create(path: &Path) -> Self;

    /// Puts chunks 1 to `chunks` of a job in, with the checksums given, in one transaction.
    fn import(&mut self, job: u64, checksums: &[String]);

    /// Claims so many chunks, each with an operation of its own, in one transaction.
    fn claim(&mut self, job: u64, count: usize) -> Vec<Claimed>;

    /// Finishes claimed chunks, each with an operation of its own, in one transaction.
    fn finish(&mut self, job: u64, claimed: &[Claimed]);

    /// Finishes claimed chunks and claims as many, in one transaction.
    fn finish_and_claim(&mut self, job: u64, claimed: &[Claimed]) -> Vec<Claimed>;

    /// The ids of the pending chunks.
    fn pending(&self, job: u64) -> Vec<u64>;
}
