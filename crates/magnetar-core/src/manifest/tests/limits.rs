//! Sizes, counts and depths: at the limit it goes, beyond it there is an error, and never a stack that runs out.

use std::thread;

use super::{super::value::Loose, *};
use crate::{
    chunk::NewChunk,
    job::JobSpec,
    limits::{DEPENDENCIES_MAX, EXTRA_BYTES_MAX, LANE_BYTES_MAX, MANIFEST_BYTES_MAX, MANIFEST_CHUNKS_MAX, PAYLOAD_BYTES_MAX},
};

const DEEP: usize = 1_000_000;

/// Runs on a stack of so many KiB: with 256 no walk may go down by calling itself.
fn on_stack_of(kib: usize, test: impl FnOnce() + Send + 'static) {
    thread::Builder::new().stack_size(kib * 1024).spawn(test).unwrap().join().unwrap();
}

/// A chunk with a value that is nested so deep, itself and the chunk not counted.
fn nested(open: &str, close: &str, depth: usize) -> String {
    format!("{}1{}", open.repeat(depth), close.repeat(depth))
}

#[test]
fn a_document_beyond_its_bytes_is_refused_unread() {
    let text = " ".repeat(MANIFEST_BYTES_MAX + 1);
    let message = "a document of 268435457 bytes is beyond the limit of 268435456; \
                   write the chunks as JSON lines, which are read as a stream";
    refused(json(&text), message);
    refused(Manifest::parse_bytes(text.as_bytes(), Format::Toml), message);
    assert!(json(&text).unwrap_err().problem().is_too_large());
}

#[test]
fn a_document_beyond_its_chunks_is_refused() {
    let message = "there are more than 1000000 chunks, the limit of one document; \
                   write them as JSON lines, which are read as a stream";
    // No end of the array: what stands behind the limit is not read.
    let text = format!("{{\"chunks\": [{}", "{\"id\":1},".repeat(MANIFEST_CHUNKS_MAX + 1));
    refused(json(&text), message);
    let chunks = vec![NewChunk::new(1); MANIFEST_CHUNKS_MAX + 1];
    refused(Manifest::new(JobSpec::default(), chunks), message);
}

#[test]
fn a_chunk_beyond_its_sizes_is_refused() {
    let payload = |size: usize| json(&format!("{{\"chunks\": [\n{{\"id\": 5, \"payload\": \"{}\"}}]}}", "a".repeat(size)));
    assert!(payload(PAYLOAD_BYTES_MAX).is_ok());
    let message = "chunk 5 (line 2): the payload of chunk 5 in bytes of 1048577 is beyond the limit of 1048576";
    refused(payload(PAYLOAD_BYTES_MAX + 1), message);

    let lane = |size: usize| toml(&format!("[[chunks]]\nid = 5\nlane = \"{}\"", "a".repeat(size)));
    assert!(lane(LANE_BYTES_MAX).is_ok());
    refused(lane(LANE_BYTES_MAX + 1), "chunk 5 (line 1): a lane's name in bytes of 65 is beyond the limit of 64");
    let error = toml("[[chunks]]\nid = 5\ntimeout = 0").unwrap_err();
    assert_eq!(error.to_string(), "chunk 5 (line 1): the timeout of chunk 5 is less than a millisecond");
}

#[test]
fn a_chunk_of_too_many_values_is_refused_before_they_fill_the_memory() {
    let text =
        format!("{{\"chunks\": [{{\"id\": 5, \"a\": {{\"b\": [{}0]}}}}]}}", "0,".repeat(DEPENDENCIES_MAX + EXTRA_BYTES_MAX));
    refused(json(&text), "chunk 5 (line 1): the number of values of a chunk of 2048577 is beyond the limit of 2048576");
}

#[test]
fn a_chunk_with_another_problem_has_no_more_room_for_values() {
    let values = "0,".repeat(DEPENDENCIES_MAX + EXTRA_BYTES_MAX);
    let loose: Loose = serde_json::from_str(&format!("{{\"a\": 1, \"a\": 2, \"b\": [{values}0]}}")).unwrap();
    let (value, problem) = loose.open(None);
    assert_eq!(problem, Some(Problem::RepeatedKey { key: "a".to_owned() }));
    assert!(value["b"].as_array().unwrap().len() < DEPENDENCIES_MAX + EXTRA_BYTES_MAX);
}

#[test]
fn values_may_be_nested_64_levels_deep() {
    let cases = [("[", "]"), ("{\"a\":", "}")];
    for (open, close) in cases {
        let chunk = |depth| json(&format!("{{\"chunks\": [{{\"id\": 1, \"x\": {}}}]}}", nested(open, close, depth)));
        assert!(chunk(63).is_ok(), "{open}");
        let error = chunk(64).unwrap_err();
        assert!(matches!(error.problem(), Problem::TooDeep { max: 64, .. }), "{error:?}");
        assert_eq!(error.chunk(), Some(1));
        assert!(error.problem().is_too_large());
    }
    let chunk = |depth| toml(&format!("[[chunks]]\nid = 1\nx = {}", nested("[", "]", depth)));
    assert!(chunk(63).is_ok());
    refused(chunk(64), "chunk 1 (line 1): key `x` is nested more than 64 levels deep");
    let error = json(&format!("{{\"chunks\": [{{\"id\": 1, \"x\": {}}}]}}", nested("{\"a\":", "}", 64))).unwrap_err();
    assert!(error.to_string().contains("key `x.a.a.a.a.a.a.a.…` is nested"), "{error}");
}

#[test]
fn no_depth_runs_out_of_stack() {
    on_stack_of(256, || {
        for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
            let deep = nested(open, close, DEEP);
            for text in [format!("{{\"chunks\": [{{\"id\": 1, \"x\": {deep}}}]}}"), format!("{{\"name\": {deep}}}"), deep] {
                assert!(json(&text).is_err());
                assert!(Lines::new(text.as_bytes()).next().unwrap().is_err());
            }
        }
    });
}

#[test]
fn no_depth_runs_out_of_stack_on_the_formats_own_way_in() {
    on_stack_of(256, || {
        for text in [nested("[", "]", DEEP), format!("{{\"name\": {}}}", nested("[", "]", DEEP))] {
            assert!(serde_json::from_str::<Manifest>(&text).is_err());
        }
    });
}

#[test]
fn no_depth_of_toml_runs_out_of_stack() {
    // The parser goes down 80 levels by calling itself, which is more than 256 KiB where nothing is optimised.
    on_stack_of(2048, || {
        for text in [
            format!("x = {}", nested("[", "]", DEEP)),
            format!("x = {}", "[".repeat(DEEP)),
            format!("[[chunks]]\nid = 1\nx = {}", nested("[{a = ", "}]", DEEP)),
            format!("{}x = 1", "a.".repeat(DEEP)),
            format!("[{}x]", "a.".repeat(DEEP)),
        ] {
            assert!(toml(&text).is_err());
        }
    });
}

#[test]
fn no_depth_of_a_toml_value_runs_out_of_stack() {
    on_stack_of(256, || {
        let mut array = toml::Value::Integer(1);
        let mut table = toml::Value::Integer(1);
        for _ in 0..DEEP {
            array = toml::Value::Array(vec![array]);
            table = toml::Value::Table([("a".to_owned(), table)].into_iter().collect());
        }
        for deep in [array, table] {
            let chunk = toml::Value::Table([("id".to_owned(), 1.into()), ("x".to_owned(), deep)].into_iter().collect());
            let document = toml::Value::Table([("chunks".to_owned(), vec![chunk].into())].into_iter().collect());
            refused(Manifest::try_from(document), "key `chunks` is nested more than 64 levels deep");
        }
    });
    let text = format!("[[chunks]]\nid = 1\nx = {}", nested("[", "]", 63));
    assert!(Manifest::try_from(toml::from_str::<toml::Value>(&text).unwrap()).is_ok());
}

#[test]
fn a_long_chain_needs_no_deep_stack() {
    on_stack_of(256, || {
        // The first chunk depends on the second, and so on: a walk from the first goes all the way down.
        let last = 200_000;
        let chunks: Vec<_> = (0..last).map(|id| format!("{{\"id\":{id},\"depends_on\":[{}]}}", id + 1)).collect();
        let manifest = json(&format!("{{\"chunks\":[{},{{\"id\":{last}}}]}}", chunks.join(","))).unwrap();

        let mut chunks = manifest.chunks().to_vec();
        chunks[200_000].depends_on = vec![0];
        let error = Manifest::new(JobSpec::default(), chunks).unwrap_err();
        assert!(matches!(error.problem(), Problem::Cycle { chunks } if chunks.len() == 200_001));
    });
}

#[test]
fn a_long_chain_of_toml_needs_no_deep_stack() {
    on_stack_of(256, || {
        let chain: Vec<_> = (0..20_000).map(|id| format!("[[chunks]]\nid = {id}\ndepends_on = [{}]\n", id + 1)).collect();
        assert!(toml(&format!("{}[[chunks]]\nid = 20000\n", chain.concat())).is_ok());
    });
}
