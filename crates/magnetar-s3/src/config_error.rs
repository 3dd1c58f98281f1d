//! The complaint of a builder.

use aws_sdk_s3::error::BoxError;

/// A setting that cannot be meant, or an HTTP client that could not be made. It does not repeat the setting's value.
#[derive(Debug, thiserror::Error)]
#[error("{setting} {problem}")]
pub struct S3ConfigError {
    setting: &'static str,
    problem: &'static str,
    source: Option<BoxError>,
}

impl S3ConfigError {
    /// The setting, by the name of its builder's method.
    pub fn setting(&self) -> &'static str {
        self.setting
    }

    pub(crate) fn new(setting: &'static str, problem: &'static str) -> Self {
        Self { setting, problem, source: None }
    }
}

impl From<BoxError> for S3ConfigError {
    fn from(source: BoxError) -> Self {
        Self { setting: "HTTP client", problem: "could not be made", source: Some(source) }
    }
}
