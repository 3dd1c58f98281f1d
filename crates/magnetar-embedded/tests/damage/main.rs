//! What is told of a damaged store, and what can be saved of it.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod audit;
mod salvage;
mod tables;
