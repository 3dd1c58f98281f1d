//! Manifests: any bytes are read or refused, and every way to read them says the same.

use magnetar_core::{
    NewChunk,
    manifest::{Format, Lines, Manifest},
};
use serde_json::Value;

use crate::cut;

/// Values of an extra may be nested so deeply, and its own table is one level more.
const DEPTH_MAX: usize = 64;

/// A TOML document.
pub fn toml(bytes: &[u8]) {
    let bytes = cut(bytes);
    let read = Manifest::parse_bytes(bytes, Format::Toml);
    let Ok(text) = std::str::from_utf8(bytes) else { return assert!(read.is_err(), "what is no UTF-8 is read") };
    let from_serde = toml::from_str::<Manifest>(text).ok();
    // A byte order mark is for the parser of documents alone.
    if !text.starts_with('\u{feff}') {
        assert_eq!(read.as_ref().ok(), from_serde.as_ref(), "two ways to read one document differ: {read:?}");
        if let Ok(value) = toml::from_str::<toml::Value>(text) {
            assert_eq!(read.as_ref().ok(), Manifest::try_from(value).ok().as_ref(), "a value is read otherwise: {read:?}");
        }
    }
    read.iter().for_each(check);
}

/// A JSON document.
pub fn json(bytes: &[u8]) {
    let bytes = cut(bytes);
    let read = Manifest::parse_bytes(bytes, Format::Json);
    let Ok(text) = std::str::from_utf8(bytes) else { return assert!(read.is_err(), "what is no UTF-8 is read") };
    if !text.starts_with('\u{feff}') {
        let from_serde = serde_json::from_str::<Manifest>(text).ok();
        assert_eq!(read.as_ref().ok(), from_serde.as_ref(), "two ways to read one document differ: {read:?}");
    }
    read.iter().for_each(check);
}

/// JSON lines.
pub fn lines(bytes: &[u8]) {
    let bytes = cut(bytes);
    let mut lines = Lines::new(bytes);
    let spec = lines.spec();
    let mut chunks = Vec::new();
    let mut error = None;
    for chunk in &mut lines {
        assert!(error.is_none(), "something comes after an error");
        match chunk {
            Ok(chunk) => chunks.push(chunk),
            Err(found) => error = Some(found),
        }
    }
    assert!(lines.next().is_none(), "a stream that has ended goes on");
    // Whoever asks for no header does not miss its error.
    let unasked: Vec<_> = Lines::new(bytes).collect();
    assert_eq!(unasked.iter().filter_map(|chunk| chunk.as_ref().ok()).collect::<Vec<_>>(), chunks.iter().collect::<Vec<_>>());
    assert_eq!(unasked.iter().find_map(|chunk| chunk.as_ref().err()), error.as_ref());
    chunks.iter().for_each(check_chunk);
    if let (Ok(spec), false) = (spec, chunks.is_empty()) {
        let manifest = Manifest::new(spec, chunks).expect("what a stream hands out is a manifest too");
        check(&manifest);
    }
}

/// What was read is what a store takes, and makes the same manifest again.
fn check(manifest: &Manifest) {
    assert!(!manifest.chunks().is_empty(), "a manifest without chunks is read");
    let again = Manifest::new(manifest.spec().clone(), manifest.chunks().to_vec());
    assert_eq!(again.as_ref(), Ok(manifest), "what was read is refused");
    manifest.chunks().iter().for_each(check_chunk);
}

fn check_chunk(chunk: &NewChunk) {
    assert!(chunk.id.is_some() && chunk.check().is_ok(), "a store would not take {chunk:?}");
    assert!(depth(&Value::Object(chunk.extra.to_map())) <= DEPTH_MAX + 1, "nested too deeply");
}

fn depth(value: &Value) -> usize {
    let inner = match value {
        Value::Array(values) => values.iter().map(depth).max(),
        Value::Object(map) => map.values().map(depth).max(),
        _ => return 0,
    };
    1 + inner.unwrap_or_default()
}
