//! The program as people and scripts meet it: what it prints, and how it ends.

#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod support;

mod cancel;
mod checkpoint;
mod completions;
mod dag;
mod doctor;
mod exit;
mod help;
mod list;
mod locked;
mod output;
mod retry;
mod run;
mod show;
mod status;
mod target;
mod terminal;
mod watch;
