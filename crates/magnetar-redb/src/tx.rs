//! The one transaction that may write: it reads a snapshot that nobody overtakes, and writes only when it commits.

use std::{ops::Bound, sync::MutexGuard};

use magnetar_core::{ErrorKind, Result};
use magnetar_embedded::{Flush, Show, Table, Tx, View, Writes};
use redb::{CursorError, Database, Durability};

use crate::{
    backend::Shared,
    view::{Snapshot, definition},
};

type Rows<'t> = redb::Table<'t, &'static [u8], &'static [u8]>;

/// A cursor that has put fewer rows in between two others was not worth its search.
const RUN_MIN: usize = 8;

pub(crate) struct Transaction<'a> {
    pub(crate) shared: &'a Shared,
    pub(crate) snapshot: Snapshot<'a>,
    pub(crate) commits: MutexGuard<'a, u64>,
    pub(crate) seen: &'a mut u64,
    pub(crate) has_foreign_writes: bool,
}

impl View for Transaction<'_> {
    fn get(&self, table: Table, key: &[u8], show: &mut dyn FnMut(&[u8])) -> Result<()> {
        self.snapshot.get(table, key, show)
    }

    fn scan(&self, table: Table, from: &[u8], to: &[u8], each: &mut Show<'_>) -> Result<()> {
        self.snapshot.scan(table, from, to, each)
    }
}

impl Tx for Transaction<'_> {
    fn has_foreign_writes(&self) -> bool {
        self.has_foreign_writes
    }

    fn commit(self: Box<Self>, writes: &Writes, flush: Flush) -> Result<()> {
        let Self { shared, snapshot, mut commits, seen, .. } = *self;
        // A view that lives on would keep the pages that this commit frees, and the database from being opened again.
        drop(snapshot);
        let outcome = shared.write(writes, flush);
        let outcome = match outcome {
            Err(full) if full.kind() == ErrorKind::Full => shared.recover(writes, full),
            outcome => outcome,
        };
        // One that failed may have happened.
        *commits += 1;
        *seen = *commits;
        outcome
    }
}

/// Makes all the writes happen, or none of them.
pub(crate) fn write(database: &Database, writes: &Writes, flush: Flush) -> Result<(), redb::Error> {
    let mut transaction = database.begin_write()?;
    // `Durability::None` would be undone by a kill, because redb leaves such a commit in the memory of the process. So what
    // need not be synced is synced too, but in one phase: one flush instead of two. A power cut in the middle of it takes the
    // store back to the commit before, which is what `Unsynced` allows.
    transaction.set_durability(Durability::Immediate)?;
    transaction.set_two_phase_commit(flush == Flush::Synced);
    // Quick repair is left off: it makes opening after a crash short (33 ms instead of 300 for a million rows), and every
    // commit a third to a half slower.
    for table in Table::ALL {
        if writes.is_without(table) {
            continue;
        }
        let mut rows = transaction.open_table(definition(table))?;
        for (key, _) in writes.of(table).filter(|(_, value)| value.is_none()) {
            rows.remove(key)?;
        }
        put(&mut rows, writes.of(table).filter_map(|(key, value)| Some((key, value?))))?;
    }
    transaction.commit()?;
    Ok(())
}

/// Puts rows whose keys ascend. New ones that lie together go in through a cursor, which takes a third of the time of single
/// inserts; where it meets a row that is there, single ones go on.
fn put<'r>(rows: &mut Rows<'_>, puts: impl Iterator<Item = (&'r [u8], &'r [u8])>) -> Result<(), redb::Error> {
    let mut puts = puts.peekable();
    let mut is_worth_it = true;
    while let Some((first, _)) = puts.peek().filter(|_| is_worth_it) {
        let mut cursor = rows.upper_bound_mut(Bound::Excluded(*first))?;
        let (mut inserted, mut refused) = (0, None);
        for (key, value) in puts.by_ref() {
            match cursor.insert_before(key, value) {
                Ok(()) => inserted += 1,
                Err(CursorError::UnorderedKey) => {
                    refused = Some((key, value));
                    break;
                }
                Err(error) => return Err(error.into()),
            }
        }
        cursor.close()?;
        if let Some((key, value)) = refused {
            rows.insert(key, value)?;
        }
        is_worth_it = inserted >= RUN_MIN;
    }
    for (key, value) in puts {
        rows.insert(key, value)?;
    }
    Ok(())
}
