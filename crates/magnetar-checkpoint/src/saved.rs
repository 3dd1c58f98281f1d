//! What came of a save.

use std::{fmt, time::Duration};

use crate::{error::CheckpointError, recovery::Skipped};

/// A checkpoint that was saved: it survives a power cut.
#[derive(Debug)]
#[non_exhaustive]
pub struct Saved {
    /// Its sequence.
    pub sequence: u64,
    /// The size of its file.
    pub bytes: u64,
    /// Older ones that were removed.
    pub removed: Vec<u64>,
    /// Those that do not verify, and were set aside under a name that ends in `.corrupt`.
    pub set_aside: Vec<Skipped>,
    /// What did not go as it should. The checkpoint is saved all the same.
    pub warnings: Vec<Warning>,
}

/// What did not go as it should, beside a save that did.
#[derive(Debug)]
#[non_exhaustive]
pub enum Warning {
    /// It could not be noted which checkpoint was acknowledged last: should this one's file get lost, nobody will miss it.
    NotNoted(CheckpointError),
    /// Older checkpoints could not be looked through, and stay.
    NotRotated(CheckpointError),
    /// An older checkpoint could not be removed or set aside.
    NotRemoved {
        /// Its sequence.
        sequence: u64,
        /// Why.
        error: CheckpointError,
    },
    /// A file was left alone: it is of a newer version or of another folder, or cannot be read.
    LeftAlone {
        /// Its sequence.
        sequence: u64,
        /// Why.
        why: String,
    },
    /// The clock stands before the time of the checkpoint before, so ages are wrong.
    ClockWentBack {
        /// By how much.
        by: Duration,
    },
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotNoted(error) => write!(f, "the checkpoint is saved, but not noted as the newest: {error}"),
            Self::NotRotated(error) => write!(f, "older checkpoints could not be looked through: {error}"),
            Self::NotRemoved { sequence, error } => write!(f, "checkpoint {sequence} could not be taken away: {error}"),
            Self::LeftAlone { sequence, why } => write!(f, "checkpoint {sequence} was left alone: {why}"),
            Self::ClockWentBack { by } => write!(f, "the clock has gone back by {} s", by.as_secs()),
        }
    }
}
