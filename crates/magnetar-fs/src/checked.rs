//! A file while it is written: gathered in larger pieces, counted and summed up, so that it can be read back.

use std::io::{self, Write};

use crc32fast::Hasher;

use crate::folder::{NewFile, OpenFile};

/// Bytes that go to the system at once.
const PIECE_BYTES: usize = 64 * 1024;

/// How much went into a file, and what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sum {
    pub(crate) bytes: u64,
    crc: u32,
}

/// Gathers what is written to a file, and sums it up.
pub(crate) struct Checked<'f> {
    file: &'f mut dyn NewFile,
    piece: Vec<u8>,
    crc: Hasher,
    bytes: u64,
}

impl<'f> Checked<'f> {
    pub(crate) fn new(file: &'f mut dyn NewFile) -> Self {
        Self { file, piece: Vec::with_capacity(PIECE_BYTES), crc: Hasher::new(), bytes: 0 }
    }

    /// Sends what is left, and tells what was written in all.
    pub(crate) fn finish(mut self) -> io::Result<Sum> {
        self.flush()?;
        Ok(Sum { bytes: self.bytes, crc: self.crc.finalize() })
    }

    fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.crc.update(bytes);
        self.bytes += bytes.len() as u64;
        self.file.write_all(bytes)
    }

    fn send_piece(&mut self) -> io::Result<()> {
        let mut piece = std::mem::take(&mut self.piece);
        let sent = self.send(&piece);
        piece.clear();
        self.piece = piece;
        sent
    }
}

impl Write for Checked<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.piece.len() + bytes.len() > PIECE_BYTES {
            self.send_piece()?;
        }
        if bytes.len() >= PIECE_BYTES {
            self.send(bytes)?;
        } else {
            self.piece.extend_from_slice(bytes);
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.send_piece()
    }
}

/// Reads a file to its end, and tells what is in it.
pub(crate) fn sum(file: &mut dyn OpenFile) -> io::Result<Sum> {
    let mut piece = vec![0; PIECE_BYTES];
    let (mut crc, mut bytes) = (Hasher::new(), 0);
    loop {
        let read = match file.read(&mut piece) {
            Ok(0) => return Ok(Sum { bytes, crc: crc.finalize() }),
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        crc.update(piece.get(..read).unwrap_or_default());
        bytes += read as u64;
    }
}
