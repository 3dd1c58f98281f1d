//! Hand-written code on redb: a table of chunks, and one of those that are pending.

use std::path::Path;

use redb::{Database, ReadableDatabase, ReadableTable, Table, TableDefinition};

use super::{Claimed, Raw};

type Key = (u64, u64);

/// Status, token and checksum.
const CHUNK: TableDefinition<'_, Key, (u8, u64, &str)> = TableDefinition::new("chunk");
const PENDING: TableDefinition<'_, Key, ()> = TableDefinition::new("pending");

/// The most memory for pages, as the store has it.
const CACHE_BYTES_MAX: usize = 256 << 20;

/// A redb file with a table of chunks.
pub struct RawRedb {
    database: Database,
    last_token: u64,
}

struct Tables<'t> {
    chunk: Table<'t, Key, (u8, u64, &'static str)>,
    pending: Table<'t, Key, ()>,
}

impl Tables<'_> {
    fn claim(&mut self, job: u64, last_token: &mut u64) -> Option<Claimed> {
        let first = self.pending.range((job, 0)..(job + 1, 0)).expect("it reads").next()?.expect("it reads").0.value();
        self.pending.remove(first).expect("it removes");
        *last_token += 1;
        let checksum = self.chunk.get(first).expect("it reads").expect("a pending chunk is there").value().2.to_owned();
        self.chunk.insert(first, (1, *last_token, checksum.as_str())).expect("it writes");
        Some((first.1, *last_token))
    }

    fn finish(&mut self, job: u64, (chunk, token): Claimed) {
        let stored = self.chunk.get((job, chunk)).expect("it reads").expect("a claimed chunk is there");
        let (status, held, checksum) = stored.value();
        assert_eq!((status, held), (1, token));
        let checksum = checksum.to_owned();
        drop(stored);
        self.chunk.insert((job, chunk), (2, token, checksum.as_str())).expect("it writes");
    }
}

impl RawRedb {
    /// Opens a file that is there, which brings it back after a crash.
    pub fn recover(path: &Path) {
        let database = Database::builder().set_cache_size(CACHE_BYTES_MAX).create(path).expect("the file opens");
        let read = database.begin_read().expect("it reads");
        assert!(read.list_tables().expect("it reads").next().is_some());
    }

    /// A transaction in one phase, or in two as the store's are that must survive a power cut.
    fn in_transaction<T>(&mut self, two_phases: bool, act: impl FnOnce(&mut Tables<'_>, &mut u64) -> T) -> T {
        let mut transaction = self.database.begin_write().expect("a transaction begins");
        transaction.set_two_phase_commit(two_phases);
        let chunk = transaction.open_table(CHUNK).expect("the table opens");
        let pending = transaction.open_table(PENDING).expect("the table opens");
        let mut tables = Tables { chunk, pending };
        let done = act(&mut tables, &mut self.last_token);
        drop(tables);
        transaction.commit().expect("a transaction commits");
        done
    }
}

impl Raw for RawRedb {
    fn create(path: &Path) -> Self {
        let database = Database::builder().set_cache_size(CACHE_BYTES_MAX).create(path).expect("a file opens");
        Self { database, last_token: 0 }
    }

    fn import(&mut self, job: u64, checksums: &[String]) {
        self.in_transaction(true, |tables, _| {
            for (chunk, checksum) in (1..).zip(checksums) {
                tables.chunk.insert((job, chunk), (0, 0, checksum.as_str())).expect("it writes");
                tables.pending.insert((job, chunk), ()).expect("it writes");
            }
        });
    }

    fn claim(&mut self, job: u64, count: usize) -> Vec<Claimed> {
        self.in_transaction(false, |tables, last| (0..count).map_while(|_| tables.claim(job, last)).collect())
    }

    fn finish(&mut self, job: u64, claimed: &[Claimed]) {
        self.in_transaction(true, |tables, _| claimed.iter().for_each(|claimed| tables.finish(job, *claimed)));
    }

    fn finish_and_claim(&mut self, job: u64, claimed: &[Claimed]) -> Vec<Claimed> {
        self.in_transaction(true, |tables, last| {
            let one = |done: &Claimed| {
                tables.finish(job, *done);
                tables.claim(job, last)
            };
            claimed.iter().filter_map(one).collect()
        })
    }

    fn pending(&self, job: u64) -> Vec<u64> {
        let read = self.database.begin_read().expect("it reads");
        let pending = read.open_table(PENDING).expect("the table opens");
        let rows = pending.range((job, 0)..(job + 1, 0)).expect("it reads");
        rows.map(|row| row.expect("it reads").0.value().1).collect()
    }
}
