//! The digest of what is written and read, with a key or without.

use std::{
    fmt,
    io::{self, Write},
};

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

/// Hexadecimal digits of a digest.
pub(crate) const DIGEST_DIGITS: usize = 64;
/// Bytes that are summed up and handed on at once.
const PIECE_BYTES: usize = 64 * 1024;

/// A secret by which files are signed, so that nobody without it can make one that verifies.
#[derive(Clone)]
pub(crate) struct Key(Hmac<Sha256>);

impl Key {
    pub(crate) fn new(secret: &[u8]) -> Self {
        Self(Hmac::new_from_slice(secret).expect("an HMAC takes a key of any length"))
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key")
    }
}

/// The sum of the bytes so far.
#[derive(Clone)]
pub(crate) enum Seal {
    Plain(Sha256),
    Keyed(Hmac<Sha256>),
}

impl Seal {
    pub(crate) fn new(key: Option<&Key>) -> Self {
        key.map_or_else(|| Self::Plain(Sha256::new()), |key| Self::Keyed(key.0.clone()))
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Plain(hash) => hash.update(bytes),
            Self::Keyed(hash) => hash.update(bytes),
        }
    }

    /// The digest, in hexadecimal digits.
    pub(crate) fn digits(self) -> String {
        match self {
            Self::Plain(hash) => hex(&hash.finalize()),
            Self::Keyed(hash) => hex(&hash.finalize().into_bytes()),
        }
    }

    /// Whether these are the digits of the digest, found out in a time that does not tell where they differ.
    pub(crate) fn verifies(self, digits: &str) -> bool {
        let Some(digest) = unhex(digits) else { return false };
        match self {
            Self::Plain(hash) => hash.finalize().as_slice() == digest,
            Self::Keyed(hash) => hash.verify_slice(&digest).is_ok(),
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |half: u8| DIGITS.get(usize::from(half)).map_or('0', |digit| char::from(*digit));
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

fn unhex(digits: &str) -> Option<[u8; DIGEST_DIGITS / 2]> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let mut digest = [0; DIGEST_DIGITS / 2];
    if digits.len() != DIGEST_DIGITS {
        return None;
    }
    for (byte, pair) in digest.iter_mut().zip(digits.as_bytes().chunks_exact(2)) {
        let [high, low] = pair else { return None };
        *byte = digit(*high)? << 4 | digit(*low)?;
    }
    Some(digest)
}

/// The SHA-256 of a text, in hexadecimal digits.
pub(super) fn sha256(text: &[u8]) -> String {
    let mut seal = Seal::new(None);
    seal.update(text);
    seal.digits()
}

/// Sums up what is written through it, in pieces.
pub(crate) struct Sealing<'w> {
    target: &'w mut dyn Write,
    seal: Seal,
    piece: Vec<u8>,
    bytes: u64,
}

impl<'w> Sealing<'w> {
    pub(crate) fn new(target: &'w mut dyn Write, key: Option<&Key>) -> Self {
        Self { target, seal: Seal::new(key), piece: Vec::with_capacity(PIECE_BYTES), bytes: 0 }
    }

    /// How many bytes were written.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes + self.piece.len() as u64
    }

    /// The digits of all that was written, and where to write them.
    pub(crate) fn finish(mut self) -> io::Result<(String, &'w mut dyn Write)> {
        self.send()?;
        Ok((self.seal.digits(), self.target))
    }

    fn send(&mut self) -> io::Result<()> {
        self.seal.update(&self.piece);
        self.bytes += self.piece.len() as u64;
        let sent = self.target.write_all(&self.piece);
        self.piece.clear();
        sent
    }
}

impl Write for Sealing<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.piece.len() == PIECE_BYTES {
            self.send()?;
        }
        let fits = bytes.len().min(PIECE_BYTES - self.piece.len());
        self.piece.extend_from_slice(bytes.get(..fits).unwrap_or_default());
        Ok(fits)
    }

    #[inline]
    fn write_all(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        if bytes.len() <= PIECE_BYTES - self.piece.len() {
            self.piece.extend_from_slice(bytes);
            return Ok(());
        }
        while !bytes.is_empty() {
            let written = self.write(bytes)?;
            bytes = bytes.get(written..).unwrap_or_default();
        }
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.send()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_are_those_of_the_standards() {
        // FIPS 180-2, appendix B.1, and RFC 4231, test case 2.
        assert_eq!(sha256(b"abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        let mut seal = Seal::new(Some(&Key::new(b"Jefe")));
        seal.update(b"what do ya want for nothing?");
        assert_eq!(seal.clone().digits(), "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
        assert!(seal.clone().verifies("5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"));
        assert!(!seal.clone().verifies("5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3842"));
        assert!(!seal.verifies("5BDCC146BF60754E6A042426089575C75A003F089D2739839DEC58B964EC3843"));
    }

    #[test]
    fn every_size_of_piece_is_summed_up() {
        let text: Vec<u8> = (0..200_000_u32).map(|n| n.to_le_bytes()[0]).collect();
        for size in [1, 1000, PIECE_BYTES - 1, PIECE_BYTES, PIECE_BYTES + 1, text.len()] {
            let mut target = Vec::new();
            let mut sealing = Sealing::new(&mut target, None);
            for piece in text.chunks(size) {
                sealing.write_all(piece).unwrap();
            }
            assert_eq!(sealing.bytes(), text.len() as u64);
            assert_eq!(sealing.finish().unwrap().0, sha256(&text), "{size}");
            assert!(target == text, "{size}");
        }
    }
}
