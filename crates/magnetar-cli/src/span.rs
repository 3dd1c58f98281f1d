//! Chunks as they are named on the command line: `17`, `20-29`, `100-`.

use std::str::FromStr;

use magnetar::{ChunkId, limits};

/// Chunks from a first to a last one, both among them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Span {
    pub(crate) first: ChunkId,
    pub(crate) last: ChunkId,
}

impl Span {
    /// Every chunk there can be.
    pub(crate) const ALL: Self = Self { first: 0, last: limits::ID_MAX };

    /// Whether it names one chunk, which is then expected to be there.
    pub(crate) fn is_one(&self) -> bool {
        self.first == self.last
    }
}

impl FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let span = match text.split_once('-') {
            None => number(text).map(|id| Self { first: id, last: id }),
            Some((first, "")) => number(first).map(|first| Self { first, last: limits::ID_MAX }),
            Some((first, last)) => number(first).zip(number(last)).map(|(first, last)| Self { first, last }),
        };
        let span =
            span.ok_or_else(|| format!("{text:?} names no chunks; write a number as in 17, or a range as in 20-29 or 100-"))?;
        if span.first > span.last {
            return Err(format!("the range {text} ends before it begins"));
        }
        Ok(span)
    }
}

/// The spans in order, with those that overlap made one, so that no chunk is named twice.
pub(crate) fn merged(mut spans: Vec<Span>) -> Vec<Span> {
    spans.sort_unstable();
    let mut merged: Vec<Span> = Vec::with_capacity(spans.len());
    for span in spans {
        match merged.last_mut() {
            Some(before) if span.first <= before.last => before.last = before.last.max(span.last),
            _ => merged.push(span),
        }
    }
    merged
}

fn number(text: &str) -> Option<ChunkId> {
    let is_plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|id| is_plain && *id <= limits::ID_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_are_named_by_number_or_range() {
        let check = |text: &str, first, last| assert_eq!(text.parse(), Ok(Span { first, last }), "{text}");
        check("0", 0, 0);
        check("17", 17, 17);
        check("20-29", 20, 29);
        check("100-", 100, limits::ID_MAX);
        check("9223372036854775807", limits::ID_MAX, limits::ID_MAX);
    }

    #[test]
    fn what_names_no_chunks_is_refused() {
        for text in ["", "-", "-5", "+5", "5-4", "1-2-3", "jobs.toml", "1,2", " 1", "9223372036854775808", "0x10"] {
            let error = text.parse::<Span>().unwrap_err();
            assert!(error.contains(text), "{error}");
        }
    }

    #[test]
    fn spans_that_overlap_become_one() {
        let span = |first, last| Span { first, last };
        let spans = vec![span(20, 29), span(5, 5), span(25, 40), span(5, 5), span(6, 6), span(41, 41)];
        assert_eq!(merged(spans), [span(5, 5), span(6, 6), span(20, 40), span(41, 41)]);
    }
}
