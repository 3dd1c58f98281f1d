//! Rigs that hold Magnetar's promises against what kills, power cuts, broken disks and rot leave behind.
//!
//! A [`Rig`] plays one round from one seed: it works on a store, lets the fault happen, opens what is left, and checks
//! everything that was promised. The tests of this crate play each rig until it has counted what it must; `cargo xtask crash`
//! plays them for as long as told. Each rig has a control with a flaw built in, which must fail: a rig that lets it pass
//! proves nothing.

pub mod faults;
pub mod files;
mod folder;
#[cfg(target_os = "linux")]
pub mod kill;
pub mod model;
mod panics;
pub mod power;
mod rig;
pub mod rot;
mod site;
mod storage;
mod tap;
mod vfs;
mod wide;
mod workload;

pub use crate::{
    rig::{Counts, Failure, Rig, play, replay, rigs},
    wide::play_wide,
};
