//! The protocol model: everything that processes, the clock and power cuts can do to each other over one store, state by state.
//!
//! A step of a process is taken by the engine itself: its inline driver, on tables that are part of the state. So what is
//! explored is what runs, and no drawing of it. What was told to whom is kept beside it, and held against every store that
//! comes of a step.
//!
//! What is left out: marks, parking, and what changes a job; the laws and the differential test of the testkit have them.

mod config;
mod oracle;
mod properties;
mod rig;
mod stage;
mod state;
mod step;
mod tables;
mod turn;

pub use self::{
    config::{Config, Flaw},
    oracle::Fault,
    properties::{Explored, explore},
    rig::ModelRig,
    state::State,
    step::Action,
};
