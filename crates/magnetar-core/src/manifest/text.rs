//! Texts as bytes and lines: how large, whether UTF-8, and which line an offset is on.

use super::{ManifestError, Problem};
use crate::limits;

/// What some editors put in front of UTF-8.
pub(super) const BYTE_ORDER_MARK: char = '\u{feff}';

/// Refuses a document that is too large, before anything is read of it.
pub(super) fn check_size(size: usize) -> Result<(), ManifestError> {
    if size <= limits::MANIFEST_BYTES_MAX {
        return Ok(());
    }
    Err(Problem::DocumentTooLarge { size, max: limits::MANIFEST_BYTES_MAX }.into())
}

/// The bytes as text.
pub(super) fn from_utf8(bytes: &[u8]) -> Result<&str, ManifestError> {
    std::str::from_utf8(bytes).map_err(|error| {
        let byte = error.valid_up_to();
        ManifestError::from(Problem::NotUtf8 { byte }).on_line(Some(line_of_byte(bytes, byte)))
    })
}

/// The line of an offset, counted from 1.
pub(super) fn line_at(text: &str, offset: usize) -> usize {
    line_of_byte(text.as_bytes(), offset)
}

fn line_of_byte(bytes: &[u8], offset: usize) -> usize {
    1 + bytes.iter().take(offset).filter(|byte| **byte == b'\n').count()
}
