//! Whether the files that are open are still the ones under their names.

use std::{
    fs::{self, Metadata},
    io,
    path::{Path, PathBuf},
};

use magnetar_core::{Error, ErrorKind, Result};

use super::{beside, system_error};

/// Which file it is, whatever its name: a device and an inode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileId {
    device: u64,
    inode: u64,
}

impl FileId {
    /// The file that something is known of.
    #[cfg(unix)]
    pub fn of(metadata: &Metadata) -> Self {
        use std::os::unix::fs::MetadataExt;

        Self { device: metadata.dev(), inode: metadata.ino() }
    }

    /// Systems without inodes do not let a file be removed that is open.
    #[cfg(not(unix))]
    pub fn of(_metadata: &Metadata) -> Self {
        Self { device: 0, inode: 0 }
    }

    /// The number that no other file of the device has while this one is open or under a name.
    pub(super) fn inode(self) -> u64 {
        self.inode
    }
}

/// The files of an open store, as they were when they were opened. An engine that has one open does not notice when it is removed
/// or replaced, and would go on to write where nobody will ever read.
///
/// Only names are looked up. To open and close a file of a SQLite database would take away the locks of the whole process.
#[derive(Debug)]
pub struct Identity {
    file: Watched,
    companions: Vec<Watched>,
}

#[derive(Debug)]
struct Watched {
    path: PathBuf,
    id: FileId,
}

impl Identity {
    /// The store in a file, and which file was opened there.
    pub fn new(file: &Path, opened: FileId) -> Self {
        Self { file: Watched { path: file.to_owned(), id: opened }, companions: Vec::new() }
    }

    /// Watches a file beside the store too, as it is now.
    ///
    /// # Errors
    /// What the system says; `Unavailable` where there is no such file.
    pub fn with(mut self, suffix: &str) -> Result<Self> {
        let path = beside(self.file(), suffix);
        let metadata = fs::metadata(&path).map_err(|error| system_error("open", &path, error))?;
        self.companions.push(Watched { path, id: FileId::of(&metadata) });
        Ok(self)
    }

    /// Where the store is.
    pub fn file(&self) -> &Path {
        &self.file.path
    }

    /// Refuses to go on where a file was removed or replaced. It costs a look-up of each name, about a microsecond.
    ///
    /// # Errors
    /// `Unavailable`. Once the file is put back, the store can be used again.
    pub fn check(&self) -> Result<()> {
        self.file.check(self.file())?;
        self.companions.iter().try_for_each(|companion| companion.check(self.file()))
    }
}

impl Watched {
    fn check(&self, store: &Path) -> Result<()> {
        let gone = match fs::metadata(&self.path) {
            Ok(metadata) if FileId::of(&metadata) == self.id => return Ok(()),
            Ok(_) => self.error(store, "was replaced by another file"),
            Err(error) if error.kind() == io::ErrorKind::NotFound => self.error(store, "was removed or moved away"),
            Err(error) => self.error(store, "cannot be looked up any more").with_source(error),
        };
        Err(gone)
    }

    fn error(&self, store: &Path, what: &str) -> Error {
        Error::new(
            ErrorKind::Unavailable,
            format!(
                "use {}: {} {what} while the store was open; put it back, or open the store again",
                store.display(),
                self.path.display()
            ),
        )
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;

    #[test]
    fn file_that_was_removed_or_replaced_is_noticed_until_it_is_back() {
        let folder = tempfile::tempdir().unwrap();
        let (file, aside) = (folder.path().join("jobs"), folder.path().join("aside"));
        fs::write(&file, "a store").unwrap();
        fs::write(beside(&file, "-log"), "its log").unwrap();
        let opened = FileId::of(&fs::metadata(&file).unwrap());
        let identity = Identity::new(&file, opened).with("-log").unwrap();
        let check = |expected: &[&str]| {
            let error = identity.check().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
            let text = error.to_string();
            assert!(text.starts_with(&format!("use {}: ", file.display())), "{text}");
            assert!(expected.iter().all(|part| text.contains(part)), "{text}");
        };
        for name in ["jobs", "jobs-log"] {
            let path = folder.path().join(name);
            identity.check().unwrap();
            fs::rename(&path, &aside).unwrap();
            check(&[&format!("{name} was removed"), "put it back"]);
            fs::write(&path, "another").unwrap();
            check(&[&format!("{name} was replaced"), "put it back"]);
            fs::rename(&aside, &path).unwrap();
        }
        identity.check().unwrap();
        // A file in the place of its folder: it is not there, whatever the system calls that.
        fs::rename(folder.path(), folder.path().with_extension("moved")).unwrap();
        fs::write(folder.path(), "no folder").unwrap();
        check(&["looked up"]);
        fs::remove_file(folder.path()).unwrap();
        fs::rename(folder.path().with_extension("moved"), folder.path()).unwrap();
        identity.check().unwrap();
    }

    #[test]
    fn companion_that_is_not_there_cannot_be_watched() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("jobs");
        fs::write(&file, "a store").unwrap();
        let opened = FileId::of(&fs::metadata(&file).unwrap());
        let error = Identity::new(&file, opened).with("-log").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
        assert!(error.to_string().contains("jobs-log"), "{error}");
    }
}
