//! What can go wrong, and what the caller can do about it.

use magnetar_core::{Error, ErrorKind, Timestamp};

use crate::entry::{Epoch, Version};

/// The result of a call of a state store.
pub type Result<T, E = StateError> = std::result::Result<T, E>;

type Source = Box<dyn std::error::Error + Send + Sync>;

/// Everything that a call of a state store can end with instead of an answer.
///
/// Messages name collections and places, never what is in a token nor what a connection is opened with.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StateError {
    /// The request cannot be meant.
    #[error("{reason}")]
    Invalid {
        /// What is wrong, and the way out.
        reason: String,
    },
    /// Something in the request is larger than a limit.
    #[error("{what} of {size} or more is beyond the limit of {max}")]
    TooLarge {
        /// What is too large, with its unit.
        what: &'static str,
        /// How large it is at least. Measuring ends where the limit is passed.
        size: u64,
        /// The limit.
        max: u64,
    },
    /// A later writer has been here: this one is of the past. Nothing was written; stop quietly.
    #[error("collection {collection:?} was written under epoch {current}, so a write under {epoch} is fenced off")]
    Fenced {
        /// The collection.
        collection: String,
        /// The epoch of the refused write.
        epoch: Epoch,
        /// The epoch of the last write.
        current: Epoch,
    },
    /// Another version stands there than the one that was expected. Nothing was written.
    #[error("collection {collection:?} is at version {}, which is not what was expected", known(*current))]
    Conflict {
        /// The collection.
        collection: String,
        /// The version that stands; none where there is no token.
        current: Option<Version>,
    },
    /// There was a token, and its time is over. What to do is the caller's decision: to start anew is to clear it first.
    #[error("the token of collection {collection:?} expired at {at}; clear it to start anew")]
    Expired {
        /// The collection.
        collection: String,
        /// When it expired.
        at: Timestamp,
    },
    /// Another holds the lock.
    #[error("lock {name:?} is held until {until}")]
    Locked {
        /// The lock.
        name: String,
        /// When it is free unless its holder renews it.
        until: Timestamp,
    },
    /// The lock was lost: its time is over, or another has it. Stop what it stood for.
    #[error("lock {name:?} is not held under epoch {epoch} any more; stop what it stood for")]
    LockLost {
        /// The lock.
        name: String,
        /// The epoch that it was held under.
        epoch: Epoch,
    },
    /// The job store refused the group that a save was part of. Nothing of the group was applied.
    #[error("{0}")]
    Rejected(#[source] Error),
    /// Stored data does not verify. An older token is never shown instead.
    #[error("{place} is damaged: {what}")]
    Corrupt {
        /// Where: a file, a key.
        place: String,
        /// What does not verify.
        what: String,
    },
    /// Stored data is of a newer version of this crate.
    #[error("{place} is of format {format}, which this version cannot read")]
    Newer {
        /// Where: a file, a key.
        place: String,
        /// The format that it says.
        format: u64,
    },
    /// Somebody else is at it. Nothing was changed; try again a little later.
    #[error("{what}")]
    Busy {
        /// Who keeps it busy, and for how long it was tried.
        what: String,
    },
    /// The device or the server is full. Nothing was changed.
    #[error("{place} is full")]
    Full {
        /// What is full.
        place: String,
        /// The error below.
        #[source]
        source: Option<Source>,
    },
    /// It can be read but not written.
    #[error("{place} cannot be written to")]
    ReadOnly {
        /// What cannot be written to.
        place: String,
        /// The error below.
        #[source]
        source: Option<Source>,
    },
    /// The folder, file or server may not be used: a wrong password, permissions, a link where a folder should be.
    #[error("{what}")]
    Denied {
        /// What was refused, and the way out.
        what: String,
        /// The error below.
        #[source]
        source: Option<Source>,
    },
    /// The store cannot be reached. Whether a write had its effect is unknown; give it an id and send it again.
    #[error("{what}")]
    Unavailable {
        /// What cannot be reached.
        what: String,
        /// The error below.
        #[source]
        source: Option<Source>,
    },
    /// What the caller requires survives less than was required.
    #[error("{place} is durable at level {found}, and {required} is required")]
    TooWeak {
        /// The store.
        place: String,
        /// What was required, in the store's own words.
        required: String,
        /// What the store gives.
        found: String,
    },
    /// This store cannot do that.
    #[error("this store has no {what}")]
    Unsupported {
        /// What it does not have.
        what: &'static str,
    },
    /// A flush failed: what was written last may be there or not. Open the store again, and look.
    #[error("{place} cannot be trusted since a flush failed; open it again, and look at what is there")]
    Poisoned {
        /// What cannot be trusted.
        place: String,
    },
    /// The store was closed.
    #[error("the store was closed")]
    Closed,
    /// A number that never comes back has been used up.
    #[error("the {what} is used up")]
    Exhausted {
        /// Which number.
        what: &'static str,
    },
    /// What is below failed in another way. Whether a write had its effect is unknown.
    #[error("{what}")]
    Backend {
        /// What failed.
        what: String,
        /// The error below.
        #[source]
        source: Option<Source>,
    },
}

fn known(version: Option<Version>) -> String {
    version.map_or_else(|| "none".to_owned(), |version| version.to_string())
}

impl StateError {
    /// A request that cannot be meant.
    pub fn invalid(reason: impl Into<String>) -> Self {
        Self::Invalid { reason: reason.into() }
    }

    /// Stored data that does not verify.
    pub fn corrupt(place: impl Into<String>, what: impl Into<String>) -> Self {
        Self::Corrupt { place: place.into(), what: what.into() }
    }

    /// Another failure of what is below.
    pub fn backend(what: impl Into<String>, source: impl Into<Source>) -> Self {
        Self::Backend { what: what.into(), source: Some(source.into()) }
    }

    /// Whether the same call may succeed a little later, with nothing else changed.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Busy { .. } | Self::Full { .. } | Self::Unavailable { .. })
    }

    /// Whether somebody else got there first: a later writer, another version, the holder of a lock.
    pub fn is_conflict(&self) -> bool {
        if let Self::Rejected(error) = self {
            return error.is_conflict();
        }
        matches!(self, Self::Fenced { .. } | Self::Conflict { .. } | Self::Locked { .. } | Self::LockLost { .. })
    }

    /// Whether stored data was found damaged.
    pub fn is_corrupt(&self) -> bool {
        matches!(self, Self::Corrupt { .. })
    }
}

/// An error of a job store beneath a state store.
impl From<Error> for StateError {
    fn from(error: Error) -> Self {
        if error.rejection().is_some() && !error.is_corrupt() {
            return Self::Rejected(error);
        }
        let what = error.to_string();
        match error.kind() {
            ErrorKind::Busy => Self::Busy { what },
            ErrorKind::Closed => Self::Closed,
            ErrorKind::Corrupt => Self::Corrupt { place: "the job store".into(), what },
            ErrorKind::Full => Self::Full { place: "the job store".into(), source: Some(error.into()) },
            ErrorKind::ReadOnly => Self::ReadOnly { place: "the job store".into(), source: Some(error.into()) },
            ErrorKind::Unavailable => Self::Unavailable { what, source: Some(error.into()) },
            ErrorKind::Unsupported => Self::Unsupported { what: "such records in its job store" },
            ErrorKind::Exhausted => Self::Exhausted { what: "job store's number of writes" },
            _ => Self::Backend { what, source: Some(error.into()) },
        }
    }
}
