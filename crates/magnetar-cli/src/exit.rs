//! How the program ends: its exit codes, and what each error means to whoever called it.

use std::{
    fmt,
    io::{self, Write},
    process::ExitCode,
};

use anyhow::Error;
use magnetar::{ErrorKind, ManifestError, checkpoint::CheckpointError};

use crate::{output::style, text::clean_lines};

/// The exit codes, for the help.
pub(crate) const CODES: &str = "\
Exit codes:
    0  it went well
    1  a chunk failed, or the job is stalled
    2  the command line or the manifest is wrong
    3  there is no such store, job or chunk
    4  a conflict: the job runs already, or a chunk stands where this cannot be done
    5  the store cannot be opened or used
    6  the store is damaged, or a newer version wrote it
  130  it was interrupted";

/// What the program's end says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Code {
    /// It went well.
    Ok = 0,
    /// Some chunk failed, or the job is stalled.
    Failed = 1,
    /// The command line or the manifest is wrong.
    Usage = 2,
    /// There is no such store, job or chunk.
    NotFound = 3,
    /// Somebody else got there first, or the state of things does not allow it.
    Conflict = 4,
    /// The store cannot be opened or used.
    Unavailable = 5,
    /// The store is damaged, or a newer version wrote it.
    Corrupt = 6,
    /// It was interrupted.
    Interrupted = 130,
}

impl From<Code> for ExitCode {
    fn from(code: Code) -> Self {
        Self::from(code as u8)
    }
}

/// An error of the command line's own, which knows how the program ends.
#[derive(Debug)]
struct Fault {
    code: Code,
    message: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Fault {}

/// An error that ends the program with this code. The message names the thing and the way out.
pub(crate) fn fault(code: Code, message: impl Into<String>) -> Error {
    Error::new(Fault { code, message: message.into() })
}

/// Tells what went wrong, and how the program ends. A reader that has gone away is no error: `magnetar list | head`.
pub(crate) fn report(error: &Error) -> ExitCode {
    if is_closed_pipe(error) {
        return Code::Ok.into();
    }
    tell("error:", style::BAD, &text_of(error));
    code_of(error).into()
}

/// What an error says, with its causes. A cause that says what was said before is left out, as engines wrap their own errors.
pub(crate) fn text_of(error: &Error) -> String {
    let mut text = String::new();
    let mut last = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if last.is_empty() {
            text.push_str(&cause);
        } else if !last.contains(&cause) && !cause.contains(&last) {
            text.push_str(": ");
            text.push_str(&cause);
        } else {
            continue;
        }
        last = cause;
    }
    text
}

/// Says what may be done next.
pub(crate) fn tell_hint(text: &str) {
    tell("hint:", style::STRONG, text);
}

/// Says what was done, or was not.
pub(crate) fn tell_note(text: &str) {
    tell("note:", style::STRONG, text);
}

pub(crate) fn tell(what: &str, style: anstyle::Style, text: &str) {
    // If nobody hears it, nothing is to be done about that.
    let _ = writeln!(anstream::stderr(), "{style}{what}{style:#} {}", clean_lines(text));
}

fn is_closed_pipe(error: &Error) -> bool {
    error.chain().filter_map(|cause| cause.downcast_ref::<io::Error>()).any(|cause| cause.kind() == io::ErrorKind::BrokenPipe)
}

/// The exit code of an error: what this program said of it, else that of the outermost cause that has one.
pub(crate) fn code_of(error: &Error) -> Code {
    let said = error.downcast_ref::<Fault>().map(|fault| fault.code);
    said.or_else(|| error.chain().find_map(code_of_cause)).unwrap_or(Code::Unavailable)
}

fn code_of_cause(cause: &(dyn std::error::Error + 'static)) -> Option<Code> {
    if let Some(error) = cause.downcast_ref::<magnetar::Error>() {
        return Some(code_of_kind(error.kind()));
    }
    if let Some(error) = cause.downcast_ref::<CheckpointError>() {
        return code_of_checkpoint(error);
    }
    cause.downcast_ref::<ManifestError>().map(|_| Code::Usage)
}

/// None where a cause below says it.
fn code_of_checkpoint(error: &CheckpointError) -> Option<Code> {
    match error {
        CheckpointError::AlreadyLocked { .. } | CheckpointError::Fenced { .. } => Some(Code::Conflict),
        CheckpointError::NotFound { .. } | CheckpointError::Nothing { .. } | CheckpointError::NoJobs { .. } => {
            Some(Code::NotFound)
        }
        CheckpointError::Corrupt { .. } | CheckpointError::AllCorrupt { .. } | CheckpointError::Newer { .. } => {
            Some(Code::Corrupt)
        }
        CheckpointError::TooLarge { .. } => Some(Code::Usage),
        _ => None,
    }
}

fn code_of_kind(kind: ErrorKind) -> Code {
    match kind {
        ErrorKind::Invalid | ErrorKind::TooLarge => Code::Usage,
        ErrorKind::NotFound => Code::NotFound,
        ErrorKind::Conflict
        | ErrorKind::FenceLost
        | ErrorKind::AlreadyApplied
        | ErrorKind::NotAllowed
        | ErrorKind::Blocked
        | ErrorKind::Cycle => Code::Conflict,
        ErrorKind::Corrupt | ErrorKind::Newer => Code::Corrupt,
        _ => Code::Unavailable,
    }
}

#[cfg(test)]
mod tests {
    use anyhow::Context;

    use super::*;

    #[test]
    fn each_kind_of_error_ends_with_its_code() {
        let check = |kind, code| {
            let error = Error::new(magnetar::Error::new(kind, "x")).context("open the store");
            assert_eq!(code_of(&error), code, "{kind:?}");
        };
        check(ErrorKind::Invalid, Code::Usage);
        check(ErrorKind::NotFound, Code::NotFound);
        check(ErrorKind::Conflict, Code::Conflict);
        check(ErrorKind::NotAllowed, Code::Conflict);
        check(ErrorKind::Blocked, Code::Conflict);
        check(ErrorKind::AlreadyOpen, Code::Unavailable);
        check(ErrorKind::Busy, Code::Unavailable);
        check(ErrorKind::Full, Code::Unavailable);
        check(ErrorKind::Corrupt, Code::Corrupt);
        check(ErrorKind::Newer, Code::Corrupt);
    }

    #[test]
    fn what_the_program_says_decides_before_the_cause() {
        let inner = magnetar::Error::new(ErrorKind::Corrupt, "row 3 does not verify");
        let error = Error::new(inner).context(Fault { code: Code::NotFound, message: "no such job".to_owned() });
        assert_eq!(code_of(&error), Code::NotFound);
        let bare: Result<(), _> = Err(io::Error::other("odd")).context("read the manifest");
        assert_eq!(code_of(&bare.unwrap_err()), Code::Unavailable);
    }

    #[test]
    fn error_says_everything_once() {
        let cause = |text: &'static str| magnetar::Error::new(ErrorKind::Backend, text);
        let error = cause("open jobs.db").with_source(cause("no database").with_source(cause("Error code 26: no database")));
        assert_eq!(text_of(&Error::new(error).context("look at it")), "look at it: open jobs.db: no database");
    }

    #[test]
    fn reader_that_went_away_is_no_error() {
        let gone: Error = Error::new(io::Error::from(io::ErrorKind::BrokenPipe)).context("write");
        assert!(is_closed_pipe(&gone));
        assert!(!is_closed_pipe(&Error::msg("else")));
    }
}
