//! The statuses that a chunk can be in.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// Where a chunk stands. Printed in lower case, read in any case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum JobStatus {
    /// Waits: ready to be claimed, delayed until a time, or blocked by a dependency.
    Pending,
    /// Claimed by a session that holds a lease on it.
    Processing,
    /// Ended well.
    Done,
    /// Ended badly: its failures or its crashes have used up their budget, or it was marked so.
    Failed,
    /// Never ran, because something it depends on ended badly.
    Skipped,
    /// Ended by whoever called it off.
    Cancelled,
}

impl JobStatus {
    /// Every status, in the order in which they are printed.
    pub const ALL: [Self; 6] = [Self::Pending, Self::Processing, Self::Done, Self::Failed, Self::Skipped, Self::Cancelled];

    /// The name, in lower case.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Processing => "processing",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
            Self::Cancelled => "cancelled",
        }
    }

    /// Whether the chunk has ended: Done, Failed, Skipped or Cancelled.
    pub const fn is_terminal(self) -> bool {
        !matches!(self, Self::Pending | Self::Processing)
    }

    /// Whether the chunk has ended otherwise than Done.
    pub const fn is_bad(self) -> bool {
        matches!(self, Self::Failed | Self::Skipped | Self::Cancelled)
    }
}

impl fmt::Display for JobStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A text that names no status.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no status; there are pending, processing, done, failed, skipped and cancelled")]
pub struct UnknownStatus(String);

impl FromStr for JobStatus {
    type Err = UnknownStatus;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|status| status.name().eq_ignore_ascii_case(text))
            .ok_or_else(|| UnknownStatus(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn status_reads_what_it_prints_in_any_case() {
        for status in JobStatus::ALL {
            assert_eq!(status.to_string().to_uppercase().parse(), Ok(status));
        }
        assert!("dead".parse::<JobStatus>().unwrap_err().to_string().contains("dead"));
    }
}
