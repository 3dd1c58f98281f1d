//! Power cuts: everything a cut may leave of a recorded workload is rebuilt, opened and checked.

mod check;
mod flaw;
mod history;
mod player;
mod recorder;
mod redb;
mod round;
mod sqlite;
mod workload;

pub use self::{flaw::PowerFlaw, redb::PowerRedb, sqlite::PowerSqlite};
use crate::rig::Rig;

/// The rigs of this kind, without a flaw.
pub(crate) fn rigs() -> Vec<Box<dyn Rig>> {
    vec![Box::new(PowerSqlite::default()), Box::new(PowerRedb::default())]
}
