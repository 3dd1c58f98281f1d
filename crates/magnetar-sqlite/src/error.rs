//! What SQLite says, as errors that name the file and the way out.

use std::path::Path;

use magnetar_core::{Error, ErrorKind};
use rusqlite::ErrorCode;

/// An error of SQLite while `doing` something, as in "failed to open".
pub(crate) fn from_sqlite(doing: &str, file: &Path, error: rusqlite::Error) -> Error {
    let (kind, way_out) = explain(error.sqlite_error_code());
    Error::new(kind, format!("{doing} {}: {way_out}", file.display())).with_source(error)
}

fn explain(code: Option<ErrorCode>) -> (ErrorKind, &'static str) {
    match code {
        // A value of another type than the schema allows is reported by the binding, without a code; a table that is not there,
        // as an error in a statement, and ours have none otherwise.
        None | Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase | ErrorCode::TypeMismatch | ErrorCode::Unknown) => {
            (ErrorKind::Corrupt, "it is damaged or no Magnetar store; restore a copy, or name another file")
        }
        Some(ErrorCode::DiskFull) => (ErrorKind::Full, "the disk is full; free some space and try again"),
        Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => {
            (ErrorKind::ReadOnly, "it cannot be written to; make the file and its folder writable for this user")
        }
        Some(ErrorCode::CannotOpen) => (
            ErrorKind::Unavailable,
            "the file, or its -wal and -shm beside it, cannot be opened; check that this user may read and write them and the folder",
        ),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked | ErrorCode::FileLockingProtocolFailed) => {
            (ErrorKind::Busy, "another process holds its lock; try again, or look for a process that was stopped")
        }
        Some(ErrorCode::TooBig) => (ErrorKind::TooLarge, "a row is larger than SQLite takes"),
        Some(_) => (ErrorKind::Backend, "the database failed; open it again once the cause is gone"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_error_names_the_file_and_the_way_out() {
        let check = |code, kind, way_out: &str| {
            let cause = rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(code), None);
            let error = from_sqlite("open", Path::new("jobs.db"), cause);
            assert_eq!(error.kind(), kind);
            let text = error.to_string();
            assert!(text.starts_with("open jobs.db: ") && text.contains(way_out), "{text}");
        };
        check(rusqlite::ffi::SQLITE_NOTADB, ErrorKind::Corrupt, "restore a copy");
        check(rusqlite::ffi::SQLITE_CORRUPT, ErrorKind::Corrupt, "restore a copy");
        check(rusqlite::ffi::SQLITE_FULL, ErrorKind::Full, "free some space");
        check(rusqlite::ffi::SQLITE_READONLY, ErrorKind::ReadOnly, "writable");
        check(rusqlite::ffi::SQLITE_CANTOPEN, ErrorKind::Unavailable, "may read and write");
        check(rusqlite::ffi::SQLITE_BUSY, ErrorKind::Busy, "try again");
        check(rusqlite::ffi::SQLITE_IOERR, ErrorKind::Backend, "open it again");
    }
}
