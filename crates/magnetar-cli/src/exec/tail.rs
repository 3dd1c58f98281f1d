//! The end of what a command printed, in bounded memory.

use serde::{Deserialize, Serialize};

/// Lines that are kept.
const LINES_MAX: usize = 20;
/// Bytes that are kept.
const BYTES_MAX: usize = 4096;

/// The last lines of a stream: at most 20 of them, and 4 KiB.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Tail {
    /// The lines. Bytes that are no UTF-8 are replaced.
    pub(crate) text: String,
    /// Bytes of the whole stream.
    pub(crate) bytes: u64,
}

impl Tail {
    /// Whether nothing was printed.
    pub(crate) fn is_empty(&self) -> bool {
        self.bytes == 0
    }

    /// The last line that is not blank.
    pub(crate) fn last_line(&self) -> Option<&str> {
        self.text.lines().map(str::trim).rfind(|line| !line.is_empty())
    }
}

/// A stream whose end is kept while it goes by.
#[derive(Debug, Default)]
pub(super) struct Ring {
    kept: Vec<u8>,
    bytes: u64,
}

impl Ring {
    /// Takes in what was printed.
    pub(super) fn push(&mut self, printed: &[u8]) {
        self.bytes += printed.len() as u64;
        let new = printed.split_at_checked(printed.len().saturating_sub(BYTES_MAX)).map_or(printed, |(_, end)| end);
        // What is kept grows to twice its size before it is moved, so each byte is moved once.
        if self.kept.len() + new.len() > 2 * BYTES_MAX {
            let surplus = (self.kept.len() + new.len()).saturating_sub(BYTES_MAX).min(self.kept.len());
            self.kept.drain(..surplus);
        }
        self.kept.extend_from_slice(new);
    }

    /// The end of the stream.
    pub(super) fn into_tail(self) -> Tail {
        let kept = self.kept.split_at_checked(self.kept.len().saturating_sub(BYTES_MAX)).map_or(&*self.kept, |(_, end)| end);
        // A newline at the very end ends the last line, it does not begin another.
        let body = kept.strip_suffix(b"\n").unwrap_or(kept);
        let newlines = body.iter().enumerate().rev().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at + 1);
        let begin = newlines.take(LINES_MAX).nth(LINES_MAX - 1).unwrap_or(0);
        let text = String::from_utf8_lossy(kept.get(begin..).unwrap_or_default()).into_owned();
        Tail { text, bytes: self.bytes }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tail(pieces: &[&[u8]]) -> Tail {
        let mut ring = Ring::default();
        for piece in pieces {
            ring.push(piece);
        }
        ring.into_tail()
    }

    #[test]
    fn short_output_is_kept_whole() {
        for text in ["", "a", "a\n", "a\nb", "\n\n"] {
            assert_eq!(tail(&[text.as_bytes()]), Tail { text: text.to_owned(), bytes: text.len() as u64 });
        }
    }

    #[test]
    fn last_lines_are_kept() {
        let lines: Vec<String> = (1..=100).map(|line| format!("{line}\n")).collect();
        let pieces: Vec<&[u8]> = lines.iter().map(String::as_bytes).collect();
        assert_eq!(tail(&pieces).text, lines[80..].concat());
        let unfinished = format!("{}101", lines.concat());
        assert_eq!(tail(&[unfinished.as_bytes()]).text, format!("{}101", lines[81..].concat()));
    }

    #[test]
    fn long_lines_are_cut_to_the_limit_in_bytes() {
        let long = "x".repeat(10_000);
        for pieces in [vec![long.as_bytes()], long.as_bytes().chunks(7).collect(), long.as_bytes().chunks(5000).collect()] {
            let tail = tail(&pieces);
            assert_eq!((tail.text.len(), tail.bytes), (BYTES_MAX, 10_000));
        }
    }

    #[test]
    fn memory_is_bounded_whatever_is_printed() {
        let mut ring = Ring::default();
        for _ in 0..10_000 {
            ring.push(&[b'y'; 8192]);
            ring.push(b"\n");
            assert!(ring.kept.capacity() <= 4 * BYTES_MAX);
        }
        assert_eq!(ring.bytes, 81_930_000);
    }

    #[test]
    fn bytes_that_are_no_text_are_replaced() {
        assert_eq!(tail(&[b"a\xffb\xc3"]).text, "a\u{fffd}b\u{fffd}");
    }
}
