//! The clients, the errors and the whole stack, against an S3 server in this process behind a proxy that makes faults. A test
//! named `t07_...` holds trap 7 and one named `d03_...` defect 3 of `docs/resilience.md`.
#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod background;
mod fault;
mod proxy;
mod rig;
mod server;
#[path = "../../examples/s3_transfer/store.rs"]
mod store;
mod wire;

mod bodies;
mod errors;
mod outage;
mod secrets;
mod sockets;
mod transfer;
