//! Creation that a crash cannot spoil and a race cannot double.
//!
//! A missing file is first made an empty one. An empty one is locked, a complete store is built under a hidden name beside
//! it, and that is renamed over the empty file while its lock is held. Whoever waited for the lock then finds another file
//! under the name, and opens that. So nobody ever sees half a store, and nothing but an empty file is ever replaced.

use std::{
    ffi::OsString,
    fs::{self, File, OpenOptions, TryLockError},
    io,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use magnetar_core::{Error, ErrorKind, Result};

use super::{FileId, Patience, Place, place::refuse_other_than_file, system_error};

/// How often the file may be removed again by others before this gives up.
const TRIES_MAX: usize = 100;

/// One file is looked at and created at a time. Beside the races that this spares, no file that is found empty here can be a
/// SQLite database that another thread has open by the time it is closed again, which would take away the locks of all threads.
static CREATING: Mutex<()> = Mutex::new(());

/// What makes a complete store of an empty private file, and closes it.
type Build<'a> = dyn Fn(&Path) -> Result<()> + 'a;

impl Place {
    /// Makes a store where there is no file, or one of 0 bytes, out of an empty private file that `build` is given. What it
    /// leaves beside that file is its own to remove. Of several that create the same store at once one does, and the
    /// others find it.
    ///
    /// A crash in the middle leaves no file, one of 0 bytes, or a complete store; beside one of 0 bytes a hidden file may be
    /// left, which the next creation removes. Whatever goes wrong, nothing is at the place that was not there before.
    ///
    /// # Errors
    /// What `build` says, or the system; `Busy` where another process is at it for longer than 30 s.
    pub fn create_where_absent(&self, build: impl Fn(&Path) -> Result<()>) -> Result<()> {
        let _creating = CREATING.lock().unwrap_or_else(PoisonError::into_inner);
        create(self, &build, &mut Patience::default())
    }
}

fn create(place: &Place, build: &Build<'_>, patience: &mut Patience) -> Result<()> {
    let file = place.file();
    for _ in 0..TRIES_MAX {
        match fs::symlink_metadata(file) {
            Ok(metadata) if metadata.is_file() && metadata.len() > 0 => return Ok(()),
            // What it was when its place was looked up, it may not be any more.
            Ok(metadata) => refuse_other_than_file(file, metadata.file_type())?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => match new_private_file(file) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(system_error("create", file, error)),
                _ => {}
            },
            Err(error) => return Err(system_error("open", file, error)),
        }
        fill(place, build, patience)?;
    }
    Err(Error::new(ErrorKind::Unavailable, format!("create {}: others remove it all the time; try again", file.display())))
}

/// Puts a complete store where the file of 0 bytes is, unless another has done so.
fn fill(place: &Place, build: &Build<'_>, patience: &mut Patience) -> Result<()> {
    let file = place.file();
    let empty = match OpenOptions::new().read(true).write(true).open(file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        opened => opened.map_err(|error| system_error("create", file, error))?,
    };
    let Some(empty) = Empty::lock(empty, file, patience)? else { return Ok(()) };
    // Removed before the empty file is closed: until then no other file has its number, and so none this name.
    let new = Hidden::beside(place, empty.id);
    let filled = new.build(build, file).and_then(|()| if empty.is_there() { new.publish(place) } else { Ok(()) });
    if filled.is_err() && empty.is_there() {
        // As good as absent before, absent now.
        let _ = fs::remove_file(file);
    }
    filled
}

/// A file of 0 bytes, locked by its creator. It stays open for as long as this lives.
struct Empty<'a> {
    path: &'a Path,
    id: FileId,
    _locked: File,
}

impl<'a> Empty<'a> {
    /// Waits for the lock; none where it is no file of 0 bytes any more, or not under its name.
    ///
    /// That is asked before each try: a store that another has put there by now is not waited for, since it may be locked for
    /// as long as it is open, and not locked either, since whoever opens it would take that for a use of it.
    fn lock(file: File, path: &'a Path, patience: &mut Patience) -> Result<Option<Self>> {
        let failed = |error| system_error("create", path, error);
        let id = FileId::of(&file.metadata().map_err(failed)?);
        while is_empty_file(path, id) {
            match file.try_lock() {
                Ok(()) if is_empty_file(path, id) => return Ok(Some(Self { path, id, _locked: file })),
                Ok(()) => return Ok(None),
                Err(TryLockError::WouldBlock) if patience.wait() => {}
                Err(TryLockError::WouldBlock) => return Err(busy(path)),
                Err(TryLockError::Error(error)) => return Err(failed(error)),
            }
        }
        Ok(None)
    }

    fn is_there(&self) -> bool {
        is_empty_file(self.path, self.id)
    }
}

fn is_empty_file(path: &Path, id: FileId) -> bool {
    fs::symlink_metadata(path).is_ok_and(|now| now.is_file() && now.len() == 0 && FileId::of(&now) == id)
}

fn busy(file: &Path) -> Error {
    let message = format!("create {}: another process is at it and does not end; look for one that was stopped", file.display());
    Error::new(ErrorKind::Busy, message)
}

/// A file under a name that only the holder of a lock uses: whatever is there was left by a crash. Dropping it removes it.
struct Hidden(PathBuf);

impl Hidden {
    fn beside(place: &Place, locked: FileId) -> Self {
        let mut name = OsString::from(".");
        name.push(place.file().file_name().unwrap_or_default());
        name.push(format!(".{}.new", locked.inode()));
        Self(place.folder().join(name))
    }

    fn build(&self, build: &Build<'_>, file: &Path) -> Result<()> {
        let failed = |error| system_error("create", file, error);
        self.remove();
        new_private_file(&self.0).map_err(failed)?;
        build(&self.0)?;
        File::open(&self.0).and_then(|new| new.sync_all()).map_err(failed)
    }

    fn publish(&self, place: &Place) -> Result<()> {
        let renamed = fs::rename(&self.0, place.file()).and_then(|()| sync_folder(place.folder()));
        renamed.map_err(|error| system_error("create", place.file(), error))
    }

    fn remove(&self) {
        // What cannot be removed will be in the way of what comes next, and be named there.
        let _ = fs::remove_file(&self.0);
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        // Nothing is there after a success, unless the empty file was removed in the meantime.
        self.remove();
    }
}

fn new_private_file(path: &Path) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map(drop)
}

/// Makes the new name survive a power cut.
fn sync_folder(folder: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}

#[cfg(test)]
#[cfg(unix)]
mod tests;
