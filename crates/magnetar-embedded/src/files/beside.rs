//! The names of what stands beside a store.

use std::path::{Path, PathBuf};

/// The file beside another whose name goes on like this.
pub fn beside(file: &Path, suffix: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// The folder with the lock files of the handles that have a store open: for `jobs.db` it is `jobs.db-sessions`.
pub fn lock_folder(file: &Path) -> PathBuf {
    beside(file, "-sessions")
}
