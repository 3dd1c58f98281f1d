//! What is refused, and in which words.

use super::*;
use crate::{chunk::NewChunk, job::JobSpec};

#[test]
fn toml_refusals_name_the_line_and_the_chunk() {
    let cases = [
        ("", "there is no `chunks`; a manifest needs [[chunks]], one for each chunk"),
        ("name = \"a\"", "there is no `chunks`; a manifest needs [[chunks]], one for each chunk"),
        ("chunks = []", "there are no chunks; a manifest needs at least one"),
        ("\nchunks = [1]", "chunk number 1 (line 2): a chunk must be a table with an `id`, found the number 1"),
        ("chunks = [nan]", "chunk number 1 (line 1): a chunk must be a table with an `id`, found nan"),
        (
            "[[chunks]]\nid = 1\n\n[[chunks]]\nkey = \"k\"",
            "chunk number 2 (line 4): there is no `id`; each chunk needs an integer of its own",
        ),
        (
            "[[chunks]]\nid = 1\n[[chunks]]\nid = 2\n[[chunks]]\nid = 1",
            "chunk 1 (line 5): the id is taken already by an earlier chunk on line 1; each chunk needs one of its own",
        ),
        ("[[chunks]]\nid = 7\ndepends_on = [7]", "chunk 7 (line 1): it depends on itself"),
        ("[[chunks]]\nid = 7\ndepends_on = [8]", "chunk 7 (line 1): it depends on chunk 8, which is not in the manifest"),
        (
            "[[chunks]]\nid = 3\ndepends_on = [4]\n[[chunks]]\nid = 4\ndepends_on = [2, 2]\n[[chunks]]\nid = 2\ndepends_on = [3]",
            "chunk 2 (line 7): dependencies form a cycle: 2 -> 3 -> 4 -> 2",
        ),
        ("kind = \"a\"\nchunk = []", "line 2: unknown key `chunk`, did you mean `chunks`?"),
        ("nmae = \"a\"", "line 1: unknown key `nmae`, did you mean `name`?"),
        ("onfailure = \"a\"", "line 1: unknown key `onfailure`, did you mean `on_failure`?"),
        ("id = 1", "line 1: unknown key `id`; known are name, kind, on_failure, retry, chunks"),
        ("retry.retires = 1", "line 1: unknown key `retry.retires`, did you mean `retries`?"),
        ("retry.ongest_wait = 1", "line 1: unknown key `retry.ongest_wait`, did you mean `longest_wait`?"),
        ("name = 1", "line 1: key `name` must be a text, found the number 1"),
        ("\nkind = true", "line 2: key `kind` must be a text, found true"),
        ("on_failure = \"Skip\"", "line 1: key `on_failure` must be \"skip\", \"hold\" or \"run\", found the text \"Skip\""),
        ("retry = 3", "line 1: key `retry` must be a table, found the number 3"),
        ("retry.jitter = \"a\"", "line 1: key `retry.jitter` must be a number, found the text \"a\""),
        ("retry.jitter = nan", "line 1: key `retry.jitter` is nan, which JSON cannot hold; write another number, or a text"),
        ("retry.jitter = 1.5", "line 1: jitter 1.5 lies outside 0.0 to 1.0"),
        (
            "retry.max_crashes = -1",
            "line 1: key `retry.max_crashes` must be an integer from 0 to 4294967295, found the number -1",
        ),
        ("retry.max_crashes = 0", "line 1: a budget of 0 failures or crashes would never run a chunk; 1 means no second try"),
        (
            "retry.backoff = \"none\"",
            "line 1: key `retry.backoff` must be \"exponential\", \"linear\" or \"fixed\", found the text \"none\"",
        ),
        (
            "retry.retries = 4294967295",
            "line 1: key `retry.retries` must be the number of tries after the first, an integer from 0 to 4294967294, found the number 4294967295",
        ),
        ("name = \"\"", "line 1: a job's name is empty; leave it out for a job without one"),
        (
            "\n[chunks]\nid = 1",
            "line 2: invalid type: map, expected `chunks` to be an array of tables, in TOML written [[chunks]]",
        ),
    ];
    for (text, message) in cases {
        refused(toml(text), message);
    }
}

#[test]
fn json_refusals_name_the_line_and_the_chunk() {
    let cases = [
        ("{}", "there is no `chunks`; a manifest needs [[chunks]], one for each chunk"),
        ("{\"chunks\": []}", "there are no chunks; a manifest needs at least one"),
        ("{\"chunks\": [\n\n{}]}", "chunk number 1 (line 3): there is no `id`; each chunk needs an integer of its own"),
        ("{\"chunks\": [{\"id\": null}]}", "chunk number 1 (line 1): there is no `id`; each chunk needs an integer of its own"),
        ("{\"chunks\": [\n\"a\"]}", "chunk number 1 (line 2): a chunk must be a table with an `id`, found the text \"a\""),
        (
            "{\"chunks\": [{\"id\": 1},\n{\"id\": 2},\n{\"id\": 1}]}",
            "chunk 1 (line 3): the id is taken already by an earlier chunk on line 1; each chunk needs one of its own",
        ),
        ("{\n\"knid\": \n1}", "line 3: unknown key `knid`, did you mean `kind`?"),
        ("{\"chunks\": [{\"id\": 1}], \"chunks\": []}", "key `chunks` stands twice"),
        ("{\"chunks\": [{\"id\": 1, \"id\": 2}]}", "chunk 2 (line 1): key `id` stands twice"),
        ("{\"chunks\": [{\"id\": 1, \"a\": {\"b\": [{\"c\": 1, \"c\": 2}]}}]}", "chunk 1 (line 1): key `a.b.c` stands twice"),
        (
            "{\"chunks\": [{\"id\": 1, \"a\": {\"b\": 1, \"b\": 2, \"c\": 3}, \"d\": 4}]}",
            "chunk 1 (line 1): key `a.b` stands twice",
        ),
        ("{\"retry\": {\"jitter\": 0, \"jitter\": 0}}", "line 1: key `retry.jitter` stands twice"),
        (
            "{\"chunks\": 1}",
            "line 1: invalid type: integer `1`, expected `chunks` to be an array of tables, in TOML written [[chunks]] at column 12",
        ),
        ("[\n]", "line 1: invalid type: sequence, expected a manifest: a table with `chunks`"),
        ("{\"chunks\": [{\"id\": 1}]}\n}", "line 2: trailing characters at column 1"),
        ("{\"chunks\": [\n{\"id\": 1]}", "line 2: expected `,` or `}` at column 9"),
        ("{\"chunks\": [\n{\n\"id\": 1e999}]}", "line 3: number out of range at column 11"),
    ];
    for (text, message) in cases {
        refused(json(text), message);
    }
}

#[test]
fn a_known_key_of_a_chunk_holds_what_it_is_for() {
    let id = "a chunk's id, an integer from 0 to 9223372036854775807";
    let duration = "a duration: seconds such as 30 or 1.5, or a text such as \"30s\" or \"1h 30m\"";
    let instant = "a time since 1970 in UTC such as \"2026-01-31T08:00:00Z\", or milliseconds since 1970";
    let retries = "the number of tries after the first, an integer from 0 to 4294967294";
    let cases = [
        ("checksum", "5", "a text", "the number 5"),
        ("checksum", "[]", "a text", "an array"),
        ("depends_on", "2", "an array of chunk ids", "the number 2"),
        ("depends_on", "[2, \"3\"]", id, "the text \"3\""),
        ("depends_on", "[-2]", id, "the number -2"),
        ("payload", "{}", "a text", "a table"),
        ("priority", "32768", "an integer from -32768 to 32767", "the number 32768"),
        ("priority", "-32769", "an integer from -32768 to 32767", "the number -32769"),
        ("priority", "1.0", "an integer from -32768 to 32767", "the number 1.0"),
        ("lane", "true", "a text", "true"),
        ("not_before", "-1", instant, "the number -1"),
        ("not_before", "1.5", instant, "the number 1.5"),
        ("not_before", "9223372036854775808", instant, "the number 9223372036854775808"),
        ("not_before", "\"tomorrow\"", instant, "the text \"tomorrow\""),
        ("not_before", "\"2026-01-31T08:00:00\"", instant, "the text \"2026-01-31T08:00:00\""),
        ("not_before", "\"2026-01-31T08:00:00+02:00\"", instant, "the text \"2026-01-31T08:00:00+02:00\""),
        ("not_before", "\"1969-12-31T23:59:59Z\"", instant, "the text \"1969-12-31T23:59:59Z\""),
        ("timeout", "-1", duration, "the number -1"),
        ("timeout", "-0.5", duration, "the number -0.5"),
        ("timeout", "1e300", duration, "the number 1e+300"),
        ("timeout", "9223372036854776", duration, "the number 9223372036854776"),
        ("timeout", "18446744073709551615", duration, "the number 18446744073709551615"),
        ("timeout", "\"\"", duration, "the text \"\""),
        ("timeout", "\"30\"", duration, "the text \"30\""),
        ("timeout", "\"-5s\"", duration, "the text \"-5s\""),
        ("timeout", "\"5 parsecs\"", duration, "the text \"5 parsecs\""),
        ("timeout", "\"5s x\"", duration, "the text \"5s x\""),
        ("timeout", "\"18446744073709551615s 1000000000ns\"", duration, "the text \"18446744073709551615s 1000000000ns\""),
        ("timeout", "[5]", duration, "an array"),
        ("retries", "-1", retries, "the number -1"),
        ("retries", "4294967295", retries, "the number 4294967295"),
        ("key", "7", "a text", "the number 7"),
    ];
    for (key, value, expected, found) in cases {
        let text = format!("{{\"chunks\": [\n{{\"{key}\": {value}, \"id\": 1}}]}}");
        refused(json(&text), &format!("chunk 1 (line 2): key `{key}` must be {expected}, found {found}"));
    }
}

#[test]
fn an_id_is_an_integer_that_every_store_can_hold() {
    for (value, found) in [
        ("-1", "the number -1"),
        ("1.0", "the number 1.0"),
        ("\"1\"", "the text \"1\""),
        ("18446744073709551616", "the number 1.8446744073709552e+19"),
    ] {
        let message = format!(
            "chunk number 1 (line 1): key `id` must be a chunk's id, an integer from 0 to 9223372036854775807, found {found}"
        );
        refused(json(&format!("{{\"chunks\": [{{\"id\": {value}}}]}}")), &message);
    }
    let message = "key `id` must be a chunk's id, an integer from 0 to 9223372036854775807, found the number 9223372036854775808";
    let error = json("{\"chunks\": [{\"id\": 9223372036854775808}]}").unwrap_err();
    assert_eq!(error.to_string(), format!("chunk 9223372036854775808 (line 1): {message}"));
}

#[test]
fn numbers_that_json_cannot_hold_are_refused_by_name() {
    let cases = [
        ("x = nan", "key `x` is nan"),
        ("x = [1, inf]", "key `x` is inf"),
        ("x = {a = {b = -inf}}", "key `x.a.b` is -inf"),
        ("timeout = nan", "key `timeout` is nan"),
        ("x = 18446744073709551616", "key `x` is 18446744073709551616, an integer of more than 64 bits"),
        ("x = -9223372036854775809", "key `x` is -9223372036854775809, an integer of more than 64 bits"),
    ];
    for (line, what) in cases {
        let message = format!("chunk 3 (line 1): {what}, which JSON cannot hold; write another number, or a text");
        refused(toml(&format!("[[chunks]]\nid = 3\n{line}\n")), &message);
    }
}

#[test]
fn datetimes_that_are_not_utc_are_refused() {
    for datetime in ["2026-01-31T08:00:00", "2026-01-31T08:00:00+02:00", "2026-01-31", "08:00:00"] {
        let error = toml(&format!("[[chunks]]\nid = 1\nnot_before = {datetime}\n")).unwrap_err();
        assert!(
            matches!(error.problem(), Problem::WrongValue { key, found, .. } if key == "not_before" && found.contains(datetime)),
            "{error}"
        );
    }
}

#[test]
fn toml_syntax_errors_name_the_line() {
    for (text, line) in
        [("[[chunks]]\nid = \n", 2), ("[[chunks]]\nid = 1\nid = 2\n", 3), ("a = 1\nb = \"", 2), ("a = 1\r\n\r\n???", 3)]
    {
        let error = toml(text).unwrap_err();
        assert!(matches!(error.problem(), Problem::Syntax { .. }), "{error:?}");
        assert_eq!(error.line(), Some(line), "{error}");
    }
}

#[test]
fn a_long_cycle_is_told_in_ten_ids() {
    let chunk = |id: u64| NewChunk::new(id).depends_on([(id + 1) % 11]);
    let error = Manifest::new(JobSpec::default(), (0..11).map(chunk).collect()).unwrap_err();
    let message = "chunk 0: dependencies form a cycle: 0 -> 1 -> 2 -> 3 -> 4 -> 5 -> 6 -> 7 -> 8 -> 9 -> …";
    assert_eq!(error.to_string(), message);
    assert!(matches!(error.problem(), Problem::Cycle { chunks } if chunks.len() == 11));

    let chunk = |id: u64| NewChunk::new(id).depends_on([(id + 1) % 10]);
    let error = Manifest::new(JobSpec::default(), (0..10).map(chunk).collect()).unwrap_err();
    assert!(error.to_string().ends_with("8 -> 9 -> 0"), "{error}");
}

#[test]
fn a_cycle_behind_a_tail_is_told_without_the_tail() {
    let text =
        r#"{"chunks": [{"id": 1, "depends_on": [2, 4]}, {"id": 2}, {"id": 4, "depends_on": [5]}, {"id": 5, "depends_on": [4]}]}"#;
    refused(json(text), "chunk 4 (line 1): dependencies form a cycle: 4 -> 5 -> 4");
}

#[test]
fn dependencies_that_meet_again_are_no_cycle() {
    let text =
        r#"{"chunks": [{"id": 1, "depends_on": [2, 3]}, {"id": 2, "depends_on": [4]}, {"id": 3, "depends_on": [4]}, {"id": 4}]}"#;
    assert!(json(text).is_ok());
}

#[test]
fn many_ways_to_the_same_chunk_are_walked_once() {
    // Two chunks a layer, each behind both of the next: 2^100 ways from the top to the bottom.
    let chunk = |id: u64| NewChunk::new(id).depends_on([id / 2 * 2 + 2, id / 2 * 2 + 3]);
    let chunks = (0..200).map(chunk).chain([NewChunk::new(200), NewChunk::new(201)]).collect();
    assert!(Manifest::new(JobSpec::default(), chunks).is_ok());
}

#[test]
fn what_is_made_in_code_is_checked_too() {
    let refused = |chunks, message: &str| refused(Manifest::new(JobSpec::default(), chunks), message);
    refused(vec![], "there are no chunks; a manifest needs at least one");
    refused(
        vec![NewChunk::new(1), NewChunk::numbered()],
        "chunk number 2: there is no `id`; each chunk needs an integer of its own",
    );
    refused(
        vec![NewChunk::new(1), NewChunk::new(1)],
        "chunk 1: the id is taken already by an earlier chunk; each chunk needs one of its own",
    );
    refused(vec![NewChunk::new(1).depends_on([1])], "chunk 1: it depends on itself");
    refused(
        vec![NewChunk::new(1).max_fails(0)],
        "chunk 1: chunk 1 may fail 0 times, so it could never run; 1 means no second try",
    );
    let spec = JobSpec { name: Some(String::new()), ..JobSpec::default() };
    let error = Manifest::new(spec, vec![NewChunk::new(1)]).unwrap_err();
    assert_eq!(error.to_string(), "a job's name is empty; leave it out for a job without one");
}

#[test]
fn errors_of_the_formats_own_way_in_carry_the_message() {
    let message = "chunk 1: it depends on chunk 2, which is not in the manifest";
    let toml_text = "[[chunks]]\nid = 1\ndepends_on = [2]\n";
    let json_text = r#"{"chunks": [{"id": 1, "depends_on": [2]}]}"#;
    assert!(toml::from_str::<Manifest>(toml_text).unwrap_err().to_string().contains(message));
    assert!(serde_json::from_str::<Manifest>(json_text).unwrap_err().to_string().contains(message));
    let value: toml::Value = toml::from_str(toml_text).unwrap();
    refused(Manifest::try_from(value), message);
    refused(Manifest::try_from(toml::Value::Integer(1)), "invalid type: integer `1`, expected a manifest: a table with `chunks`");
    let value: toml::Value = toml::from_str("[[chunks]]\nid = 1\npriority = 1.5").unwrap();
    refused(Manifest::try_from(value), "chunk 1: key `priority` must be an integer from -32768 to 32767, found the number 1.5");
    let error = serde_json::from_str::<Manifest>("{\"chunks\": [{\"id\": 1},\n{\"id\": \"a\"}]}").unwrap_err().to_string();
    assert!(error.contains("chunk number 2: key `id` must be") && error.contains("line 2"), "{error}");
    assert!(toml::from_str::<Manifest>("").unwrap_err().to_string().contains("[[chunks]]"));
}

#[test]
fn bytes_that_are_no_utf8_are_told_by_byte_and_line() {
    let error = Manifest::parse_bytes(b"[[chunks]]\nid = 1\nkey = \"\xff\"", Format::Toml).unwrap_err();
    assert_eq!(error.to_string(), "line 3: the text stops being UTF-8 at byte 25; save it as UTF-8");
    assert_eq!((error.problem(), error.line()), (&Problem::NotUtf8 { byte: 25 }, Some(3)));
}

#[test]
fn long_texts_are_shown_by_their_beginning() {
    let error = json(&format!(r#"{{"chunks": [{{"id": "{}"}}]}}"#, "ä".repeat(1000))).unwrap_err();
    assert!(error.to_string().ends_with(&format!("found the text \"{}…\"", "ä".repeat(40))), "{error}");
    let error = json(&format!(r#"{{"{}": 1}}"#, "ä".repeat(1000))).unwrap_err();
    assert!(error.to_string().contains(&format!("unknown key `{}…`;", "ä".repeat(40))), "{error}");
}
