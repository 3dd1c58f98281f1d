//! What a folder says, as an error of a store.

use std::{io, path::Path};

use magnetar_fs::{Error, ErrorKind};

use crate::error::StateError;

/// An error of the system.
pub(super) fn io(doing: &'static str, path: &Path, error: io::Error) -> StateError {
    of(Error::system(doing, path, error))
}

/// An error of the folder.
pub(super) fn of(error: Error) -> StateError {
    let (what, place) = (error.to_string(), error.path().display().to_string());
    let kind = error.kind();
    let source = Some(error.into());
    match kind {
        ErrorKind::AlreadyLocked => StateError::Busy { what },
        ErrorKind::Full => StateError::Full { place, source },
        ErrorKind::ReadOnly => StateError::ReadOnly { place, source },
        ErrorKind::Permission | ErrorKind::Invalid | ErrorKind::Unsafe => StateError::Denied { what, source },
        ErrorKind::Poisoned => StateError::Poisoned { place },
        _ => StateError::Backend { what, source },
    }
}
