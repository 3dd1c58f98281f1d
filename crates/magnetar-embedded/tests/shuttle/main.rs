//! Many schedules of the threaded driver over tables in memory: no answer, no claim and no wake-up is lost between any two threads.
//!
//! The crate is compiled here a second time, with shuttle's threads and locks where it imports `crate::sync`. A wake-up that is
//! lost is a deadlock, which shuttle finds. A failure prints the schedule; `MAGNETAR_SEED` sets another seed to draw them from,
//! and `MAGNETAR_SCHEDULES` how many there are in all.
#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod control;
mod explore;
mod scenario;
#[path = "../../src"]
#[allow(unfulfilled_lint_expectations, reason = "here the time is no system's, so no rule about that is broken")]
#[expect(
    dead_code,
    unused_imports,
    unreachable_pub,
    clippy::large_enum_variant,
    reason = "each file is whole, and not all of it is used here"
)]
mod source {
    pub(crate) mod answer;
    pub(crate) mod audit;
    pub(crate) mod backend;
    pub(crate) mod clock;
    pub(crate) mod digest;
    pub(crate) mod engine;
    pub(crate) mod heir;
    pub(crate) mod hint;
    pub(crate) mod host;
    pub(crate) mod inline;
    pub(crate) mod key;
    pub(crate) mod lanes;
    pub(crate) mod locks;
    pub(crate) mod look;
    pub(crate) mod memo;
    pub(crate) mod options;
    pub(crate) mod plant;
    pub(crate) mod read;
    pub(crate) mod ready;
    pub(crate) mod recount;
    pub(crate) mod row;
    pub(crate) mod salvage;
    pub(crate) mod snapshot;
    pub(crate) mod sorted;
    pub(crate) mod stop;
    pub(crate) mod store;
    pub(crate) mod table;
    pub(crate) mod threaded;
    pub(crate) mod txn;
    pub(crate) mod writer;
    pub(crate) mod writes;
}
mod sync;
mod world;

use std::process::ExitCode;

use source::{
    answer, audit, backend, digest, engine, heir, hint, host, inline, key, lanes, locks, look, memo, options, plant, read, ready,
    recount, row, snapshot, sorted, stop, store, table, threaded, txn, writer, writes,
};

fn main() -> ExitCode {
    let trials = scenario::trials().into_iter().chain(control::trials()).collect();
    libtest_mimic::run(&libtest_mimic::Arguments::from_args(), trials).exit_code()
}
