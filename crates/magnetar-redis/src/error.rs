//! What a failed call is to the caller, without anything that must not be shown.

use std::fmt;

use magnetar_resilience::Error;
use magnetar_state::StateError;
use redis::RedisError;

use crate::{
    address::{Secrets, Topology},
    class::Trouble,
};

/// Which servers an error is about, and what it must not repeat.
pub(crate) struct Scene {
    pub(crate) place: String,
    secrets: Secrets,
}

/// What the server or the connection said, without secrets. The error itself is not kept: who knows what is in it.
#[derive(Debug)]
struct Said(String);

impl fmt::Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Said {}

impl Scene {
    pub(crate) fn new(topology: &Topology) -> Self {
        Self { place: topology.to_string(), secrets: topology.secrets() }
    }

    /// What a call ended with.
    pub(crate) fn ended(&self, error: Error<RedisError>) -> StateError {
        let place = &self.place;
        match error {
            Error::Inner(error) => self.failed(&error, 1),
            Error::Exhausted { attempts, last } => match last.into_inner() {
                Some(error) => self.failed(&error, attempts),
                None => self.unavailable(format!("{place} did not answer in time, {attempts} times"), None),
            },
            late @ Error::Timeout { .. } => self.unavailable(format!("{place} did not answer in time"), Some(&late.to_string())),
            other => StateError::backend(format!("{place} was not asked"), Said(self.secrets.scrub(&other.to_string()))),
        }
    }

    /// An answer that makes no sense.
    pub(crate) fn nonsense(&self, what: &str) -> StateError {
        StateError::Backend { what: format!("{} gave an answer that makes no sense: {what}", self.place), source: None }
    }

    /// A change that happened, and that too few replicas have.
    pub(crate) fn unconfirmed(&self, have: u64, wanted: u64) -> StateError {
        self.unavailable(
            format!("{}: {have} of {wanted} replicas confirmed the change in time; it may not survive a failover", self.place),
            None,
        )
    }

    fn failed(&self, error: &RedisError, attempts: usize) -> StateError {
        let place = self.place.clone();
        let said = Said(self.secrets.scrub(&error.to_string()));
        let times = if attempts > 1 { format!(", {attempts} times") } else { String::new() };
        let source = Some(Box::new(said) as Box<dyn std::error::Error + Send + Sync>);
        match Trouble::of(error) {
            Trouble::Unreachable => StateError::Unavailable { what: format!("{place} could not be reached{times}"), source },
            Trouble::NotReady => StateError::Unavailable { what: format!("{place} was not ready{times}"), source },
            Trouble::Busy => StateError::Busy { what: format!("{place} was kept busy by a script{times}") },
            Trouble::ReadOnly => StateError::ReadOnly { place, source },
            Trouble::Full => StateError::Full { place, source },
            Trouble::Denied => {
                StateError::Denied { what: format!("{place} does not let us in; see to the user and the password"), source }
            }
            Trouble::Forbidden => StateError::Denied {
                what: format!("{place} does not let us do that; see to the commands and keys that the user may use"),
                source,
            },
            Trouble::Untrusted => StateError::Denied {
                what: format!("{place} or we have no certificate that the other trusts; see to the root and client certificates"),
                source,
            },
            Trouble::WrongType => StateError::corrupt(
                place,
                format!("a key of this store holds something else ({})", self.secrets.scrub(&error.to_string())),
            ),
            Trouble::Overflow => StateError::Exhausted { what: "number of epochs of this lock" },
            Trouble::Other => StateError::Backend { what: format!("{place} refused"), source },
        }
    }

    fn unavailable(&self, what: String, said: Option<&str>) -> StateError {
        StateError::Unavailable { what, source: said.map(|said| Said(self.secrets.scrub(said)).into()) }
    }
}
