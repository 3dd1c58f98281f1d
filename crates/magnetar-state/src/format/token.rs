//! A token as JSON where that is faithful, and as its BSON in base64 where it is not.

use bson::{Bson, Document, RawBsonRef, RawDocument};
use serde_json::Value;

use super::envelope::TokenFile;
use crate::{
    base64, check,
    error::{Result, StateError},
    limits,
};

/// How many times the size of its BSON a token may have as JSON.
const READABLE_TIMES_MAX: usize = 3;
/// And this much besides, so that small ones are always readable.
const READABLE_BYTES_MORE: usize = 4096;

/// A token's BSON.
pub(super) fn to_bytes(token: &Document) -> Result<Vec<u8>> {
    bson::to_vec(token).map_err(|error| StateError::backend("write a token as BSON", error))
}

/// A token as it is shown: as JSON, or as BSON in base64.
pub(super) fn shown(token: &Document, bytes: &[u8]) -> (Option<Value>, Option<String>) {
    let json = Bson::Document(token.clone()).into_canonical_extjson();
    if is_small(&json, bytes.len()) && of_json(json.clone()).and_then(|back| to_bytes(&back).ok()).as_deref() == Some(bytes) {
        (Some(json), None)
    } else {
        (None, Some(base64::encode(bytes)))
    }
}

/// The token that was shown, or what is wrong with it; none where none was.
pub(super) fn read(file: &TokenFile) -> Result<Option<Document>, String> {
    let token = match (&file.token, &file.token_bson) {
        (None, None) => return Ok(None),
        (Some(json), None) => of_json(json.clone()).ok_or("its token is no extended JSON")?,
        (None, Some(text)) => of_bson(&base64::decode(text).ok_or("its token is no base64")?)?,
        (Some(_), Some(_)) => return Err("it has a token twice".into()),
    };
    check::measure(&token).map_err(|error| format!("its token cannot be: {error}"))?;
    Ok(Some(token))
}

fn of_json(json: Value) -> Option<Document> {
    match Bson::try_from(json) {
        Ok(Bson::Document(token)) => Some(token),
        _ => None,
    }
}

fn of_bson(bytes: &[u8]) -> Result<Document, String> {
    let raw = RawDocument::from_bytes(bytes).map_err(|_| "its token is no BSON")?;
    if !is_shallow(raw) {
        return Err("its token is no BSON, or too deep".into());
    }
    // Not through serde, which would take a document that looks like the extended JSON of something else for that.
    Document::try_from(raw).map_err(|_| "its token is no BSON".into())
}

/// Whether a document is sound and not so deep that reading it would end the process: BSON is read by recursion.
fn is_shallow(document: &RawDocument) -> bool {
    let mut rest = vec![(document, 1)];
    while let Some((document, depth)) = rest.pop() {
        if depth > limits::TOKEN_DEPTH_MAX {
            return false;
        }
        for element in document {
            match element {
                Err(_) => return false,
                Ok((_, RawBsonRef::Document(inner))) => rest.push((inner, depth + 1)),
                Ok((_, RawBsonRef::Array(inner))) => match RawDocument::from_bytes(inner.as_bytes()) {
                    Ok(inner) => rest.push((inner, depth + 1)),
                    Err(_) => return false,
                },
                Ok((_, RawBsonRef::JavaScriptCodeWithScope(code))) => rest.push((code.scope, depth + 1)),
                Ok(_) => {}
            }
        }
    }
    true
}

fn is_small(json: &Value, bytes: usize) -> bool {
    // What indents it for people is counted as well: a value on each line.
    let size = serde_json::to_vec_pretty(json).map_or(usize::MAX, |text| text.len());
    size <= READABLE_TIMES_MAX * bytes + READABLE_BYTES_MORE
}
