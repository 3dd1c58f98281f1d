//! The store against real servers, each started for a test and gone with it. Flaws that earlier stores in Redis had are in `flaws`, each with a
//! test of its own.
#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod proxy;
mod puppet;
mod rig;
#[path = "../servers/servers.rs"]
mod server;

mod cluster;
mod damage;
mod durability;
mod faults;
mod flaws;
mod kill;
mod leftovers;
mod locks;
mod secrets;
mod sentinel;
mod tls;
mod tokens;
