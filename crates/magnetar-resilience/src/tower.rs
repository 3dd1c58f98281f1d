//! Layers for tower services: breaker, limiter and retry, each with a service and a future of its own.
//!
//! Being ready reserves nothing: a place as a probe or a token is taken when the request comes, so a service that was made ready and
//! then dropped takes nothing along. The error of each service is [`Error`](crate::Error) of the one it wraps;
//! [`Error::flatten`](crate::Error::flatten) makes one level of two.

mod breaker;
mod limiter;
mod retry;

pub use self::{
    breaker::{CircuitBreakerFuture, CircuitBreakerLayer, CircuitBreakerService},
    limiter::{RateLimitFuture, RateLimitLayer, RateLimitService},
    retry::{RetryFuture, RetryLayer, RetryService},
};
