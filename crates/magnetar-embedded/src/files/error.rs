//! What the system says about a file, as errors that name the file and the way out.

use std::{fmt, io, path::Path};

use magnetar_core::{Error, ErrorKind};

/// An error of the system while `doing` something with a file, as in "failed to open".
pub fn system_error(doing: &str, path: &Path, cause: io::Error) -> Error {
    let (kind, way_out) = explain(cause.kind());
    Error::new(kind, format!("{doing} {}: {way_out}", path.display())).with_source(cause)
}

/// The error for a path that can be no store.
pub fn refuse(path: &Path, why: impl fmt::Display) -> Error {
    Error::new(ErrorKind::Invalid, format!("open {}: {why}", path.display()))
}

fn explain(cause: io::ErrorKind) -> (ErrorKind, &'static str) {
    match cause {
        io::ErrorKind::NotFound => (ErrorKind::Unavailable, "it or its folder does not exist; create the folder first"),
        io::ErrorKind::NotADirectory => {
            (ErrorKind::Invalid, "a part of the path is a file where a folder must be; name another path")
        }
        io::ErrorKind::InvalidFilename | io::ErrorKind::InvalidInput => {
            (ErrorKind::Invalid, "no file can have this name; name another")
        }
        // A file that is too large (`FileTooLarge`) is none of these: the limit on its size is not the space that is left, and
        // who meets it in the middle of a write does not know what became of that.
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            (ErrorKind::Full, "the disk is full; free some space and try again")
        }
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            (ErrorKind::ReadOnly, "it cannot be written to; make the file and its folder writable for this user")
        }
        _ => (ErrorKind::Unavailable, "the system refused; see the cause"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(cause: io::ErrorKind, kind: ErrorKind, way_out: &str) {
        let error = system_error("open", Path::new("jobs.db"), cause.into());
        assert_eq!(error.kind(), kind, "{error}");
        let text = error.to_string();
        assert!(text.starts_with("open jobs.db: ") && text.contains(way_out), "{text}");
        assert!(std::error::Error::source(&error).is_some());
    }

    #[test]
    fn each_error_of_the_system_has_a_kind_and_names_the_file_and_the_way_out() {
        check(io::ErrorKind::NotFound, ErrorKind::Unavailable, "create the folder");
        check(io::ErrorKind::NotADirectory, ErrorKind::Invalid, "a file where a folder must be");
        check(io::ErrorKind::InvalidFilename, ErrorKind::Invalid, "name another");
        check(io::ErrorKind::InvalidInput, ErrorKind::Invalid, "name another");
        check(io::ErrorKind::StorageFull, ErrorKind::Full, "free some space");
        check(io::ErrorKind::QuotaExceeded, ErrorKind::Full, "free some space");
        check(io::ErrorKind::FileTooLarge, ErrorKind::Unavailable, "see the cause");
        check(io::ErrorKind::PermissionDenied, ErrorKind::ReadOnly, "writable");
        check(io::ErrorKind::ReadOnlyFilesystem, ErrorKind::ReadOnly, "writable");
        check(io::ErrorKind::Other, ErrorKind::Unavailable, "see the cause");
    }
}
