//! Folders whose files are in memory where the system has such, so that a rig measures the product and not the disk.

use std::{io, path::Path};

use tempfile::TempDir;

/// A folder of its own that goes away with its handle.
pub(crate) fn in_memory() -> io::Result<TempDir> {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { TempDir::with_prefix_in("magnetar-", memory) } else { TempDir::with_prefix("magnetar-") }
}
