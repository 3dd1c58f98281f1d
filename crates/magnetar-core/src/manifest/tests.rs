//! What a manifest says and what it refuses, in both formats and as JSON lines.

use super::{Format, Lines, Manifest, ManifestError, Problem};

mod limits;
mod random;
mod reading;
mod refusals;

fn toml(text: &str) -> Result<Manifest, ManifestError> {
    Manifest::parse(text, Format::Toml)
}

fn json(text: &str) -> Result<Manifest, ManifestError> {
    Manifest::parse(text, Format::Json)
}

/// Checks the whole message of the error.
fn refused(outcome: Result<Manifest, ManifestError>, message: &str) {
    assert_eq!(outcome.unwrap_err().to_string(), message);
}
