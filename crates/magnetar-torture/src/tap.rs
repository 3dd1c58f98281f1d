//! What stands between an engine and its files: it sees everything that is done to them, and may let it fail.

/// Something that an engine does to its files.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Act<'a> {
    /// Opens a file, and makes it where there is none.
    Open {
        name: &'a str,
    },
    /// Removes a name; `is_synced` where that is to survive a power cut.
    Remove {
        name: &'a str,
        is_synced: bool,
    },
    Read {
        file: FileNo,
        at: u64,
        bytes: u64,
    },
    Write {
        file: FileNo,
        at: u64,
        bytes: &'a [u8],
    },
    Resize {
        file: FileNo,
        bytes: u64,
    },
    Sync {
        file: FileNo,
    },
    /// Asks how long a file is.
    Measure {
        file: FileNo,
    },
    /// Maps memory that processes share.
    Share {
        file: FileNo,
    },
}

/// An open file, by the number that [`Tap::opened`] gave it.
pub(crate) type FileNo = u64;

/// What becomes of an act.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It happens.
    Go,
    /// It does not happen, or only half, and the engine is told so.
    Fail(Fault),
    /// It does not happen, and the engine is told that it did: what no disk may do, for controls.
    Swallow,
}

/// How an act fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The device failed.
    Device,
    /// There is no space.
    Full,
    /// Half of it is written, and there is no space for the rest.
    Short,
}

/// Sees everything before it is done.
pub(crate) trait Tap: Send + Sync {
    /// Decides about an act.
    fn before(&self, act: Act<'_>) -> Verdict;

    /// Gives a file a number, once it is open under this name.
    fn opened(&self, name: &str) -> FileNo;
}
