//! The manifest of work: a job's options and its chunks, read from TOML, JSON or JSON lines.

use std::sync::Arc;

use crate::{
    chunk::NewChunk,
    error::{Error, ErrorKind},
    job::JobSpec,
};

/// A manifest that has been checked: no duplicate id, no unknown dependency, no cycle, nothing beyond a limit.
#[derive(Clone, Debug, PartialEq)]
pub struct Manifest {
    spec: JobSpec,
    chunks: Arc<[NewChunk]>,
}

impl Manifest {
    /// What the job is made of.
    pub fn spec(&self) -> &JobSpec {
        &self.spec
    }

    /// The chunks.
    pub fn chunks(&self) -> &[NewChunk] {
        &self.chunks
    }

    /// The chunks, shared.
    pub(crate) fn shared_chunks(&self) -> Arc<[NewChunk]> {
        Arc::clone(&self.chunks)
    }
}

/// Why a text is no manifest.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("to be written")]
pub struct ManifestError;

impl From<ManifestError> for Error {
    fn from(error: ManifestError) -> Self {
        Self::new(ErrorKind::Invalid, &error).with_source(error)
    }
}
