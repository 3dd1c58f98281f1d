//! Bits that flip: in rows, and in files. A read then gives what is right, or says that something is damaged.

mod alive;
mod answers;
mod bare;
mod files;
mod questions;
mod rows;
mod tables;
mod versions;
mod watchdog;

pub use self::{
    bare::{Bare, bare_redb, bare_sqlite},
    files::{RotRedb, RotSqlite},
    rows::RotRows,
};
use crate::rig::Rig;

/// The rigs of this kind, without a flaw.
pub(crate) fn rigs() -> Vec<Box<dyn Rig>> {
    vec![Box::new(RotRows::default()), Box::new(RotSqlite), Box::new(RotRedb)]
}
