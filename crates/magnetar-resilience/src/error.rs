//! What can go wrong: the plain error of the contract, and the builder's complaint.

use std::{error::Error as StdError, fmt, sync::Arc, time::Duration};

use crate::classify::{Classify, ErrorClass};

/// The error of calls whose own error type does not matter: what [`call`](crate::CircuitBreaker::call),
/// [`execute`](crate::CircuitBreaker::execute) and a pool speak.
///
/// A caller builds the variants too, to say how an operation ended. [`Classify`] tells what each means for a retry and a breaker.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ResilienceError {
    /// The breaker lets nothing through; nothing was run.
    #[error("circuit breaker is open, nothing was called")]
    CircuitOpen,
    /// Too many wait for a connection already.
    #[error("connection pool is exhausted, and as many wait for it as may")]
    PoolExhausted,
    /// The limiter has nothing to give now.
    #[error("rate limit exceeded")]
    RateLimitExceeded,
    /// The operation failed, and may succeed a little later.
    #[error("transient failure: {0}")]
    Transient(String),
    /// The service answered, and will answer the same again.
    #[error("permanent failure: {0}")]
    Permanent(String),
    /// A connection could not be made.
    #[error("connection could not be made: {0}")]
    ConnectionCreation(String),
    /// A connection did not pass its check.
    #[error("connection is unhealthy: {0}")]
    UnhealthyConnection(String),
    /// It took longer than this.
    #[error("timed out after {0:?}")]
    Timeout(Duration),
    /// The call failed, and so did as many retries as were allowed.
    #[error("gave up after {0} retries")]
    MaxRetriesExceeded(usize),
    /// The service asked for fewer calls.
    #[error("service is throttling: {message}")]
    Throttled {
        /// What it said.
        message: String,
        /// How long it wants to be left alone, where it said so.
        retry_after: Option<Duration>,
    },
    /// The pool was closed.
    #[error("connection pool is closed")]
    Closed,
    /// An error of another library, kept whole.
    #[error("{cause}")]
    Foreign {
        /// What it means for a retry and a breaker.
        class: ErrorClass,
        /// The error.
        #[source]
        cause: Cause,
    },
}

impl ResilienceError {
    /// An error of another library, kept whole, with what it means.
    pub fn foreign(class: ErrorClass, cause: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self::Foreign { class, cause: Cause(Arc::from(cause.into())) }
    }

    /// Whether the same call may succeed a little later.
    pub fn is_transient(&self) -> bool {
        matches!(self.class(), ErrorClass::Unsent | ErrorClass::Transient | ErrorClass::Throttled)
    }
}

impl Classify for ResilienceError {
    fn class(&self) -> ErrorClass {
        match self {
            Self::CircuitOpen | Self::PoolExhausted | Self::RateLimitExceeded | Self::Closed => ErrorClass::Rejected,
            Self::Transient(_) | Self::UnhealthyConnection(_) | Self::Timeout(_) => ErrorClass::Transient,
            Self::ConnectionCreation(_) => ErrorClass::Unsent,
            Self::Permanent(_) => ErrorClass::Permanent,
            Self::MaxRetriesExceeded(_) => ErrorClass::Exhausted,
            Self::Throttled { .. } => ErrorClass::Throttled,
            Self::Foreign { class, .. } => *class,
        }
    }

    fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Throttled { retry_after, .. } => *retry_after,
            _ => None,
        }
    }
}

/// An error of another library, shared so that the error which carries it can be cloned. Two are equal if they are one.
#[derive(Clone)]
pub struct Cause(Arc<dyn StdError + Send + Sync>);

impl Cause {
    /// The error itself, to look into.
    pub fn error(&self) -> &(dyn StdError + Send + Sync + 'static) {
        &*self.0
    }
}

impl PartialEq for Cause {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl fmt::Debug for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl StdError for Cause {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source()
    }
}

/// A setting that cannot be meant. Builders return it; the plain constructors use the nearest setting that can be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{setting} {problem}")]
pub struct ConfigError {
    setting: &'static str,
    problem: String,
}

impl ConfigError {
    /// The setting, by the name of its field or of its builder's method.
    pub fn setting(&self) -> &'static str {
        self.setting
    }

    pub(crate) fn new(setting: &'static str, problem: impl Into<String>) -> Self {
        Self { setting, problem: problem.into() }
    }

    /// Refuses a number outside of what may be.
    pub(crate) fn range(setting: &'static str, value: usize, min: usize, max: usize) -> Result<(), Self> {
        if (min..=max).contains(&value) {
            return Ok(());
        }
        Err(Self::new(setting, format!("must be from {min} to {max}, and is {value}")))
    }

    /// Refuses a share that is none: it must be above 0 and at most 1.
    pub(crate) fn share(setting: &'static str, value: f64) -> Result<(), Self> {
        if value > 0.0 && value <= 1.0 {
            return Ok(());
        }
        Err(Self::new(setting, format!("must be above 0 and at most 1, and is {value}")))
    }

    /// Refuses a factor that would shrink what it multiplies, or is no number.
    pub(crate) fn growth(setting: &'static str, value: f64) -> Result<(), Self> {
        if value.is_finite() && value >= 1.0 {
            return Ok(());
        }
        Err(Self::new(setting, format!("must be a finite number from 1 up, and is {value}")))
    }

    /// Refuses a duration of zero.
    pub(crate) fn positive(setting: &'static str, value: Duration) -> Result<(), Self> {
        if !value.is_zero() {
            return Ok(());
        }
        Err(Self::new(setting, "must be longer than zero"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_error_is_kept_whole() {
        let error = ResilienceError::foreign(ErrorClass::Throttled, std::io::Error::other("slow down"));
        assert_eq!(error.to_string(), "slow down");
        assert_eq!(error.class(), ErrorClass::Throttled);
        assert_eq!(error.clone(), error);
        let ResilienceError::Foreign { cause, .. } = &error else { panic!("{error:?}") };
        assert!(cause.error().downcast_ref::<std::io::Error>().is_some());
    }

    #[test]
    fn complaint_names_the_setting_and_the_way_out() {
        let error = ConfigError::range("max_size", 0, 1, 10).unwrap_err();
        assert_eq!(error.to_string(), "max_size must be from 1 to 10, and is 0");
        let error = ConfigError::growth("backoff_multiplier", f64::NAN).unwrap_err();
        assert_eq!(error.to_string(), "backoff_multiplier must be a finite number from 1 up, and is NaN");
        for share in [0.0, -0.1, 1.1, f64::NAN] {
            assert!(ConfigError::share("failure_rate", share).is_err(), "{share}");
        }
    }
}
