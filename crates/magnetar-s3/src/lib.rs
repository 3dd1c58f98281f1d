//! S3 under the resilience stack: clients that do not retry by themselves, a pool of connections with one socket each, and what an error of
//! the AWS SDK means for a retry and a breaker.
//!
//! | part | what it does |
//! |---|---|
//! | [`S3Factory`] | makes clients: connections for a pool, or one for all |
//! | [`S3Connection`] | a client with one socket of its own |
//! | [`S3Error`] | an error of the SDK with its class, and how long the service wants to be left alone |
//!
//! Who retries, where the timeouts are and what is classified how: `docs/resilience.md`.

mod acknowledged;
mod builder;
mod class;
mod config_error;
mod connection;
mod error;
mod factory;
mod hint;
mod socket;
mod transport;

pub use aws_sdk_s3;
#[doc(no_inline)]
pub use aws_sdk_s3::config::Credentials;

pub use crate::{builder::S3Builder, config_error::S3ConfigError, connection::S3Connection, error::S3Error, factory::S3Factory};
