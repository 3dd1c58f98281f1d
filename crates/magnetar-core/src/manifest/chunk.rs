//! One chunk of a manifest.

use serde_json::{Map, Value};

use super::{
    ManifestError, Problem, field,
    value::{Loose, found},
};
use crate::{
    chunk::{Extra, NewChunk},
    id::ChunkId,
};

/// The chunk of a value, not checked yet.
pub(super) fn read(loose: Loose) -> Result<NewChunk, ManifestError> {
    let keys = match loose.open(None) {
        (Value::Object(keys), None) => keys,
        (Value::Object(keys), Some(problem)) => return Err(ManifestError::from(problem).of_chunk(id(&keys))),
        (_, Some(Problem::NotJson { found, .. })) => return Err(Problem::NotAChunk { found }.into()),
        (value, _) => return Err(Problem::NotAChunk { found: found(&value) }.into()),
    };
    let id = id(&keys);
    from_keys(keys).map_err(|problem| ManifestError::from(problem).of_chunk(id))
}

/// Refuses a chunk that cannot stand in a manifest, whatever the others are. Returns its id.
pub(super) fn check(chunk: &NewChunk) -> Result<ChunkId, ManifestError> {
    let id = chunk.id.ok_or(Problem::IdMissing)?;
    let problem =
        if chunk.depends_on.contains(&id) { Err(Problem::SelfDependency) } else { chunk.check().map_err(Problem::Rejected) };
    problem.map(|()| id).map_err(|problem| ManifestError::from(problem).of_chunk(Some(id)))
}

fn id(keys: &Map<String, Value>) -> Option<ChunkId> {
    keys.get("id").and_then(Value::as_u64)
}

fn from_keys(keys: Map<String, Value>) -> Result<NewChunk, Problem> {
    let mut chunk = NewChunk::default();
    let mut extra = Map::new();
    for (key, value) in keys {
        set(&mut chunk, &mut extra, key, value)?;
    }
    if chunk.id.is_none() {
        return Err(Problem::IdMissing);
    }
    chunk.extra = Extra::new(&extra);
    Ok(chunk)
}

fn set(chunk: &mut NewChunk, extra: &mut Map<String, Value>, key: String, value: Value) -> Result<(), Problem> {
    match key.as_str() {
        "id" | "checksum" | "depends_on" | "payload" | "priority" | "lane" | "not_before" | "timeout" | "retries" | "key"
            if value.is_null() => {}
        "id" => chunk.id = Some(field::chunk_id(&key, &value)?),
        "checksum" => chunk.checksum = Some(field::text(&key, value)?),
        "depends_on" => chunk.depends_on = field::chunk_ids(&key, &value)?,
        "payload" => chunk.payload = field::text(&key, value)?.into_bytes(),
        "priority" => chunk.priority = field::priority(&key, &value)?,
        "lane" => chunk.lane = field::text(&key, value)?,
        "not_before" => chunk.not_before = Some(field::instant(&key, &value)?),
        "timeout" => chunk.timeout = Some(field::duration(&key, &value)?),
        "retries" => chunk.max_fails = Some(field::retries(&key, &value)?),
        "key" => chunk.key = Some(field::text(&key, value)?),
        _ => {
            extra.insert(key, value);
        }
    }
    Ok(())
}
