//! Stores of files on a folder that loses what was not flushed: power cuts between any two operations, failed operations, killed processes.
//!
//! A [`Subject`] is a store, and what it must show; everything else is the same for all of them. [`every_cut`] visits every crash state of every
//! script of a few operations, and [`Files`] is a rig of random ones.

mod checkpoint;
mod every;
mod history;
mod round;
mod state;
mod subject;

pub use self::{
    checkpoint::CheckpointFiles,
    every::every_cut,
    round::Files,
    state::{LockFiles, StateFiles},
    subject::Subject,
};
use crate::rig::Rig;

/// The rigs of this kind, without a flaw.
pub(crate) fn rigs() -> Vec<Box<dyn Rig>> {
    vec![Box::new(Files::new(CheckpointFiles)), Box::new(Files::new(StateFiles)), Box::new(Files::new(LockFiles))]
}
