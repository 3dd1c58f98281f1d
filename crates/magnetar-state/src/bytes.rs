//! A token as BSON and back, without a change. For those who write stores.

use bson::{Document, RawBsonRef, RawDocument};

use crate::{
    error::{Result, StateError},
    limits,
};

/// The BSON of a token.
///
/// # Errors
/// `Backend` where it cannot be written, which [`crate::check::token`] has ruled out.
pub fn of_token(token: &Document) -> Result<Vec<u8>> {
    bson::to_vec(token).map_err(|error| StateError::backend("write a token as BSON", error))
}

/// The token of some BSON, which may be of anybody.
///
/// # Errors
/// What is wrong with it, in words that go on from "damaged:".
pub fn token(bytes: &[u8]) -> Result<Document, String> {
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
