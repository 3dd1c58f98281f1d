//! Mutations of inputs, for tests without libFuzzer.

use fastrand::Rng;

/// Words that parsers look for, and numbers at edges.
const WORDS: &[&[u8]] = &[
    b"[[chunks]]\nid = 1\n",
    b"depends_on = [1]\n",
    b"\"id\":",
    b"\"chunks\":[",
    b"{\"manifest\":{",
    b"{\"id\":1}\n",
    b"9223372036854775807",
    b"-9223372036854775809",
    b"18446744073709551616",
    b"1e400",
    b"nan",
    b"null",
    b"[[[[[[[[[[[[[[[[",
    b"{\"a\":{\"a\":{\"a\":",
    b"\"\"\"",
    b"\\u0000",
    b"\xef\xbb\xbf",
    b"\r\n",
    b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
    b"\x00\x00\x00\x00",
];

/// An input made of another by a few changes, with pieces of a third.
pub fn mutate(rng: &mut Rng, input: &[u8], other: &[u8]) -> Vec<u8> {
    let mut bytes = input.to_vec();
    for _ in 0..rng.usize(1..=6) {
        change(rng, &mut bytes, other);
    }
    bytes.truncate(crate::INPUT_BYTES_MAX);
    bytes
}

fn change(rng: &mut Rng, bytes: &mut Vec<u8>, other: &[u8]) {
    let at = rng.usize(0..=bytes.len());
    let length = rng.usize(0..=8).min(bytes.len() - at);
    match rng.usize(0..7) {
        0 if at < bytes.len() => bytes[at] ^= 1 << rng.u8(0..8),
        1 if at < bytes.len() => bytes[at] = rng.u8(..),
        2 => drop(bytes.drain(at..at + length)),
        3 => drop(bytes.splice(at..at, WORDS[rng.usize(0..WORDS.len())].iter().copied())),
        4 => {
            let copied = bytes[at..at + length].to_vec();
            let to = rng.usize(0..=bytes.len());
            drop(bytes.splice(to..to, copied));
        }
        5 if !other.is_empty() => {
            let from = rng.usize(0..other.len());
            let count = rng.usize(1..=32).min(other.len() - from);
            drop(bytes.splice(at..at + length, other[from..from + count].iter().copied()));
        }
        _ => bytes.insert(at, rng.u8(..)),
    }
}
