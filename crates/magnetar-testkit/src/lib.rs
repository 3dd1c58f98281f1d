//! What every store of Magnetar must do, as tests that any backend can run.
//!
//! A backend's test is a `main` of five lines, with `harness = false`:
//!
//! ```text
//! use std::process::ExitCode;
//!
//! fn main() -> ExitCode {
//!     magnetar_testkit::main("mine", || harness_of_a_fresh_store())
//! }
//! ```
//!
//! Each law is a test of its own, named after the promise it holds. The module `state`, a feature, has those of stores of resume
//! tokens.
//!
//! [`folder`] is another thing: a folder that tests of files put in the place of one of the system.

mod clock;
mod differential;
mod embedded;
pub mod folder;
mod harness;
mod law;
mod laws;
pub mod model;
mod mortal;
#[cfg(feature = "state")]
pub mod state;

pub use crate::{
    clock::ManualClock,
    differential::{Differential, Tally, differential},
    embedded::{EmbeddedHarness, Source},
    folder::SimFolder,
    harness::{Harness, World},
    law::{Law, main},
    laws::all as laws,
};
