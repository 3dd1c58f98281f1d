//! One write: the handle's turn, and the folder's lock.

use std::{
    sync::{Arc, MutexGuard},
    thread,
    time::Duration,
};

use magnetar_fs::{ErrorKind, Writer};

use super::{Files, Gate, failure};
use crate::error::Result;

/// How long one waits for another process to end its write. One that is stopped in the middle of it is not waited for any longer.
const PATIENCE: Duration = Duration::from_secs(10);
/// The first pause, which then doubles.
const PAUSE_FIRST: Duration = Duration::from_micros(500);
/// The longest pause.
const PAUSE_MAX: Duration = Duration::from_millis(16);

/// The right to write, until it is dropped.
pub(super) struct Turn<'f> {
    gate: MutexGuard<'f, Gate>,
    writer: Writer,
}

impl Files {
    /// Waits for the turn of this handle, then for the folder's lock.
    pub(super) fn turn(&self) -> Result<Turn<'_>> {
        let gate = self.gate();
        self.answers(*gate)?;
        let mut waited = Duration::ZERO;
        let mut pause = PAUSE_FIRST;
        loop {
            match Writer::lock_bare(Arc::clone(&self.folder)) {
                Ok(writer) => return Ok(Turn { gate, writer }),
                Err(error) if error.kind() == ErrorKind::AlreadyLocked && waited < PATIENCE => {
                    sleep(pause);
                    waited += pause;
                    pause = PAUSE_MAX.min(pause * 2);
                }
                Err(error) => return Err(failure::of(error)),
            }
        }
    }
}

impl Turn<'_> {
    /// Writes a file over another, or under a new name.
    pub(super) fn replace(&mut self, file: &str, bytes: &[u8]) -> Result<()> {
        let written = self.writer.replace(file, &mut |target| target.write_all(bytes));
        self.settled(written.map(drop))
    }

    /// Makes what is seen in the folder survive a power cut.
    pub(super) fn flush(&mut self) -> Result<()> {
        let flushed = self.writer.flush();
        self.settled(flushed)
    }

    /// Gives a file a name that nobody has; false where somebody has.
    pub(super) fn move_new(&mut self, file: &str, to: &str) -> Result<bool> {
        let moved = match self.writer.rename(file, to) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => return Ok(false),
            other => other,
        };
        let flushed = moved.and_then(|()| self.writer.flush());
        self.settled(flushed).map(|()| true)
    }

    /// After a flush that failed nobody knows what is there, and the handle says nothing more.
    fn settled(&mut self, done: magnetar_fs::Result<()>) -> Result<()> {
        if self.writer.is_poisoned() {
            *self.gate = Gate::Poisoned;
        }
        done.map_err(failure::of)
    }
}

#[expect(clippy::disallowed_methods, reason = "another process gives no condition to wait for")]
fn sleep(pause: Duration) {
    thread::sleep(pause);
}
