//! What came of a command.

use std::{fmt, time::Duration};

use serde::{Deserialize, Serialize};

use super::tail::Tail;

/// What came of one command.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Outcome {
    /// How it ended.
    pub(crate) end: End,
    /// How long it ran.
    pub(crate) elapsed: Duration,
    /// The most memory that it, or a process that it waited for, had at once. Not below what the supervisor itself has, which
    /// is a few MiB: the system counts from the moment before the program is loaded.
    pub(crate) peak_bytes: u64,
    /// The end of what it printed.
    pub(crate) stdout: Tail,
    /// The end of what it printed as errors.
    pub(crate) stderr: Tail,
}

/// How a command ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum End {
    /// It ended by itself with this code.
    Exited(i32),
    /// This signal ended it.
    Signalled(i32),
    /// Its time was over, and it was killed.
    TimedOut(Duration),
    /// It was killed because `magnetar run` said so.
    Stopped,
    /// It could not be started.
    NotStarted {
        /// Why.
        error: String,
        /// Whether another try would end the same way.
        is_permanent: bool,
    },
    /// The supervisor was killed, and took the command with it.
    Lost,
}

impl Outcome {
    /// The outcome of a command that has never run, or of which nothing more is known.
    pub(crate) fn bare(end: End) -> Self {
        Self { end, elapsed: Duration::ZERO, peak_bytes: 0, stdout: Tail::default(), stderr: Tail::default() }
    }

    /// Whether the command did what it was to do.
    pub(crate) fn is_success(&self) -> bool {
        self.end == End::Exited(0)
    }
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exited(code) => write!(f, "exit code {code}"),
            Self::Signalled(signal) => match signal_name(*signal) {
                Some(name) => write!(f, "killed by {name}"),
                None => write!(f, "killed by signal {signal}"),
            },
            Self::TimedOut(timeout) => write!(f, "timed out after {}", humantime::format_duration(*timeout)),
            Self::Stopped => f.write_str("stopped"),
            Self::NotStarted { error, .. } => f.write_str(error),
            Self::Lost => f.write_str("its supervisor was killed, maybe by the command itself"),
        }
    }
}

/// The name of a signal whose number is the same on all systems.
fn signal_name(signal: i32) -> Option<&'static str> {
    Some(match signal {
        1 => "SIGHUP",
        2 => "SIGINT",
        3 => "SIGQUIT",
        4 => "SIGILL",
        6 => "SIGABRT",
        8 => "SIGFPE",
        9 => "SIGKILL",
        11 => "SIGSEGV",
        13 => "SIGPIPE",
        14 => "SIGALRM",
        15 => "SIGTERM",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn end_reads_well() {
        let check = |end: End, expected: &str| assert_eq!(end.to_string(), expected);
        check(End::Exited(3), "exit code 3");
        check(End::Signalled(9), "killed by SIGKILL");
        check(End::Signalled(64), "killed by signal 64");
        check(End::TimedOut(Duration::from_millis(1500)), "timed out after 1s 500ms");
    }
}
