//! Values of known keys as the types that they stand for.

use std::time::{Duration, SystemTime};

use serde_json::Value;

use super::{Problem, value::found};
use crate::{id::ChunkId, limits, time::Timestamp};

/// The text of a key.
pub(super) fn text(key: &str, value: Value) -> Result<String, Problem> {
    match value {
        Value::String(text) => Ok(text),
        other => Err(wrong(key, "a text", &other)),
    }
}

/// The id of a chunk.
pub(super) fn chunk_id(key: &str, value: &Value) -> Result<ChunkId, Problem> {
    value
        .as_u64()
        .filter(|id| *id <= limits::ID_MAX)
        .ok_or_else(|| wrong(key, "a chunk's id, an integer from 0 to 9223372036854775807", value))
}

/// The ids of chunks.
pub(super) fn chunk_ids(key: &str, value: &Value) -> Result<Vec<ChunkId>, Problem> {
    let ids = value.as_array().ok_or_else(|| wrong(key, "an array of chunk ids", value))?;
    ids.iter().map(|id| chunk_id(key, id)).collect()
}

/// A priority.
pub(super) fn priority(key: &str, value: &Value) -> Result<i16, Problem> {
    let priority = value.as_i64().and_then(|number| i16::try_from(number).ok());
    priority.ok_or_else(|| wrong(key, "an integer from -32768 to 32767", value))
}

/// A count.
pub(super) fn count(key: &str, value: &Value) -> Result<u32, Problem> {
    let count = value.as_u64().and_then(|number| u32::try_from(number).ok());
    count.ok_or_else(|| wrong(key, "an integer from 0 to 4294967295", value))
}

/// A budget of failures, written as the number of tries after the first.
pub(super) fn retries(key: &str, value: &Value) -> Result<u32, Problem> {
    let max_fails = value.as_u64().and_then(|number| u32::try_from(number).ok()).and_then(|retries| retries.checked_add(1));
    max_fails.ok_or_else(|| wrong(key, "the number of tries after the first, an integer from 0 to 4294967294", value))
}

/// A number with a fraction.
pub(super) fn number(key: &str, value: &Value) -> Result<f64, Problem> {
    value.as_f64().ok_or_else(|| wrong(key, "a number", value))
}

/// A duration, from zero to what a store can hold.
pub(super) fn duration(key: &str, value: &Value) -> Result<Duration, Problem> {
    let duration = match value {
        Value::String(text) => duration_from_text(text),
        Value::Number(seconds) => match seconds.as_u64() {
            Some(seconds) => Some(Duration::from_secs(seconds)),
            None => seconds.as_f64().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()),
        },
        _ => None,
    };
    duration
        .filter(|duration| duration.as_millis() <= u128::from(limits::ID_MAX))
        .ok_or_else(|| wrong(key, "a duration: seconds such as 30 or 1.5, or a text such as \"30s\" or \"1h 30m\"", value))
}

/// An instant.
pub(super) fn instant(key: &str, value: &Value) -> Result<Timestamp, Problem> {
    let instant = match value {
        Value::String(text) => humantime::parse_rfc3339(text).ok().map(|time: SystemTime| time.into()),
        Value::Number(millis) => millis.as_u64().filter(|millis| *millis <= limits::ID_MAX).map(Timestamp::from_millis),
        _ => None,
    };
    instant
        .ok_or_else(|| wrong(key, "a time since 1970 in UTC such as \"2026-01-31T08:00:00Z\", or milliseconds since 1970", value))
}

/// The one of these names that stands there.
pub(super) fn one_of<T: Copy>(key: &str, expected: &'static str, names: &[(&str, T)], value: &Value) -> Result<T, Problem> {
    let choice = names.iter().find(|(name, _)| value.as_str() == Some(name));
    choice.map(|(_, meant)| *meant).ok_or_else(|| wrong(key, expected, value))
}

/// The problem with a value that its key cannot hold.
pub(super) fn wrong(key: &str, expected: &'static str, value: &Value) -> Problem {
    Problem::WrongValue { key: key.to_owned(), expected, found: found(value) }
}

/// Parses part by part: humantime 2.4 panics where the whole second that nanoseconds add up to is the one too many.
fn duration_from_text(text: &str) -> Option<Duration> {
    let mut total = Duration::ZERO;
    let mut rest = text.trim();
    loop {
        let unit = rest.find(char::is_alphabetic)?;
        let end = rest.get(unit..)?.find(|c: char| c.is_ascii_digit()).map_or(rest.len(), |unit_len| unit + unit_len);
        let (part, others) = rest.split_at_checked(end)?;
        total = total.checked_add(humantime::parse_duration(part).ok()?)?;
        if others.is_empty() {
            return Some(total);
        }
        rest = others;
    }
}
