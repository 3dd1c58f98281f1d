//! The header of a manifest: the keys of the job itself.

use serde_json::Value;

use super::{Problem, field, value::shortened};
use crate::{
    job::{JobOptions, JobSpec, OnFailure},
    retry::{Backoff, RetryPolicy},
};

/// The keys of a document.
pub(super) const DOCUMENT_KEYS: &[&str] = &["name", "kind", "on_failure", "retry", "chunks"];
/// The keys of the header in JSON lines.
pub(super) const HEADER_KEYS: &[&str] = &["name", "kind", "on_failure", "retry"];
/// The keys of a first line with a header.
pub(super) const LINE_KEYS: &[&str] = &["manifest"];

const RETRY_KEYS: &[&str] = &["retries", "max_crashes", "backoff", "first_wait", "longest_wait", "jitter"];
const ON_FAILURE: &[(&str, OnFailure)] = &[("skip", OnFailure::Skip), ("hold", OnFailure::Hold), ("run", OnFailure::Run)];
const BACKOFF: &[(&str, Backoff)] =
    &[("exponential", Backoff::Exponential), ("linear", Backoff::Linear), ("fixed", Backoff::Fixed)];

/// The spec of a header on a line of its own.
pub(super) fn read(value: Value) -> Result<JobSpec, Problem> {
    let Value::Object(keys) = value else {
        return Err(field::wrong("manifest", "a table with the job's header", &value));
    };
    let mut spec = JobSpec::default();
    for (key, value) in keys {
        if !HEADER_KEYS.contains(&key.as_str()) {
            return Err(unknown(&key, "", HEADER_KEYS));
        }
        set(&mut spec, &key, value)?;
    }
    Ok(spec)
}

/// Sets one key of the header, and checks what has become of the spec.
pub(super) fn set(spec: &mut JobSpec, key: &str, value: Value) -> Result<(), Problem> {
    match (key, value) {
        (_, Value::Null) => {}
        ("name", value) => spec.name = Some(field::text(key, value)?),
        ("kind", value) => spec.kind = field::text(key, value)?,
        ("on_failure", value) => {
            options(spec).on_failure = field::one_of(key, "\"skip\", \"hold\" or \"run\"", ON_FAILURE, &value)?;
        }
        ("retry", Value::Object(keys)) => {
            let policy = &mut options(spec).retry;
            keys.iter().try_for_each(|(key, value)| set_retry(policy, key, value))?;
        }
        ("retry", value) => return Err(field::wrong(key, "a table", &value)),
        _ => return Err(unknown(key, "", DOCUMENT_KEYS)),
    }
    spec.check().map_err(Problem::Rejected)
}

/// The problem with a key that is not among those that are known, with the nearest of them.
pub(super) fn unknown(key: &str, table: &str, known: &'static [&'static str]) -> Problem {
    /// No key is longer, and the distance to a longer one would take long.
    const BYTES_COMPARED: usize = 32;
    let near = |known: &&'static str| {
        let distance = distance(key, known);
        (key.len() <= BYTES_COMPARED && distance <= (key.chars().count() / 2).max(1)).then_some((distance, *known))
    };
    let nearest = known.iter().filter_map(near).min().map(|(_, known)| known);
    Problem::UnknownKey { key: format!("{table}{}", shortened(key)), nearest, known }
}

fn options(spec: &mut JobSpec) -> &mut JobOptions {
    spec.options.get_or_insert_default()
}

fn set_retry(policy: &mut RetryPolicy, key: &str, value: &Value) -> Result<(), Problem> {
    let path = format!("retry.{key}");
    match key {
        _ if !RETRY_KEYS.contains(&key) => return Err(unknown(key, "retry.", RETRY_KEYS)),
        _ if value.is_null() => {}
        "retries" => policy.max_fails = field::retries(&path, value)?,
        "max_crashes" => policy.max_crashes = field::count(&path, value)?,
        "first_wait" => policy.first_wait = field::duration(&path, value)?,
        "longest_wait" => policy.longest_wait = field::duration(&path, value)?,
        "jitter" => policy.jitter = field::number(&path, value)?,
        _ => policy.backoff = field::one_of(&path, "\"exponential\", \"linear\" or \"fixed\"", BACKOFF, value)?,
    }
    Ok(())
}

/// How many characters must be put in, left out or changed to make one text of the other (Wagner, Fischer, J. ACM 1974).
fn distance(from: &str, to: &str) -> usize {
    let mut row: Vec<usize> = (0..=to.chars().count()).collect();
    for (above_left, from) in from.chars().enumerate() {
        let (mut diagonal, mut left) = (above_left, above_left + 1);
        for (cell, to) in row.iter_mut().skip(1).zip(to.chars()) {
            let cost = (diagonal + usize::from(from != to)).min(left + 1).min(*cell + 1);
            diagonal = std::mem::replace(cell, cost);
            left = cost;
        }
    }
    row.last().copied().unwrap_or_default()
}
