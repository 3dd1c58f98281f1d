//! What the time means for the run: polls, checks, retries, chunks that have waited too long, a store that does not answer.

use std::time::Duration;

use magnetar_core::{Error, ErrorKind, Result};
use tokio::time::Instant;

use super::{finish::Finish, turn::Loop};
use crate::{cancellation::Cancelled, time::later};

/// A loop that looks at the time so much later than it wanted to was stopped, and so was the store's own thread.
const STOPPED: Duration = Duration::from_secs(1);

impl Loop {
    /// When the time is to be looked at again.
    pub(super) fn next_look(&self) -> Instant {
        let lookout = self.ending.is_none().then(|| self.lookout.next_at());
        let others = [lookout, self.held.ahead.stale_at(), self.trouble.retry_at(), self.silent_at()];
        others.into_iter().flatten().fold(self.vigil.next_at(), Instant::min)
    }

    /// Does not hold against the store the time for which this process was stopped.
    fn forgive(&mut self, late: Duration) {
        if late < STOPPED {
            return;
        }
        let asked = [self.in_flight.as_mut().map(|asked| &mut asked.at), self.reading.as_mut().map(|asked| &mut asked.at)];
        for at in asked.into_iter().flatten() {
            *at = later(*at, late);
        }
        self.vigil.forgive(late);
        self.trouble.forgive(late);
    }

    /// When the store will not have answered for too long.
    fn silent_at(&self) -> Option<Instant> {
        let asked = [self.in_flight.as_ref().map(|asked| asked.at), self.reading.as_ref().map(|asked| asked.at)];
        asked.into_iter().flatten().min().map(|at| self.trouble.silent_at(at))
    }

    /// Does what is due.
    ///
    /// # Errors
    /// `Unavailable` where the store has not answered for too long.
    pub(super) fn look_at_time(&mut self, now: Instant) -> Result<()> {
        self.forgive(now.saturating_duration_since(self.wake_at));
        if self.silent_at().is_some_and(|at| at <= now) {
            return Err(Error::new(
                ErrorKind::Unavailable,
                "go on: the store does not answer; what was sent may be written or not",
            ));
        }
        self.trouble.look(now);
        self.lookout.look(now);
        if self.held.ahead.stale_at().is_some_and(|at| at <= now) {
            let stale = self.held.ahead.take_stale(now);
            self.held.outbox.extend(stale.iter().map(|claimed| Finish::unstarted(claimed.fence, claimed.at)));
        }
        if self.vigil.is_check_due(now) {
            self.is_check_wanted = self.held.open() > 0;
            if !self.is_check_wanted {
                self.vigil.answered();
            }
        }
        if self.vigil.is_lost(now) {
            self.lose_all();
        }
        Ok(())
    }

    /// Takes every claim for lost.
    fn lose_all(&mut self) {
        self.held.crew.cancel_all(Cancelled::Lost);
        for claimed in self.held.ahead.take_all() {
            self.report.lost(claimed.fence, false);
            self.held.outbox.push(Finish::forsaken(claimed.fence, claimed.at));
        }
    }
}
