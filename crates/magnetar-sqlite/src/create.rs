//! Creation that a crash cannot spoil and a race cannot double.
//!
//! A missing file is first made an empty one. An empty one is locked, a complete database is built under a hidden name
//! beside it, and that is renamed over the empty file while its lock is held. Whoever waited for the lock then finds another file
//! under the name, and opens that. So nobody ever sees half a database, and nothing but an empty file is ever replaced.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io,
    path::{Path, PathBuf},
};

use magnetar_core::{Error, ErrorKind, Result};

use crate::{
    connection::{self, Role},
    error,
    identity::FileId,
    place::{Place, beside, refuse},
    schema,
    wait::Patience,
};

/// What SQLite puts beside a database.
const COMPANIONS: [&str; 3] = ["-wal", "-journal", "-shm"];

/// How often the file may be removed again by others before this gives up.
const TRIES_MAX: usize = 100;

/// Makes a store where there is no file, or one of 0 bytes.
pub(crate) fn where_absent(place: &Place) -> Result<()> {
    let file = place.file();
    for _ in 0..TRIES_MAX {
        match fs::symlink_metadata(file) {
            Ok(metadata) if metadata.len() > 0 => return Ok(()),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => match new_private_file(file) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                    return Err(error::from_system("create", file, error));
                }
                _ => {}
            },
            Err(error) => return Err(error::from_system("open", file, error)),
        }
        fill(place)?;
    }
    Err(Error::new(ErrorKind::Unavailable, format!("create {}: others remove it all the time; try again", file.display())))
}

/// Puts a complete database where the file of 0 bytes is, unless another has done so.
fn fill(place: &Place) -> Result<()> {
    let file = place.file();
    let failed = |error| error::from_system("create", file, error);
    let empty = match OpenOptions::new().read(true).write(true).open(file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        opened => opened.map_err(failed)?,
    };
    lock(&empty, file)?;
    let id = FileId::of(&empty.metadata().map_err(failed)?);
    let is_ours = || fs::symlink_metadata(file).is_ok_and(|now| FileId::of(&now) == id && now.len() == 0);
    if !is_ours() {
        return Ok(());
    }
    let new = place.hidden(id.inode);
    let filled = refuse_orphans(file).and_then(|()| build(&new, file)).and_then(|()| {
        if is_ours() { fs::rename(&new, file).and_then(|()| sync_folder(place.folder())).map_err(failed) } else { Ok(()) }
    });
    // Nothing is there after a success, unless the empty file was removed in the meantime.
    remove_with_companions(&new);
    if filled.is_err() && is_ours() {
        // As good as absent before, absent now.
        let _ = fs::remove_file(file);
    }
    filled
}

/// A log without its database holds commits that a new database would throw away.
fn refuse_orphans(file: &Path) -> Result<()> {
    let orphans = COMPANIONS.into_iter().take(2).map(|suffix| beside(file, suffix));
    match orphans.into_iter().find(|orphan| orphan.exists()) {
        None => Ok(()),
        Some(orphan) => Err(refuse(
            file,
            format!(
                "it is missing or empty, and {} of a database that was there is left; put that database back, or remove the rest to begin anew",
                orphan.display()
            ),
        )),
    }
}

/// Builds a complete store under a name that only the holder of the lock uses: whatever is there was left by a crash.
fn build(new: &Path, file: &Path) -> Result<()> {
    remove_with_companions(new);
    let failed = |error| error::from_sqlite("create", file, error);
    new_private_file(new).map_err(|error| error::from_system("create", file, error))?;
    let connection = connection::connect(new).map_err(|error| named(file, error))?;
    connection::configure(&connection, Role::Writer).map_err(failed)?;
    schema::mark(&connection).map_err(failed)?;
    schema::migrate(&connection, file)?;
    // Closing the last connection writes everything into the database and removes the log.
    connection.close().map_err(|(_, error)| failed(error))?;
    if beside(new, "-wal").exists() {
        return Err(Error::new(
            ErrorKind::Unavailable,
            format!("create {}: its log could not be ended; try again", file.display()),
        ));
    }
    File::open(new).and_then(|file| file.sync_all()).map_err(|error| error::from_system("create", file, error))
}

/// The same error under the name that the caller knows.
fn named(file: &Path, error: Error) -> Error {
    Error::new(error.kind(), format!("create {}", file.display())).with_source(error)
}

fn lock(empty: &File, file: &Path) -> Result<()> {
    let mut patience = Patience::default();
    loop {
        match empty.try_lock() {
            Ok(()) => return Ok(()),
            Err(TryLockError::WouldBlock) if patience.wait() => {}
            Err(TryLockError::WouldBlock) => {
                return Err(Error::new(
                    ErrorKind::Busy,
                    format!(
                        "create {}: another process is at it and does not end; look for one that was stopped",
                        file.display()
                    ),
                ));
            }
            Err(TryLockError::Error(error)) => return Err(error::from_system("create", file, error)),
        }
    }
}

fn new_private_file(path: &Path) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map(drop)
}

fn remove_with_companions(path: &Path) {
    let all: Vec<PathBuf> = COMPANIONS.into_iter().map(|suffix| beside(path, suffix)).chain([path.to_owned()]).collect();
    for path in all {
        // What cannot be removed will be in the way of what comes next, and be named there.
        let _ = fs::remove_file(path);
    }
}

/// Makes the new name survive a power cut.
fn sync_folder(folder: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}
