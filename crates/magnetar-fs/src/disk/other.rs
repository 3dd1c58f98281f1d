//! How it is done elsewhere: by paths. A folder that is replaced meanwhile is not noticed.

use std::{
    fs::{self, File, OpenOptions},
    io,
    path::{Path, PathBuf},
    time::UNIX_EPOCH,
};

use crate::folder::{Entry, Kind, Stamp};

/// The path of the folder.
pub(super) type Opened = PathBuf;

pub(super) fn open_folder(path: &Path) -> io::Result<Opened> {
    if fs::symlink_metadata(path)?.is_dir() { Ok(path.to_owned()) } else { Err(io::ErrorKind::NotADirectory.into()) }
}

pub(super) fn create_folder(path: &Path) -> io::Result<()> {
    fs::create_dir(path)
}

/// There are no such rights to look at.
#[expect(clippy::unnecessary_wraps, reason = "other systems have something to say")]
pub(super) fn is_shared(_folder: &Opened) -> io::Result<bool> {
    Ok(false)
}

/// A folder cannot be flushed.
#[expect(clippy::unnecessary_wraps, reason = "other systems have something to say")]
pub(super) fn sync_path(_folder: &Path) -> io::Result<()> {
    Ok(())
}

/// A folder cannot be flushed.
#[expect(clippy::unnecessary_wraps, reason = "other systems have something to say")]
pub(super) fn sync_folder(_folder: &Opened) -> io::Result<()> {
    Ok(())
}

pub(super) fn list(folder: &Opened) -> io::Result<Vec<Entry>> {
    let mut entries = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let Ok(name) = entry.file_name().into_string() else { continue };
        let metadata = match entry.metadata() {
            Ok(metadata) => metadata,
            // Somebody has removed it since.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        let kind = if metadata.is_file() {
            Kind::File
        } else if metadata.is_dir() {
            Kind::Folder
        } else if metadata.is_symlink() {
            Kind::Link
        } else {
            Kind::Other
        };
        let changed = metadata.modified().ok().and_then(|at| at.duration_since(UNIX_EPOCH).ok()).unwrap_or_default();
        let changed_at = (i64::try_from(changed.as_secs()).unwrap_or_default(), i64::from(changed.subsec_nanos()));
        let bytes = if kind == Kind::File { metadata.len() } else { 0 };
        entries.push(Entry { name, kind, bytes, stamp: Stamp { file: 0, changed_at } });
    }
    Ok(entries)
}

pub(super) fn open_file(folder: &Opened, name: &str) -> io::Result<File> {
    let path = folder.join(name);
    refuse_other_than_file(&path)?;
    File::open(path)
}

pub(super) fn create_file(folder: &Opened, name: &str) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).open(folder.join(name))
}

pub(super) fn open_lock(folder: &Opened, name: &str) -> io::Result<File> {
    let path = folder.join(name);
    match refuse_other_than_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)
}

pub(super) fn rename_new(folder: &Opened, from: &str, to: &str) -> io::Result<()> {
    fs::hard_link(folder.join(from), folder.join(to))?;
    fs::remove_file(folder.join(from))
}

pub(super) fn rename_over(folder: &Opened, from: &str, to: &str) -> io::Result<()> {
    fs::rename(folder.join(from), folder.join(to))
}

pub(super) fn remove(folder: &Opened, name: &str) -> io::Result<()> {
    fs::remove_file(folder.join(name))
}

fn refuse_other_than_file(path: &Path) -> io::Result<()> {
    if fs::symlink_metadata(path)?.is_file() {
        return Ok(());
    }
    Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"))
}
