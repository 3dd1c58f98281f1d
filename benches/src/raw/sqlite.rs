//! Hand-written code on `SQLite`: a table without rowids, and a partial index of what is pending.

use std::path::Path;

use rusqlite::{Connection, config::DbConfig, params};

use super::{Claimed, Raw};

const SCHEMA: &str = "
    CREATE TABLE chunk(
        job INTEGER NOT NULL, chunk INTEGER NOT NULL, status INTEGER NOT NULL, checksum TEXT NOT NULL,
        token INTEGER, claimed_at INTEGER, ended_at INTEGER,
        PRIMARY KEY(job, chunk)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX pending ON chunk(job, chunk) WHERE status = 0;
";
const INSERT: &str = "INSERT INTO chunk(job, chunk, status, checksum) VALUES(?1, ?2, 0, ?3)";
/// The index is named, because without statistics the primary key looks as good, and would walk over all that is done.
const NEXT: &str = "SELECT chunk, checksum FROM chunk INDEXED BY pending WHERE job = ?1 AND status = 0 ORDER BY chunk LIMIT 1";
/// Twice as fast as one statement with `RETURNING`.
const CLAIM: &str = "UPDATE chunk SET status = 1, token = ?3, claimed_at = ?4 WHERE job = ?1 AND chunk = ?2";
const FINISH: &str = "UPDATE chunk SET status = 2, ended_at = ?4 WHERE job = ?1 AND chunk = ?2 AND token = ?3 AND status = 1";
const PENDING: &str = "SELECT chunk FROM chunk INDEXED BY pending WHERE job = ?1 AND status = 0 ORDER BY chunk";

/// A `SQLite` file with a table of chunks.
pub struct RawSqlite {
    connection: Connection,
    last_token: u64,
}

impl RawSqlite {
    /// Opens a file that is there, and reads from it, which brings it back after a crash.
    pub fn recover(path: &Path) {
        let connection = Connection::open(path).expect("the file opens");
        let rows: i64 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0)).expect("it reads");
        assert!(rows > 0);
    }

    fn in_transaction<T>(&mut self, act: impl FnOnce(&Connection, &mut u64) -> T) -> T {
        self.connection.execute_batch("BEGIN IMMEDIATE").expect("a transaction begins");
        let done = act(&self.connection, &mut self.last_token);
        self.connection.execute_batch("COMMIT").expect("a transaction commits");
        done
    }
}

fn claim(connection: &Connection, last_token: &mut u64, job: u64) -> Option<Claimed> {
    let mut next = connection.prepare_cached(NEXT).expect("it prepares");
    let mut rows = next.query([job.cast_signed()]).expect("it reads");
    let row = rows.next().expect("it reads")?;
    let (chunk, _checksum): (i64, String) = (row.get(0).expect("a chunk"), row.get(1).expect("a checksum"));
    drop(rows);
    *last_token += 1;
    let mut claim = connection.prepare_cached(CLAIM).expect("it prepares");
    claim.execute(params![job.cast_signed(), chunk, last_token.cast_signed(), 1]).expect("it claims");
    Some((chunk.cast_unsigned(), *last_token))
}

fn finish(connection: &Connection, job: u64, (chunk, token): Claimed) {
    let mut statement = connection.prepare_cached(FINISH).expect("it prepares");
    let changed =
        statement.execute(params![job.cast_signed(), chunk.cast_signed(), token.cast_signed(), 1]).expect("it finishes");
    assert_eq!(changed, 1);
}

impl Raw for RawSqlite {
    fn create(path: &Path) -> Self {
        let connection = Connection::open(path).expect("a file opens");
        connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(())).expect("it takes WAL");
        for (name, value) in [("synchronous", "FULL"), ("temp_store", "MEMORY"), ("cache_size", "-65536")] {
            connection.pragma_update(None, name, value).expect("a setting is taken");
        }
        // Without this, a query that may use a partial index is prepared again whenever its parameters change.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).expect("a setting is taken");
        connection.execute_batch(SCHEMA).expect("tables are made");
        Self { connection, last_token: 0 }
    }

    fn import(&mut self, job: u64, checksums: &[String]) {
        self.in_transaction(|connection, _| {
            let mut insert = connection.prepare_cached(INSERT).expect("it prepares");
            for (chunk, checksum) in (1_i64..).zip(checksums) {
                insert.execute(params![job.cast_signed(), chunk, checksum]).expect("it inserts");
            }
        });
    }

    fn claim(&mut self, job: u64, count: usize) -> Vec<Claimed> {
        self.in_transaction(|connection, last| (0..count).map_while(|_| claim(connection, last, job)).collect())
    }

    fn finish(&mut self, job: u64, claimed: &[Claimed]) {
        self.in_transaction(|connection, _| claimed.iter().for_each(|claimed| finish(connection, job, *claimed)));
    }

    fn finish_and_claim(&mut self, job: u64, claimed: &[Claimed]) -> Vec<Claimed> {
        self.in_transaction(|connection, last| {
            let one = |done: &Claimed| {
                finish(connection, job, *done);
                claim(connection, last, job)
            };
            claimed.iter().filter_map(one).collect()
        })
    }

    fn pending(&self, job: u64) -> Vec<u64> {
        let mut statement = self.connection.prepare_cached(PENDING).expect("it prepares");
        let rows = statement.query_map([job.cast_signed()], |row| row.get(0)).expect("it reads");
        rows.map(|chunk: rusqlite::Result<i64>| chunk.expect("it reads").cast_unsigned()).collect()
    }
}
