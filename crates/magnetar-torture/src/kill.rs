//! Processes that are killed: at random moments, at each call that writes, and while they are stopped.
//!
//! What was promised is held against an append-only log outside the store, to which every process writes before it acts and
//! after it was answered.

mod engine;
mod flaw;
mod hand;
mod log;
mod oracle;
mod plan;
mod process;
mod script;
mod sys;
mod torture;
mod verify;
mod worker;
mod zombies;

pub use self::{engine::Engine, flaw::Flaw, process::WORKER, torture::KillRig, worker::work};

use crate::Rig;

/// The rigs of this module, without a flaw. They start this very program again as their workers.
pub(crate) fn rigs() -> Vec<Box<dyn Rig>> {
    let program = std::env::current_exe().unwrap_or_default();
    [Engine::Sqlite, Engine::Redb].map(|engine| Box::new(KillRig::new(engine, &program)) as Box<dyn Rig>).into()
}
