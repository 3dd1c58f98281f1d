//! Why something is no manifest, and where.

use std::fmt;

use crate::{error::Rejection, id::ChunkId};

/// Ids that the message about a cycle names.
const CYCLE_IDS_SHOWN: usize = 10;

/// Why a text is no manifest: the [`Problem`], and the line and the chunk where it was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ManifestError {
    // Boxed, so that a result with it stays small.
    problem: Box<Problem>,
    line: Option<usize>,
    chunk: Option<ChunkId>,
    position: Option<usize>,
}

/// What is wrong with a manifest.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// The text is not in the format it was said to be in, or its outermost value is no table.
    #[error("{message}")]
    Syntax {
        /// What the parser of the format says.
        message: String,
    },
    /// The bytes are no UTF-8.
    #[error("the text stops being UTF-8 at byte {byte}; save it as UTF-8")]
    NotUtf8 {
        /// The first byte that is not, counted from 0: within the document, or within the line for JSON lines.
        byte: usize,
    },
    /// The stream could not be read.
    #[error("it cannot be read: {message}")]
    Io {
        /// What the reader says.
        message: String,
    },
    /// The document is too large.
    #[error(
        "a document of {size} bytes is beyond the limit of {max}; write the chunks as JSON lines, which are read as a stream"
    )]
    DocumentTooLarge {
        /// Its size in bytes.
        size: usize,
        /// The limit in bytes.
        max: usize,
    },
    /// The document holds too many chunks.
    #[error("there are more than {max} chunks, the limit of one document; write them as JSON lines, which are read as a stream")]
    TooManyChunks {
        /// The limit.
        max: usize,
    },
    /// The stream of JSON lines holds too many chunks.
    #[error("there are more than {max} chunks, the limit of one stream; split them over several jobs")]
    TooManyLines {
        /// The limit.
        max: usize,
    },
    /// A line of JSON lines is too long.
    #[error("the line is longer than {max} bytes; a chunk must stand on a line of its own")]
    LineTooLong {
        /// The limit in bytes.
        max: usize,
    },
    /// There is no `chunks`.
    #[error("there is no `chunks`; a manifest needs [[chunks]], one for each chunk")]
    ChunksMissing,
    /// There is a `chunks`, and nothing in it.
    #[error("there are no chunks; a manifest needs at least one")]
    NoChunks,
    /// The header has a key that is not known.
    #[error("unknown key `{key}`{hint}", hint = Hint(*.nearest, .known))]
    UnknownKey {
        /// The key; `retry.` stands before those of the retry table.
        key: String,
        /// The known key that looks most like it, if any does.
        nearest: Option<&'static str>,
        /// All keys that may stand there.
        known: &'static [&'static str],
    },
    /// A key stands twice in one table.
    #[error("key `{key}` stands twice")]
    RepeatedKey {
        /// The key, with those of the tables around it.
        key: String,
    },
    /// The value of a key is of the wrong type, or outside of what the key can hold.
    #[error("key `{key}` must be {expected}, found {found}")]
    WrongValue {
        /// The key.
        key: String,
        /// What may stand there.
        expected: &'static str,
        /// What stands there.
        found: String,
    },
    /// A number is one that JSON, in which extras are kept, cannot hold: not finite, or an integer of more than 64 bits.
    #[error("key `{key}` is {found}, which JSON cannot hold; write another number, or a text")]
    NotJson {
        /// The key, with those of the tables around it.
        key: String,
        /// The number.
        found: String,
    },
    /// Values are nested too deeply.
    #[error("key `{key}` is nested more than {max} levels deep")]
    TooDeep {
        /// The key, cut where it is too long.
        key: String,
        /// The limit in levels.
        max: usize,
    },
    /// Something that is no table stands where a chunk should.
    #[error("a chunk must be a table with an `id`, found {found}")]
    NotAChunk {
        /// What stands there.
        found: String,
    },
    /// A chunk has no id.
    #[error("there is no `id`; each chunk needs an integer of its own")]
    IdMissing,
    /// Two chunks have the same id.
    #[error("the id is taken already by an earlier chunk{place}; each chunk needs one of its own", place = OnLine(*.first_line))]
    DuplicateId {
        /// The line of the first chunk with this id, where it is known.
        first_line: Option<usize>,
    },
    /// A chunk depends on itself.
    #[error("it depends on itself")]
    SelfDependency,
    /// A chunk depends on one that is not in the manifest.
    #[error("it depends on chunk {on}, which is not in the manifest")]
    UnknownDependency {
        /// The dependency.
        on: ChunkId,
    },
    /// A chunk of a stream depends on one that is not on an earlier line.
    #[error("it depends on chunk {on}, which stands on no earlier line; in JSON lines a chunk follows what it depends on")]
    LaterDependency {
        /// The dependency.
        on: ChunkId,
    },
    /// Chunks depend on each other in a circle.
    #[error("dependencies form a cycle: {}", Cycle(.chunks))]
    Cycle {
        /// The chunks, beginning with the lowest; each depends on the next, and the last on the first.
        chunks: Vec<ChunkId>,
    },
    /// A line of a stream other than the first holds the job's header.
    #[error("a line with `manifest` must be the first; begin another stream for another job")]
    LateHeader,
    /// A name, a size or an option is one that no store takes.
    #[error("{0}")]
    Rejected(Rejection),
}

impl Problem {
    /// Whether something is beyond a limit, so that less of it would do.
    pub fn is_too_large(&self) -> bool {
        matches!(
            self,
            Self::DocumentTooLarge { .. }
                | Self::TooManyChunks { .. }
                | Self::TooManyLines { .. }
                | Self::LineTooLong { .. }
                | Self::TooDeep { .. }
                | Self::Rejected(Rejection::TooLarge { .. })
        )
    }
}

impl ManifestError {
    /// What is wrong.
    pub fn problem(&self) -> &Problem {
        &self.problem
    }

    /// The line, counted from 1: where the chunk or the value begins. None for what was not read from a text.
    pub fn line(&self) -> Option<usize> {
        self.line
    }

    /// The chunk, if it is about one whose id could be read.
    pub fn chunk(&self) -> Option<ChunkId> {
        self.chunk
    }

    /// The same error, about this chunk.
    pub(super) fn of_chunk(self, chunk: Option<ChunkId>) -> Self {
        Self { chunk, ..self }
    }

    /// The same error, about the chunk at this position, counted from 1.
    pub(super) fn of_position(self, position: usize) -> Self {
        Self { position: Some(position), ..self }
    }

    /// The same error, on this line.
    pub(super) fn on_line(self, line: Option<usize>) -> Self {
        Self { line, ..self }
    }
}

impl From<Problem> for ManifestError {
    fn from(problem: Problem) -> Self {
        Self { problem: Box::new(problem), line: None, chunk: None, position: None }
    }
}

impl std::error::Error for ManifestError {}

impl fmt::Display for ManifestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let chunk = match (self.chunk, self.position) {
            (Some(id), _) => Some(format!("chunk {id}")),
            (None, Some(position)) => Some(format!("chunk number {position}")),
            (None, None) => None,
        };
        match (chunk, self.line) {
            (Some(chunk), Some(line)) => write!(f, "{chunk} (line {line}): ")?,
            (Some(chunk), None) => write!(f, "{chunk}: ")?,
            (None, Some(line)) => write!(f, "line {line}: ")?,
            (None, None) => {}
        }
        self.problem.fmt(f)
    }
}

struct Hint<'a>(Option<&'static str>, &'a [&'static str]);

impl fmt::Display for Hint<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(nearest) => write!(f, ", did you mean `{nearest}`?"),
            None => write!(f, "; known are {}", self.1.join(", ")),
        }
    }
}

struct OnLine(Option<usize>);

impl fmt::Display for OnLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |line| write!(f, " on line {line}"))
    }
}

struct Cycle<'a>(&'a [ChunkId]);

impl fmt::Display for Cycle<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for id in self.0.iter().take(CYCLE_IDS_SHOWN) {
            write!(f, "{id} -> ")?;
        }
        match self.0.first() {
            Some(first) if self.0.len() <= CYCLE_IDS_SHOWN => first.fmt(f),
            _ => f.write_str("…"),
        }
    }
}
