//! JSON lines: chunks read as a stream, one a line, so that a manifest need not fit into memory.

use std::{
    io::{BufRead, Read},
    iter::FusedIterator,
    mem,
};

use super::{ManifestError, Problem, chunk, document, header, ids::IdSet, text, value::Loose};
use crate::{chunk::NewChunk, job::JobSpec, limits};

#[cfg(test)]
mod tests;

/// The key of the header's line.
const HEADER: &str = "manifest";

/// A stream of chunks written as JSON lines: up to [`limits::MANIFEST_LINES_MAX`] of them.
///
/// Each line is a chunk as in a document, at most [`limits::MANIFEST_LINE_BYTES_MAX`] bytes long. Blank lines are
/// skipped. A first line `{"manifest": {"name": …, "kind": …, "on_failure": …, "retry": …}}` is the job's header. A
/// chunk may depend on chunks of earlier lines only, so a stream has no cycle. A stream without chunks is no error.
///
/// Of the chunks that went by only the ids are held: nothing for ids that follow each other, and no more than about
/// 115 MB for ten million that do not.
///
/// The iterator ends after its first error. This is what [`JobStore::init_from_stream`](crate::JobStore::init_from_stream) takes.
///
/// ```
/// use magnetar_core::manifest::Lines;
///
/// let text = "{\"manifest\": {\"name\": \"nightly\"}}\n{\"id\": 1}\n{\"id\": 2, \"depends_on\": [1]}\n";
/// let mut lines = Lines::new(text.as_bytes());
/// assert_eq!(lines.spec()?.name.as_deref(), Some("nightly"));
/// assert_eq!(lines.collect::<Result<Vec<_>, _>>()?.len(), 2);
/// # Ok::<(), magnetar_core::ManifestError>(())
/// ```
#[derive(Debug)]
pub struct Lines<R> {
    reader: R,
    /// The line that is in the buffer, counted from 1.
    line: usize,
    buffer: Vec<u8>,
    chunks: usize,
    seen: IdSet,
    /// What the first line said; none until it has been read.
    spec: Option<Result<JobSpec, ManifestError>>,
    /// Whether the buffer holds a chunk that has not been handed out, because it was read in search of a header.
    is_waiting: bool,
    has_ended: bool,
}

impl<R: BufRead> Lines<R> {
    /// The chunks of a reader. Nothing is read yet.
    pub fn new(reader: R) -> Self {
        Self {
            reader,
            line: 0,
            buffer: Vec::new(),
            chunks: 0,
            seen: IdSet::new(),
            spec: None,
            is_waiting: false,
            has_ended: false,
        }
    }

    /// The job of the header, or the default where the first line is none. Reads no further than the first line.
    ///
    /// # Errors
    /// See [`Problem`]. The iterator has the same error, once: whoever asks for no header does not miss it.
    pub fn spec(&mut self) -> Result<JobSpec, ManifestError> {
        self.read_first_line();
        self.spec.clone().unwrap_or_else(|| Ok(JobSpec::default()))
    }

    fn read_first_line(&mut self) {
        if self.spec.is_none() {
            self.spec = Some(self.header());
        }
    }

    /// Reads the first line. If it is a chunk, that is left in the buffer.
    fn header(&mut self) -> Result<JobSpec, ManifestError> {
        if !self.advance()? {
            return Ok(JobSpec::default());
        }
        let (mut value, problem) = self.value()?.open(None);
        let Some(header) = value.as_object_mut().and_then(|keys| keys.remove(HEADER)) else {
            self.is_waiting = true;
            return Ok(JobSpec::default());
        };
        let other_key = value.as_object().and_then(|keys| keys.keys().next());
        let problem = problem.or_else(|| other_key.map(|key| header::unknown(key, "", header::LINE_KEYS)));
        problem.map_or_else(|| header::read(header), Err).map_err(|problem| self.here(problem.into()))
    }

    fn step(&mut self) -> Result<Option<NewChunk>, ManifestError> {
        self.read_first_line();
        if let Some(Err(error)) = &self.spec {
            return Err(error.clone());
        }
        if !mem::take(&mut self.is_waiting) && !self.advance()? {
            return Ok(None);
        }
        let loose = self.value()?;
        self.chunk(loose).map(Some).map_err(|error| self.here(error))
    }

    fn chunk(&mut self, loose: Loose) -> Result<NewChunk, ManifestError> {
        if self.chunks >= limits::MANIFEST_LINES_MAX {
            return Err(Problem::TooManyLines { max: limits::MANIFEST_LINES_MAX }.into());
        }
        let chunk = chunk::read(loose).map_err(|error| self.explained(error))?;
        let id = chunk::check(&chunk)?;
        let of_chunk = |problem| ManifestError::from(problem).of_chunk(Some(id));
        if let Some(on) = chunk.depends_on.iter().find(|on| !self.seen.contains(**on)) {
            return Err(of_chunk(Problem::LaterDependency { on: *on }));
        }
        if !self.seen.insert(id) {
            return Err(of_chunk(Problem::DuplicateId { first_line: None }));
        }
        self.chunks += 1;
        Ok(chunk)
    }

    /// Reads the next line that is not blank into the buffer. Returns whether there was one.
    fn advance(&mut self) -> Result<bool, ManifestError> {
        // The longest line and its end, `\r\n` at most: what does not end there is too long, and is not read further.
        let bytes_max = limits::MANIFEST_LINE_BYTES_MAX as u64 + 2;
        loop {
            self.buffer.clear();
            self.line += 1;
            let read = self.reader.by_ref().take(bytes_max).read_until(b'\n', &mut self.buffer);
            if read.map_err(|error| self.here(Problem::Io { message: error.to_string() }.into()))? == 0 {
                return Ok(false);
            }
            let end = self.buffer.iter().rposition(|byte| !matches!(byte, b'\n' | b'\r')).map_or(0, |last| last + 1);
            self.buffer.truncate(end);
            if end > limits::MANIFEST_LINE_BYTES_MAX {
                return Err(self.here(Problem::LineTooLong { max: limits::MANIFEST_LINE_BYTES_MAX }.into()));
            }
            if !self.buffer.trim_ascii().is_empty() {
                return Ok(true);
            }
        }
    }

    /// The value of the line in the buffer.
    fn value(&self) -> Result<Loose, ManifestError> {
        // Not the line that the bytes count, which is always their first.
        let text = std::str::from_utf8(&self.buffer)
            .map_err(|error| self.here(Problem::NotUtf8 { byte: error.valid_up_to() }.into()))?;
        let text = if self.line == 1 { text.strip_prefix(text::BYTE_ORDER_MARK).unwrap_or(text) } else { text };
        serde_json::from_str(text).map_err(|error| document::json_error(&error, self.line))
    }

    /// The same error, or that about a header where a chunk should be.
    fn explained(&self, error: ManifestError) -> ManifestError {
        let is_header = || self.value().is_ok_and(|loose| loose.open(None).0.get(HEADER).is_some());
        if *error.problem() == Problem::IdMissing && is_header() { Problem::LateHeader.into() } else { error }
    }

    fn here(&self, error: ManifestError) -> ManifestError {
        error.on_line(Some(self.line))
    }
}

impl<R: BufRead> Iterator for Lines<R> {
    type Item = Result<NewChunk, ManifestError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.has_ended {
            return None;
        }
        let next = self.step().transpose();
        self.has_ended = !matches!(next, Some(Ok(_)));
        next
    }
}

impl<R: BufRead> FusedIterator for Lines<R> {}
