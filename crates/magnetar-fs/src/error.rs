//! What can go wrong, with the path and the way out.

use std::{
    io,
    path::{Path, PathBuf},
};

/// The result of what is done to a folder.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A failure: what was to be done, to which file, why it failed, and the way out. The system's own error is its source.
#[derive(Debug, thiserror::Error)]
#[error("{doing} {}: {why}", path.display())]
pub struct Error {
    doing: &'static str,
    path: PathBuf,
    kind: ErrorKind,
    why: String,
    source: Option<io::Error>,
}

/// What a caller can tell apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// There is no such file or folder.
    NotFound,
    /// Something has that name already.
    AlreadyExists,
    /// Another writer has the folder. Nothing was changed.
    AlreadyLocked,
    /// The disk is full, or a quota is used up. Nothing was changed, and it can be tried again when there is room.
    Full,
    /// The filesystem is read-only.
    ReadOnly,
    /// This user may not.
    Permission,
    /// It is not what it must be: a name that is a path, a symbolic link or a pipe instead of a file, a file instead of a folder.
    Invalid,
    /// Others than the owner may write to the folder, and could put anything there.
    Unsafe,
    /// What was read back is not what was written.
    Mangled,
    /// A flush failed earlier, or now: what this writer did last may be there or not. Drop it, take another, and look.
    Poisoned,
    /// Anything else the system said.
    Io,
}

impl Error {
    /// An error of the system while `doing` something, as in "failed to open".
    pub fn system(doing: &'static str, path: &Path, source: io::Error) -> Self {
        let (kind, why) = explain(source.kind());
        Self { doing, path: path.to_owned(), kind, why: why.to_owned(), source: Some(source) }
    }

    /// An error that no system said.
    pub fn new(doing: &'static str, path: &Path, kind: ErrorKind, why: impl Into<String>) -> Self {
        Self { doing, path: path.to_owned(), kind, why: why.into(), source: None }
    }

    /// The kind.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The kind of the system's error, where there is one.
    pub fn io_kind(&self) -> Option<io::ErrorKind> {
        self.source.as_ref().map(io::Error::kind)
    }

    /// The file or folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The same failure, after which nothing is known any more.
    pub(crate) fn poisoning(self) -> Self {
        let why = "what was being written may be there or not; open the folder again and look";
        Self { kind: ErrorKind::Poisoned, why: why.to_owned(), ..self }
    }
}

fn explain(cause: io::ErrorKind) -> (ErrorKind, &'static str) {
    match cause {
        io::ErrorKind::NotFound => (ErrorKind::NotFound, "it or its folder does not exist"),
        io::ErrorKind::AlreadyExists => (ErrorKind::AlreadyExists, "something has that name already"),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            (ErrorKind::Full, "the disk is full; free some space and try again")
        }
        io::ErrorKind::ReadOnlyFilesystem => (ErrorKind::ReadOnly, "the filesystem is read-only; name a folder elsewhere"),
        io::ErrorKind::PermissionDenied => {
            (ErrorKind::Permission, "this user may not; make the folder and its files readable and writable for it")
        }
        io::ErrorKind::NotADirectory => {
            (ErrorKind::Invalid, "it is a file, or a part of its path is, where a folder must be; name another path")
        }
        io::ErrorKind::InvalidInput | io::ErrorKind::InvalidFilename => {
            (ErrorKind::Invalid, "it is not a regular file with a plain name")
        }
        _ => (ErrorKind::Io, "the system refused; see the cause"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(cause: io::ErrorKind, kind: ErrorKind, way_out: &str) {
        let error = Error::system("open", Path::new("state/token"), cause.into());
        assert_eq!((error.kind(), error.io_kind()), (kind, Some(cause)));
        let text = error.to_string();
        assert!(text.starts_with("open state/token: ") && text.contains(way_out), "{text}");
        assert!(std::error::Error::source(&error).is_some());
    }

    #[test]
    fn each_error_of_the_system_has_a_kind_and_names_the_file_and_the_way_out() {
        check(io::ErrorKind::NotFound, ErrorKind::NotFound, "does not exist");
        check(io::ErrorKind::AlreadyExists, ErrorKind::AlreadyExists, "already");
        check(io::ErrorKind::StorageFull, ErrorKind::Full, "free some space");
        check(io::ErrorKind::QuotaExceeded, ErrorKind::Full, "free some space");
        check(io::ErrorKind::ReadOnlyFilesystem, ErrorKind::ReadOnly, "name a folder elsewhere");
        check(io::ErrorKind::PermissionDenied, ErrorKind::Permission, "readable and writable");
        check(io::ErrorKind::NotADirectory, ErrorKind::Invalid, "name another path");
        check(io::ErrorKind::InvalidInput, ErrorKind::Invalid, "regular file");
        check(io::ErrorKind::Other, ErrorKind::Io, "see the cause");
    }
}
