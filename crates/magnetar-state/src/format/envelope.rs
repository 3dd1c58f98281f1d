//! What stands around a token or a lock, as JSON.

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;

use super::{BYTES_MAX, FORMAT};
use crate::error::{Result, StateError};

/// What a token's bytes say they are.
pub(super) const TOKEN: &str = "state token";
/// What a lock's bytes say they are.
pub(super) const LOCK: &str = "state lock";

/// A token, or what is left of one that was cleared.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TokenFile {
    pub(super) magnetar: String,
    pub(super) format: u64,
    pub(super) collection: String,
    pub(super) epoch: u64,
    pub(super) version: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) write_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) saved_at_ms: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) expires_at_ms: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) cleared_at_ms: Option<u64>,
    pub(super) sha256: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) token: Option<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) token_bson: Option<String>,
}

/// A lock.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LockFile {
    pub(super) magnetar: String,
    pub(super) format: u64,
    pub(super) name: String,
    pub(super) epoch: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) until_ms: Option<u64>,
    pub(super) sha256: String,
}

/// What is the same in every format, so that a newer one is told from a damaged one.
#[derive(Deserialize)]
struct Beginning {
    magnetar: String,
    format: u64,
}

/// JSON over several lines, for people.
pub(super) fn write<T: Serialize>(file: &T) -> Result<Vec<u8>> {
    let mut bytes = serde_json::to_vec_pretty(file).map_err(|error| StateError::backend("write a token as JSON", error))?;
    bytes.push(b'\n');
    Ok(bytes)
}

/// Reads what says that it is such a thing, of a format that is known.
pub(super) fn read<T: DeserializeOwned>(place: &str, what: &str, bytes: &[u8]) -> Result<T> {
    if bytes.len() > BYTES_MAX {
        return Err(StateError::corrupt(place, format!("it has {} bytes, and none has more than {BYTES_MAX}", bytes.len())));
    }
    // What serde says may show a part of the token.
    let not_json =
        |error: serde_json::Error| StateError::corrupt(place, format!("it is not as it was written, at line {}", error.line()));
    let beginning: Beginning = serde_json::from_slice(bytes).map_err(not_json)?;
    if beginning.magnetar != what {
        return Err(StateError::corrupt(place, format!("it does not say that it is a {what}")));
    }
    match beginning.format {
        FORMAT => serde_json::from_slice(bytes).map_err(not_json),
        0 => Err(StateError::corrupt(place, "there is no format 0")),
        format => Err(StateError::Newer { place: place.into(), format }),
    }
}
