//! What users of the crate can see. A test named `t07_…` holds trap 7 and one named `d03_…` defect 3 of `docs/resilience.md`.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod breaker;
mod breaker_model;
mod breaker_settings;
mod cancellation;
mod contract;
mod lab;
mod limiter;
mod limiter_model;
mod named;
mod observers;
mod policy;
mod pool;
mod retry;
mod support;
#[cfg(feature = "tower")]
mod tower;
