//! Where in a manifest a chunk stands. Asked only once something is wrong with it, so it reads the text anew.

use std::{
    collections::HashMap,
    fs::File,
    io::{BufRead, BufReader},
    path::Path,
};

use magnetar::manifest::Format;
use serde::{Deserialize, de::IgnoredAny};
use serde_json::value::RawValue;
use toml::Spanned;

/// The line, from 1, of a key of the chunk at this index, or of the chunk where it names no key.
pub(super) fn line_in(text: &str, format: Format, index: usize, key: Option<&str>) -> Option<usize> {
    let offset = match format {
        Format::Toml => in_toml(text, index, key),
        _ => in_json(text, index, key),
    };
    Some(1 + text.get(..offset?)?.matches('\n').count())
}

fn in_toml(text: &str, index: usize, key: Option<&str>) -> Option<usize> {
    #[derive(Deserialize)]
    struct Document {
        chunks: Vec<Spanned<HashMap<Spanned<String>, toml::Value>>>,
    }
    let document: Document = toml::from_str(text).ok()?;
    let chunk = document.chunks.get(index)?;
    let of_key = |key| chunk.get_ref().keys().find(|found| found.get_ref().as_str() == key).map(|found| found.span().start);
    key.and_then(of_key).or(Some(chunk.span().start))
}

fn in_json(text: &str, index: usize, key: Option<&str>) -> Option<usize> {
    #[derive(Deserialize)]
    struct Document<'t> {
        #[serde(borrow)]
        chunks: Vec<&'t RawValue>,
    }
    let document: Document<'_> = serde_json::from_str(text).ok()?;
    let chunk = document.chunks.get(index)?.get();
    let keys: HashMap<String, &RawValue> = serde_json::from_str(chunk).ok()?;
    // A raw value is a piece of the text, so the distance of the two is where it begins.
    let of_key = |key| keys.get(key).map(|value| value.get());
    let found = key.and_then(of_key).unwrap_or(chunk);
    Some(found.as_ptr().addr().saturating_sub(text.as_ptr().addr()))
}

/// The line of the chunk at this index in a file of JSON lines.
pub(super) fn line_of(path: &Path, index: usize) -> Option<usize> {
    let mut lines = numbered(path)?.peekable();
    lines.next_if(|(_, line)| is_header(line));
    lines.nth(index).map(|(number, _)| number)
}

/// The first line of a file of JSON lines, where it is the job's header.
pub(super) fn header(path: &Path) -> Option<String> {
    numbered(path)?.next().map(|(_, line)| line).filter(|line| is_header(line))
}

/// The lines that are not blank.
fn numbered(path: &Path) -> Option<impl Iterator<Item = (usize, String)>> {
    let lines = BufReader::new(File::open(path).ok()?).lines();
    Some(lines.enumerate().map_while(|(at, line)| Some((at + 1, line.ok()?))).filter(|(_, line)| !line.trim().is_empty()))
}

fn is_header(line: &str) -> bool {
    #[derive(Deserialize)]
    struct Header {
        manifest: Option<IgnoredAny>,
    }
    serde_json::from_str(line.trim_start_matches('\u{feff}')).is_ok_and(|header: Header| header.manifest.is_some())
}
