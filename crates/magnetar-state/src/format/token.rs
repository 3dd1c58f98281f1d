//! A token as JSON where that is faithful, and as its BSON in base64 where it is not.

use bson::{Bson, Document};
use serde_json::Value;

use super::envelope::TokenFile;
use crate::{base64, bytes, check};

/// How many times the size of its BSON a token may have as JSON.
const READABLE_TIMES_MAX: usize = 3;
/// And this much besides, so that small ones are always readable.
const READABLE_BYTES_MORE: usize = 4096;

/// A token as it is shown: as JSON, or as BSON in base64.
pub(super) fn shown(token: &Document, sealed: &[u8]) -> (Option<Value>, Option<String>) {
    let json = Bson::Document(token.clone()).into_canonical_extjson();
    if is_small(&json, sealed.len())
        && of_json(json.clone()).and_then(|back| bytes::of_token(&back).ok()).as_deref() == Some(sealed)
    {
        (Some(json), None)
    } else {
        (None, Some(base64::encode(sealed)))
    }
}

/// The token that was shown, or what is wrong with it; none where none was.
pub(super) fn read(file: &TokenFile) -> Result<Option<Document>, String> {
    let token = match (&file.token, &file.token_bson) {
        (None, None) => return Ok(None),
        (Some(json), None) => of_json(json.clone()).ok_or("its token is no extended JSON")?,
        (None, Some(text)) => bytes::token(&base64::decode(text).ok_or("its token is no base64")?)?,
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

fn is_small(json: &Value, bytes: usize) -> bool {
    // What indents it for people is counted as well: a value on each line.
    let size = serde_json::to_vec_pretty(json).map_or(usize::MAX, |text| text.len());
    size <= READABLE_TIMES_MAX * bytes + READABLE_BYTES_MORE
}
