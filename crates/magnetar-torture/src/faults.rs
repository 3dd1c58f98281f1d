//! Disks that fail: at each act of a workload, once or from there on, and what the store says and does about it.

mod engine;
mod kind;
mod plan;
mod run;
mod steps;

use crate::rig::Rig;

pub use self::engine::{FaultsRedb, FaultsSqlite};

/// The rigs of this kind, without a flaw.
pub(crate) fn rigs() -> Vec<Box<dyn Rig>> {
    vec![Box::new(FaultsSqlite::default()), Box::new(FaultsRedb::default())]
}
