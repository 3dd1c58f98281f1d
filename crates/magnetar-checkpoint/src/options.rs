//! How a folder of checkpoints is kept.

use std::{fmt, sync::Arc, time::Duration};

use magnetar_core::Clock;

use crate::{clock::SystemClock, format::Key, limits};

/// How a folder of checkpoints is kept. `Options::new(n)` keeps `n` of them and is otherwise what most want.
#[derive(Clone)]
pub struct Options {
    pub(crate) max_retained: usize,
    pub(crate) keep_for: Option<Duration>,
    pub(crate) key: Option<Key>,
    pub(crate) reads_back: bool,
    pub(crate) allows_shared: bool,
    pub(crate) file_bytes_max: u64,
    pub(crate) clock: Arc<dyn Clock>,
}

impl Options {
    /// Keeps this many that verify; fewer than 1 counts as 1.
    pub fn new(max_retained: usize) -> Self {
        Self {
            max_retained: max_retained.max(1),
            keep_for: None,
            key: None,
            reads_back: true,
            allows_shared: false,
            file_bytes_max: limits::FILE_BYTES_MAX,
            clock: Arc::new(SystemClock),
        }
    }

    /// Keeps also those that are younger than this, by the time they carry. Not so unless told. A clock that is wrong keeps too many or
    /// too few, but never fewer than `max_retained`.
    #[must_use]
    pub fn keep_for(mut self, age: Duration) -> Self {
        self.keep_for = Some(age);
        self
    }

    /// Signs what is saved with HMAC-SHA256, and takes for damaged what is not signed so: whoever cannot read the key cannot make a
    /// checkpoint that is loaded. Not so unless told. Files that were saved without a key before do not verify any more.
    #[must_use]
    pub fn key(mut self, secret: &[u8]) -> Self {
        self.key = Some(Key::new(secret));
        self
    }

    /// Does not read each file back before it is published: a little faster where files are large.
    #[must_use]
    pub fn without_reading_back(mut self) -> Self {
        self.reads_back = false;
        self
    }

    /// Takes also a folder to which its group or all others may write. Whoever may write there can remove and replace what is saved.
    #[must_use]
    pub fn allow_shared_folder(mut self) -> Self {
        self.allows_shared = true;
        self
    }

    /// The most bytes of a file, for saving and loading: 1 GiB unless told.
    #[must_use]
    pub fn file_bytes_max(mut self, bytes: u64) -> Self {
        self.file_bytes_max = bytes;
        self
    }

    /// The clock by which ages are told: the system's unless told.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("max_retained", &self.max_retained)
            .field("keep_for", &self.keep_for)
            .field("is_keyed", &self.key.is_some())
            .field("reads_back", &self.reads_back)
            .field("allows_shared", &self.allows_shared)
            .field("file_bytes_max", &self.file_bytes_max)
            .finish_non_exhaustive()
    }
}
