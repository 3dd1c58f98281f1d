//! Tokens and locks as bytes: readable JSON of format 1, with a SHA-256 over everything that means something.
//!
//! A token is shown as canonical extended JSON, which names the type of each value. Where that would not give back the very
//! same bytes (a document that looks like the extended JSON of something else, a number with more than one spelling) or would be much
//! larger, its BSON is kept in base64 instead. Which of the two is decided by trying, so that a token is never changed.

mod envelope;
mod hash;
mod token;

use bson::Document;
use magnetar_core::Timestamp;

use self::envelope::{LockFile, TokenFile};
use crate::{
    check,
    entry::{Epoch, Version, WriteId},
    error::{Result, StateError},
    lock::LockSlot,
    slot::{Held, Slot},
};

/// The newest format that this version writes and reads.
const FORMAT: u64 = 1;
/// Bytes of what can be read: a token in base64 or up to three times its size as JSON, and what stands around it.
pub(crate) const BYTES_MAX: usize = 1024 * 1024;

/// The bytes of a slot.
pub(crate) fn encode_slot(collection: &str, slot: &Slot) -> Result<Vec<u8>> {
    let mut file = TokenFile {
        magnetar: envelope::TOKEN.into(),
        format: FORMAT,
        collection: collection.into(),
        epoch: slot.epoch.get(),
        version: slot.version.get(),
        write_id: slot.write_id.map(|id| id.to_string()),
        saved_at_ms: None,
        expires_at_ms: None,
        cleared_at_ms: None,
        sha256: String::new(),
        token: None,
        token_bson: None,
    };
    let mut bytes = Vec::new();
    match &slot.held {
        Held::Cleared { at } => file.cleared_at_ms = Some(at.as_millis()),
        Held::Token { token, saved_at, expires_at } => {
            file.saved_at_ms = Some(saved_at.as_millis());
            file.expires_at_ms = expires_at.map(Timestamp::as_millis);
            bytes = crate::bytes::of_token(token)?;
            (file.token, file.token_bson) = token::shown(token, &bytes);
        }
    }
    file.sha256 = hash::of_token(&file, &bytes);
    envelope::write(&file)
}

/// The slot and the collection of some bytes. `place` is where they are from, for errors.
pub(crate) fn decode_slot(place: &str, bytes: &[u8]) -> Result<(String, Slot)> {
    let file: TokenFile = envelope::read(place, envelope::TOKEN, bytes)?;
    let corrupt = |what: &str| StateError::corrupt(place, what);
    let token = token::read(&file).map_err(|what| corrupt(&what))?;
    let token_bytes = token.as_ref().map_or_else(|| Ok(Vec::new()), crate::bytes::of_token)?;
    if hash::of_token(&file, &token_bytes) != file.sha256 {
        return Err(corrupt("its SHA-256 is not that of its content"));
    }
    let held = held(&file, token).ok_or_else(|| corrupt("it is neither a token nor a cleared one"))?;
    if file.version == 0 || check::collection(&file.collection).is_err() {
        return Err(corrupt("its version or its collection cannot be"));
    }
    let write_id = file.write_id.as_deref().map(write_id).transpose().map_err(|()| corrupt("its write id cannot be"))?;
    let slot = Slot { epoch: Epoch::new(file.epoch), version: Version::new(file.version), write_id, held };
    Ok((file.collection, slot))
}

/// The bytes of a lock.
pub(crate) fn encode_lock(name: &str, lock: &LockSlot) -> Result<Vec<u8>> {
    let mut file = LockFile {
        magnetar: envelope::LOCK.into(),
        format: FORMAT,
        name: name.into(),
        epoch: lock.epoch.get(),
        until_ms: lock.until.map(Timestamp::as_millis),
        sha256: String::new(),
    };
    file.sha256 = hash::of_lock(&file);
    envelope::write(&file)
}

/// The lock and its name of some bytes. `place` is where they are from, for errors.
pub(crate) fn decode_lock(place: &str, bytes: &[u8]) -> Result<(String, LockSlot)> {
    let file: LockFile = envelope::read(place, envelope::LOCK, bytes)?;
    if hash::of_lock(&file) != file.sha256 {
        return Err(StateError::corrupt(place, "its SHA-256 is not that of its content"));
    }
    if file.epoch == 0 || check::lock(&file.name).is_err() {
        return Err(StateError::corrupt(place, "its epoch or its name cannot be"));
    }
    let lock = LockSlot { epoch: Epoch::new(file.epoch), until: file.until_ms.map(Timestamp::from_millis) };
    Ok((file.name, lock))
}

fn held(file: &TokenFile, token: Option<Document>) -> Option<Held> {
    match (token, file.saved_at_ms, file.cleared_at_ms) {
        (Some(token), Some(saved_at), None) => {
            let expires_at = file.expires_at_ms.map(Timestamp::from_millis);
            Some(Held::Token { token, saved_at: Timestamp::from_millis(saved_at), expires_at })
        }
        (None, None, Some(at)) if file.expires_at_ms.is_none() => Some(Held::Cleared { at: Timestamp::from_millis(at) }),
        _ => None,
    }
}

fn write_id(text: &str) -> Result<WriteId, ()> {
    let id = WriteId::new(u128::from_str_radix(text, 16).map_err(drop)?);
    if id.to_string() == text { Ok(id) } else { Err(()) }
}

#[cfg(test)]
mod tests;
