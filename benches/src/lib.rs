//! What the benchmarks share: the stores, hand-written code on the same engines to hold them against, and a crowd of callers.
//!
//! A benchmark is named `<what> <backend> <flush>/<side>/<size>`. The side is `store`, or `raw` for the hand-written code;
//! the flush is `disk`, or the price that each flush was given by `cargo xtask bench`, which prints the ratios.

#![expect(clippy::missing_panics_doc, reason = "a benchmark that cannot go on panics")]

pub mod crowd;
pub mod raw;
pub mod side;

/// The price of a flush in this run, as a part of each benchmark's name: set by `cargo xtask bench`.
pub const FLUSH: &str = "MAGNETAR_BENCH_FLUSH";

/// The name of a group of benchmarks.
pub fn group(what: &str, backend: &str) -> String {
    let flush = std::env::var(FLUSH).unwrap_or_else(|_| "disk".to_owned());
    format!("{what} {backend} {flush}")
}

/// The instant at which a measurement begins.
#[expect(clippy::disallowed_methods, reason = "time is what is measured")]
pub fn now() -> std::time::Instant {
    std::time::Instant::now()
}

/// The time for as many operations as were asked for, from that for as many as were done.
pub fn scaled(time: std::time::Duration, done: u64, asked: u64) -> std::time::Duration {
    let nanos = time.as_nanos() * u128::from(asked) / u128::from(done);
    std::time::Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}
