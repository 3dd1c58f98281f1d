//! The sealed part of a file as a stream: each piece is summed up as it is read, and parts are parsed out of it.

use std::{
    collections::HashMap,
    io::{self, Read},
};

use magnetar_fs::OpenFile;
use serde::de::DeserializeOwned;
use serde_json::error::Category;

use super::seal::Seal;

/// Bytes that are read at once.
const PIECE_BYTES: usize = 64 * 1024;

/// Why a part cannot be had.
#[derive(Debug)]
pub(super) enum Wrong {
    /// It is not what it must be.
    Content(String),
    /// The system does not give it.
    System(io::Error),
}

impl From<io::Error> for Wrong {
    fn from(error: io::Error) -> Self {
        Self::System(error)
    }
}

/// What is left of the sealed part.
pub(super) struct Stream<'f> {
    file: &'f mut dyn OpenFile,
    seal: Seal,
    /// Bytes that are not read yet.
    left: u64,
    piece: Vec<u8>,
    at: usize,
}

impl<'f> Stream<'f> {
    /// Reads so many bytes from where the file is.
    pub(super) fn new(file: &'f mut dyn OpenFile, seal: Seal, bytes: u64) -> Self {
        Self { file, seal, left: bytes, piece: Vec::new(), at: 0 }
    }

    /// Reads to the end, and returns the sum of everything.
    pub(super) fn finish(mut self) -> Result<Seal, Wrong> {
        while !self.buffered()?.is_empty() {
            self.at = self.piece.len();
        }
        Ok(self.seal)
    }

    /// Passes over exactly these bytes.
    pub(super) fn expect(&mut self, text: &str) -> Result<(), Wrong> {
        let mut rest = text.as_bytes();
        while let Some(byte) = rest.first() {
            if self.buffered()?.first() != Some(byte) {
                return Err(Wrong::Content(format!("{:?} is missing", text.trim_start_matches([',', '\n']))));
            }
            self.at += 1;
            rest = rest.get(1..).unwrap_or_default();
        }
        Ok(())
    }

    /// Passes over everything up to and with this byte.
    pub(super) fn pass(&mut self, byte: u8) -> Result<(), Wrong> {
        loop {
            let piece = self.buffered()?;
            if piece.is_empty() {
                return Err(cut_off());
            }
            match piece.iter().position(|found| *found == byte) {
                Some(position) => {
                    self.at += position + 1;
                    return Ok(());
                }
                None => self.at = self.piece.len(),
            }
        }
    }

    /// A list of so many strings.
    pub(super) fn list(&mut self, entries: u64) -> Result<Vec<String>, Wrong> {
        let mut list = Vec::with_capacity(count(entries)?);
        self.expect("[")?;
        for entry in 0..entries {
            self.comma(entry)?;
            list.push(self.string()?);
        }
        self.expect("]")?;
        Ok(list)
    }

    /// A map of so many strings to strings.
    pub(super) fn map(&mut self, entries: u64) -> Result<HashMap<String, String>, Wrong> {
        let mut map = HashMap::with_capacity(count(entries)?);
        self.expect("{")?;
        for entry in 0..entries {
            self.comma(entry)?;
            let key = self.string()?;
            self.expect(":")?;
            if map.insert(key, self.string()?).is_some() {
                return Err(Wrong::Content("it has a key twice".to_owned()));
            }
        }
        self.expect("}")?;
        Ok(map)
    }

    /// A value of any shape.
    pub(super) fn json<T: DeserializeOwned>(&mut self) -> Result<T, Wrong> {
        let value = T::deserialize(&mut serde_json::Deserializer::from_reader(self));
        value.map_err(|error| match error.classify() {
            Category::Io => Wrong::System(error.into()),
            _ => Wrong::Content(format!("a part of it cannot be understood: {error}")),
        })
    }

    fn comma(&mut self, entry: u64) -> Result<(), Wrong> {
        if entry == 0 { Ok(()) } else { self.expect(",") }
    }

    fn string(&mut self) -> Result<String, Wrong> {
        self.expect("\"")?;
        let mut text = Vec::new();
        let mut is_escaped = false;
        loop {
            let piece = self.buffered()?;
            if piece.is_empty() {
                return Err(cut_off());
            }
            let end = piece.iter().position(|byte| matches!(byte, b'"' | b'\\'));
            let plain = piece.get(..end.unwrap_or(piece.len())).unwrap_or_default();
            // Without room to spare: most strings are kept as they are.
            text.reserve_exact(plain.len());
            text.extend_from_slice(plain);
            let taken = plain.len();
            let stop = end.and_then(|end| piece.get(end).copied());
            self.at += taken;
            match stop {
                None => {}
                Some(b'"') => {
                    self.at += 1;
                    return if is_escaped { unescaped(&text) } else { plainly(text) };
                }
                Some(_) => {
                    is_escaped = true;
                    text.extend_from_slice(&[self.byte()?, self.byte()?]);
                }
            }
        }
    }

    fn byte(&mut self) -> Result<u8, Wrong> {
        let byte = *self.buffered()?.first().ok_or_else(cut_off)?;
        self.at += 1;
        Ok(byte)
    }

    /// What was read and not taken yet; empty at the end.
    fn buffered(&mut self) -> io::Result<&[u8]> {
        if self.at >= self.piece.len() && self.left > 0 {
            let bytes = self.left.min(PIECE_BYTES as u64);
            self.piece.clear();
            self.at = 0;
            let read = (&mut *self.file).take(bytes).read_to_end(&mut self.piece)?;
            if read as u64 != bytes {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            self.seal.update(&self.piece);
            self.left -= bytes;
        }
        Ok(self.piece.get(self.at..).unwrap_or_default())
    }
}

impl Read for Stream<'_> {
    #[inline]
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.buffered()?.read(buffer)?;
        self.at += read;
        Ok(read)
    }
}

fn cut_off() -> Wrong {
    Wrong::Content("it ends in the middle".to_owned())
}

fn count(entries: u64) -> Result<usize, Wrong> {
    usize::try_from(entries).map_err(|_| Wrong::Content("it has more entries than there is room for".to_owned()))
}

fn plainly(text: Vec<u8>) -> Result<String, Wrong> {
    String::from_utf8(text).map_err(|_| Wrong::Content("a string in it is no UTF-8".to_owned()))
}

fn unescaped(text: &[u8]) -> Result<String, Wrong> {
    let quoted = [b"\"", text, b"\""].concat();
    serde_json::from_slice(&quoted).map_err(|error| Wrong::Content(format!("a string in it is none: {error}")))
}
