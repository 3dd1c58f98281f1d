//! redb's errors as Magnetar's: what went wrong with which file, and the way out.

use std::{fmt, io};

use magnetar_core::{Error, ErrorKind};

/// The format of the files of redb 3 and 4.
const FORMAT: u8 = 3;

/// The error of something that was done to a file.
pub(crate) fn error(doing: &str, file: &dyn fmt::Display, cause: impl Into<redb::Error>) -> Error {
    let cause = cause.into();
    let (kind, way_out) = match &cause {
        redb::Error::DatabaseAlreadyOpen => (
            ErrorKind::AlreadyOpen,
            "another handle or process has it open, and redb allows one; close that one, or use a SQLite store".to_owned(),
        ),
        redb::Error::UpgradeRequired(format) if *format > FORMAT => {
            (ErrorKind::Newer, format!("a newer redb wrote it (format {format}); update Magnetar"))
        }
        redb::Error::UpgradeRequired(format) => (
            ErrorKind::Invalid,
            format!("an old redb wrote it (format {format}), so it is no store of Magnetar; name another file"),
        ),
        redb::Error::Corrupted(_)
        | redb::Error::TableDoesNotExist(_)
        | redb::Error::TableTypeMismatch { .. }
        | redb::Error::TypeDefinitionChanged { .. }
        | redb::Error::TableIsMultimap(_) => (ErrorKind::Corrupt, damaged()),
        redb::Error::Io(cause) => of_io(cause),
        redb::Error::ValueTooLarge(size) => (ErrorKind::TooLarge, format!("a row of {size} bytes is more than redb takes")),
        redb::Error::PreviousIo
        | redb::Error::DatabaseClosed
        | redb::Error::LockPoisoned(_)
        | redb::Error::TransactionPoisoned => {
            (ErrorKind::Poisoned, "an earlier read or write of it failed; open the store again".to_owned())
        }
        _ => (ErrorKind::Backend, "redb refuses it".to_owned()),
    };
    Error::new(kind, format!("{doing} {file}: {way_out}")).with_source(cause)
}

/// The kind of a failure of the system below redb, and the way out.
fn of_io(cause: &io::Error) -> (ErrorKind, String) {
    match cause.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
            (ErrorKind::Full, "there is no space for it; free some and try again".to_owned())
        }
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            (ErrorKind::ReadOnly, "it cannot be written; make the file and its folder readable and writable".to_owned())
        }
        io::ErrorKind::NotFound => (ErrorKind::Unavailable, "it is gone".to_owned()),
        // A file that is shorter than its header says.
        io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidData => (ErrorKind::Corrupt, damaged()),
        _ => (ErrorKind::Backend, "the device failed; look after it, then open the store again".to_owned()),
    }
}

fn damaged() -> String {
    "the file is damaged; keep it, and go on with a copy that was made while it was closed".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(cause: impl Into<redb::Error>, expected: ErrorKind) {
        let error = error("write", &"jobs.redb", cause);
        assert_eq!(error.kind(), expected, "{error}");
        assert!(error.to_string().starts_with("write jobs.redb: "), "{error}");
        assert!(std::error::Error::source(&error).is_some());
    }

    #[test]
    fn each_error_of_redb_has_a_kind_and_names_the_file() {
        let io = |kind: io::ErrorKind| redb::Error::Io(kind.into());
        check(redb::Error::DatabaseAlreadyOpen, ErrorKind::AlreadyOpen);
        check(redb::Error::UpgradeRequired(2), ErrorKind::Invalid);
        check(redb::Error::UpgradeRequired(4), ErrorKind::Newer);
        check(redb::Error::Corrupted("page".to_owned()), ErrorKind::Corrupt);
        check(redb::Error::TableDoesNotExist("chunk".to_owned()), ErrorKind::Corrupt);
        check(io(io::ErrorKind::StorageFull), ErrorKind::Full);
        check(io(io::ErrorKind::QuotaExceeded), ErrorKind::Full);
        check(io(io::ErrorKind::FileTooLarge), ErrorKind::Full);
        check(io(io::ErrorKind::PermissionDenied), ErrorKind::ReadOnly);
        check(io(io::ErrorKind::ReadOnlyFilesystem), ErrorKind::ReadOnly);
        check(io(io::ErrorKind::NotFound), ErrorKind::Unavailable);
        check(io(io::ErrorKind::UnexpectedEof), ErrorKind::Corrupt);
        check(io(io::ErrorKind::Other), ErrorKind::Backend);
        check(redb::Error::PreviousIo, ErrorKind::Poisoned);
        check(redb::Error::TransactionPoisoned, ErrorKind::Poisoned);
        check(redb::Error::ValueTooLarge(4 << 30), ErrorKind::TooLarge);
    }
}
