//! What goes wrong, and when.

use std::io;

/// Which operations fail, by their number from 0.
#[derive(Clone, Copy, Debug, Default)]
pub struct Faults {
    /// The operation that fails, and how.
    pub at: Option<(u64, Fault)>,
    /// Whether all after it fail as well.
    pub goes_on: bool,
    /// How many bytes can be written before the disk is full.
    pub room_bytes: Option<u64>,
}

impl Faults {
    /// Only this operation fails.
    pub fn once(op: u64, fault: Fault) -> Self {
        Self { at: Some((op, fault)), ..Self::default() }
    }

    /// This operation and all after it fail.
    pub fn from(op: u64, fault: Fault) -> Self {
        Self { at: Some((op, fault)), goes_on: true, room_bytes: None }
    }

    /// So many bytes can be written.
    pub fn full_after(bytes: u64) -> Self {
        Self { room_bytes: Some(bytes), ..Self::default() }
    }

    pub(super) fn at(&self, op: u64) -> Option<Fault> {
        let (first, fault) = self.at?;
        (op == first || (self.goes_on && op > first)).then_some(fault)
    }
}

/// What the system says of an operation that fails. A flush that fails takes what was not flushed for clean: no later flush
/// makes it durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The device does not answer (EIO).
    Device,
    /// There is no room.
    Full,
    /// The filesystem is read-only.
    ReadOnly,
    /// This user may not.
    Denied,
}

impl Fault {
    pub(super) fn error(self) -> io::Error {
        const EIO: i32 = 5;
        match self {
            Self::Device => io::Error::from_raw_os_error(EIO),
            Self::Full => io::ErrorKind::StorageFull.into(),
            Self::ReadOnly => io::ErrorKind::ReadOnlyFilesystem.into(),
            Self::Denied => io::ErrorKind::PermissionDenied.into(),
        }
    }
}

/// What a careless program or a bad disk does, for controls that must be found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// A file is written in place, under its own name, and not flushed.
    InPlace,
    /// A file is renamed without having been flushed.
    NoFileSync,
    /// The folder is not flushed.
    NoFolderSync,
    /// One bit of each write is flipped.
    FlippedBit,
}
