//! How a file comes to be or changes, so that a crash leaves it as it was or as it was to be.
//!
//! The steps: a new file under another name, written, flushed and read back; renamed to where it belongs; the folder flushed.
//! Only then it is acknowledged. A flush that failed is never tried again on the same file, because the system may take what it
//! could not write for written: the file is given up and written anew, once.

use std::{
    collections::hash_map::RandomState,
    hash::BuildHasher,
    io::{self, Write},
    sync::Arc,
};

use crate::{
    checked::{Checked, Sum, sum},
    error::{Error, ErrorKind, Result},
    folder::{Folder, Kind, Lock},
};

/// The file whose lock says that a folder has a writer. It is empty, and stays.
pub const LOCK_FILE: &str = ".magnetar-lock";

/// What names of files begin with that are being written.
const NEW_PREFIX: &str = ".magnetar-new-";
/// Hexadecimal digits that follow: of the writer, and of the file.
const NEW_DIGITS: usize = 32;

/// Writes the bytes of a file. It may be called twice, and must write the same again.
pub type Fill<'f> = &'f mut dyn FnMut(&mut dyn Write) -> io::Result<()>;

/// The one that may change a folder, for as long as it lives: other writers are kept out by a lock. Readers need no leave.
#[derive(Debug)]
pub struct Writer {
    folder: Arc<dyn Folder>,
    /// Differs between writers, should the lock not hold on this filesystem.
    id: u64,
    files: u64,
    reads_back: bool,
    is_poisoned: bool,
    _lock: Box<dyn Lock>,
}

/// What was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Written {
    /// The size of the file.
    pub bytes: u64,
}

#[derive(Clone, Copy)]
enum Publish {
    New,
    Over,
}

impl Writer {
    /// Takes the folder, makes what is seen in it survive a power cut, and removes what writers that died have left half done.
    ///
    /// # Errors
    /// `AlreadyLocked` while another writer lives, in this process or another; what the system says.
    pub fn lock(folder: Arc<dyn Folder>) -> Result<Self> {
        let writer = Self::lock_bare(folder)?;
        let folder = &writer.folder;
        // The last writer may have died between a rename and the flush of it, and readers may have seen the file since.
        folder.sync().map_err(|error| Error::system("flush", folder.path(), error))?;
        remove_half_done(&**folder)?;
        Ok(writer)
    }

    /// Takes the folder and does nothing else, for those who take it for each write: what is seen may still be lost in a power cut until
    /// it is written anew or [`Writer::flush`] succeeds, and what writers that died have left half done stays until somebody calls
    /// [`Writer::lock`].
    ///
    /// # Errors
    /// `AlreadyLocked` while another writer lives, in this process or another; what the system says.
    pub fn lock_bare(folder: Arc<dyn Folder>) -> Result<Self> {
        let path = folder.path();
        let lock = folder.try_lock(LOCK_FILE).map_err(|error| Error::system("lock", &path.join(LOCK_FILE), error))?;
        let lock = lock.ok_or_else(|| {
            let why = "another writer has it; end that one, or use another folder";
            Error::new("lock", path, ErrorKind::AlreadyLocked, why)
        })?;
        let id = RandomState::new().hash_one(());
        Ok(Self { id, files: 0, reads_back: true, is_poisoned: false, _lock: lock, folder })
    }

    /// Trusts the system with what it was given, and does not read it back: for files so large that this matters.
    #[must_use]
    pub fn without_reading_back(mut self) -> Self {
        self.reads_back = false;
        self
    }

    /// The folder.
    pub fn folder(&self) -> &Arc<dyn Folder> {
        &self.folder
    }

    /// Whether nothing more can be written.
    pub fn is_poisoned(&self) -> bool {
        self.is_poisoned
    }

    /// Writes a file under a name that nobody has. After success it survives a power cut; after a crash in the middle the name is
    /// not there, or the whole file is.
    ///
    /// # Errors
    /// `AlreadyExists`; `Full` and what else the system says, after which the folder is as before; `Poisoned` where that is unknown.
    pub fn write_new(&mut self, name: &str, fill: Fill<'_>) -> Result<Written> {
        self.write(name, fill, Publish::New)
    }

    /// Writes a file over another or under a name that nobody has. After success it survives a power cut; after a crash in the
    /// middle the file is the former or the new one, whole.
    ///
    /// # Errors
    /// `Full` and what else the system says, after which the folder is as before; `Poisoned` where that is unknown.
    pub fn replace(&mut self, name: &str, fill: Fill<'_>) -> Result<Written> {
        self.write(name, fill, Publish::Over)
    }

    /// Removes a file. A power cut may bring it back until [`Writer::flush`].
    ///
    /// # Errors
    /// `NotFound`, and what else the system says.
    pub fn remove(&mut self, name: &str) -> Result<()> {
        self.check("remove", name)?;
        self.folder.remove(name).map_err(|error| self.failed("remove", name, error))
    }

    /// Gives a file another name that nobody has. A power cut may undo it until [`Writer::flush`].
    ///
    /// # Errors
    /// `AlreadyExists`, `NotFound`, and what else the system says.
    pub fn rename(&mut self, from: &str, to: &str) -> Result<()> {
        self.check("rename", from)?;
        self.folder.rename_new(from, to).map_err(|error| self.failed("rename", from, error))
    }

    /// Makes what was removed and renamed survive a power cut.
    ///
    /// # Errors
    /// `Poisoned`.
    pub fn flush(&mut self) -> Result<()> {
        self.check("flush", "")?;
        self.sync_folder("")
    }

    fn write(&mut self, name: &str, fill: Fill<'_>, publish: Publish) -> Result<Written> {
        self.check("write", name)?;
        let (new, sum) = self.prepare(name, fill)?;
        let published = match publish {
            Publish::New => self.folder.rename_new(&new, name),
            Publish::Over => self.folder.rename_over(&new, name),
        };
        if let Err(error) = published {
            return Err(self.not_published(&new, name, error));
        }
        self.sync_folder(name)?;
        Ok(Written { bytes: sum.bytes })
    }

    /// A file under another name, which is all there and survives. A second one is made where the first cannot be trusted.
    fn prepare(&mut self, name: &str, fill: Fill<'_>) -> Result<(String, Sum)> {
        let first = self.try_to_prepare(name, fill);
        let Err(Half::Distrusted(_)) = first else { return first.map_err(Half::into_error) };
        let second = self.try_to_prepare(name, fill);
        self.is_poisoned |= second.is_err();
        second.map_err(Half::into_error)
    }

    fn try_to_prepare(&mut self, name: &str, fill: Fill<'_>) -> Result<(String, Sum), Half> {
        self.files += 1;
        let new = format!("{NEW_PREFIX}{:016x}{:016x}", self.id, self.files);
        let made = self.fill(&new, name, fill);
        if made.is_err() {
            self.forget(&new);
        }
        Ok((new, made?))
    }

    fn fill(&self, new: &str, name: &str, fill: Fill<'_>) -> Result<Sum, Half> {
        let mut target = self.folder.create_new(new).map_err(|error| self.failed("create", name, error))?;
        let mut checked = Checked::new(&mut *target);
        let filled = fill(&mut checked).and_then(|()| checked.finish());
        let written = filled.map_err(|error| self.failed("write", name, error))?;
        target.sync().map_err(|error| self.failed("flush", name, error)).map_err(|error| match error.kind() {
            // Some filesystems look for room only now; there would be none for another either.
            ErrorKind::Full => Half::Given(error),
            _ => Half::Distrusted(error),
        })?;
        drop(target);
        if self.reads_back {
            let mut source = self.folder.open(new).map_err(|error| self.failed("read back", name, error))?;
            let read = sum(&mut *source).map_err(|error| self.failed("read back", name, error))?;
            if read != written {
                let why = "what was read back is not what was written; look after the disk";
                return Err(Half::Distrusted(self.refused("read back", name, ErrorKind::Mangled, why)));
            }
        }
        Ok(written)
    }

    /// Decides what a failed rename has left.
    fn not_published(&mut self, new: &str, name: &str, error: io::Error) -> Error {
        let error = self.failed("publish", name, error);
        self.forget(new);
        if matches!(error.kind(), ErrorKind::Io) {
            self.is_poisoned = true;
            return error.poisoning();
        }
        error
    }

    fn sync_folder(&mut self, name: &str) -> Result<()> {
        self.folder.sync().map_err(|error| {
            self.is_poisoned = true;
            self.failed("flush the folder of", name, error).poisoning()
        })
    }

    fn forget(&self, new: &str) {
        // What cannot be removed is removed by the next writer.
        let _ = self.folder.remove(new);
    }

    fn check(&self, doing: &'static str, name: &str) -> Result<()> {
        if !self.is_poisoned {
            return Ok(());
        }
        let why = "a flush failed earlier, and what was written then may be there or not; open the folder again and look";
        Err(self.refused(doing, name, ErrorKind::Poisoned, why))
    }

    fn failed(&self, doing: &'static str, name: &str, error: io::Error) -> Error {
        Error::system(doing, &self.folder.path().join(name), error)
    }

    fn refused(&self, doing: &'static str, name: &str, kind: ErrorKind, why: &str) -> Error {
        Error::new(doing, &self.folder.path().join(name), kind, why)
    }
}

/// Why a new file was not made.
enum Half {
    /// That one cannot be trusted; another may be better.
    Distrusted(Error),
    /// Another would be no better.
    Given(Error),
}

impl Half {
    fn into_error(self) -> Error {
        let (Self::Distrusted(error) | Self::Given(error)) = self;
        error
    }
}

impl From<Error> for Half {
    fn from(error: Error) -> Self {
        Self::Given(error)
    }
}

fn remove_half_done(folder: &dyn Folder) -> Result<()> {
    let entries = folder.list().map_err(|error| Error::system("list", folder.path(), error))?;
    for entry in entries.iter().filter(|entry| entry.kind == Kind::File && is_half_done(&entry.name)) {
        match folder.remove(&entry.name) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(Error::system("remove", &folder.path().join(&entry.name), error));
            }
            _ => {}
        }
    }
    Ok(())
}

/// Nothing but what a writer has named so is one.
fn is_half_done(name: &str) -> bool {
    let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    name.strip_prefix(NEW_PREFIX).is_some_and(|digits| digits.len() == NEW_DIGITS && digits.bytes().all(is_digit))
}
