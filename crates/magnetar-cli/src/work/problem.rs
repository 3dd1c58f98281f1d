//! What can be wrong with the keys of a chunk.

use super::{keys, template::TemplateProblem};

/// What is wrong with the keys of a chunk, as a text that stands behind its name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Problem {
    #[error("unknown key `{key}`{}", keys::hint(.key))]
    UnknownKey { key: String },
    #[error("key `{key}` must be {expected}, found {found}")]
    WrongValue { key: String, expected: &'static str, found: String },
    #[error("there is neither `run` nor `shell`; each chunk says what is to be run")]
    NothingToRun,
    #[error("there are both `run` and `shell`; a chunk has one of them")]
    TwoThingsToRun,
    #[error("key `{key}` holds a NUL, which no argument, variable or path can hold")]
    Nul { key: String },
    #[error("key `env.{name}` is set by `magnetar run` itself; take another name")]
    OwnVariable { name: String },
    #[error("key `{key}`: {problem}")]
    Template { key: String, problem: TemplateProblem },
    #[error("key `checksum` is the SHA-256 of the input, and there is no `input`")]
    ChecksumOfNothing,
    #[error("key `checksum` is the SHA-256 of one input, and there are several")]
    ChecksumOfMany,
    #[error("key `checksum` must be a SHA-256, 64 hexadecimal digits, found {found:?}")]
    NoChecksum { found: String },
}

impl Problem {
    /// The key that it is about, so that its line can be found.
    pub(crate) fn key(&self) -> Option<&str> {
        match self {
            Self::UnknownKey { key } | Self::WrongValue { key, .. } | Self::Nul { key } | Self::Template { key, .. } => {
                Some(key.split('.').next().unwrap_or(key))
            }
            Self::NothingToRun => None,
            Self::TwoThingsToRun => Some("shell"),
            Self::OwnVariable { .. } => Some("env"),
            Self::ChecksumOfNothing | Self::ChecksumOfMany | Self::NoChecksum { .. } => Some("checksum"),
        }
    }
}
