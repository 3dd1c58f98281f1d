//! The envelope of older programs: `{"hash":"…","payload":"…"}`, whose payload is the checkpoint as a JSON text within the JSON, and whose
//! hash is the SHA-256 of that text. It is read, and never written.

use std::io::Read;

use serde::Deserialize;

use super::{
    read::{Loaded, Source, Unread, corrupt},
    seal::sha256,
};
use crate::{checkpoint::Checkpoint, limits};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Envelope {
    hash: String,
    payload: String,
}

/// Whether a file that begins so may be one.
pub(super) fn begins(bytes: &[u8]) -> bool {
    let text = bytes.trim_ascii_start();
    // The first line may be no more than the brace.
    text.strip_prefix(b"{").is_some_and(|rest| {
        let rest = rest.trim_ascii_start();
        rest.is_empty() || rest.starts_with(b"\"hash\"") || rest.starts_with(b"\"payload\"")
    })
}

/// Reads it. The sequence within must be that of the name, which those programs did not look at.
pub(super) fn read(source: &mut Source<'_>) -> Result<Loaded, Unread> {
    let bytes = source.file.size_bytes();
    source.limit(bytes, limits::ENVELOPE_BYTES_MAX)?;
    source.rewind()?;
    let mut text = Vec::new();
    let read = (&mut *source.file).take(bytes).read_to_end(&mut text);
    read.map_err(|error| source.failed(error))?;
    let not_one = |error| corrupt(format!("it is no checkpoint: {error}"));
    let envelope: Envelope = serde_json::from_slice(&text).map_err(not_one)?;
    drop(text);
    if sha256(envelope.payload.as_bytes()) != envelope.hash {
        return Err(corrupt("its hash is not that of its payload"));
    }
    let checkpoint: Checkpoint = serde_json::from_str(&envelope.payload).map_err(not_one)?;
    if checkpoint.sequence != source.sequence {
        return Err(corrupt(format!("it is checkpoint {} under another name", checkpoint.sequence)));
    }
    if source.key.is_some() {
        return Err(corrupt("it is not signed"));
    }
    Ok(Loaded { header: None, digest: envelope.hash, checkpoint })
}
