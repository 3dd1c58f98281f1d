//! Kinds of faults, and what a store may say about each.

use magnetar_core::{Error, ErrorKind};

use crate::tap::{Act, Fault, Verdict};

/// What fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Anything, because the device failed.
    Device,
    /// A write, or what makes a file longer, because there is no space.
    Full,
    /// The second half of a write, because there is no space.
    Short,
    /// A flush.
    Flush,
    /// Nothing is said, and nothing is written: no disk may do that, and a rig must find it.
    Swallowed,
}

/// How long it fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Length {
    Once,
    FromThereOn,
}

impl Kind {
    /// Whether this act can fail so.
    pub(super) fn concerns(self, act: Act<'_>) -> bool {
        match self {
            Self::Device => true,
            Self::Full => matches!(act, Act::Write { .. } | Act::Resize { .. } | Act::Open { .. } | Act::Share { .. }),
            Self::Short | Self::Swallowed => matches!(act, Act::Write { .. }),
            Self::Flush => matches!(act, Act::Sync { .. }),
        }
    }

    pub(super) fn verdict(self) -> Verdict {
        match self {
            Self::Device | Self::Flush => Verdict::Fail(Fault::Device),
            Self::Full => Verdict::Fail(Fault::Full),
            Self::Short => Verdict::Fail(Fault::Short),
            Self::Swallowed => Verdict::Swallow,
        }
    }

    /// Whether a store may answer so. `Corrupt` is never true here, and a caller would restore a copy for nothing.
    pub(super) fn explains(self, error: &Error, is_opening: bool) -> bool {
        match error.kind() {
            ErrorKind::Backend | ErrorKind::Poisoned => true,
            ErrorKind::Full => matches!(self, Self::Full | Self::Short),
            // It cannot be opened, or not be made.
            ErrorKind::Unavailable => is_opening,
            _ => false,
        }
    }
}
