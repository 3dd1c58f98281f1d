//! Who outlives the process of a session, and keeps its lock until what the session began is over.

use std::{fmt, fs::File, io, sync::Arc};

/// Is shown the locked file of each session that a handle begins, so that it can keep a duplicate of it.
///
/// A lock is held while any duplicate of the file is open, in whatever process. So a process that keeps one decides when others
/// on this host may take its session for dead, up to the end of [`session_ttl`](crate::Options::session_ttl): after the
/// handle's own process was killed, it can first stop what that process had started.
///
/// It is called by the thread that writes, inside a transaction, and nothing goes on until it returns. A handle that was taken
/// for dead begins another session, and the heir is shown that one's lock too. Where there are no lock files it is never called.
#[derive(Clone)]
pub struct LockHeir(Arc<Keep>);

type Keep = dyn Fn(&File) -> io::Result<()> + Send + Sync;

impl LockHeir {
    /// An heir that does this with each locked file. An error keeps the session from beginning.
    pub fn new(keep: impl Fn(&File) -> io::Result<()> + Send + Sync + 'static) -> Self {
        Self(Arc::new(keep))
    }

    #[cfg(feature = "threaded")]
    pub(crate) fn keep(&self, file: &File) -> io::Result<()> {
        (self.0)(file)
    }
}

impl fmt::Debug for LockHeir {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LockHeir")
    }
}
