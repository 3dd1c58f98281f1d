//! What a result means: for a retry, whether another try helps; for a breaker, whether the service is well.

use std::time::Duration;

/// What an error means.
///
/// | class | another try | for the breaker |
/// |---|---|---|
/// | `Unsent` | yes | failure |
/// | `Transient` | yes, where the operation is idempotent | failure |
/// | `Throttled` | yes, not before the service allows | failure |
/// | `Exhausted` | no | failure |
/// | `Permanent` | no | success: the service answered |
/// | `Rejected` | no | neither: the service was not asked |
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorClass {
    /// The service was not reached: nothing of the request can have been carried out.
    Unsent,
    /// The call failed on the way or in the service, and the request may have been carried out.
    Transient,
    /// The service was reached and refused, because it has too much to do.
    Throttled,
    /// Retries further down were used up. More of them here would multiply.
    Exhausted,
    /// The service answered, and will answer the same again: not found, not allowed, not valid.
    Permanent,
    /// One of our own parts refused: a breaker, a limiter, a pool.
    Rejected,
}

/// An error that knows its class. Implement it for your own errors; for those of others write a [`Classifier`].
pub trait Classify {
    /// What the error means.
    fn class(&self) -> ErrorClass;

    /// How long the service wants to be left alone, where it said so.
    fn retry_after(&self) -> Option<Duration> {
        None
    }
}

/// What a result means, as a [`Classifier`] says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verdict {
    /// The call did what it was to do.
    Success,
    /// It did not.
    Failure {
        /// In which way.
        class: ErrorClass,
        /// How long the service wants to be left alone, where it said so.
        retry_after: Option<Duration>,
    },
}

impl Verdict {
    /// A failure of a class.
    pub fn failure(class: ErrorClass) -> Self {
        Self::Failure { class, retry_after: None }
    }

    /// What an error says of itself.
    pub fn of(error: &impl Classify) -> Self {
        Self::Failure { class: error.class(), retry_after: error.retry_after() }
    }
}

/// Judges results whose error type knows no class, and answers that look fine and are not.
///
/// A closure `Fn(&Result<T, E>) -> Verdict` is one. There is no default for an unknown error: whoever brings one decides.
pub trait Classifier<T, E>: Send + Sync {
    /// What the result means.
    fn verdict(&self, result: &Result<T, E>) -> Verdict;
}

impl<T, E, F: Fn(&Result<T, E>) -> Verdict + Send + Sync> Classifier<T, E> for F {
    fn verdict(&self, result: &Result<T, E>) -> Verdict {
        self(result)
    }
}

/// The classifier of errors that know their class: `Ok` is a success.
#[derive(Clone, Copy, Debug, Default)]
pub struct ByClass;

impl<T, E: Classify> Classifier<T, E> for ByClass {
    fn verdict(&self, result: &Result<T, E>) -> Verdict {
        match result {
            Ok(_) => Verdict::Success,
            Err(error) => Verdict::of(error),
        }
    }
}
