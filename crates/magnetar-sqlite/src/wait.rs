//! How processes wait for each other: with short random sleeps, and a gap for the others after one's own turn.
//!
//! SQLite's own busy handler sleeps longer and longer while whoever let go takes the lock again at once, so that a fifth
//! process beside four busy ones waits for seconds.

use std::{
    thread,
    time::{Duration, Instant},
};

use magnetar_embedded::files::Patience;
use rusqlite::ErrorCode;

/// How long one that met others leaves the lock free after its own turn.
const GAP: Duration = Duration::from_micros(200);

/// How long one that met others expects them to be there.
const COMPANY: Duration = Duration::from_millis(500);

/// Does something until SQLite does not refuse it as busy, or the patience is at its end.
pub(crate) fn patiently<T>(act: impl FnMut() -> rusqlite::Result<T>) -> rusqlite::Result<T> {
    Patience::default().with(is_busy, act)
}

/// The turns of one writer at the lock that all processes share.
#[derive(Default)]
pub(crate) struct Turn {
    ended_at: Option<Instant>,
    met_others_at: Option<Instant>,
}

impl Turn {
    /// Takes the lock.
    pub(crate) fn take<T>(&mut self, mut act: impl FnMut() -> rusqlite::Result<T>) -> rusqlite::Result<T> {
        self.leave_a_gap();
        match act() {
            Err(error) if is_busy(&error) => {
                let mut patience = Patience::default();
                patience.wait();
                let taken = patience.with(is_busy, act);
                self.met_others_at = Some(now());
                taken
            }
            done => done,
        }
    }

    /// Notes that the lock was let go.
    pub(crate) fn ended(&mut self) {
        if self.met_others_at.is_some() {
            self.ended_at = Some(now());
        }
    }

    fn leave_a_gap(&mut self) {
        let (Some(ended_at), Some(met_others_at)) = (self.ended_at, self.met_others_at) else { return };
        if met_others_at.elapsed() > COMPANY {
            (self.ended_at, self.met_others_at) = (None, None);
        } else if let Some(rest) = GAP.checked_sub(ended_at.elapsed()) {
            pause(rest);
        }
    }
}

fn is_busy(error: &rusqlite::Error) -> bool {
    let code = error.sqlite_error_code();
    matches!(code, Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked | ErrorCode::FileLockingProtocolFailed))
}

#[expect(clippy::disallowed_methods, reason = "how long one waits for a lock has nothing to do with the time of the store")]
fn now() -> Instant {
    Instant::now()
}

#[expect(clippy::disallowed_methods, reason = "another process gives no condition to wait for")]
fn pause(duration: Duration) {
    thread::sleep(duration);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn busy() -> rusqlite::Error {
        rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_BUSY), None)
    }

    #[test]
    fn lock_is_taken_once_it_is_free_and_company_is_remembered() {
        let (mut turn, mut tries) = (Turn::default(), 0);
        let taken = turn.take(|| {
            tries += 1;
            if tries < 5 { Err(busy()) } else { Ok(tries) }
        });
        assert_eq!(taken.unwrap(), 5);
        assert!(turn.met_others_at.is_some());
    }
}
