//! Work on a store: random calls that a seed repeats, what was acknowledged of them, and all that a store shows.

mod after;
mod clock;
mod fill;
mod known;
mod script;
mod sight;

pub(crate) use self::{
    after::{Work, drain, repeat, sound, work},
    clock::HandClock,
    fill::fill,
    known::Known,
    script::{JOBS, LANE, SPACE, Script, Turn, options},
    sight::{Sight, audit},
};
