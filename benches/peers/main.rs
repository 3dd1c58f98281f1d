//! The parts of resilience beside the crates that others use for the same, in one run.
//!
//! A benchmark is named `<what>/<side>/<crowd>`. The side is `own`, or the name of the crate; `cargo xtask bench` prints what ours takes
//! as a part of the best other's.

#![expect(clippy::unwrap_used, reason = "a benchmark that cannot go on panics")]

mod breaker;
mod crowd;
mod limiter;
mod pool;
mod retry;

use criterion::{criterion_group, criterion_main};

criterion_group!(
    parts,
    breaker::success,
    breaker::reject,
    limiter::allow,
    limiter::deny,
    limiter::polls,
    pool::lend,
    retry::first
);
criterion_main!(parts);
