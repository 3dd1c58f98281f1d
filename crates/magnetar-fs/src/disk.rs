//! A folder of the system.

#[cfg(not(unix))]
mod other;
#[cfg(unix)]
mod unix;

use std::{
    fs::{File, TryLockError},
    io::{self, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering},
};

#[cfg(not(unix))]
use self::other as system;
#[cfg(unix)]
use self::unix as system;
use crate::{
    error::{Error, ErrorKind, Result},
    folder::{Entry, Folder, Lock, NewFile, OpenFile},
};

/// A folder of the system. On Unix it is opened once and everything is done relative to it, so that it stays the same folder when
/// its path is moved or replaced.
///
/// Files get the mode 0600 and folders 0700. Flushing a folder is unknown to Windows: there a name may be lost in a power cut.
#[derive(Debug)]
pub struct Disk {
    path: PathBuf,
    folder: system::Opened,
    /// Whether the folder's own name was flushed.
    is_anchored: AtomicBool,
}

impl Disk {
    /// Opens a folder, and creates it and what is missing above it where it does not exist.
    ///
    /// # Errors
    /// `Invalid` where it is a file or a symbolic link; `Unsafe` where the group or all others may write to it, see
    /// [`Disk::open_shared`]; what the system says.
    pub fn open(path: &Path) -> Result<Self> {
        let disk = Self::open_shared(path)?;
        if system::is_shared(&disk.folder).map_err(|error| disk.failed("open", error))? {
            let why = "its group or all others may write to it, and could put anything there; take that right away \
                       (chmod go-w), or name another folder";
            return Err(Error::new("open", &disk.path, ErrorKind::Unsafe, why));
        }
        Ok(disk)
    }

    /// Opens a folder as [`Disk::open`] does, also one to which others may write: for those who trust them all.
    ///
    /// # Errors
    /// Those of [`Disk::open`] but `Unsafe`.
    pub fn open_shared(path: &Path) -> Result<Self> {
        // Without a slash at the end, which would have a symbolic link followed.
        let path: PathBuf = path.components().collect();
        if path.as_os_str().is_empty() {
            return Err(Error::new("open", &path, ErrorKind::Invalid, "a folder must have a name; `.` is the current one"));
        }
        let failed = |error| Error::system("open", &path, error);
        let folder = match system::open_folder(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                create(&path).map_err(|error| Error::system("create", &path, error))?;
                system::open_folder(&path).map_err(failed)?
            }
            other => other.map_err(failed)?,
        };
        Ok(Self { path, folder, is_anchored: AtomicBool::new(false) })
    }

    fn failed(&self, doing: &'static str, error: io::Error) -> Error {
        Error::system(doing, &self.path, error)
    }

    /// Makes the name of the folder itself survive a power cut, once: whoever created it may have died before.
    fn anchor(&self) -> io::Result<()> {
        if self.is_anchored.load(Ordering::Relaxed) {
            return Ok(());
        }
        sync_parent(&self.path)?;
        self.is_anchored.store(true, Ordering::Relaxed);
        Ok(())
    }
}

/// Creates folders from the top down, each of which survives a power cut before there is one in it.
fn create(path: &Path) -> io::Result<()> {
    let missing: Vec<_> = path.ancestors().take_while(|path| !path.as_os_str().is_empty() && !path.exists()).collect();
    for path in missing.iter().rev() {
        match system::create_folder(path) {
            // Another was faster.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            other => other?,
        }
        sync_parent(path)?;
    }
    Ok(())
}

fn sync_parent(path: &Path) -> io::Result<()> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    match system::sync_path(parent) {
        // What may not be opened was not made here: somebody else has seen to it.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(()),
        other => other,
    }
}

impl Folder for Disk {
    fn path(&self) -> &Path {
        &self.path
    }

    fn list(&self) -> io::Result<Vec<Entry>> {
        system::list(&self.folder)
    }

    fn open(&self, name: &str) -> io::Result<Box<dyn OpenFile>> {
        let file = system::open_file(&self.folder, plain(name)?)?;
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
        }
        Ok(Box::new(Opened { bytes: metadata.len(), file }))
    }

    fn create_new(&self, name: &str) -> io::Result<Box<dyn NewFile>> {
        Ok(Box::new(Created(system::create_file(&self.folder, plain(name)?)?)))
    }

    fn rename_new(&self, from: &str, to: &str) -> io::Result<()> {
        system::rename_new(&self.folder, plain(from)?, plain(to)?)
    }

    fn rename_over(&self, from: &str, to: &str) -> io::Result<()> {
        system::rename_over(&self.folder, plain(from)?, plain(to)?)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        system::remove(&self.folder, plain(name)?)
    }

    fn sync(&self) -> io::Result<()> {
        self.anchor()?;
        system::sync_folder(&self.folder)
    }

    fn try_lock(&self, name: &str) -> io::Result<Option<Box<dyn Lock>>> {
        let file = system::open_lock(&self.folder, plain(name)?)?;
        if !file.metadata()?.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
        }
        match file.try_lock() {
            Ok(()) => Ok(Some(Box::new(Locked { _file: file }))),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }
}

/// A name that leads nowhere else.
fn plain(name: &str) -> io::Result<&str> {
    let separators: &[char] = if cfg!(windows) { &['/', '\\', ':', '\0'] } else { &['/', '\0'] };
    if matches!(name, "" | "." | "..") || name.contains(separators) {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a plain file name"));
    }
    Ok(name)
}

struct Opened {
    file: File,
    bytes: u64,
}

impl Read for Opened {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.file.read(buffer)
    }
}

impl Seek for Opened {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.file.seek(to)
    }
}

impl OpenFile for Opened {
    fn size_bytes(&self) -> u64 {
        self.bytes
    }
}

struct Created(File);

impl Write for Created {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl NewFile for Created {
    fn sync(&mut self) -> io::Result<()> {
        self.0.sync_all()
    }
}

/// The lock of a file, which goes with its last descriptor.
#[derive(Debug)]
struct Locked {
    _file: File,
}

impl Lock for Locked {}
