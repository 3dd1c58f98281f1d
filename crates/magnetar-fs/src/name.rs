//! Safe file names of any keys, and back.
//!
//! Lower case letters, digits, `-` and `_` stay as they are; every other byte becomes `%` and two digits, upper case too, so that
//! two keys that differ only in case are two files where case does not count, and no two spellings of one letter meet. `k-` stands
//! before it, so that no key is `CON`, `..`, or begins with a dash. A name longer than [`NAME_BYTES_MAX`] is instead `h-` and the
//! SHA-256 of the key. Whoever keeps files by such names keeps the key within, and compares it: a file may have been swapped.

use std::fmt::Write;

use sha2::{Digest, Sha256};

/// The most bytes of a key.
pub const KEY_BYTES_MAX: usize = 1024;
/// The most bytes of a name, the prefix left out, before it becomes a hash.
pub const NAME_BYTES_MAX: usize = 100;

const PLAIN: &str = "k-";
const HASHED: &str = "h-";
const HASH_DIGITS: usize = 64;

/// A key that no file can be named after.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// It is empty.
    #[error("a key must not be empty")]
    Empty,
    /// It is too long.
    #[error("a key of {bytes} bytes is beyond the limit of {KEY_BYTES_MAX}")]
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// It has a NUL in it.
    #[error("a key must not hold a NUL character")]
    Nul,
}

/// What a file name says about its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Named {
    /// The key itself.
    Key(String),
    /// A key too long for a name: only its hash.
    Hashed,
}

/// The file name of a key, without an extension: at most 102 bytes of `[a-z0-9_%-]`.
///
/// # Errors
/// `KeyError` where the key is empty, too long, or has a NUL in it.
pub fn of_key(key: &str) -> Result<String, KeyError> {
    if key.is_empty() {
        return Err(KeyError::Empty);
    }
    if key.len() > KEY_BYTES_MAX {
        return Err(KeyError::TooLong { bytes: key.len() });
    }
    if key.contains('\0') {
        return Err(KeyError::Nul);
    }
    let name = escaped(key);
    Ok(if name.len() <= NAME_BYTES_MAX { format!("{PLAIN}{name}") } else { format!("{HASHED}{}", hash(key)) })
}

/// What is named so; none for any name that [`of_key`] does not give, so that a foreign file is told from ours.
pub fn parse(name: &str) -> Option<Named> {
    if let Some(digits) = name.strip_prefix(HASHED) {
        let is_hash = digits.len() == HASH_DIGITS && digits.bytes().all(|byte| hex_digit(byte).is_some());
        return is_hash.then_some(Named::Hashed);
    }
    let key = unescaped(name.strip_prefix(PLAIN)?)?;
    (of_key(&key).as_deref() == Ok(name)).then_some(Named::Key(key))
}

fn escaped(key: &str) -> String {
    let mut name = String::with_capacity(key.len());
    for byte in key.bytes() {
        if matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-') {
            name.push(char::from(byte));
        } else {
            push_hex(&mut name, "%", byte);
        }
    }
    name
}

fn unescaped(name: &str) -> Option<String> {
    let mut key = Vec::with_capacity(name.len());
    let mut bytes = name.bytes();
    while let Some(byte) = bytes.next() {
        if byte == b'%' {
            key.push(hex_digit(bytes.next()?)? << 4 | hex_digit(bytes.next()?)?);
        } else {
            key.push(byte);
        }
    }
    String::from_utf8(key).ok()
}

fn hex_digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    }
}

fn hash(key: &str) -> String {
    let mut digits = String::with_capacity(HASH_DIGITS);
    for byte in Sha256::digest(key.as_bytes()) {
        push_hex(&mut digits, "", byte);
    }
    digits
}

fn push_hex(text: &mut String, before: &str, byte: u8) {
    write!(text, "{before}{byte:02x}").expect("a string takes everything");
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(key: &str, name: &str) {
        assert_eq!(of_key(key).as_deref(), Ok(name));
        assert_eq!(parse(name), Some(Named::Key(key.to_owned())));
    }

    #[test]
    fn hostile_keys_become_plain_names_and_come_back() {
        check("orders", "k-orders");
        check("../../etc/passwd", "k-%2e%2e%2f%2e%2e%2fetc%2fpasswd");
        check("CON", "k-%43%4f%4e");
        check("Orders", "k-%4frders");
        check("..", "k-%2e%2e");
        check("-rf", "k--rf");
        check("a b", "k-a%20b");
        check("a/b", "k-a%2fb");
        check("a_b", "k-a_b");
        check("ä🚀", "k-%c3%a4%f0%9f%9a%80");
    }

    #[test]
    fn keys_that_no_file_can_have_are_refused() {
        assert_eq!(of_key(""), Err(KeyError::Empty));
        assert_eq!(of_key("a\0b"), Err(KeyError::Nul));
        assert_eq!(of_key(&"x".repeat(10_240)), Err(KeyError::TooLong { bytes: 10_240 }));
    }

    #[test]
    fn long_keys_become_hashes_that_differ() {
        let (one, other) = (of_key(&"x".repeat(101)).unwrap(), of_key(&"x".repeat(1024)).unwrap());
        assert_ne!(one, other);
        assert_eq!((one.len(), parse(&one)), (66, Some(Named::Hashed)));
        assert_eq!(of_key(&"x".repeat(100)).unwrap(), format!("k-{}", "x".repeat(100)));
    }

    #[test]
    fn names_that_no_key_has_are_foreign() {
        for name in ["orders", "k-", "k-A", "k-%41%", "k-%zz", "k-%2E", "k-%61", "k-%ff", "k-a.json", "h-12", "H-00", "k-a/b"] {
            assert_eq!(parse(name), None, "{name}");
        }
    }

    proptest! {
        #[test]
        fn every_key_has_a_safe_name_of_its_own(one in "\\PC{1,60}", other in "\\PC{1,60}") {
            let name = of_key(&one).unwrap();
            prop_assert!(name.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-' | b'%')));
            prop_assert!(name.len() <= NAME_BYTES_MAX + PLAIN.len());
            prop_assert_eq!(of_key(&other).unwrap() == name, one == other);
            match parse(&name) {
                Some(Named::Key(key)) => prop_assert_eq!(key, one),
                named => prop_assert_eq!(named, Some(Named::Hashed)),
            }
        }
    }
}
