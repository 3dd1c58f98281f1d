//! Salvage from one location to another.

use std::{
    ffi::OsString,
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use magnetar_core::{Clock, Error, ErrorKind, Result};
use magnetar_embedded::{Salvaged, SystemClock, salvage};

use crate::Location;

/// What SQLite puts beside a store that is open.
const LOGS: [&str; 2] = ["-wal", "-shm"];

impl Location {
    /// Puts everything of a damaged store that is whole into a new one, which must not be there yet; it may be of another
    /// backend. The damaged store is opened as any other, which may write to its log, and is not changed otherwise. Nobody should
    /// work on it meanwhile: what is done to it after this has begun is not in the new store.
    ///
    /// A crash leaves nothing at the new location; beside it there may be a hidden file, which the next salvage asks to remove.
    /// All of the store but payloads and records is held in memory.
    ///
    /// # Errors
    /// `Invalid` where there is no store to salvage, where the new one is there already or is not in a file; what the backends
    /// say where the damaged store does not open at all.
    pub fn salvage_to(&self, to: &Self) -> Result<Salvaged> {
        let from = self.file().filter(|file| file.exists());
        if from.is_none() {
            return Err(Error::new(ErrorKind::Invalid, format!("salvage {self}: there is no file of a store there")));
        }
        let Some(target) = to.file() else {
            return Err(Error::new(ErrorKind::Invalid, format!("salvage into {to}: name a file, as in \"saved.db\"")));
        };
        refuse_existing(target, "name one that is not there yet")?;
        let part = beside(target);
        refuse_existing(&part, "a salvage that was cut off left it; remove it and try again")?;
        let mut new = to.at(part.clone()).backend()?;
        let salvaged = self.backend().and_then(|from| salvage(&*from, &mut *new, SystemClock.now()));
        drop(new);
        let published = salvaged.and_then(|salvaged| publish(&part, target).map(|()| salvaged));
        // Where it was published, its first name goes; where something failed, all of it, and what stands beside it.
        let removed = fs::remove_file(&part);
        for log in LOGS.map(|suffix| companion(&part, suffix)) {
            let _ = fs::remove_file(log);
        }
        let salvaged = published?;
        removed.map_err(|cause| failed("remove", &part, cause))?;
        Ok(salvaged)
    }
}

fn refuse_existing(path: &Path, way_out: &str) -> Result<()> {
    if path.exists() {
        return Err(Error::new(ErrorKind::Invalid, format!("salvage into {}: it is there already; {way_out}", path.display())));
    }
    Ok(())
}

/// The hidden file that becomes the new store once it is complete.
fn beside(target: &Path) -> PathBuf {
    let mut name = OsString::from(".");
    name.push(target.file_name().unwrap_or_default());
    name.push(".salvage");
    target.with_file_name(name)
}

/// A file of SQLite's that stands beside a store.
fn companion(file: &Path, suffix: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// Gives a complete store its name, unless something else has it by now. A log that is still beside it, because there was no
/// space to end it, holds what would be lost without it.
fn publish(part: &Path, target: &Path) -> Result<()> {
    if LOGS.into_iter().any(|suffix| companion(part, suffix).exists()) {
        let message = format!("create {}: its log could not be ended; see that there is space on the disk", target.display());
        return Err(Error::new(ErrorKind::Unavailable, message));
    }
    fs::hard_link(part, target).map_err(|cause| failed("create", target, cause))?;
    let folder = target.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // The name must survive a power cut too. Only Unix lets a folder be flushed.
    if cfg!(unix) {
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(|cause| failed("flush", folder, cause))?;
    }
    Ok(())
}

fn failed(what: &str, path: &Path, cause: io::Error) -> Error {
    Error::new(ErrorKind::Unavailable, format!("{what} {}", path.display())).with_source(cause)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn store_whose_log_was_not_ended_is_not_published() {
        let folder = tempfile::tempdir().unwrap();
        let (part, target) = (folder.path().join("part"), folder.path().join("saved.db"));
        fs::write(&part, "pages").unwrap();
        fs::write(companion(&part, "-wal"), "commits").unwrap();
        assert_eq!(publish(&part, &target).unwrap_err().kind(), ErrorKind::Unavailable);
        assert!(!target.exists());
        fs::remove_file(companion(&part, "-wal")).unwrap();
        publish(&part, &target).unwrap();
        assert_eq!(fs::read(&target).unwrap(), b"pages");
    }
}
