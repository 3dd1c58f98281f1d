//! The one transaction that may write: it reads a snapshot that nobody overtakes, and writes only when it commits.

use std::sync::MutexGuard;

use magnetar_core::{ErrorKind, Result};
use magnetar_embedded::{Flush, Show, Table, Tx, View, Writes};
use redb::{Database, Durability};

use crate::{
    backend::Shared,
    view::{Snapshot, definition},
};

pub(crate) struct Transaction<'a> {
    pub(crate) shared: &'a Shared,
    pub(crate) snapshot: Snapshot<'a>,
    pub(crate) writing: MutexGuard<'a, ()>,
}

impl View for Transaction<'_> {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>> {
        self.snapshot.get(table, key)
    }

    fn scan(&self, table: Table, from: &[u8], to: &[u8], each: &mut Show<'_>) -> Result<()> {
        self.snapshot.scan(table, from, to, each)
    }
}

impl Tx for Transaction<'_> {
    fn commit(self: Box<Self>, writes: &Writes, flush: Flush) -> Result<()> {
        let Self { shared, snapshot, writing } = *self;
        // A view that lives on would keep the pages that this commit frees, and the database from being opened again.
        drop(snapshot);
        let outcome = shared.write(writes, flush);
        let outcome = match outcome {
            Err(full) if full.kind() == ErrorKind::Full => shared.recover(writes, full),
            outcome => outcome,
        };
        drop(writing);
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
        let changes = writes.of(table);
        if changes.len() == 0 {
            continue;
        }
        let mut rows = transaction.open_table(definition(table))?;
        for (key, value) in changes {
            match value {
                Some(value) => drop(rows.insert(key, value)?),
                None => drop(rows.remove(key)?),
            }
        }
    }
    transaction.commit()?;
    Ok(())
}
