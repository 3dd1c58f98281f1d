//! Work on a store: random calls that a seed repeats, what was acknowledged of them, and all that a store shows.

mod after;
mod clock;
mod known;
mod script;
mod sight;

pub(crate) use self::{
    after::{Work, drain, repeat, sound, work},
    clock::HandClock,
    known::Known,
    script::{Script, Turn, options},
    sight::{Sight, audit},
};
