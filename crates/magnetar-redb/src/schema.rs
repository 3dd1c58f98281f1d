//! Whose database it is, and in which version of the tables.

use std::{fmt, path::Path};

use magnetar_core::{Error, ErrorKind, Result};
use magnetar_embedded::Table;
use redb::{Database, ReadableDatabase, TableDefinition, TableError, WriteTransaction};

use crate::{error::error, open, view::definition};

/// What the database says of itself, outside the engine's tables.
const ABOUT: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("magnetar");
const APPLICATION: (&str, &[u8]) = ("application", b"magnetar job store");
/// The version and its complement, each in four bytes, so that a bit that flips makes no other version.
const VERSION: &str = "version";

/// Takes the tables from a version to the next.
type Migration = fn(&WriteTransaction) -> Result<(), redb::Error>;

/// The first takes version 1 to version 2, and so on.
const MIGRATIONS: &[Migration] = &[];

/// Makes a whole database in an empty file and closes it. The name is the one that errors give it.
pub(crate) fn create(path: &Path, name: &dyn fmt::Display) -> Result<()> {
    let database = open::builder().create(path).map_err(|cause| error("create", name, cause))?;
    write(&database, name)
}

/// Whether there is nothing in a database at all.
pub(crate) fn is_blank(database: &Database, name: &dyn fmt::Display) -> Result<bool> {
    let look = || -> Result<bool, redb::Error> { Ok(database.begin_read()?.list_tables()?.next().is_none()) };
    look().map_err(|cause| error("open", name, cause))
}

/// Makes the tables.
pub(crate) fn write(database: &Database, name: &dyn fmt::Display) -> Result<()> {
    let write = || -> Result<(), redb::Error> {
        let mut transaction = database.begin_write()?;
        transaction.set_two_phase_commit(true);
        transaction.open_table(ABOUT)?.insert(APPLICATION.0, APPLICATION.1)?;
        for table in Table::ALL {
            transaction.open_table(definition(table))?;
        }
        put_version(&transaction, newest(MIGRATIONS))?;
        Ok(transaction.commit()?)
    };
    write().map_err(|cause| error("create", name, cause))
}

/// Refuses what is not a store, or newer than this; takes what is older to this version, in one transaction.
pub(crate) fn bring_up(database: &Database, name: &dyn fmt::Display) -> Result<()> {
    bring_up_by(database, name, MIGRATIONS)
}

fn bring_up_by(database: &Database, name: &dyn fmt::Display, migrations: &[Migration]) -> Result<()> {
    let newest = newest(migrations);
    let version = version(database, name)?;
    if version > newest {
        let message = format!("open {name}: a newer Magnetar wrote it (version {version}; this one knows {newest}); update");
        return Err(Error::new(ErrorKind::Newer, message));
    }
    if version < newest {
        migrate(database, version, migrations).map_err(|cause| error("migrate", name, cause))?;
    }
    Ok(())
}

/// The version that the migrations lead to.
fn newest(migrations: &[Migration]) -> u32 {
    u32::try_from(migrations.len()).map_or(u32::MAX, |count| count + 1)
}

fn migrate(database: &Database, from: u32, migrations: &[Migration]) -> Result<(), redb::Error> {
    let mut transaction = database.begin_write()?;
    transaction.set_two_phase_commit(true);
    for migration in migrations.iter().skip(from as usize - 1) {
        migration(&transaction)?;
    }
    put_version(&transaction, newest(migrations))?;
    Ok(transaction.commit()?)
}

/// The version of the tables. A database without one is not a store.
fn version(database: &Database, name: &dyn fmt::Display) -> Result<u32> {
    let transaction = database.begin_read().map_err(|cause| error("open", name, cause))?;
    let about = match transaction.open_table(ABOUT) {
        Ok(about) => about,
        Err(TableError::Storage(cause)) => return Err(error("open", name, cause)),
        Err(_) => return Err(foreign(name)),
    };
    let get = |key| about.get(key).map_err(|cause| error("open", name, cause));
    if get(APPLICATION.0)?.is_none_or(|application| application.value() != APPLICATION.1) {
        return Err(foreign(name));
    }
    let version = get(VERSION)?.and_then(|version| parse_version(version.value()));
    version.ok_or_else(|| {
        Error::new(ErrorKind::Corrupt, format!("open {name}: its version does not verify; keep it, and go on with a copy"))
    })
}

fn put_version(transaction: &WriteTransaction, version: u32) -> Result<(), redb::Error> {
    let bytes = [version.to_le_bytes(), (!version).to_le_bytes()].concat();
    transaction.open_table(ABOUT)?.insert(VERSION, bytes.as_slice())?;
    Ok(())
}

fn parse_version(bytes: &[u8]) -> Option<u32> {
    let (version, complement) = bytes.split_at_checked(4)?;
    let version = u32::from_le_bytes(version.try_into().ok()?);
    let complement = u32::from_le_bytes(complement.try_into().ok()?);
    (version == !complement && version > 0).then_some(version)
}

fn foreign(name: &dyn fmt::Display) -> Error {
    let message = format!("open {name}: it is a redb file of another program; name another file");
    Error::new(ErrorKind::Invalid, message)
}

#[cfg(test)]
mod tests {
    use redb::backends::InMemoryBackend;

    use super::*;

    const EXTRA: TableDefinition<'_, u8, u8> = TableDefinition::new("extra");

    fn fresh() -> Database {
        let database = blank();
        write(&database, &"x").unwrap();
        database
    }

    fn blank() -> Database {
        open::builder().create_with_backend(InMemoryBackend::new()).unwrap()
    }

    fn add_extra(transaction: &WriteTransaction) -> Result<(), redb::Error> {
        transaction.open_table(EXTRA)?.insert(1, 1)?;
        Ok(())
    }

    fn double_extra(transaction: &WriteTransaction) -> Result<(), redb::Error> {
        let mut extra = transaction.open_table(EXTRA)?;
        let value = redb::ReadableTable::get(&extra, 1)?.unwrap().value();
        extra.insert(1, value * 2)?;
        Ok(())
    }

    fn fail(_: &WriteTransaction) -> Result<(), redb::Error> {
        Err(redb::Error::Corrupted("no".to_owned()))
    }

    fn extra(database: &Database) -> Option<u8> {
        let extra = database.begin_read().unwrap().open_table(EXTRA).ok()?;
        extra.get(1).unwrap().map(|value| value.value())
    }

    #[test]
    fn store_of_this_version_opens() {
        let database = fresh();
        bring_up(&database, &"x").unwrap();
        assert_eq!(version(&database, &"x").unwrap(), newest(MIGRATIONS));
    }

    #[test]
    fn older_store_is_migrated_step_by_step() {
        let database = fresh();
        bring_up_by(&database, &"x", &[add_extra]).unwrap();
        assert_eq!((version(&database, &"x").unwrap(), extra(&database)), (2, Some(1)));
        bring_up_by(&database, &"x", &[add_extra, double_extra, double_extra]).unwrap();
        assert_eq!((version(&database, &"x").unwrap(), extra(&database)), (4, Some(4)));
    }

    #[test]
    fn migration_that_fails_changes_nothing() {
        let database = fresh();
        bring_up_by(&database, &"x", &[add_extra, fail]).unwrap_err();
        assert_eq!((version(&database, &"x").unwrap(), extra(&database)), (1, None));
    }

    #[test]
    fn newer_store_is_refused() {
        let database = fresh();
        bring_up_by(&database, &"x", &[add_extra]).unwrap();
        let error = bring_up(&database, &"x").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Newer, "{error}");
    }

    #[test]
    fn database_of_another_program_is_refused() {
        let database = blank();
        assert_eq!(bring_up(&database, &"x").unwrap_err().kind(), ErrorKind::Invalid);
        let transaction = database.begin_write().unwrap();
        transaction.open_table(ABOUT).unwrap().insert(APPLICATION.0, b"other".as_slice()).unwrap();
        transaction.commit().unwrap();
        assert_eq!(bring_up(&database, &"x").unwrap_err().kind(), ErrorKind::Invalid);
    }

    #[test]
    fn version_that_does_not_verify_is_damage() {
        for bytes in [&[][..], &[1, 0, 0, 0], &[0, 0, 0, 0, 255, 255, 255, 255], &[3, 0, 0, 0, 254, 255, 255, 255]] {
            assert_eq!(parse_version(bytes), None);
        }
        let database = fresh();
        let transaction = database.begin_write().unwrap();
        transaction.open_table(ABOUT).unwrap().insert(VERSION, [1, 0, 0, 0].as_slice()).unwrap();
        transaction.commit().unwrap();
        assert_eq!(bring_up(&database, &"x").unwrap_err().kind(), ErrorKind::Corrupt);
    }
}
