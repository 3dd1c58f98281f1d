//! Where a store of one file is: what may be opened, and how the file comes to be.
//!
//! A file is made whole or not at all. It is built in a *draft*: a private folder beside it, `<name>.new-<process>-<number>`,
//! with a lock file that is held while it is built, so that whoever comes later can tell a draft in use from one that a
//! crash left. Then it is published without replacing anything: by a hard link where the path is free, by a rename over a
//! file of 0 bytes whose lock is held. Of several that make the same file at once one wins, and the others open its file.

mod draft;
mod network;

use std::{
    fs::{self, File, OpenOptions},
    io,
    path::{Path, PathBuf},
};

use magnetar_core::{Error, ErrorKind, Result};

use self::draft::Draft;

/// How often a file is made again because another was quicker. The others are done long before.
const ATTEMPTS_MAX: usize = 100;

/// Where a store is, with every symbolic link resolved.
pub(crate) struct Place {
    path: PathBuf,
    folder: PathBuf,
}

/// Which file it is, whatever its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    device: u64,
    inode: u64,
}

/// What is at the place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Found {
    Nothing,
    /// A file of 0 bytes, which counts as nothing.
    Empty,
    File,
}

impl Place {
    /// Resolves a path.
    ///
    /// # Errors
    /// `Unavailable` where its folder, or what a symbolic link points to, is missing; `Invalid` where it is no file;
    /// `Unsupported` on a network filesystem, whose locks and flushes cannot be relied on.
    pub(crate) fn find(given: &Path) -> Result<Self> {
        let path = resolve(given)?;
        let folder = path.parent().unwrap_or(Path::new("/")).to_owned();
        let place = Self { path, folder };
        place.look()?;
        if let Some(kind) = network::of(&place.folder) {
            let name = place.path.display();
            let message = format!("open {name}: it is on a network filesystem ({kind}); put it on a disk of this host");
            return Err(Error::new(ErrorKind::Unsupported, message));
        }
        Ok(place)
    }

    /// The path without symbolic links.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Sees to it that there is a file: where there is none, or one of 0 bytes, `create` makes it from an empty private file.
    ///
    /// # Errors
    /// What `create` says, or the system. Nothing is left at the place then.
    pub(crate) fn ensure(&self, create: &dyn Fn(&Path) -> Result<()>) -> Result<()> {
        for _ in 0..ATTEMPTS_MAX {
            if self.look()? == Found::File {
                self.sweep_links();
                return Ok(());
            }
            Draft::sweep(self);
            let Some(draft) = Draft::begin(self).map_err(|cause| self.error("create", cause))? else { continue };
            create(draft.path())?;
            draft.publish(self).map_err(|cause| self.error("create", cause))?;
        }
        let name = self.path.display();
        Err(Error::new(ErrorKind::AlreadyOpen, format!("create {name}: somebody holds a lock on the empty file there")))
    }

    /// Opens the file for reading and writing.
    pub(crate) fn open(&self) -> Result<File> {
        OpenOptions::new().read(true).write(true).open(&self.path).map_err(|cause| self.error("open", cause))
    }

    /// Which file this is.
    pub(crate) fn identify(&self, file: &File) -> Result<Identity> {
        file.metadata().map(|metadata| identity(&metadata)).map_err(|cause| self.error("open", cause))
    }

    /// Refuses another file at the place than the one that was opened.
    ///
    /// # Errors
    /// `Unavailable` where it was removed, moved away or replaced. Moved back, it can be used again.
    pub(crate) fn check(&self, opened: Identity) -> Result<()> {
        let what = match fs::metadata(&self.path) {
            Ok(metadata) if identity(&metadata) == opened => return Ok(()),
            Ok(_) => "it was replaced by another file while it was open; open that one, or put the first back",
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => {
                "it was removed or moved away while it was open; put it back, or open a new one"
            }
            Err(cause) => return Err(self.error("use", cause)),
        };
        Err(Error::new(ErrorKind::Unavailable, format!("use {}: {what}", self.path.display())))
    }

    /// The error of the system about the place.
    pub(crate) fn error(&self, doing: &str, cause: io::Error) -> Error {
        system_error(doing, &self.path, cause)
    }

    fn look(&self) -> Result<Found> {
        let metadata = match fs::metadata(&self.path) {
            Ok(metadata) => metadata,
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(Found::Nothing),
            Err(cause) => return Err(self.error("open", cause)),
        };
        if !metadata.is_file() {
            let (name, kind) = (self.path.display(), kind_of(&metadata));
            return Err(Error::new(ErrorKind::Invalid, format!("open {name}: it is {kind}; name a file")));
        }
        Ok(if metadata.len() == 0 { Found::Empty } else { Found::File })
    }

    /// Removes the draft that a crash left just after it was published: the file then has a second name.
    fn sweep_links(&self) {
        if fs::metadata(&self.path).is_ok_and(|metadata| has_many_names(&metadata)) {
            Draft::sweep(self);
        }
    }
}

/// The path without symbolic links; of a file that is not there yet, that of its folder with its name.
fn resolve(given: &Path) -> Result<PathBuf> {
    let name = given.display();
    let is_missing = |cause: &io::Error| cause.kind() == io::ErrorKind::NotFound;
    match (fs::canonicalize(given), fs::symlink_metadata(given)) {
        (Ok(path), _) => Ok(path),
        (Err(cause), Ok(_)) if is_missing(&cause) => {
            let message = format!("open {name}: it is a symbolic link to nowhere; remove it, or make what it points to");
            Err(Error::new(ErrorKind::Unavailable, message))
        }
        (Err(cause), Err(_)) if is_missing(&cause) => {
            let Some(file_name) = given.file_name() else {
                return Err(Error::new(ErrorKind::Invalid, format!("open {name:?}: it names no file")));
            };
            let folder = given.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
            match fs::canonicalize(folder) {
                Ok(folder) => Ok(folder.join(file_name)),
                Err(cause) if is_missing(&cause) => {
                    let message = format!("open {name}: its folder does not exist; make it first");
                    Err(Error::new(ErrorKind::Unavailable, message))
                }
                Err(cause) => Err(system_error("open", given, cause)),
            }
        }
        (Err(cause), _) => Err(system_error("open", given, cause)),
    }
}

fn system_error(doing: &str, path: &Path, cause: io::Error) -> Error {
    let (kind, way_out) = match cause.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
            (ErrorKind::Full, "there is no space for it; free some and try again")
        }
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            (ErrorKind::ReadOnly, "it cannot be written; make the file and its folder readable and writable")
        }
        io::ErrorKind::NotADirectory => (ErrorKind::Unavailable, "something on the way to it is no folder; look at the path"),
        _ => (ErrorKind::Unavailable, "the system refuses it; look at the path and the device"),
    };
    Error::new(kind, format!("{doing} {}: {way_out}", path.display())).with_source(cause)
}

/// Makes the names in a folder survive a power cut.
fn flush_folder(folder: &Path) -> io::Result<()> {
    #[cfg(unix)]
    File::open(folder)?.sync_all()?;
    #[cfg(not(unix))]
    let _ = folder;
    Ok(())
}

/// How files are made that only their owner may see.
fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

#[cfg(unix)]
fn identity(metadata: &fs::Metadata) -> Identity {
    use std::os::unix::fs::MetadataExt;

    Identity { device: metadata.dev(), inode: metadata.ino() }
}

/// Where files have no numbers, a replaced file is not noticed.
#[cfg(not(unix))]
fn identity(_metadata: &fs::Metadata) -> Identity {
    Identity { device: 0, inode: 0 }
}

#[cfg(unix)]
fn has_many_names(metadata: &fs::Metadata) -> bool {
    std::os::unix::fs::MetadataExt::nlink(metadata) > 1
}

#[cfg(not(unix))]
fn has_many_names(_metadata: &fs::Metadata) -> bool {
    false
}

fn kind_of(metadata: &fs::Metadata) -> &'static str {
    #[cfg(unix)]
    {
        use std::os::unix::fs::FileTypeExt;

        let kind = metadata.file_type();
        if kind.is_fifo() {
            return "a FIFO";
        } else if kind.is_socket() {
            return "a socket";
        } else if kind.is_block_device() || kind.is_char_device() {
            return "a device";
        }
    }
    if metadata.is_dir() { "a folder" } else { "no file" }
}

#[cfg(test)]
mod tests;
