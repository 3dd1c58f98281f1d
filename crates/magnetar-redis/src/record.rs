//! What the scripts answer, read into types. Everything is checked here, and nothing after it.

use magnetar_state::{Document, Entry, Epoch, Loaded, Saved, StateError, Timestamp, Version, bytes};
use redis::Value;
use sha2::{Digest, Sha256};

/// A token as it is kept.
pub(crate) struct Sealed {
    pub(crate) bytes: Vec<u8>,
    pub(crate) hash: String,
}

impl Sealed {
    pub(crate) fn new(token: &Document) -> Result<Self, StateError> {
        let bytes = bytes::of_token(token)?;
        let hash = sha256(&bytes);
        Ok(Self { bytes, hash })
    }
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"))
}

/// An epoch as it is kept and compared: 20 digits.
pub(crate) fn padded(epoch: Epoch) -> String {
    format!("{:020}", epoch.get())
}

/// The words of an answer.
pub(crate) struct Words<'a>(pub(crate) &'a [Value]);

impl<'a> Words<'a> {
    pub(crate) fn of(answer: &'a Value) -> Option<Self> {
        match answer {
            Value::Array(words) => Some(Self(words)),
            _ => None,
        }
    }

    pub(crate) fn bytes(&self, at: usize) -> Option<&'a [u8]> {
        match self.0.get(at)? {
            Value::BulkString(bytes) => Some(bytes),
            _ => None,
        }
    }

    pub(crate) fn text(&self, at: usize) -> Option<&'a str> {
        std::str::from_utf8(self.bytes(at)?).ok()
    }

    pub(crate) fn number(&self, at: usize) -> Option<u64> {
        self.text(at)?.parse().ok()
    }

    pub(crate) fn instant(&self, at: usize) -> Option<Timestamp> {
        self.number(at).map(Timestamp::from_millis)
    }
}

/// Whether a script has changed something, now or when it was sent before. A wait after it is a wait for everything that the server had written by
/// then, so for both.
pub(crate) fn is_change(answer: &Value) -> bool {
    Words::of(answer)
        .and_then(|words| words.text(0))
        .is_some_and(|word| matches!(word, "written" | "again" | "held" | "released"))
}

/// What the write script made of a write. None where the answer makes no sense.
pub(crate) fn written(collection: &str, key: &str, epoch: Epoch, answer: &Value) -> Option<Result<Saved, StateError>> {
    let words = Words::of(answer)?;
    let collection = || collection.to_owned();
    Some(match words.text(0)? {
        "written" | "nothing" => Ok(Saved::new(Version::new(words.number(1)?))),
        "again" => Ok(Saved::again(Version::new(words.number(1)?))),
        "fenced" => Err(StateError::Fenced { collection: collection(), epoch, current: Epoch::new(words.number(1)?) }),
        "conflict" => Err(StateError::Conflict { collection: collection(), current: words.number(1).map(Version::new) }),
        "exhausted" => Err(StateError::Exhausted { what: "number of versions of this collection" }),
        _ => return damaged(key, &words).map(Err),
    })
}

/// What the read script found. None where the answer makes no sense.
pub(crate) fn loaded(key: &str, now: Timestamp, answer: &Value) -> Option<Result<Loaded, StateError>> {
    let words = Words::of(answer)?;
    match words.text(0)? {
        "absent" => Some(Ok(Loaded::Absent)),
        "token" => Some(token(key, now, &words)),
        _ => damaged(key, &words).map(Err),
    }
}

fn damaged(key: &str, words: &Words<'_>) -> Option<StateError> {
    match words.text(0)? {
        "corrupt" => Some(StateError::corrupt(key, words.text(1)?)),
        "newer" => Some(match words.number(1) {
            Some(format) => StateError::Newer { place: key.to_owned(), format },
            None => StateError::corrupt(key, "its format is no number"),
        }),
        _ => None,
    }
}

fn token(key: &str, now: Timestamp, words: &Words<'_>) -> Result<Loaded, StateError> {
    let corrupt = |what: &str| StateError::corrupt(key, what);
    let unreadable = || corrupt("a field of it is no number");
    let epoch = Epoch::new(words.number(1).ok_or_else(unreadable)?);
    let version = Version::new(words.number(2).ok_or_else(unreadable)?);
    let saved_at = words.instant(3).ok_or_else(unreadable)?;
    let expires_at = match words.text(4) {
        Some("") => None,
        _ => Some(words.instant(4).ok_or_else(unreadable)?),
    };
    if let Some(at) = expires_at.filter(|at| *at <= now) {
        return Ok(Loaded::Expired { at, version, epoch });
    }
    let sealed = words.bytes(6).ok_or_else(|| corrupt("its value is gone before its time: evicted, or deleted by hand"))?;
    if words.text(5) != Some(&sha256(sealed)) {
        return Err(corrupt("its value does not match its SHA-256"));
    }
    let token = bytes::token(sealed).map_err(|what| corrupt(&what))?;
    Ok(Loaded::Found(Entry::new(token, version, epoch, saved_at).expires_at(expires_at)))
}
