//! Any text and any chunks: nothing panics, and what is written is read back.

use std::time::Duration;

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::*;
use crate::{chunk::NewChunk, job::JobSpec, time::Timestamp};

/// Values of any shape, with the keys that a manifest knows more likely than chance would have them.
fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<i32>().prop_map(|quarters| (f64::from(quarters) / 4.0).into()),
        (0..4_u64).prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
        "[0-9]{1,20} ?(ns|us|ms|s|m|h|d|y)[0-9]{1,20}(ns|s|y)".prop_map(Value::from),
        "[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]{8,12}Z".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(any_key(), inner, 0..4).prop_map(|map| map.into_iter().collect::<Map<_, _>>().into()),
        ]
    })
}

fn any_key() -> impl Strategy<Value = String> {
    const KNOWN: &[&str] = &[
        "chunks",
        "name",
        "kind",
        "on_failure",
        "retry",
        "id",
        "checksum",
        "depends_on",
        "payload",
        "priority",
        "lane",
        "not_before",
        "timeout",
        "retries",
        "key",
        "max_crashes",
        "backoff",
        "first_wait",
        "longest_wait",
        "jitter",
        "manifest",
        "$__toml_private_datetime",
        "$serde_json::private::Number",
        "$serde_json::private::RawValue",
    ];
    prop_oneof![4 => prop::sample::select(KNOWN).prop_map(str::to_owned), 1 => ".{0,6}"]
}

/// Reads a text in every way there is, and compares the ways.
fn read_every_way(text: &str) {
    let parsed = json(text);
    assert_eq!(parsed.is_ok(), serde_json::from_str::<Manifest>(text).is_ok(), "{parsed:?}");
    let parsed = toml(text);
    assert_eq!(parsed.is_ok(), toml::from_str::<Manifest>(text).is_ok(), "{parsed:?}");
    if let Ok(value) = toml::from_str::<toml::Value>(text) {
        assert_eq!(parsed.is_ok(), Manifest::try_from(value).is_ok(), "{parsed:?}");
    }
    let mut lines = Lines::new(text.as_bytes());
    let _ = lines.spec();
    assert!(lines.by_ref().take(10_000).skip_while(Result::is_ok).count() <= 1, "nothing comes after an error");
}

/// A chunk with every key that a document can hold; dependencies are added later.
fn any_chunk() -> impl Strategy<Value = NewChunk> {
    let options =
        (any::<i16>(), "[a-z]{0,8}", prop::option::of(0..=i64::MAX.unsigned_abs()), prop::option::of(1..1_000_000_000_u64));
    let texts = (prop::option::of(".{0,20}"), ".{0,40}", prop::option::of(".{1,20}"));
    let extra = prop::collection::btree_map("x[a-z]{0,5}", any_value().prop_filter("both formats hold it", survives), 0..3);
    (options, texts, prop::option::of(1..=u32::MAX), extra).prop_map(|(options, texts, max_fails, extra)| {
        let mut chunk = NewChunk::new(0).priority(options.0).lane(options.1).payload(texts.1);
        chunk.not_before = options.2.map(Timestamp::from_millis);
        chunk.timeout = options.3.map(Duration::from_millis);
        chunk.checksum = texts.0;
        chunk.key = texts.2;
        chunk.max_fails = max_fails;
        chunk.extra = crate::Extra::new(&extra.into_iter().collect());
        chunk
    })
}

/// Whether TOML can hold the value and both formats give it back as it was: `serde_json` may read a float's last digit
/// otherwise than it wrote it, so only short ones are compared; the keys that the parsers keep for themselves are none.
fn survives(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(_) | Value::String(_) => true,
        Value::Number(number) => {
            number.is_i64() || number.as_f64().is_some_and(|number| (number * 4.0).fract() == 0.0 && number.abs() < 1e9)
        }
        Value::Array(values) => values.iter().all(survives),
        Value::Object(map) => map.iter().all(|(key, value)| !key.starts_with('$') && survives(value)),
    }
}

/// Chunks with ids of their own; each depends on some of those before it, and the order is that of the ids reversed.
fn any_chunks() -> impl Strategy<Value = Vec<NewChunk>> {
    let ids = prop::collection::btree_set(prop_oneof![0..20_u64, 0..=i64::MAX.unsigned_abs()], 1..12);
    let parts = prop::collection::vec((any_chunk(), any::<u16>()), 12);
    (ids, parts).prop_map(|(ids, parts)| {
        let ids: Vec<_> = ids.into_iter().rev().collect();
        let chunk = |(place, ((mut chunk, mask), id)): (usize, ((NewChunk, u16), &u64))| {
            chunk.id = Some(*id);
            chunk.depends_on = (0..place).filter(|before| mask & (1 << before) != 0).map(|before| ids[before]).collect();
            chunk
        };
        parts.into_iter().zip(&ids).enumerate().map(chunk).collect()
    })
}

fn rendered(chunk: &NewChunk) -> Value {
    let mut keys = chunk.extra.to_map();
    keys.insert("id".to_owned(), chunk.id.into());
    keys.insert("depends_on".to_owned(), chunk.depends_on.clone().into());
    keys.insert("payload".to_owned(), String::from_utf8(chunk.payload.clone()).unwrap().into());
    keys.insert("priority".to_owned(), chunk.priority.into());
    keys.insert("lane".to_owned(), chunk.lane.clone().into());
    let optional = [
        ("checksum", chunk.checksum.clone().map(Value::from)),
        ("key", chunk.key.clone().map(Value::from)),
        ("not_before", chunk.not_before.map(|at| at.as_millis().into())),
        ("timeout", chunk.timeout.map(|timeout| format!("{}ms", timeout.as_millis()).into())),
        ("retries", chunk.max_fails.map(|max| (max - 1).into())),
    ];
    keys.extend(optional.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))));
    keys.into()
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = Manifest::parse_bytes(&bytes, Format::Toml);
        let _ = Manifest::parse_bytes(&bytes, Format::Json);
        let _ = Lines::new(&*bytes).count();
    }

    #[test]
    fn any_text_is_read_or_refused(text in "([\\[\\]{}=\",:\n.#' 0-9a-zµ-]|chunks|id|timeout|nan|\\[\\[chunks\\]\\]\nid = 1\n){0,40}") {
        read_every_way(&text);
    }

    #[test]
    fn any_json_is_read_or_refused(value in any_value()) {
        read_every_way(&value.to_string());
        read_every_way(&json!({"chunks": [value]}).to_string());
    }

    #[test]
    fn any_chunk_is_read_or_refused(keys in prop::collection::btree_map(any_key(), any_value(), 0..6)) {
        let mut keys: Map<_, _> = keys.into_iter().collect();
        keys.insert("id".to_owned(), 1.into());
        read_every_way(&json!({"chunks": [keys]}).to_string());
        if let Ok(text) = toml::to_string(&json!({"chunks": [keys]})) {
            read_every_way(&text);
        }
        keys.remove("id");
        read_every_way(&json!({"retry": keys, "chunks": [{"id": 1}]}).to_string());
    }

    #[test]
    fn chunks_that_are_written_are_read_back(chunks in any_chunks()) {
        let expected = Manifest::new(JobSpec::default(), chunks.clone()).unwrap();
        let values: Vec<_> = chunks.iter().map(rendered).collect();
        let lines: Vec<_> = values.iter().map(Value::to_string).collect();
        let document = json!({"chunks": values});
        prop_assert_eq!(&json(&document.to_string()).unwrap(), &expected);
        prop_assert_eq!(&json(&serde_json::to_string_pretty(&document).unwrap()).unwrap(), &expected);
        prop_assert_eq!(&toml(&toml::to_string(&document).unwrap()).unwrap(), &expected);
        let from_lines: Vec<_> = Lines::new(lines.join("\n").as_bytes()).collect::<Result<_, _>>().unwrap();
        prop_assert_eq!(from_lines, chunks);
    }
}
