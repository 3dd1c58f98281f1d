//! Why a group stops in the middle: the machine refuses it, or the store cannot go on.

use magnetar_core::{Error, Rejection};

use crate::table::Table;

/// What an error about damage advises.
const WAY_OUT: &str = "; audit the job, or restore the store";

/// The way out of a group.
#[derive(Debug)]
pub(crate) enum Stop {
    /// This group changes nothing; others go on.
    Reject(Rejection),
    /// The backend failed; the whole transaction is given up.
    Fault(Error),
}

impl Stop {
    /// Stored data that does not verify, or does not fit together.
    pub(crate) fn corrupt(table: Table, key: &[u8], what: &str) -> Self {
        let shown = key.get(..64).unwrap_or(key).escape_ascii();
        let name = table.name();
        Self::Reject(Rejection::corrupt(format!("row \"{shown}\" of table {name} {what}{WAY_OUT}")))
    }

    /// What is damaged, for an audit, which needs no advice.
    ///
    /// # Errors
    /// The fault of a backend.
    pub(crate) fn into_problem(self) -> Result<String, Self> {
        match self {
            Self::Reject(rejection) => Ok(rejection.to_string().replace(WAY_OUT, "")),
            fault @ Self::Fault(_) => Err(fault),
        }
    }

    /// The error of a read, which has no group to reject.
    pub(crate) fn into_error(self) -> Error {
        match self {
            Self::Reject(rejection) => rejection.into(),
            Self::Fault(error) => error,
        }
    }
}

impl From<Rejection> for Stop {
    fn from(rejection: Rejection) -> Self {
        Self::Reject(rejection)
    }
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Fault(error)
    }
}
