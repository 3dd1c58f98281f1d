//! How a connection is set up.

use std::{
    fs,
    ops::Deref,
    path::Path,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use magnetar_core::{Error, ErrorKind, Result};
use magnetar_embedded::files::{FileId, Identity, beside, refuse, system_error};
use rusqlite::{Connection, MAIN_DB, OpenFlags, config::DbConfig};

use crate::{error, schema, sql, wait::patiently};

/// What a connection is for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Writer,
    Reader,
}

/// Connections of one process are closed one after the other. SQLite puts its log away when the last one is closed; of two that
/// are closed at once, neither is the last.
static CLOSING: Mutex<()> = Mutex::new(());

/// A connection that is closed in its turn.
pub(crate) struct Link(Option<Connection>);

impl Deref for Link {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        self.0.as_ref().expect("a link has its connection until it is dropped")
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        let _closing = CLOSING.lock().unwrap_or_else(PoisonError::into_inner);
        drop(self.0.take());
    }
}

/// The oldest library that is safe: before it, two connections in WAL mode could damage a file ("WAL-reset bug").
const LIBRARY_MIN: i32 = 3_051_003;

/// A database has at least one page, and no page is smaller.
const FILE_BYTES_MIN: u64 = 512;

/// The log is cut back to this after it was written to the database.
const LOG_BYTES_MAX: i64 = 64 << 20;

/// Refuses a library that is too old.
pub(crate) fn check_library() -> Result<()> {
    if rusqlite::version_number() >= LIBRARY_MIN {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::Unsupported,
        format!(
            "use SQLite {}: versions before 3.51.3 can damage a store that several connections write to; build with the feature \
             `bundled` of magnetar-sqlite, or link a newer library",
            rusqlite::version()
        ),
    ))
}

/// Opens a store that is there, and notes which file it is.
pub(crate) fn open(file: &Path, role: Role) -> Result<(Link, Identity)> {
    let before = fs::metadata(file).map_err(|error| system_error("open", file, error))?;
    let failed = |error| error::from_sqlite("open", file, error);
    let damaged = || failed(rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_NOTADB), None));
    if before.len() < FILE_BYTES_MIN {
        // SQLite would take what is shorter than a header for an empty database, and write over it.
        return Err(damaged());
    }
    refuse_second_name(file, &before)?;
    let has_log = beside(file, "-wal").exists();
    let connection = Link(Some(connect(file)?));
    // Until it is known to be a store of ours, a log that is there is left as it is.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, has_log).map_err(failed)?;
    if connection.is_readonly(MAIN_DB).map_err(failed)? {
        return Err(Error::new(
            ErrorKind::ReadOnly,
            format!("open {}: it cannot be written to; make the file and its folder writable for this user", file.display()),
        ));
    }
    schema::check(&connection, file)?;
    let page_bytes: u32 = connection.pragma_query_value(None, "page_size", |row| row.get(0)).map_err(failed)?;
    if !has_log && !before.len().is_multiple_of(u64::from(page_bytes)) {
        // SQLite would read what is missing of the last page as zeros. Where there is a log, that may hold the page.
        return Err(damaged());
    }
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, false).map_err(failed)?;
    patiently(|| configure(&connection, role)).map_err(failed)?;
    schema::migrate(&connection, file)?;
    if role == Role::Reader {
        connection.pragma_update(None, "query_only", true).map_err(failed)?;
    }
    // The log is there since the first read. What SQLite opened is known only if it is there before and after.
    let identity = Identity::new(file, FileId::of(&before)).with("-wal")?;
    identity.check()?;
    Ok((connection, identity))
}

/// Refuses a file with two names: each name would get a log of its own, and who opens one would not see what is in the other's.
#[cfg(unix)]
fn refuse_second_name(file: &Path, metadata: &fs::Metadata) -> Result<()> {
    match std::os::unix::fs::MetadataExt::nlink(metadata) {
        0 | 1 => Ok(()),
        names => Err(refuse(
            file,
            format!(
                "it has {names} names (hard links), and under each it would have another log; copy it, or remove the other names"
            ),
        )),
    }
}

#[cfg(not(unix))]
fn refuse_second_name(_file: &Path, _metadata: &fs::Metadata) -> Result<()> {
    Ok(())
}

/// Opens a file that is there as a database, whatever is in it.
pub(crate) fn connect(file: &Path) -> Result<Connection> {
    let failed = |error| error::from_sqlite("open", file, error);
    // The path has no links in it any more; one that was put there since is not followed.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_NOFOLLOW;
    let connection = Connection::open_with_flags(file, flags).map_err(failed)?;
    connection.busy_timeout(Duration::ZERO).map_err(failed)?;
    connection.set_prepared_statement_cache_capacity(sql::STATEMENTS_MAX);
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true).map_err(failed)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false).map_err(failed)?;
    Ok(connection)
}

/// Sets what a connection of ours has; may be called again.
pub(crate) fn configure(connection: &Connection, role: Role) -> rusqlite::Result<()> {
    let cache_kib = match role {
        Role::Writer => 64 << 10,
        Role::Reader => 16 << 10,
    };
    connection.pragma_update(None, "cell_size_check", true)?;
    // Every commit is flushed before it is answered, on macOS through the cache of the drive too.
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "fullfsync", true)?;
    connection.pragma_update(None, "checkpoint_fullfsync", true)?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    connection.pragma_update(None, "cache_size", -cache_kib)?;
    // Read errors of mapped memory are signals that kill the process.
    connection.pragma_update_and_check(None, "mmap_size", 0, |_| Ok(()))?;
    connection.pragma_update_and_check(None, "journal_size_limit", LOG_BYTES_MAX, |_| Ok(()))?;
    let mode: String = connection.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0))?;
    if mode == "wal" {
        // The first read makes the log.
        return schema::look(connection).map(drop);
    }
    let text = format!("its journal mode stays {mode}; the filesystem cannot share memory between processes");
    Err(rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CANTOPEN), Some(text)))
}
