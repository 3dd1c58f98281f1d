//! How a call of any error type ends: the generic counterpart of [`ResilienceError`].

use std::{error::Error as StdError, fmt, time::Duration};

use crate::{
    classify::{Classify, ErrorClass},
    error::ResilienceError,
    pool::AcquireError,
};

/// The error of the generic calls, which keep the operation's own error `E` whole.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Error<E> {
    /// One of our own parts refused; the operation was not run.
    Rejected(Rejection),
    /// Something took too long.
    Timeout {
        /// What took too long.
        phase: Phase,
        /// The limit that passed.
        after: Duration,
    },
    /// A connection could not be made.
    Connection(ResilienceError),
    /// Every attempt failed.
    Exhausted {
        /// How often the operation was tried.
        attempts: usize,
        /// How the last attempt ended.
        last: Box<Error<E>>,
    },
    /// The operation's own error.
    Inner(E),
}

impl<E> Error<E> {
    /// The operation's own error, where there is one, however deep.
    pub fn into_inner(self) -> Option<E> {
        match self {
            Self::Inner(inner) => Some(inner),
            Self::Exhausted { last, .. } => last.into_inner(),
            Self::Rejected(_) | Self::Timeout { .. } | Self::Connection(_) => None,
        }
    }
}

// By hand: a derive would ask for `Display` of the type that is being derived for.
impl<E: fmt::Display> fmt::Display for Error<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rejected(rejection) => rejection.fmt(f),
            Self::Timeout { phase, after } => write!(f, "{phase} timed out after {after:?}"),
            Self::Exhausted { attempts, last } => write!(f, "gave up after {attempts} attempts: {last}"),
            Self::Connection(error) => error.fmt(f),
            Self::Inner(inner) => inner.fmt(f),
        }
    }
}

impl<E: StdError> StdError for Error<E> {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            Self::Inner(inner) => inner.source(),
            Self::Connection(error) => error.source(),
            Self::Exhausted { last, .. } => last.source(),
            Self::Rejected(_) | Self::Timeout { .. } => None,
        }
    }
}

impl<E> Error<Error<E>> {
    /// One level instead of two, for layers that are stacked.
    pub fn flatten(self) -> Error<E> {
        match self {
            Self::Inner(inner) => inner,
            Self::Rejected(rejection) => Error::Rejected(rejection),
            Self::Timeout { phase, after } => Error::Timeout { phase, after },
            Self::Connection(error) => Error::Connection(error),
            Self::Exhausted { attempts, last } => Error::Exhausted { attempts, last: Box::new(last.flatten()) },
        }
    }
}

impl<E: Classify> Classify for Error<E> {
    fn class(&self) -> ErrorClass {
        match self {
            Self::Timeout { phase: Phase::Attempt | Phase::Total, .. } => ErrorClass::Transient,
            Self::Timeout { phase: Phase::Dial | Phase::Check, .. } => ErrorClass::Unsent,
            Self::Connection(error) => error.class(),
            Self::Rejected(_) | Self::Timeout { .. } => ErrorClass::Rejected,
            Self::Exhausted { .. } => ErrorClass::Exhausted,
            Self::Inner(inner) => inner.class(),
        }
    }

    fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Inner(inner) => inner.retry_after(),
            Self::Connection(error) => error.retry_after(),
            _ => None,
        }
    }
}

impl From<Error<Self>> for ResilienceError {
    fn from(error: Error<Self>) -> Self {
        match error {
            Error::Rejected(rejection) => rejection.into(),
            Error::Timeout { after, .. } => Self::Timeout(after),
            Error::Exhausted { attempts, .. } => Self::MaxRetriesExceeded(attempts.saturating_sub(1)),
            Error::Connection(error) | Error::Inner(error) => error,
        }
    }
}

impl<E> From<AcquireError> for Error<E> {
    fn from(error: AcquireError) -> Self {
        match error {
            AcquireError::Timeout { phase, after, .. } => Self::Timeout { phase, after },
            AcquireError::Exhausted { waiters } => Self::Rejected(Rejection::PoolExhausted { waiters }),
            AcquireError::Closed => Self::Rejected(Rejection::Closed),
            AcquireError::Dial(error) => Self::Connection(error),
        }
    }
}

/// Which of our own parts refused. It says nothing about the service that was to be called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Rejection {
    /// The breaker lets nothing through.
    #[error("circuit breaker is open, nothing was called")]
    CircuitOpen {
        /// How long until it may let a probe through; zero where others probe already.
        retry_after: Duration,
    },
    /// The limiter has nothing to give now, or never has that much.
    #[error("rate limit exceeded")]
    RateLimited {
        /// How long until it has; none where it never will.
        retry_after: Option<Duration>,
    },
    /// As many wait for a connection as may.
    #[error("connection pool is exhausted, and {waiters} wait for it already")]
    PoolExhausted {
        /// How many wait.
        waiters: usize,
    },
    /// The pool was closed.
    #[error("connection pool is closed")]
    Closed,
}

impl From<Rejection> for ResilienceError {
    fn from(rejection: Rejection) -> Self {
        match rejection {
            Rejection::CircuitOpen { .. } => Self::CircuitOpen,
            Rejection::RateLimited { .. } => Self::RateLimitExceeded,
            Rejection::PoolExhausted { .. } => Self::PoolExhausted,
            Rejection::Closed => Self::Closed,
        }
    }
}

/// What a time ran out on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Phase {
    /// The whole call, retries and waits included.
    Total,
    /// One attempt of the operation.
    Attempt,
    /// The wait for the limiter.
    Limiter,
    /// The wait for a connection that others hold.
    Wait,
    /// The making of a connection.
    Dial,
    /// The check of a connection that was idle for long.
    Check,
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Total => "the call with its retries",
            Self::Attempt => "the attempt",
            Self::Limiter => "the wait for the rate limiter",
            Self::Wait => "the wait for a connection",
            Self::Dial => "the making of a connection",
            Self::Check => "the check of a connection",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stacked_errors_become_one_level() {
        let inner: Error<Error<u8>> = Error::Exhausted {
            attempts: 4,
            last: Box::new(Error::Inner(Error::Timeout { phase: Phase::Attempt, after: Duration::ZERO })),
        };
        assert_eq!(
            inner.flatten(),
            Error::Exhausted { attempts: 4, last: Box::new(Error::Timeout { phase: Phase::Attempt, after: Duration::ZERO }) }
        );
        assert_eq!(Error::<Error<u8>>::Inner(Error::Inner(3)).flatten().into_inner(), Some(3));
    }

    #[test]
    fn whole_error_becomes_the_plain_one() {
        let last = Box::new(Error::Inner(ResilienceError::Transient("reset".to_owned())));
        let error = ResilienceError::from(Error::Exhausted { attempts: 4, last });
        assert_eq!(error, ResilienceError::MaxRetriesExceeded(3));
        let error = ResilienceError::from(Error::Timeout { phase: Phase::Attempt, after: Duration::from_secs(2) });
        assert_eq!(error, ResilienceError::Timeout(Duration::from_secs(2)));
    }

    #[test]
    fn message_names_what_took_too_long() {
        let error: Error<ResilienceError> = Error::Timeout { phase: Phase::Dial, after: Duration::from_secs(2) };
        assert_eq!(error.to_string(), "the making of a connection timed out after 2s");
    }
}
