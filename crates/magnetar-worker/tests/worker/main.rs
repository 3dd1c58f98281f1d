//! What a worker and a manager promise, each sentence a test. Time is tokio's, and stands still unless everything waits.

#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod cancelling;
mod dropping;
mod events;
mod failing;
mod losing;
mod managing;
mod pipeline;
mod running;
mod soak;
mod support;
mod timing_out;
mod trouble;
