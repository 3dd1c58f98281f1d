//! What makes a SQLite file a Magnetar store: an application id, a version, and the tables of that version.

use std::path::Path;

use magnetar_core::{Error, ErrorKind, Result};
use magnetar_embedded::{Table, files::refuse};
use rusqlite::{Connection, Transaction, TransactionBehavior};

use crate::{error, sql, wait::patiently};

/// "MGNT", in the header of the file.
const APPLICATION_ID: i64 = 0x4D47_4E54;

/// Brings a file one version forward.
type Migration = fn(&Connection) -> rusqlite::Result<()>;

/// How each version came from the one before it; version 0 is a file with nothing in it but its application id.
const MIGRATIONS: &[Migration] = &[create_tables];

fn create_tables(connection: &Connection) -> rusqlite::Result<()> {
    Table::ALL.iter().try_for_each(|table| connection.execute_batch(&sql::of(*table).create))
}

/// Refuses a file of another program and one of a newer version. Writes nothing.
pub(crate) fn check(connection: &Connection, file: &Path) -> Result<()> {
    let failed = |error| error::from_sqlite("open", file, error);
    match patiently(|| number(connection, sql::APPLICATION_ID)).map_err(failed)? {
        APPLICATION_ID => {}
        other => {
            let why = format!("it is a database of another program (application id {other:#x}); name another file");
            return Err(refuse(file, why));
        }
    }
    let version = patiently(|| number(connection, sql::VERSION)).map_err(failed)?;
    known(file, version, MIGRATIONS).map(drop)
}

/// Marks an empty database as a store that has no tables yet.
pub(crate) fn mark(connection: &Connection) -> rusqlite::Result<()> {
    connection.pragma_update(None, "application_id", APPLICATION_ID)
}

/// Brings the file forward to this version, in one transaction.
pub(crate) fn migrate(connection: &Connection, file: &Path) -> Result<()> {
    migrate_by(connection, file, MIGRATIONS)
}

fn migrate_by(connection: &Connection, file: &Path, migrations: &[Migration]) -> Result<()> {
    let failed = |error| error::from_sqlite("migrate", file, error);
    let version = |connection: &Connection| patiently(|| number(connection, sql::VERSION)).map_err(failed);
    if known(file, version(connection)?, migrations)?.is_empty() {
        return Ok(());
    }
    let begin = || Transaction::new_unchecked(connection, TransactionBehavior::Immediate);
    let tx = patiently(begin).map_err(failed)?;
    // Another process may have been here first.
    let missing = known(file, version(&tx)?, migrations)?;
    missing.iter().try_for_each(|migration| migration(&tx)).map_err(failed)?;
    tx.pragma_update(None, "user_version", migrations.len().cast_signed()).map_err(failed)?;
    tx.commit().map_err(failed)
}

/// Refuses to go on in a transaction on a file that a newer version has migrated while it was open here.
pub(crate) fn check_unchanged(connection: &Connection, file: &Path) -> Result<()> {
    let version = number(connection, sql::VERSION).map_err(|error| error::from_sqlite("read", file, error))?;
    known(file, version, MIGRATIONS).map(drop)
}

/// The version of the file. In a transaction that has not read yet, this is what fixes what it sees.
pub(crate) fn look(connection: &Connection) -> rusqlite::Result<i64> {
    number(connection, sql::VERSION)
}

/// A number that changes when another connection has written since this one looked last, and not by its own writes.
pub(crate) fn data_version(connection: &Connection) -> rusqlite::Result<i64> {
    number(connection, sql::DATA_VERSION)
}

/// The migrations that a file of this version has yet to see.
fn known<'a>(file: &Path, version: i64, migrations: &'a [Migration]) -> Result<&'a [Migration]> {
    let newest = migrations.len();
    usize::try_from(version).ok().and_then(|version| migrations.get(version..)).ok_or_else(|| {
        let text = format!(
            "open {}: it has version {version} and this program knows versions up to {newest}; update the program",
            file.display()
        );
        Error::new(ErrorKind::Newer, text)
    })
}

fn number(connection: &Connection, sql: &str) -> rusqlite::Result<i64> {
    connection.prepare_cached(sql)?.query_row([], |row| row.get(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn add_a_note(connection: &Connection) -> rusqlite::Result<()> {
        connection.execute_batch("CREATE TABLE note(text TEXT) STRICT")
    }

    fn fail(connection: &Connection) -> rusqlite::Result<()> {
        add_a_note(connection)?;
        connection.execute_batch("this is no SQL")
    }

    fn store_of_version(version: i64) -> Connection {
        let connection = Connection::open_in_memory().unwrap();
        mark(&connection).unwrap();
        connection.pragma_update(None, "user_version", version).unwrap();
        connection
    }

    fn tables(connection: &Connection) -> i64 {
        connection.query_row("SELECT count(*) FROM sqlite_schema WHERE type = 'table'", [], |row| row.get(0)).unwrap()
    }

    #[test]
    fn older_file_is_brought_forward_step_by_step_and_only_once() {
        let connection = store_of_version(0);
        let (file, all) = (Path::new("jobs.db"), i64::try_from(Table::ALL.len()).unwrap());
        migrate_by(&connection, file, &[create_tables]).unwrap();
        assert_eq!((look(&connection).unwrap(), tables(&connection)), (1, all));
        migrate_by(&connection, file, &[create_tables, add_a_note]).unwrap();
        assert_eq!((look(&connection).unwrap(), tables(&connection)), (2, all + 1));
        migrate_by(&connection, file, &[create_tables, add_a_note]).unwrap();
        assert_eq!((look(&connection).unwrap(), tables(&connection)), (2, all + 1));
    }

    #[test]
    fn migration_that_fails_leaves_the_file_as_it_was() {
        let connection = store_of_version(0);
        migrate_by(&connection, Path::new("jobs.db"), &[create_tables, fail]).unwrap_err();
        assert_eq!((look(&connection).unwrap(), tables(&connection)), (0, 0));
    }

    #[test]
    fn newer_file_is_refused_and_named() {
        let error = check(&store_of_version(2), Path::new("jobs.db")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Newer);
        assert_eq!(
            error.to_string(),
            "open jobs.db: it has version 2 and this program knows versions up to 1; update the program"
        );
    }

    #[test]
    fn database_of_another_program_is_refused() {
        let error = check(&Connection::open_in_memory().unwrap(), Path::new("jobs.db")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert!(error.to_string().contains("another program"), "{error}");
    }
}
