//! JSON lines: the header, the order, and where the stream ends.

use std::io::{self, BufReader, Read};

use super::{super::Manifest, *};
use crate::{
    job::OnFailure,
    limits::{MANIFEST_LINE_BYTES_MAX, MANIFEST_LINES_MAX},
    manifest::Format,
};

fn read(text: &str) -> Result<Vec<NewChunk>, ManifestError> {
    Lines::new(text.as_bytes()).collect()
}

fn refused_line(bytes: &[u8], message: &str) {
    let mut lines = Lines::new(bytes);
    let error = lines.find_map(Result::err).expect(message);
    assert_eq!(error.to_string(), message);
    assert!(lines.next().is_none(), "nothing comes after the first error");
}

#[test]
fn a_line_is_a_chunk_as_in_a_document() {
    let chunks = ["{\"id\": 3, \"checksum\": \"a\", \"run\": [1]}", "{\"id\": 4, \"depends_on\": [3], \"timeout\": \"5m\"}"];
    let document = Manifest::parse(&format!("{{\"chunks\": [{}]}}", chunks.join(",")), Format::Json).unwrap();
    for text in [
        chunks.join("\n"),
        format!("{}\n", chunks.join("\n")),
        format!("\n \t\r\n{}\r\n\n\n", chunks.join("\r\n\r\n")),
        format!("\u{feff}{}", chunks.join("\n")),
        format!("{{\"manifest\": {{}}}}\n{}", chunks.join("\n")),
    ] {
        assert_eq!(read(&text).unwrap(), document.chunks(), "{text:?}");
    }
}

#[test]
fn a_stream_is_what_a_store_takes() {
    let mut lines = Lines::new("{\"id\": 1}".as_bytes());
    let stream: &mut (dyn Iterator<Item = Result<NewChunk, ManifestError>> + Send) = &mut lines;
    assert_eq!(stream.count(), 1);
}

#[test]
fn a_stream_of_nothing_has_no_chunks() {
    for text in ["", "\n\n", "{\"manifest\": {}}"] {
        assert_eq!(read(text).unwrap(), []);
    }
}

#[test]
fn the_first_line_may_be_a_header() {
    let text = "\n{\"manifest\": {\"name\": \"n\", \"kind\": \"k\", \"on_failure\": \"run\", \"retry\": {\"retries\": 8}}}\n{\"id\": 1}\n";
    let mut lines = Lines::new(text.as_bytes());
    let spec = lines.spec().unwrap();
    assert_eq!((spec.name.as_deref(), spec.kind.as_str()), (Some("n"), "k"));
    let options = spec.options.unwrap();
    assert_eq!((options.on_failure, options.retry.max_fails), (OnFailure::Run, 9));
    assert_eq!(lines.spec().unwrap(), spec);
    assert_eq!(lines.by_ref().collect::<Result<Vec<_>, _>>().unwrap(), [NewChunk::new(1)]);
    assert_eq!(lines.spec().unwrap(), spec);
    assert_eq!(read(text).unwrap(), [NewChunk::new(1)], "also where nobody asks for the header");
}

#[test]
fn a_first_line_that_is_a_chunk_is_not_lost_to_the_header() {
    let mut lines = Lines::new("{\"id\": 1}\n{\"id\": 2}".as_bytes());
    assert_eq!(lines.spec().unwrap(), JobSpec::default());
    assert_eq!(lines.collect::<Result<Vec<_>, _>>().unwrap(), [NewChunk::new(1), NewChunk::new(2)]);
}

#[test]
fn refusals_name_the_line() {
    let long = format!("{{\"id\": 1}}\n{{\"id\": \"{}\"}}", "a".repeat(MANIFEST_LINE_BYTES_MAX));
    let cases: [(&[u8], &str); 20] = [
        (
            b"{\"id\": 1}\n\n{\"id\": 1}",
            "chunk 1 (line 3): the id is taken already by an earlier chunk; each chunk needs one of its own",
        ),
        (
            b"{\"id\": 1, \"depends_on\": [2]}\n{\"id\": 2}",
            "chunk 1 (line 1): it depends on chunk 2, which stands on no earlier line; in JSON lines a chunk follows what it depends on",
        ),
        (b"{\"id\": 1, \"depends_on\": [1]}", "chunk 1 (line 1): it depends on itself"),
        (
            b"{\"id\": 1}\n{\"id\": 1.5}",
            "line 2: key `id` must be a chunk's id, an integer from 0 to 9223372036854775807, found the number 1.5",
        ),
        (b"{\"id\": 1, \"lane\": 5}", "chunk 1 (line 1): key `lane` must be a text, found the number 5"),
        (b"{\"id\": 1, \"key\": \"\"}", "chunk 1 (line 1): the key of chunk 1 is empty; leave it out for none"),
        (b"{\"key\": \"a\"}", "line 1: there is no `id`; each chunk needs an integer of its own"),
        (b"[1]", "line 1: a chunk must be a table with an `id`, found an array"),
        (b"{\"id\": 1}\n{\"id\": 2", "line 2: EOF while parsing an object at column 8"),
        (b"{\"id\": 1} {\"id\": 2}", "line 1: trailing characters at column 11"),
        (b"{\"id\": 1}\n{\"id\": 2, \"key\": \"\xff\"}", "line 2: the text stops being UTF-8 at byte 18; save it as UTF-8"),
        (long.as_bytes(), "line 2: the line is longer than 8388608 bytes; a chunk must stand on a line of its own"),
        (
            b"{\"id\": 1}\n{\"manifest\": {}}",
            "line 2: a line with `manifest` must be the first; begin another stream for another job",
        ),
        (b"{\"manifest\": 1}", "line 1: key `manifest` must be a table with the job's header, found the number 1"),
        (b"{\"manifest\": {\"nmae\": 1}}", "line 1: unknown key `nmae`, did you mean `name`?"),
        (b"{\"manifest\": {\"chunks\": []}}", "line 1: unknown key `chunks`; known are name, kind, on_failure, retry"),
        (b"{\"manifest\": {}, \"id\": 1}", "line 1: unknown key `id`; known are manifest"),
        (b"{\"manifest\": {\"retry\": {\"jitter\": 2}}}", "line 1: jitter 2 lies outside 0.0 to 1.0"),
        (b"{\"manifest\": {\"name\": \"a\", \"name\": \"b\"}}", "line 1: key `manifest.name` stands twice"),
        (b"{\"manifest\": {\"retry\": 2}}", "line 1: key `retry` must be a table, found the number 2"),
    ];
    for (bytes, message) in cases {
        refused_line(bytes, message);
    }
}

#[test]
fn an_error_in_the_header_is_told_to_whoever_asks_and_once_to_whoever_reads() {
    let mut lines = Lines::new("{\"manifest\": {\"name\": 5}}\n{\"id\": 1}".as_bytes());
    let error = lines.spec().unwrap_err();
    assert_eq!(lines.spec().unwrap_err(), error);
    assert_eq!(lines.next(), Some(Err(error.clone())));
    assert_eq!(lines.next(), None);
    assert_eq!(lines.spec().unwrap_err(), error);
}

#[test]
fn the_longest_line_is_read() {
    let line = |bytes: usize| {
        let frame = "{\"id\": 1, \"payload\": \"\"}";
        let padding = " ".repeat(bytes - frame.len());
        format!("{{\"id\": 1,{padding} \"payload\": \"\"}}\r\n{{\"id\": 2}}")
    };
    assert_eq!(read(&line(MANIFEST_LINE_BYTES_MAX)).unwrap().len(), 2);
    let error = read(&format!("{} x", line(MANIFEST_LINE_BYTES_MAX))).unwrap_err();
    assert_eq!(error.to_string(), "line 2: trailing characters at column 11", "its end is no line");
    let error = read(&line(MANIFEST_LINE_BYTES_MAX + 1)).unwrap_err();
    assert_eq!(*error.problem(), Problem::LineTooLong { max: MANIFEST_LINE_BYTES_MAX });
}

#[test]
fn a_line_without_end_is_refused_unread() {
    let mut lines = Lines::new(BufReader::new(io::repeat(b'x')));
    let error = lines.next().unwrap().unwrap_err();
    assert_eq!(*error.problem(), Problem::LineTooLong { max: MANIFEST_LINE_BYTES_MAX });
    assert!(lines.buffer.capacity() <= 2 * MANIFEST_LINE_BYTES_MAX + 64);
}

#[test]
fn an_error_of_the_reader_is_passed_on_and_ends_the_stream() {
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _buffer: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("the cable is out"))
        }
    }
    let mut lines = Lines::new(BufReader::new("{\"id\": 1}\n".as_bytes().chain(Broken)));
    assert_eq!(lines.next(), Some(Ok(NewChunk::new(1))));
    let error = lines.next().unwrap().unwrap_err();
    assert_eq!(error.to_string(), "line 2: it cannot be read: the cable is out");
    assert_eq!(*error.problem(), Problem::Io { message: "the cable is out".to_owned() });
    assert_eq!(lines.next(), None);
}

#[test]
fn a_stream_beyond_its_chunks_is_refused() {
    let mut lines = Lines::new("{\"id\": 1}\n{\"id\": 2}".as_bytes());
    lines.chunks = MANIFEST_LINES_MAX - 1;
    assert!(lines.next().unwrap().is_ok());
    let error = lines.next().unwrap().unwrap_err();
    let message = "line 2: there are more than 10000000 chunks, the limit of one stream; split them over several jobs";
    assert_eq!(error.to_string(), message);
}
