//! How it is done on Unix: relative to an open folder, and through no symbolic link.

use std::{fs::File, io, path::Path};

use rustix::{
    fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags, Stat, fstat, mkdirat, openat, renameat, statat, unlinkat},
    io::Errno,
};

use crate::folder::{Entry, Kind, Stamp};

/// The open folder.
pub(super) type Opened = File;

const FILE_MODE: Mode = Mode::from_bits_truncate(0o600);
const FOLDER_MODE: Mode = Mode::from_bits_truncate(0o700);
/// What anyone but the owner must not do to a folder.
const WRITABLE_BY_OTHERS: Mode = Mode::from_bits_truncate(0o022);

pub(super) fn open_folder(path: &Path) -> io::Result<Opened> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    match openat(CWD, path, flags, Mode::empty()) {
        Ok(folder) => Ok(folder.into()),
        // Linux calls a symbolic link no folder, others call it a loop.
        Err(Errno::LOOP | Errno::MLINK) => Err(io::ErrorKind::NotADirectory.into()),
        Err(error) => Err(error.into()),
    }
}

pub(super) fn create_folder(path: &Path) -> io::Result<()> {
    Ok(mkdirat(CWD, path, FOLDER_MODE)?)
}

pub(super) fn is_shared(folder: &Opened) -> io::Result<bool> {
    Ok(Mode::from_raw_mode(fstat(folder)?.st_mode).intersects(WRITABLE_BY_OTHERS))
}

pub(super) fn sync_path(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

pub(super) fn sync_folder(folder: &Opened) -> io::Result<()> {
    folder.sync_all()
}

pub(super) fn list(folder: &Opened) -> io::Result<Vec<Entry>> {
    let mut entries = Vec::new();
    for entry in Dir::read_from(folder)? {
        let entry = entry?;
        let Ok(name) = entry.file_name().to_str() else { continue };
        if matches!(name, "." | "..") {
            continue;
        }
        match statat(folder, entry.file_name(), AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => entries.push(listed(name, &stat)),
            // Somebody has removed it since.
            Err(Errno::NOENT) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(entries)
}

fn listed(name: &str, stat: &Stat) -> Entry {
    let kind = match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => Kind::File,
        FileType::Directory => Kind::Folder,
        FileType::Symlink => Kind::Link,
        _ => Kind::Other,
    };
    let bytes = if kind == Kind::File { u64::try_from(stat.st_size).unwrap_or_default() } else { 0 };
    let stamp = Stamp { file: stat.st_ino, changed_at: (wide(stat.st_ctime), wide(stat.st_ctime_nsec)) };
    Entry { name: name.to_owned(), kind, bytes, stamp }
}

/// The types of a time differ between systems.
fn wide(number: impl TryInto<i64>) -> i64 {
    number.try_into().unwrap_or_default()
}

pub(super) fn open_file(folder: &Opened, name: &str) -> io::Result<File> {
    // A pipe is opened without a writer, to be refused, instead of being waited for.
    open(folder, name, OFlags::RDONLY | OFlags::NONBLOCK)
}

pub(super) fn create_file(folder: &Opened, name: &str) -> io::Result<File> {
    open(folder, name, OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL)
}

pub(super) fn open_lock(folder: &Opened, name: &str) -> io::Result<File> {
    open(folder, name, OFlags::RDWR | OFlags::CREATE | OFlags::NONBLOCK)
}

fn open(folder: &Opened, name: &str, flags: OFlags) -> io::Result<File> {
    match openat(folder, name, flags | OFlags::NOFOLLOW | OFlags::CLOEXEC, FILE_MODE) {
        Ok(file) => Ok(file.into()),
        Err(Errno::LOOP | Errno::MLINK | Errno::ISDIR | Errno::NXIO) => {
            Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"))
        }
        Err(error) => Err(error.into()),
    }
}

pub(super) fn rename_new(folder: &Opened, from: &str, to: &str) -> io::Result<()> {
    #[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
    match rustix::fs::renameat_with(folder, from, folder, to, rustix::fs::RenameFlags::NOREPLACE) {
        // The filesystem does not know how to.
        Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => {}
        other => return Ok(other?),
    }
    // For a moment the file has both names, and a crash leaves it so: it is published, and a second name that is known to be ours
    // is removed by the next writer.
    rustix::fs::linkat(folder, from, folder, to, AtFlags::empty())?;
    Ok(unlinkat(folder, from, AtFlags::empty())?)
}

pub(super) fn rename_over(folder: &Opened, from: &str, to: &str) -> io::Result<()> {
    Ok(renameat(folder, from, folder, to)?)
}

pub(super) fn remove(folder: &Opened, name: &str) -> io::Result<()> {
    Ok(unlinkat(folder, name, AtFlags::empty())?)
}
