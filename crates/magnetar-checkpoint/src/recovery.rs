//! What is found when a folder is looked through.

use std::{fmt, time::Duration};

use crate::checkpoint::Checkpoint;

/// The whole truth about a folder.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Recovery {
    /// Nothing was ever saved here, or all was cleared.
    Fresh,
    /// The newest checkpoint that verifies.
    Recovered(Box<Recovered>),
}

/// A checkpoint, and how it stands to what was saved.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Recovered {
    /// The newest that verifies.
    pub checkpoint: Checkpoint,
    /// Newer ones that were passed over, newest first. They are set aside at the next save.
    pub skipped: Vec<Skipped>,
    /// The newest that was acknowledged, where it is newer than this one and its file is gone.
    pub missing: Option<u64>,
    /// The largest sequence that was ever given out, as far as the folder tells.
    pub newest_known: u64,
    /// How old it is by this clock; zero where the clock has gone back.
    pub age: Duration,
}

impl Recovered {
    /// Whether something newer was saved and cannot be had.
    pub fn is_fallback(&self) -> bool {
        !self.skipped.is_empty() || self.missing.is_some()
    }
}

/// A checkpoint that was passed over.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Skipped {
    /// Its sequence, by the name of its file.
    pub sequence: u64,
    /// Why.
    pub reason: SkipReason,
}

/// Why a checkpoint was passed over.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SkipReason {
    /// It does not verify.
    Corrupt(String),
    /// It verifies, and was saved to another folder.
    OtherStore {
        /// The name of that other one.
        store_id: String,
    },
}

impl fmt::Display for Skipped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "checkpoint {}: {}", self.sequence, self.reason)
    }
}

impl fmt::Display for SkipReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Corrupt(why) => f.write_str(why),
            Self::OtherStore { store_id } => write!(f, "it was saved to another folder, whose id is {store_id}"),
        }
    }
}
