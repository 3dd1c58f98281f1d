//! Salvage: everything of a damaged store that is whole, in a new one.
//!
//! What is only derived (places, counters, digests, ids by name) is made anew from jobs, chunks and edges. What cannot be saved
//! is named. Nothing is guessed into motion: a chunk whose own row or payload is lost ends as Failed, and what waits for it waits
//! on, or is skipped, as its job says.

mod harvest;
mod rebuild;
mod replant;

use std::ops::ControlFlow;

use magnetar_core::{Error, ErrorKind, Result, Timestamp};

use self::{harvest::Harvest, replant::replant};
use crate::{backend::Backend, key, stop::Stop, table::Table};

/// What a salvage came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Salvaged {
    /// Jobs in the new store.
    pub jobs: u64,
    /// Chunks in the new store.
    pub chunks: u64,
    /// Records in the new store.
    pub records: u64,
    /// What is not in the new store, or not as it was, one sentence each; empty where nothing was lost.
    pub losses: Vec<String>,
}

/// Puts everything of a store that is whole into a new one, which must be empty.
///
/// Jobs keep their ids, names and options, chunks their statuses, results and errors, budgets, payloads, keys and dependencies,
/// records their versions. Claims are given back. Tokens go on above all that were given. Nothing is written to the damaged
/// store, and all of it but payloads and records is held in memory. A crash leaves the new store incomplete: remove it and begin
/// again.
///
/// # Errors
/// `Invalid` where the new store holds a job already, and what the backends say; damage of the old store is no error.
pub fn salvage(from: &dyn Backend, to: &mut dyn Backend, now: Timestamp) -> Result<Salvaged> {
    refuse_used(to)?;
    let mut reader = from.reader()?;
    let view = reader.view()?;
    let mut harvest = Harvest::of(&*view);
    rebuild::rebuild(&mut harvest, now);
    replant(&*view, harvest, to, now).map_err(Stop::into_error)
}

fn refuse_used(to: &mut dyn Backend) -> Result<()> {
    let tx = to.begin()?;
    let mut is_used = false;
    for table in [Table::Job, Table::Record] {
        tx.scan(table, &[], key::END, &mut |_, _| {
            is_used = true;
            ControlFlow::Break(())
        })?;
    }
    if is_used {
        return Err(Error::new(ErrorKind::Invalid, "salvage into a store that holds jobs; name one that is not there yet"));
    }
    Ok(())
}
