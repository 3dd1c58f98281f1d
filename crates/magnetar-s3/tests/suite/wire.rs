//! The little of HTTP/1.1 that the proxy has to understand: where a request begins and ends.

use std::collections::VecDeque;

/// The head of a request.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Head {
    /// Method, path and query, as `GET /bucket/key?x-id=GetObject`.
    pub(crate) line: String,
    /// The bytes of its head, and those that its body will have.
    pub(crate) length: usize,
    /// The bytes of its body.
    pub(crate) body_length: usize,
}

/// What a client has sent and is not passed on.
#[derive(Default)]
pub(crate) struct Inbox(VecDeque<u8>);

impl Inbox {
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.0.extend(bytes);
    }

    /// The head of the next request, once it is whole. It stays.
    pub(crate) fn head(&mut self) -> Option<Head> {
        let bytes = &*self.0.make_contiguous();
        let length = bytes.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
        let text = String::from_utf8_lossy(&bytes[..length]);
        let mut lines = text.lines();
        let line = lines.next()?.trim_end_matches(" HTTP/1.1").to_owned();
        let fields = lines.filter_map(|line| line.split_once(':'));
        let mut lengths = fields.filter(|(name, _)| name.eq_ignore_ascii_case("content-length"));
        let body_length = lengths.next().map_or(0, |(_, value)| value.trim().parse().unwrap());
        assert!(!text.to_ascii_lowercase().contains("transfer-encoding"), "the proxy knows no chunked requests: {text}");
        Some(Head { line, length, body_length })
    }

    /// Takes out up to so many bytes.
    pub(crate) fn take(&mut self, most: usize) -> Vec<u8> {
        self.0.drain(..most.min(self.0.len())).collect()
    }
}

#[test]
fn head_is_read_once_it_is_whole() {
    let mut inbox = Inbox::default();
    inbox.push(b"PUT /bucket/key HTTP/1.1\r\nhost: h\r\nContent-Length: 3\r\n\r");
    assert_eq!(inbox.head(), None);
    inbox.push(b"\nabcGET /");
    assert_eq!(inbox.head(), Some(Head { line: "PUT /bucket/key".to_owned(), length: 56, body_length: 3 }));
    assert_eq!(inbox.take(59).len(), 59);
    assert_eq!(inbox.take(100), b"GET /");
}
