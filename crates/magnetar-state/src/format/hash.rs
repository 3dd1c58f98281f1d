//! The SHA-256 over everything that means something, field by field, so that no field can be taken for another.

use std::fmt::Write;

use sha2::{Digest, Sha256};

use super::envelope::{LockFile, TokenFile};

/// The hash of a token, whose BSON is `bytes`, and of what is said about it.
pub(super) fn of_token(file: &TokenFile, bytes: &[u8]) -> String {
    let mut sum = Sum::new(&file.magnetar, file.format);
    sum.bytes(file.collection.as_bytes());
    sum.number(file.epoch);
    sum.number(file.version);
    sum.bytes(file.write_id.as_deref().unwrap_or_default().as_bytes());
    sum.maybe(file.saved_at_ms);
    sum.maybe(file.expires_at_ms);
    sum.maybe(file.cleared_at_ms);
    sum.bytes(bytes);
    sum.hex()
}

/// The hash of a lock.
pub(super) fn of_lock(file: &LockFile) -> String {
    let mut sum = Sum::new(&file.magnetar, file.format);
    sum.bytes(file.name.as_bytes());
    sum.number(file.epoch);
    sum.maybe(file.until_ms);
    sum.hex()
}

struct Sum(Sha256);

impl Sum {
    fn new(what: &str, format: u64) -> Self {
        let mut sum = Self(Sha256::new());
        sum.bytes(what.as_bytes());
        sum.number(format);
        sum
    }

    fn number(&mut self, number: u64) {
        self.0.update(number.to_le_bytes());
    }

    /// Text is told from the text behind it by its length.
    fn bytes(&mut self, bytes: &[u8]) {
        self.number(bytes.len() as u64);
        self.0.update(bytes);
    }

    fn maybe(&mut self, number: Option<u64>) {
        self.number(u64::from(number.is_some()));
        self.number(number.unwrap_or_default());
    }

    fn hex(self) -> String {
        self.0.finalize().iter().fold(String::with_capacity(64), |mut text, byte| {
            write!(text, "{byte:02x}").expect("a string takes everything");
            text
        })
    }
}
