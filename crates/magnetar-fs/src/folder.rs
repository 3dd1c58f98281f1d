//! What is asked of a filesystem: one folder, and the files right in it.

use std::{
    fmt,
    io::{self, Read, Seek, Write},
    path::Path,
};

/// One folder. Names are those of files right in it; a name that is a path is refused as `InvalidInput`.
///
/// It is little on purpose: a test can put another in its place that loses what was not flushed, and fails where it is told to.
/// Nothing here is atomic or durable but what says so; [`Writer`](crate::Writer) makes of it what is.
pub trait Folder: fmt::Debug + Send + Sync {
    /// Where it is, for messages.
    fn path(&self) -> &Path;

    /// What is in it, in any order, without `.` and `..`, and without names that are no UTF-8, which nothing here makes.
    ///
    /// # Errors
    /// What the system says.
    fn list(&self) -> io::Result<Vec<Entry>>;

    /// Opens a file for reading.
    ///
    /// # Errors
    /// `NotFound`; `InvalidInput` for what is no regular file: a symbolic link is not followed, and a pipe not waited for.
    fn open(&self, name: &str) -> io::Result<Box<dyn OpenFile>>;

    /// Creates an empty file that only its owner may read and write.
    ///
    /// # Errors
    /// `AlreadyExists`, whatever is there.
    fn create_new(&self, name: &str) -> io::Result<Box<dyn NewFile>>;

    /// Renames a file to a name that nobody has: whoever looks sees it under the one or the other.
    ///
    /// # Errors
    /// `AlreadyExists`, whatever is there; then nothing has changed.
    fn rename_new(&self, from: &str, to: &str) -> io::Result<()>;

    /// Renames a file over another, or to a name that nobody has, in one step.
    ///
    /// # Errors
    /// What the system says; then nothing has changed.
    fn rename_over(&self, from: &str, to: &str) -> io::Result<()>;

    /// Removes a name.
    ///
    /// # Errors
    /// `NotFound`.
    fn remove(&self, name: &str) -> io::Result<()>;

    /// Makes the names as they are now survive a power cut: what was created, renamed and removed. What is in the files is another
    /// matter, see [`NewFile::sync`].
    ///
    /// # Errors
    /// What the system says. Then it is unknown which names survive.
    fn sync(&self) -> io::Result<()>;

    /// Creates a file where there is none, and locks it for as long as the returned value lives and the process does; none if another
    /// has it. It keeps handles apart, also those of one process.
    ///
    /// # Errors
    /// What the system says; `InvalidInput` for what is no regular file.
    fn try_lock(&self, name: &str) -> io::Result<Option<Box<dyn Lock>>>;
}

/// A lock that is held until it is dropped.
pub trait Lock: fmt::Debug + Send + Sync {}

/// A file that is open for reading. Dropping it closes it.
pub trait OpenFile: Read + Seek + Send {
    /// How many bytes it had when it was opened.
    fn size_bytes(&self) -> u64;
}

/// A file that is being written, front to back. Dropping it closes it, and keeps what was written so far.
pub trait NewFile: Write + Send {
    /// Makes what was written survive a power cut, though not the name.
    ///
    /// # Errors
    /// What the system says. After an error the file must be given up: the system may take what it could not write for written, and
    /// say yes the next time.
    fn sync(&mut self) -> io::Result<()>;
}

/// A name in a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The name.
    pub name: String,
    /// What has it.
    pub kind: Kind,
    /// How many bytes a file has; 0 for anything else.
    pub bytes: u64,
    /// Which file it is, and as it was last changed.
    pub stamp: Stamp,
}

/// Which file it is, and when it was last changed, as far as the system tells: two equal stamps are one file that nobody has
/// written to in between, but for what was written within the tick of the filesystem's clock, some milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Stamp {
    /// The number of the file.
    pub file: u64,
    /// When it was changed, in seconds and nanoseconds of any origin.
    pub changed_at: (i64, i64),
}

/// What a name may belong to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// A regular file.
    File,
    /// A folder.
    Folder,
    /// A symbolic link, whatever it points to.
    Link,
    /// A pipe, a socket, a device.
    Other,
}
