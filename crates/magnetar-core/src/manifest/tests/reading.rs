//! What each key becomes.

use std::time::Duration;

use super::*;
use crate::{
    Error, ErrorKind, Rejection,
    chunk::NewChunk,
    job::{JobOptions, JobSpec, OnFailure},
    retry::{Backoff, RetryPolicy},
    time::Timestamp,
};

const TOML: &str = r#"
name = "nightly"
kind = "report"
on_failure = "hold"

[retry]
retries = 4
max_crashes = 7
backoff = "linear"
first_wait = 1.5
longest_wait = "2m"
jitter = 0

[[chunks]]
id = 9223372036854775807
checksum = "abc123"
depends_on = [0, 5]
payload = "grüße"
priority = -5
lane = "gpu"
not_before = 2026-01-31T08:00:00Z
timeout = "1h 30m"
retries = 0
key = "order-7"
run = ["make", "all"]
env = { depth = 2, since = 1979-05-27 }

[[chunks]]
id = 0

[[chunks]]
id = 5
"#;

const JSON: &str = r#"{
  "chunks": [
    {"id": 9223372036854775807, "checksum": "abc123", "depends_on": [0, 5], "payload": "grüße", "priority": -5,
     "lane": "gpu", "not_before": "2026-01-31T08:00:00Z", "timeout": 5400, "retries": 0, "key": "order-7",
     "run": ["make", "all"], "env": {"depth": 2, "since": "1979-05-27"}},
    {"id": 0, "checksum": null},
    {"id": 5}
  ],
  "name": "nightly", "kind": "report", "on_failure": "hold",
  "retry": {"retries": 4, "max_crashes": 7, "backoff": "linear", "first_wait": "1s 500ms", "longest_wait": 120, "jitter": 0.0}
}"#;

fn expected() -> (JobSpec, Vec<NewChunk>) {
    let retry = RetryPolicy {
        max_fails: 5,
        max_crashes: 7,
        backoff: Backoff::Linear,
        first_wait: Duration::from_millis(1500),
        longest_wait: Duration::from_mins(2),
        jitter: 0.0,
    };
    let options = Some(JobOptions { retry, on_failure: OnFailure::Hold });
    let mut first = NewChunk::new(i64::MAX.unsigned_abs())
        .checksum("abc123")
        .depends_on([0, 5])
        .payload("grüße")
        .priority(-5)
        .lane("gpu")
        .not_before(Timestamp::from_millis(1_769_846_400_000))
        .timeout(Duration::from_mins(90))
        .max_fails(1)
        .key("order-7");
    let extra = serde_json::json!({"run": ["make", "all"], "env": {"depth": 2, "since": "1979-05-27"}});
    first.extra = crate::Extra::new(extra.as_object().unwrap());
    (
        JobSpec { name: Some("nightly".to_owned()), kind: "report".to_owned(), options },
        vec![first, NewChunk::new(0), NewChunk::new(5)],
    )
}

#[test]
fn every_way_in_gives_the_same_manifest() {
    let (spec, chunks) = expected();
    let expected = Manifest::new(spec.clone(), chunks.clone()).unwrap();
    assert_eq!((expected.spec(), expected.chunks()), (&spec, &*chunks));
    assert_eq!(expected.shared_chunks().as_ptr(), expected.chunks().as_ptr());
    let from_toml: Manifest = toml::from_str(TOML).unwrap();
    let from_json: Manifest = serde_json::from_str(JSON).unwrap();
    let value: toml::Value = toml::from_str(TOML).unwrap();
    let bytes = |text: &str, format| Manifest::parse_bytes(text.as_bytes(), format).unwrap();
    let ways = [
        toml(TOML).unwrap(),
        json(JSON).unwrap(),
        from_toml,
        from_json,
        Manifest::try_from(value).unwrap(),
        serde_json::from_value(serde_json::from_str(JSON).unwrap()).unwrap(),
        bytes(TOML, Format::Toml),
        bytes(JSON, Format::Json),
        toml(&format!("\u{feff}{TOML}")).unwrap(),
        json(&format!("\u{feff}{JSON}")).unwrap(),
    ];
    for (index, way) in ways.into_iter().enumerate() {
        assert_eq!(way, expected, "way {index}");
    }
}

#[test]
fn a_header_that_says_nothing_of_options_leaves_them_to_the_job() {
    assert_eq!(*toml("[[chunks]]\nid = 1").unwrap().spec(), JobSpec::default());
    let options = |header: &str| toml(&format!("{header}\n[[chunks]]\nid = 1")).unwrap().spec().options;
    assert_eq!(options("on_failure = \"run\"").unwrap(), JobOptions { on_failure: OnFailure::Run, ..JobOptions::default() });
    assert_eq!(options("on_failure = \"skip\"").unwrap(), JobOptions::default());
    assert_eq!(options("retry = {}").unwrap(), JobOptions::default());
    assert_eq!(options("retry.backoff = \"fixed\"").unwrap().retry.backoff, Backoff::Fixed);
    assert_eq!(options("retry.backoff = \"exponential\"").unwrap().retry.backoff, Backoff::Exponential);
    let text = r#"{"name": null, "kind": null, "on_failure": null, "retry": null, "chunks": [{"id": 1}]}"#;
    assert_eq!(*json(text).unwrap().spec(), JobSpec::default());
}

#[test]
fn null_stands_for_a_key_that_was_left_out() {
    let text = r#"{"chunks": [{"id": 1, "checksum": null, "depends_on": null, "payload": null, "priority": null, "lane": null,
        "not_before": null, "timeout": null, "retries": null, "key": null, "other": null}], "retry": {"jitter": null}}"#;
    let manifest = json(text).unwrap();
    let chunk = manifest.chunks().first().unwrap();
    assert_eq!(NewChunk { extra: crate::Extra::default(), ..chunk.clone() }, NewChunk::new(1));
    assert_eq!(chunk.extra.as_json(), r#"{"other":null}"#);
}

#[test]
fn durations_are_seconds_or_texts() {
    let cases = [
        ("30", 30_000),
        ("1.5", 1500),
        ("0.001", 1),
        ("\"30s\"", 30_000),
        ("\"5m\"", 300_000),
        ("\" 1h 30m \"", 5_400_000),
        ("\"1hour30min\"", 5_400_000),
        ("\"1.5 s\"", 1500),
        ("\"999ms 1s\"", 1999),
        ("\"2 days\"", 172_800_000),
    ];
    for (text, millis) in cases {
        let manifest = toml(&format!("[[chunks]]\nid = 1\ntimeout = {text}\n")).unwrap();
        assert_eq!(manifest.chunks()[0].timeout, Some(Duration::from_millis(millis)), "{text}");
    }
    let longest = json(r#"{"chunks": [{"id": 1, "timeout": "9223372036854775s"}]}"#).unwrap();
    assert_eq!(longest.chunks()[0].timeout, Some(Duration::from_secs(9_223_372_036_854_775)));
}

#[test]
fn instants_are_texts_datetimes_or_milliseconds() {
    let cases = [
        ("\"1970-01-01T00:00:01Z\"", 1000),
        ("\"1970-01-01T00:00:00.250Z\"", 250),
        ("\"1970-01-01T00:00:01+00:00\"", 1000),
        ("1970-01-01T00:00:01Z", 1000),
        ("1970-01-01 00:00:01.5Z", 1500),
        ("0", 0),
        ("9223372036854775807", i64::MAX.unsigned_abs()),
    ];
    for (text, millis) in cases {
        let manifest = toml(&format!("[[chunks]]\nid = 1\nnot_before = {text}\n")).unwrap();
        assert_eq!(manifest.chunks()[0].not_before, Some(Timestamp::from_millis(millis)), "{text}");
    }
}

#[test]
fn a_chunk_made_in_code_may_depend_on_other_jobs() {
    let mut chunk = NewChunk::new(1);
    chunk.depends_on_jobs = vec![(7, 99)];
    assert!(Manifest::new(JobSpec::default(), vec![chunk]).is_ok());
}

#[test]
fn a_number_of_arbitrary_precision_is_a_number() {
    // What `serde_json` hands out for the number 7 where some crate of the build turns that feature on.
    let text = r#"{"chunks": [{"id": {"$serde_json::private::Number": "7"}}]}"#;
    assert_eq!(json(text).unwrap().chunks()[0].id, Some(7));
}

#[test]
fn an_error_of_the_library_carries_the_manifests_own() {
    let error = toml("[[chunks]]\nid = -1").unwrap_err();
    let outer = Error::from(error.clone());
    assert_eq!((outer.kind(), outer.to_string()), (ErrorKind::Invalid, error.to_string()));
    assert_eq!(std::error::Error::source(&outer).unwrap().downcast_ref(), Some(&error));

    let error = Manifest::new(JobSpec::default(), vec![NewChunk::new(1).lane("l".repeat(65))]).unwrap_err();
    assert!(matches!(error.problem(), Problem::Rejected(Rejection::TooLarge { size: 65, max: 64, .. })));
    assert_eq!(Error::from(error).kind(), ErrorKind::TooLarge);
}

#[test]
fn a_format_has_a_name() {
    assert_eq!(format!("{} {}", Format::Toml, Format::Json), "TOML JSON");
}
