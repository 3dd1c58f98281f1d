//! What a handler returns when its work is done.

use magnetar_core::{Expect, Op};

/// The end of an attempt that went well: the chunk becomes Done.
///
/// `()` and texts and bytes turn into one, so a handler may return those. What is added by [`record`](Self::record) and
/// [`with`](Self::with) becomes durable together with the end, or not at all.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Completion {
    pub(crate) result: Vec<u8>,
    pub(crate) checksum: Option<String>,
    pub(crate) ops: Vec<Op>,
}

impl Completion {
    /// Done, and this is kept with the chunk: at most [`RESULT_BYTES_MAX`](magnetar_core::limits::RESULT_BYTES_MAX) bytes.
    /// A larger one is refused by the store, which makes the attempt a failure.
    pub fn new(result: impl Into<Vec<u8>>) -> Self {
        Self { result: result.into(), ..Self::default() }
    }

    /// The same, recording this checksum.
    #[must_use]
    pub fn checksum(mut self, checksum: impl Into<String>) -> Self {
        self.checksum = Some(checksum.into());
        self
    }

    /// The same, writing this record in the same group, whatever stood there before.
    #[must_use]
    pub fn record(self, space: impl Into<String>, key: impl Into<Vec<u8>>, value: impl Into<Vec<u8>>) -> Self {
        self.with(put(space.into(), key.into(), value.into()))
    }

    /// The same, with another op in the same group: more chunks, a record of an expected version. The end comes first in the
    /// group. Where the store refuses the op, the attempt is a failure whose error says so.
    #[must_use]
    pub fn with(mut self, op: Op) -> Self {
        self.ops.push(op);
        self
    }
}

impl From<()> for Completion {
    fn from((): ()) -> Self {
        Self::default()
    }
}

impl From<Vec<u8>> for Completion {
    fn from(result: Vec<u8>) -> Self {
        Self::new(result)
    }
}

impl From<String> for Completion {
    fn from(result: String) -> Self {
        Self::new(result)
    }
}

impl From<&str> for Completion {
    fn from(result: &str) -> Self {
        Self::new(result)
    }
}

/// The op that writes a record.
pub(crate) fn put(space: String, key: Vec<u8>, value: Vec<u8>) -> Op {
    Op::PutRecord { space, key, value: Some(value), expect: Expect::Any }
}
