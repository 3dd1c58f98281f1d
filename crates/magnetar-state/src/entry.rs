//! What is kept under a collection's name, how it is guarded, and how it is listed.

use std::fmt;

use bson::Document;
use magnetar_core::Timestamp;

use crate::error::StateError;

/// Who is writing: larger for whoever came later. A write of a lower epoch than the last one's is refused as fenced.
///
/// 0 is the epoch of those who do not care; a lock hands out epochs from 1 on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Epoch(u64);

impl Epoch {
    /// The epoch of this number.
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// The number of this epoch.
    pub const fn get(self) -> u64 {
        self.0
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// How often a collection was written: 1 for the first write, one more for each save and each clear, never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version(u64);

impl Version {
    /// The version of this number.
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// The number of this version.
    pub const fn get(self) -> u64 {
        self.0
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Names one write, so that it can be sent again when its reply was lost.
///
/// A write whose epoch and id are those of the collection's last write is answered as applied already, and changes
/// nothing. Give each write an id of its own: a random one, or one made of what the token stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct WriteId(u128);

impl WriteId {
    /// The id of this number.
    pub const fn new(number: u128) -> Self {
        Self(number)
    }

    /// The number of this id.
    pub const fn get(self) -> u128 {
        self.0
    }
}

impl fmt::Display for WriteId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

/// What must stand under the name for a write to happen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Expect {
    /// Anything, or nothing.
    #[default]
    Any,
    /// No token: there never was one, or it was cleared. One that has expired is in the way.
    Absent,
    /// The token of this version, expired or not.
    Version(Version),
}

/// What a write must meet: an epoch that is not of the past, and the version that the caller has seen.
///
/// The default meets everything that nobody has fenced: epoch 0, any version, no id.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Guard {
    /// Who is writing. A lower one than the last write's is refused.
    pub epoch: Epoch,
    /// What must stand there.
    pub expect: Expect,
    /// The name of this write; none where it is not repeated.
    pub write_id: Option<WriteId>,
}

impl Guard {
    /// A guard of this epoch that meets any version.
    pub fn epoch(epoch: Epoch) -> Self {
        Self { epoch, ..Self::default() }
    }

    /// The same guard, for this version.
    #[must_use]
    pub fn expect(mut self, expect: Expect) -> Self {
        self.expect = expect;
        self
    }

    /// The same guard, for a write of this name.
    #[must_use]
    pub fn write_id(mut self, write_id: WriteId) -> Self {
        self.write_id = Some(write_id);
        self
    }
}

/// What became of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Saved {
    /// The version that stands now. 0 where what never was there was cleared.
    pub version: Version,
    /// Whether this very write was applied before, and its reply lost.
    pub already_applied: bool,
}

impl Saved {
    /// A write that made this version.
    pub const fn new(version: Version) -> Self {
        Self { version, already_applied: false }
    }

    /// A write that had made this version before.
    pub const fn again(version: Version) -> Self {
        Self { version, already_applied: true }
    }
}

/// A token and what is known of it.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Entry {
    /// The token, with the types it was saved with.
    pub token: Document,
    /// Its version.
    pub version: Version,
    /// The epoch that it was written under.
    pub epoch: Epoch,
    /// When it was saved, by the store's clock.
    pub saved_at: Timestamp,
    /// When it expires; none where it does not.
    pub expires_at: Option<Timestamp>,
}

impl Entry {
    /// A token that does not expire.
    pub fn new(token: Document, version: Version, epoch: Epoch, saved_at: Timestamp) -> Self {
        Self { token, version, epoch, saved_at, expires_at: None }
    }

    /// The same entry with the instant at which it expires.
    #[must_use]
    pub fn expires_at(mut self, expires_at: Option<Timestamp>) -> Self {
        self.expires_at = expires_at;
        self
    }
}

/// What stands under a collection's name.
#[derive(Clone, Debug, PartialEq)]
pub enum Loaded {
    /// No token: there never was one, or it was cleared.
    Absent,
    /// A token.
    Found(Entry),
    /// There was a token, and its time is over. Going on from the start would repeat or lose everything since.
    Expired {
        /// When it expired.
        at: Timestamp,
        /// The version that stands.
        version: Version,
        /// The epoch that it was written under.
        epoch: Epoch,
    },
}

impl Loaded {
    /// The version that stands; none where there is no token.
    pub fn version(&self) -> Option<Version> {
        match self {
            Self::Absent => None,
            Self::Found(entry) => Some(entry.version),
            Self::Expired { version, .. } => Some(*version),
        }
    }
}

/// A collection of a listing.
#[derive(Clone, Debug, PartialEq)]
pub struct Listed {
    /// The collection's name, as it was given.
    pub collection: String,
    /// What stands there; never [`Loaded::Absent`].
    pub loaded: Loaded,
}

/// One page of a listing.
#[derive(Debug, Default)]
pub struct Page {
    /// Collections that have a token, expired ones too, in an order of the store's own.
    pub entries: Vec<Listed>,
    /// What stands on this page and cannot be read. It keeps nobody from the others.
    pub damaged: Vec<StateError>,
    /// The `after` of the next page; none where this is the last. Its text means something to this store alone.
    pub next: Option<String>,
}
