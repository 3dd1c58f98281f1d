//! A document as its parser hands it out: the header's keys, and chunks one after the other.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{DeserializeSeed, Error, MapAccess, SeqAccess, Visitor},
};
use serde_json::value::RawValue;
use toml::Spanned;

use super::{
    ManifestError, Problem, chunk, header, text,
    value::{DEPTH_MAX, Loose, shortened},
};
use crate::{chunk::NewChunk, job::JobSpec, limits};

/// A document whose chunks have been read one by one, and not been held against each other.
#[derive(Default)]
pub(super) struct Draft {
    pub(super) spec: JobSpec,
    pub(super) chunks: Vec<NewChunk>,
    /// Where in the text each chunk begins; empty where there is no text.
    pub(super) offsets: Vec<usize>,
    keys: Vec<String>,
}

/// Reads a TOML text.
pub(super) fn from_toml(text: &str) -> Result<Draft, ManifestError> {
    let syntax = |error: &toml::de::Error| {
        let line = error.span().map(|span| text::line_at(text, span.start));
        ManifestError::from(Problem::Syntax { message: error.message().replace('\n', "; ") }).on_line(line)
    };
    let deserializer = toml::Deserializer::parse(text).map_err(|error| syntax(&error))?;
    let mut stop = None;
    let draft = Document { source: &Toml { text }, stop: &mut stop }.deserialize(deserializer);
    finish(draft.map_err(|error| stop.unwrap_or_else(|| syntax(&error))))
}

/// Reads a JSON text.
pub(super) fn from_json(text: &str) -> Result<Draft, ManifestError> {
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let mut stop = None;
    let draft = Document { source: &Json { text }, stop: &mut stop }.deserialize(&mut deserializer);
    let draft = draft.and_then(|draft| deserializer.end().map(|()| draft));
    finish(draft.map_err(|error| stop.unwrap_or_else(|| json_error(&error, 1))))
}

/// Reads a TOML value.
pub(super) fn from_toml_value(value: toml::Value) -> Result<Draft, ManifestError> {
    let value = shallow(value)?;
    let mut stop = None;
    let draft = Document { source: &Plain, stop: &mut stop }.deserialize(value);
    finish(draft.map_err(|error| stop.unwrap_or_else(|| Problem::Syntax { message: error.message().to_owned() }.into())))
}

/// Reads any format. The error is its own, and has the message of ours.
pub(super) fn from_any<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Draft, D::Error> {
    let draft = Document { source: &Plain, stop: &mut None }.deserialize(deserializer)?;
    finish(Ok(draft)).map_err(D::Error::custom)
}

/// What `serde_json` says, where its first line is this line of the text.
pub(super) fn json_error(error: &serde_json::Error, first_line: usize) -> ManifestError {
    let (line, column) = (error.line(), error.column());
    let full = error.to_string();
    let message = match full.strip_suffix(&format!(" at line {line} column {column}")) {
        Some(message) if column > 0 => format!("{message} at column {column}"),
        Some(message) => message.to_owned(),
        None => full,
    };
    ManifestError::from(Problem::Syntax { message }).on_line(Some(first_line + line.saturating_sub(1)))
}

fn finish(draft: Result<Draft, ManifestError>) -> Result<Draft, ManifestError> {
    let draft = draft?;
    if draft.keys.iter().any(|key| key == "chunks") { Ok(draft) } else { Err(Problem::ChunksMissing.into()) }
}

/// The same value, unless it is so deep that a walk down or even a drop would run out of stack.
fn shallow(value: toml::Value) -> Result<toml::Value, ManifestError> {
    // The document, its array and its chunks lie above the levels that are counted from the chunk down.
    let levels_max = DEPTH_MAX + 3;
    let mut level = vec![&value];
    for _ in 0..levels_max {
        level = level.into_iter().flat_map(children).collect();
    }
    if level.is_empty() {
        return Ok(value);
    }
    let mut parts = vec![value];
    while let Some(part) = parts.pop() {
        match part {
            toml::Value::Array(values) => parts.extend(values),
            toml::Value::Table(table) => parts.extend(table.into_iter().map(|(_, value)| value)),
            _ => {}
        }
    }
    Err(Problem::TooDeep { key: "chunks".to_owned(), max: DEPTH_MAX }.into())
}

fn children(value: &toml::Value) -> Vec<&toml::Value> {
    match value {
        toml::Value::Array(values) => values.iter().collect(),
        toml::Value::Table(table) => table.values().collect(),
        _ => Vec::new(),
    }
}

/// Where values come from, and how they are told apart from their places.
trait Source<'de> {
    /// A value with its place.
    type Item: Deserialize<'de>;

    /// Parts a value from the offset at which it begins.
    fn open(&self, item: Self::Item) -> Result<(Loose, Option<usize>), ManifestError>;

    /// The line of an offset.
    fn line_at(&self, offset: usize) -> Option<usize>;
}

struct Plain;

impl Source<'_> for Plain {
    type Item = Loose;

    fn open(&self, item: Loose) -> Result<(Loose, Option<usize>), ManifestError> {
        Ok((item, None))
    }

    fn line_at(&self, _offset: usize) -> Option<usize> {
        None
    }
}

struct Toml<'t> {
    text: &'t str,
}

impl<'de> Source<'de> for Toml<'de> {
    type Item = Spanned<Loose>;

    fn open(&self, item: Spanned<Loose>) -> Result<(Loose, Option<usize>), ManifestError> {
        let offset = item.span().start;
        Ok((item.into_inner(), Some(offset)))
    }

    fn line_at(&self, offset: usize) -> Option<usize> {
        Some(text::line_at(self.text, offset))
    }
}

struct Json<'t> {
    text: &'t str,
}

impl<'de> Source<'de> for Json<'de> {
    type Item = &'de RawValue;

    fn open(&self, item: &'de RawValue) -> Result<(Loose, Option<usize>), ManifestError> {
        // The raw value is a piece of the text, so the distance of the two is where it begins.
        let offset = item.get().as_ptr().addr().saturating_sub(self.text.as_ptr().addr());
        let loose = serde_json::from_str(item.get()).map_err(|error| json_error(&error, text::line_at(self.text, offset)))?;
        Ok((loose, Some(offset)))
    }

    fn line_at(&self, offset: usize) -> Option<usize> {
        Some(text::line_at(self.text, offset))
    }
}

/// Reads a document. What stops it is left in `stop`, as serde's errors carry no more than a message.
struct Document<'a, S> {
    source: &'a S,
    stop: &'a mut Option<ManifestError>,
}

impl<'de, S: Source<'de>> Document<'_, S> {
    fn stop<T, E: Error>(&mut self, error: ManifestError) -> Result<T, E> {
        let message = E::custom(&error);
        *self.stop = Some(error);
        Err(message)
    }

    fn open<E: Error>(&mut self, item: S::Item) -> Result<(Loose, Option<usize>), E> {
        self.source.open(item).or_else(|error| self.stop(error))
    }

    fn header<E: Error>(&mut self, draft: &mut Draft, key: &str, item: S::Item) -> Result<(), E> {
        let (loose, offset) = self.open(item)?;
        let set = match loose.open(Some(key)) {
            _ if !header::DOCUMENT_KEYS.contains(&key) => Err(header::unknown(key, "", header::DOCUMENT_KEYS)),
            (_, Some(problem)) => Err(problem),
            (value, None) => header::set(&mut draft.spec, key, value),
        };
        set.or_else(|problem| {
            self.stop(ManifestError::from(problem).on_line(offset.and_then(|offset| self.source.line_at(offset))))
        })
    }

    fn chunk<E: Error>(&mut self, draft: &mut Draft, item: S::Item) -> Result<(), E> {
        if draft.chunks.len() >= limits::MANIFEST_CHUNKS_MAX {
            return self.stop(Problem::TooManyChunks { max: limits::MANIFEST_CHUNKS_MAX }.into());
        }
        let (loose, offset) = self.open(item)?;
        match chunk::read(loose) {
            Ok(chunk) => {
                draft.chunks.push(chunk);
                draft.offsets.extend(offset);
                Ok(())
            }
            Err(error) => {
                let line = offset.and_then(|offset| self.source.line_at(offset));
                self.stop(error.of_position(draft.chunks.len() + 1).on_line(line))
            }
        }
    }
}

impl<'de, S: Source<'de>> DeserializeSeed<'de> for Document<'_, S> {
    type Value = Draft;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Draft, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de, S: Source<'de>> Visitor<'de> for Document<'_, S> {
    type Value = Draft;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a manifest: a table with `chunks`")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<Draft, A::Error> {
        let mut draft = Draft::default();
        while let Some(key) = map.next_key::<String>()? {
            if draft.keys.contains(&key) {
                return self.stop(Problem::RepeatedKey { key: shortened(&key) }.into());
            }
            if key == "chunks" {
                map.next_value_seed(Chunks { document: &mut self, draft: &mut draft })?;
            } else {
                let item = map.next_value()?;
                self.header(&mut draft, &key, item)?;
            }
            draft.keys.push(key);
        }
        Ok(draft)
    }
}

struct Chunks<'a, 'd, S> {
    document: &'a mut Document<'d, S>,
    draft: &'a mut Draft,
}

impl<'de, S: Source<'de>> DeserializeSeed<'de> for Chunks<'_, '_, S> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de, S: Source<'de>> Visitor<'de> for Chunks<'_, '_, S> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("`chunks` to be an array of tables, in TOML written [[chunks]]")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        while let Some(item) = seq.next_element()? {
            self.document.chunk(self.draft, item)?;
        }
        Ok(())
    }
}
