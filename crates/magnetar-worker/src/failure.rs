//! What a handler returns when its work is not done.

use std::{error::Error, fmt};

use magnetar_core::{Op, Until};

use crate::completion::put;

/// The end of an attempt that is not Done: it failed, or the chunk is given back.
///
/// Every error and every text turns into one that is tried again by the chunk's policy, so `?` works in a handler. Its text is
/// that of the error and of everything below it.
///
/// It is no [`std::error::Error`] itself, so that every other error can turn into it.
///
/// ```
/// use magnetar_worker::Failure;
///
/// fn parse(text: &str) -> Result<u64, Failure> {
///     Ok(text.parse()?)
/// }
/// assert_eq!(parse("x").unwrap_err().to_string(), "invalid digit found in string");
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Failure {
    pub(crate) verdict: Verdict,
    pub(crate) ops: Vec<Op>,
}

/// What becomes of the chunk.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Verdict {
    /// It counts as a failure, and is tried again while budget is left.
    Retry(String),
    /// It ends as Failed, whatever budget remains.
    GiveUp(String),
    /// It is given back at no cost.
    Release,
    /// It is given back at no cost until something happens.
    Park(Until),
}

impl Failure {
    /// Counts as a failure; the chunk is tried again while budget is left. What [`From`] makes of errors and texts.
    pub fn new(error: impl fmt::Display) -> Self {
        Self::of(Verdict::Retry(error.to_string()))
    }

    /// Ends the chunk as Failed, whatever budget remains: another try would end the same way.
    pub fn permanent(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::of(Verdict::GiveUp(chain(&*error.into())))
    }

    /// Gives the chunk back at no cost; it is ready at once, for any worker.
    pub fn release() -> Self {
        Self::of(Verdict::Release)
    }

    /// Gives the chunk back at no cost until an instant, or until other chunks have ended.
    pub fn park(until: Until) -> Self {
        Self::of(Verdict::Park(until))
    }

    /// The same, writing this record in the same group, whatever stood there before.
    #[must_use]
    pub fn record(self, space: impl Into<String>, key: impl Into<Vec<u8>>, value: impl Into<Vec<u8>>) -> Self {
        self.with(put(space.into(), key.into(), value.into()))
    }

    /// The same, with another op in the same group, behind the end. Where the store refuses the op, the failure is written
    /// without any of them.
    #[must_use]
    pub fn with(mut self, op: Op) -> Self {
        self.ops.push(op);
        self
    }

    fn of(verdict: Verdict) -> Self {
        Self { verdict, ops: Vec::new() }
    }
}

impl<E: Into<Box<dyn Error + Send + Sync>>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::of(Verdict::Retry(chain(&*error.into())))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.verdict {
            Verdict::Retry(error) | Verdict::GiveUp(error) => f.write_str(error),
            Verdict::Release => f.write_str("given back"),
            Verdict::Park(Until::At(at)) => write!(f, "given back until {at}"),
            Verdict::Park(Until::Ended(chunks)) => write!(f, "given back until {} chunks have ended", chunks.len()),
        }
    }
}

/// The text of an error and of everything below it.
pub(crate) fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut below = error.source();
    while let Some(cause) = below {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        below = cause.source();
    }
    text
}
