//! Whether the file that is open is still the one under its name.

use std::{
    fs::{self, Metadata},
    io,
    path::{Path, PathBuf},
};

use magnetar_core::{Error, ErrorKind, Result};

use crate::{error, place::beside};

/// A device and an inode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FileId {
    device: u64,
    pub(crate) inode: u64,
}

impl FileId {
    #[cfg(unix)]
    pub(crate) fn of(metadata: &Metadata) -> Self {
        use std::os::unix::fs::MetadataExt;

        Self { device: metadata.dev(), inode: metadata.ino() }
    }

    /// Systems without inodes do not let a file be removed that is open.
    #[cfg(not(unix))]
    pub(crate) fn of(_metadata: &Metadata) -> Self {
        Self { device: 0, inode: 0 }
    }
}

/// The database and its log, as they were when they were opened. SQLite itself does not notice in WAL mode when they are
/// removed or replaced, and would go on to write where nobody will ever read.
///
/// Only names are looked up: opening and closing the file without SQLite would take away the locks of the whole process.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    file: Watched,
    log: Watched,
}

#[derive(Clone, Debug)]
struct Watched {
    path: PathBuf,
    id: FileId,
}

impl Watched {
    fn now(path: PathBuf) -> io::Result<Self> {
        let id = FileId::of(&fs::metadata(&path)?);
        Ok(Self { path, id })
    }

    fn is_there(&self) -> bool {
        fs::metadata(&self.path).is_ok_and(|metadata| FileId::of(&metadata) == self.id)
    }
}

impl Identity {
    /// The files as they are now. To be taken once the database has been read from, which makes its log.
    pub(crate) fn of(file: &Path) -> Result<Self> {
        let watch = |path: PathBuf| Watched::now(path).map_err(|error| error::from_system("open", file, error));
        Ok(Self { file: watch(file.to_owned())?, log: watch(beside(file, "-wal"))? })
    }

    pub(crate) fn file(&self) -> &Path {
        &self.file.path
    }

    /// The identity of the database itself.
    pub(crate) fn id(&self) -> FileId {
        self.file.id
    }

    /// Refuses to go on where a file was removed or replaced. It costs two look-ups of names, about a microsecond each.
    pub(crate) fn check(&self) -> Result<()> {
        match [&self.file, &self.log].into_iter().find(|watched| !watched.is_there()) {
            None => Ok(()),
            Some(gone) => Err(Error::new(
                ErrorKind::Unavailable,
                format!(
                    "use {}: {} was removed or replaced while the store was open; put it back or open the store again",
                    self.file().display(),
                    gone.path.display()
                ),
            )),
        }
    }
}
