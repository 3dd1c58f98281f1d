//! Digests: what tells that a whole row was lost, doubled, or is an old one.
//!
//! The checksum in a row says that the row is as it was written, not that it is there, nor that it is the latest. So each job
//! has a sum over its rows, kept in its counters, and the store has one over what belongs to no job. Each transaction takes
//! out what its writes replace and puts in what they write; an audit adds everything up anew. A row counts by its checksum,
//! which covers table and key: two rows are taken for one another once in 2^32.
//!
//! Not counted are the rows of places (ready, timer, lease deadlines), for where each chunk belongs follows from its row and
//! its lease; ends that are still to be told, which show in the counters of who waits; and sessions, which time ends.

use std::{collections::hash_map::Entry, ops::AddAssign};

use foldhash::HashMap;
use serde::{Deserialize, Serialize};

use crate::{
    backend::View,
    key::{self, JobNo},
    row,
    stop::Stop,
    table::Table,
    writes::{Stored, Writes},
};

/// A sum over rows, or a change of one. The order of the rows makes no difference.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Digest(u64);

/// What a digest is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Scope {
    Job(JobNo),
    Store,
}

/// The tables whose rows count to their job, by which their keys begin.
pub(crate) const OF_JOBS: [Table; 7] =
    [Table::Job, Table::Chunk, Table::Body, Table::Key, Table::Lease, Table::Child, Table::Parent];

/// The tables whose rows count to the store.
pub(crate) const OF_STORE: [Table; 3] = [Table::JobId, Table::JobName, Table::Record];

impl Digest {
    /// Counts a row in.
    pub(crate) fn put(&mut self, table: Table, bytes: &[u8]) {
        self.0 = self.0.wrapping_add(element(table, bytes));
    }

    /// Counts a row out.
    fn take(&mut self, table: Table, bytes: &[u8]) {
        self.0 = self.0.wrapping_sub(element(table, bytes));
    }
}

impl AddAssign for Digest {
    fn add_assign(&mut self, other: Self) {
        self.0 = self.0.wrapping_add(other.0);
    }
}

/// A checksum, spread over 64 bits so that sums of checksums do not meet: the finaliser of `SplitMix64` (Steele, Lea and Flood,
/// "Fast splittable pseudorandom number generators", 2014).
fn element(table: Table, bytes: &[u8]) -> u64 {
    let mut mixed = (u64::from(row::seal(bytes)) << 8 | u64::from(table as u8)).wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// What writes make of the digests that are kept, given the rows that they replace.
pub(crate) fn changes(
    view: &dyn View,
    writes: &Writes,
    is_kept: &mut dyn FnMut(Scope) -> Result<bool, Stop>,
) -> Result<Vec<(Scope, Digest)>, Stop> {
    let mut changes: HashMap<Scope, Option<Digest>> = HashMap::default();
    for table in OF_JOBS.into_iter().chain(OF_STORE) {
        for (row_key, change) in writes.changes(table) {
            let digest = match changes.entry(scope(table, row_key)?) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(new) => {
                    let digest = is_kept(*new.key())?.then(Digest::default);
                    new.insert(digest)
                }
            };
            let Some(digest) = digest else { continue };
            if change.stored == Stored::Something {
                view.get(table, row_key, &mut |bytes| digest.take(table, bytes))?;
            }
            if let Some(bytes) = &change.row {
                digest.put(table, bytes);
            }
        }
    }
    Ok(changes.into_iter().filter_map(|(scope, digest)| Some((scope, digest?))).collect())
}

fn scope(table: Table, row_key: &[u8]) -> Result<Scope, Stop> {
    if OF_STORE.contains(&table) {
        return Ok(Scope::Store);
    }
    key::parse_job(row_key).map(Scope::Job).ok_or_else(|| Stop::corrupt(table, row_key, "has no job"))
}
