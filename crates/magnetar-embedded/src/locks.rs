//! What tells on one host, at once, that the process of a session is gone.

use magnetar_core::{Result, SessionId};

use crate::row::LockMark;

/// Lock files of sessions, or their absence.
///
/// A session holds a lock file of its own for as long as its process lives. A free lock proves a death only where the
/// file and the boot of the host are those that the session recorded; in every other case time decides.
pub(crate) trait Locks: Send {
    /// Makes and locks the file of a session of this process; none where there are no lock files.
    fn take(&mut self, session: SessionId) -> Result<Option<LockMark>>;

    /// Whether the file is the recorded one and nobody holds it. To be asked by who writes only, one at a time.
    fn is_free(&mut self, session: SessionId, mark: LockMark) -> bool;

    /// Removes the file of a session that is no more, unless somebody else holds it: one that was only stopped.
    fn bury(&mut self, session: SessionId);

    /// Removes the files that no session of the store has and nobody holds: left by an open that did not commit.
    fn sweep(&mut self, sessions: &[SessionId]);
}

/// No lock files: time alone decides.
pub(crate) struct NoLocks;

impl Locks for NoLocks {
    fn take(&mut self, _session: SessionId) -> Result<Option<LockMark>> {
        Ok(None)
    }

    fn is_free(&mut self, _session: SessionId, _mark: LockMark) -> bool {
        false
    }

    fn bury(&mut self, _session: SessionId) {}

    fn sweep(&mut self, _sessions: &[SessionId]) {}
}
