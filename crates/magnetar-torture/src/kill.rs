//! Processes that are killed: at random moments, at each call that writes, and while they are stopped.
//!
//! What was promised is held against an append-only log outside the store, to which every process writes before it acts and
//! after it was answered.

mod engine;
mod filter;
mod flaw;
mod hand;
mod log;
mod oracle;
mod plan;
mod process;
mod script;
mod sys;
mod syscalls;
mod torture;
mod trace;
mod verify;
mod worker;
mod zombie;
mod zombies;

pub use self::{
    engine::Engine, flaw::Flaw, process::WORKER, syscalls::SyscallRig, torture::KillRig, worker::work, zombies::ZombieRig,
};
use crate::Rig;

/// The rigs of this module, without a flaw. They start this very program again as their workers.
pub(crate) fn rigs() -> Vec<Box<dyn Rig>> {
    let program = std::env::current_exe().unwrap_or_default();
    vec![
        Box::new(KillRig::new(Engine::Sqlite, &program)),
        Box::new(KillRig::new(Engine::Redb, &program)),
        Box::new(SyscallRig::new(Engine::Sqlite, &program)),
        Box::new(SyscallRig::new(Engine::Redb, &program)),
        Box::new(ZombieRig::new(&program)),
    ]
}
