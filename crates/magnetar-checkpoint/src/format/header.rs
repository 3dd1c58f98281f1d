//! The first line of a file.

use std::{collections::hash_map::RandomState, fmt, hash::BuildHasher};

use serde::{Deserialize, Serialize};

use super::{FORMAT, VERSION};
use crate::checkpoint::Checkpoint;

/// The name that a folder was given when the first checkpoint was saved to it, so that files of two folders are not taken for each
/// other's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct StoreId(String);

impl StoreId {
    const DIGITS: usize = 32;

    /// One that nobody else has: 128 random bits.
    pub(crate) fn random() -> Self {
        let random = || RandomState::new().hash_one(());
        Self(format!("{:016x}{:016x}", random(), random()))
    }
}

impl fmt::Display for StoreId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for StoreId {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        let is_id = text.len() == Self::DIGITS && text.bytes().all(is_digit);
        if is_id { Ok(Self(text)) } else { Err("an id of a store has 32 hexadecimal digits") }
    }
}

impl From<StoreId> for String {
    fn from(id: StoreId) -> Self {
        id.0
    }
}

/// What the first line says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Header {
    format: String,
    version: u64,
    /// Whether the digest needs a key.
    pub(crate) keyed: bool,
    pub(crate) store_id: StoreId,
    /// The number of the manager that saved it, among all that have saved to the folder.
    pub(crate) epoch: u64,
    pub(crate) sequence: u64,
    pub(crate) timestamp_secs: u64,
    pub(crate) lengths: Lengths,
}

/// How many entries each part has, so that room for them is made once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Lengths {
    pub(super) queued_jobs: u64,
    pub(super) in_progress_jobs: u64,
    pub(super) worker_assignments: u64,
    pub(super) metadata: u64,
}

impl Header {
    pub(crate) fn new(store_id: StoreId, epoch: u64, sequence: u64, keyed: bool, checkpoint: &Checkpoint) -> Self {
        let lengths = Lengths {
            queued_jobs: checkpoint.queued_jobs.len() as u64,
            in_progress_jobs: checkpoint.in_progress_jobs.len() as u64,
            worker_assignments: checkpoint.worker_assignments.len() as u64,
            metadata: checkpoint.metadata.len() as u64,
        };
        let timestamp_secs = checkpoint.timestamp_secs;
        Self { format: FORMAT.to_owned(), version: VERSION, keyed, store_id, epoch, sequence, timestamp_secs, lengths }
    }

    pub(super) fn is_version_1(&self) -> bool {
        self.format == FORMAT && self.version == VERSION
    }

    /// Whether a file of so many bytes can have so many entries: each takes at least `"",`.
    pub(super) fn fits(&self, bytes: u64) -> bool {
        const ENTRY_BYTES_MIN: u64 = 2;
        let Lengths { queued_jobs, in_progress_jobs, worker_assignments, metadata } = self.lengths;
        let entries =
            [queued_jobs, in_progress_jobs, worker_assignments, metadata].iter().try_fold(0_u64, |sum, n| sum.checked_add(*n));
        entries.is_some_and(|entries| entries <= bytes / ENTRY_BYTES_MIN)
    }
}

/// What every version says about itself, wherever in the file.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Claim {
    format: Option<String>,
    version: Option<u64>,
}

impl Claim {
    /// The version, where it is one of these files and a newer one.
    pub(super) fn newer(&self) -> Option<u64> {
        self.version.filter(|version| *version > VERSION && self.format.as_deref() == Some(FORMAT))
    }
}
