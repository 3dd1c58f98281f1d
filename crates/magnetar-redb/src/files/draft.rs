//! A file that is being made, beside the place where it will be.

use std::{
    ffi::{OsStr, OsString},
    fs::{self, DirBuilder, File},
    io,
    path::{Path, PathBuf},
};

use super::{Place, flush_folder, identity, private};

/// What stands between the name of the file and the numbers of a draft.
const MARK: &str = ".new-";
const LOCK: &str = "lock";

/// The most drafts of one process that a crash of earlier processes of the same number may have left.
const NUMBER_MAX: u32 = 1000;

/// A private folder with the new file and a lock file. Dropping it removes it.
pub(super) struct Draft {
    folder: PathBuf,
    path: PathBuf,
    /// Held for as long as the folder is in use.
    lock: File,
}

impl Draft {
    /// Makes a folder with an empty private file; none where somebody swept it before it was locked.
    pub(super) fn begin(place: &Place) -> io::Result<Option<Self>> {
        let folder = make_folder(place)?;
        let lock = match private().create_new(true).open(folder.join(LOCK)) {
            Ok(lock) => lock,
            Err(error) if was_swept(&error) => return Ok(None),
            Err(error) => {
                let _ = fs::remove_dir(&folder);
                return Err(error);
            }
        };
        let Some(draft) = Self::lock(place, folder, lock) else { return Ok(None) };
        private().create_new(true).open(&draft.path)?;
        Ok(Some(draft))
    }

    /// Takes the lock of a draft; none where another holds it, or where it is not that folder's lock file any more.
    fn lock(place: &Place, folder: PathBuf, lock: File) -> Option<Self> {
        lock.try_lock().ok()?;
        let (locked, there) = (lock.metadata().ok()?, fs::metadata(folder.join(LOCK)).ok()?);
        (identity(&locked) == identity(&there)).then(|| Self { path: folder.join(file_name(place)), folder, lock })
    }

    /// The file to be made.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Gives the file its place, unless there is one by now.
    pub(super) fn publish(self, place: &Place) -> io::Result<()> {
        File::open(&self.path)?.sync_all()?;
        match fs::hard_link(&self.path, place.path()) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => self.replace_empty(place)?,
            // Some filesystems have no links. An empty file takes the place first, for the rename below.
            Err(_) => match private().create_new(true).open(place.path()) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
                _ => self.replace_empty(place)?,
            },
        }
        flush_folder(&place.folder)
    }

    /// Takes the place of a file of 0 bytes. Whoever does that holds the lock of that file and has seen, after it got the
    /// lock, that it is still there; so no other finished file is ever replaced.
    fn replace_empty(&self, place: &Place) -> io::Result<()> {
        let empty = match private().open(place.path()) {
            Ok(empty) => empty,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error),
        };
        if empty.try_lock().is_err() {
            return Ok(());
        }
        let opened = empty.metadata()?;
        let is_there = fs::metadata(place.path()).is_ok_and(|there| identity(&there) == identity(&opened));
        if is_there && opened.len() == 0 { fs::rename(&self.path, place.path()) } else { Ok(()) }
    }

    /// Removes the drafts of a place that nobody works on. What cannot be removed stays for another time.
    pub(super) fn sweep(place: &Place) {
        let Ok(entries) = fs::read_dir(&place.folder) else { return };
        for entry in entries.flatten() {
            let is_draft = is_draft(file_name(place), &entry.file_name()) && entry.file_type().is_ok_and(|kind| kind.is_dir());
            if !is_draft {
                continue;
            }
            let folder = entry.path();
            // A crash may have come before the lock file. Whoever made the folder just now finds that it is not alone.
            if let Ok(lock) = private().create(true).truncate(false).open(folder.join(LOCK)) {
                drop(Self::lock(place, folder, lock));
            }
        }
    }
}

/// Whether a lock file could not be made because somebody took the folder for one that a crash left.
fn was_swept(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::AlreadyExists | io::ErrorKind::NotFound)
}

impl Drop for Draft {
    fn drop(&mut self) {
        // Only what belongs to a draft is removed: the file, and what its database keeps beside it while it is open. A folder
        // that holds anything else stays.
        let name = self.path.file_name().unwrap_or_default().as_encoded_bytes();
        for entry in fs::read_dir(&self.folder).into_iter().flatten().flatten() {
            if entry.file_name().as_encoded_bytes().starts_with(name) {
                let _ = fs::remove_file(entry.path());
            }
        }
        // The lock file goes last, while its lock is held.
        let _ = fs::remove_file(self.folder.join(LOCK));
        let _ = fs::remove_dir(&self.folder);
        let _ = self.lock.unlock();
    }
}

fn make_folder(place: &Place) -> io::Result<PathBuf> {
    let mut builder = DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    for number in 0..NUMBER_MAX {
        let mut name = OsString::from(file_name(place));
        name.push(format!("{MARK}{}-{number}", std::process::id()));
        let folder = place.folder.join(name);
        match builder.create(&folder) {
            Ok(()) => return Ok(folder),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    Err(io::ErrorKind::AlreadyExists.into())
}

/// Whether a name is that of a draft of a file: nothing else may be swept.
fn is_draft(file: &OsStr, name: &OsStr) -> bool {
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let rest = name.as_encoded_bytes().strip_prefix(file.as_encoded_bytes());
    let numbers = rest.and_then(|rest| std::str::from_utf8(rest).ok()).and_then(|rest| rest.strip_prefix(MARK));
    numbers.and_then(|numbers| numbers.split_once('-')).is_some_and(|(process, number)| is_number(process) && is_number(number))
}

fn file_name(place: &Place) -> &OsStr {
    place.path().file_name().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_drafts_are_taken_for_drafts() {
        let is = |name: &str| is_draft(OsStr::new("jobs.redb"), OsStr::new(name));
        assert!(is("jobs.redb.new-12-0"));
        for other in
            ["jobs.redb", "jobs.redb.new-", "jobs.redb.new-12", "jobs.redb.new-a-0", "jobs.redb.new-1-2.bak", "x.new-1-2"]
        {
            assert!(!is(other), "{other}");
        }
    }
}
