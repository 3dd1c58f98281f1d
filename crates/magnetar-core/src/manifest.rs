//! The manifest of work: a job's options and its chunks, read from TOML, JSON or JSON lines.
//!
//! A document is a table with the job's header and its chunks:
//!
//! ```toml
//! name = "nightly"          # optional; a name of the job's own
//! kind = "report"           # optional; what sort of job it is
//! on_failure = "skip"       # optional; "skip" (default), "hold" or "run"
//!
//! [retry]                   # optional, and so is each key in it
//! retries = 2               # tries after the first
//! max_crashes = 3           # lost leases after which a chunk is given up
//! backoff = "exponential"   # or "linear", or "fixed"
//! first_wait = "1s"         # a duration
//! longest_wait = 60         # a duration
//! jitter = 0.1              # 0.0 to 1.0
//!
//! [[chunks]]                # required, one at least
//! id = 1                    # required, 0 to 9223372036854775807, unique
//! checksum = "abc123"       # optional; what the work is verified against
//! depends_on = [2, 3]       # optional; ids in this manifest
//! payload = "text"          # optional; the worker gets its bytes
//! priority = -5             # optional; -32768 to 32767, larger goes first
//! lane = "gpu"              # optional
//! not_before = "2026-01-31T08:00:00Z"   # optional; or a TOML datetime in UTC, or milliseconds since 1970
//! timeout = "5m"            # optional; a duration
//! retries = 0               # optional; tries after the first, instead of the job's
//! key = "order-7"           # optional; an idempotency key
//! anything = "else"         # kept as `extra`
//! ```
//!
//! A duration is a number of seconds or a text such as "30s" or "1h 30m". A key of the header that is not known is an
//! error; a key of a chunk that is not known is kept. In JSON, `null` stands for a key that was left out. A key that
//! stands twice in one table is an error in both formats.

use std::{fmt, sync::Arc};

use serde::{Deserialize, Deserializer, de};

use crate::{
    chunk::NewChunk,
    error::{Error, ErrorKind},
    job::JobSpec,
    limits,
};

pub use self::{
    error::{ManifestError, Problem},
    lines::Lines,
};

mod chunk;
mod document;
mod error;
mod field;
mod graph;
mod header;
mod ids;
mod lines;
mod text;
mod value;

#[cfg(test)]
mod tests;

/// A manifest that has been checked: no duplicate id, no unknown dependency, no cycle, nothing beyond a limit.
///
/// It holds from 1 to [`limits::MANIFEST_CHUNKS_MAX`] chunks, each with an id. More go through [`Lines`].
///
/// ```
/// use magnetar_core::manifest::{Format, Manifest};
///
/// let manifest = Manifest::parse("[[chunks]]\nid = 1\nchecksum = \"abc123\"\n", Format::Toml)?;
/// assert_eq!(manifest.chunks()[0].checksum.as_deref(), Some("abc123"));
///
/// let error = Manifest::parse("[[chunks]]\nid = 1\ndepends_on = [2]\n", Format::Toml).unwrap_err();
/// assert_eq!(error.to_string(), "chunk 1 (line 1): it depends on chunk 2, which is not in the manifest");
/// # Ok::<(), magnetar_core::ManifestError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Manifest {
    spec: JobSpec,
    chunks: Arc<[NewChunk]>,
}

/// What a manifest is written in. JSON lines are not among them: they are a stream, see [`Lines`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Format {
    /// One TOML document. Its parser holds the whole document as a tree, so large manifests are better written as JSON.
    Toml,
    /// One JSON document.
    Json,
}

impl Manifest {
    /// The manifest of these chunks.
    ///
    /// Dependencies on chunks of other jobs are taken as they are; whether those exist is for the store to say.
    ///
    /// # Errors
    /// See [`Problem`]: no chunk at all, a chunk without an id, an id that stands twice, a dependency that is not in the
    /// manifest, a cycle, or something beyond a limit.
    pub fn new(spec: JobSpec, chunks: Vec<NewChunk>) -> Result<Self, ManifestError> {
        Self::checked(spec, chunks, &|_| None)
    }

    /// Reads a document of at most [`limits::MANIFEST_BYTES_MAX`] bytes. A byte order mark in front is skipped.
    ///
    /// # Errors
    /// See [`Problem`]; the error names the line, counted from 1, and the chunk.
    pub fn parse(text: &str, format: Format) -> Result<Self, ManifestError> {
        text::check_size(text.len())?;
        let text = text.strip_prefix(text::BYTE_ORDER_MARK).unwrap_or(text);
        let draft = match format {
            Format::Toml => document::from_toml(text)?,
            Format::Json => document::from_json(text)?,
        };
        let line_of = |index: usize| draft.offsets.get(index).map(|offset| text::line_at(text, *offset));
        Self::checked(draft.spec, draft.chunks, &line_of)
    }

    /// Reads a document from bytes, as they come from a file.
    ///
    /// # Errors
    /// [`Problem::NotUtf8`] where the bytes are no UTF-8, and all that [`Manifest::parse`] refuses.
    pub fn parse_bytes(bytes: &[u8], format: Format) -> Result<Self, ManifestError> {
        text::check_size(bytes.len())?;
        Self::parse(text::from_utf8(bytes)?, format)
    }

    /// What the job is made of.
    pub fn spec(&self) -> &JobSpec {
        &self.spec
    }

    /// The chunks, in the order in which they stand in the manifest.
    pub fn chunks(&self) -> &[NewChunk] {
        &self.chunks
    }

    /// The chunks, shared.
    pub(crate) fn shared_chunks(&self) -> Arc<[NewChunk]> {
        Arc::clone(&self.chunks)
    }

    /// The one way to make a manifest. `line_of` tells the line of the chunk at an index, where there are lines.
    fn checked(spec: JobSpec, chunks: Vec<NewChunk>, line_of: &dyn Fn(usize) -> Option<usize>) -> Result<Self, ManifestError> {
        spec.check().map_err(Problem::Rejected)?;
        if chunks.is_empty() {
            return Err(Problem::NoChunks.into());
        }
        if chunks.len() > limits::MANIFEST_CHUNKS_MAX {
            return Err(Problem::TooManyChunks { max: limits::MANIFEST_CHUNKS_MAX }.into());
        }
        for (index, chunk) in chunks.iter().enumerate() {
            chunk::check(chunk).map_err(|error| error.of_position(index + 1).on_line(line_of(index)))?;
        }
        graph::check(&chunks, line_of)?;
        Ok(Self { spec, chunks: chunks.into() })
    }
}

impl TryFrom<toml::Value> for Manifest {
    type Error = ManifestError;

    /// Reads a manifest from a TOML value, which has no lines any more: errors name the chunk.
    fn try_from(value: toml::Value) -> Result<Self, Self::Error> {
        let draft = document::from_toml_value(value)?;
        Self::checked(draft.spec, draft.chunks, &|_| None)
    }
}

/// Reads a manifest from any self-describing format, `toml::from_str` and `serde_json::from_str` among them.
///
/// The error is the format's own, with the message of the [`ManifestError`]. [`Manifest::parse`] gives a typed error
/// that names the line.
impl<'de> Deserialize<'de> for Manifest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let draft = document::from_any(deserializer)?;
        Self::checked(draft.spec, draft.chunks, &|_| None).map_err(de::Error::custom)
    }
}

impl From<ManifestError> for Error {
    /// `TooLarge` for what is beyond a limit, `Invalid` for everything else.
    fn from(error: ManifestError) -> Self {
        let kind = if error.problem().is_too_large() { ErrorKind::TooLarge } else { ErrorKind::Invalid };
        Self::new(kind, &error).with_source(error)
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Toml => "TOML",
            Self::Json => "JSON",
        })
    }
}
