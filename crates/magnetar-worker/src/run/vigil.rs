//! How a worker notices that it has lost its claims, and how it takes them for lost when nobody can tell.
//!
//! The store renews the session of its handle by itself, so a worker cannot see whether that worked. It asks: each claim is
//! checked at a third of the time for which a lease lives without renewal. Where no check has been answered when the rest of
//! that time is over, others may have taken the session for dead. A process that was stopped for long asks first when it goes on.

use std::time::Duration;

use tokio::time::Instant;

use crate::time::later;

pub(super) struct Vigil {
    lease: Duration,
    /// When claims are checked next.
    check_at: Instant,
    /// Since when a check is wanted and not answered.
    asked_at: Option<Instant>,
}

impl Vigil {
    pub(super) fn new(lease: Duration, now: Instant) -> Self {
        Self { lease, check_at: later(now, lease / 3), asked_at: None }
    }

    /// When something is to be done.
    pub(super) fn next_at(&self) -> Instant {
        self.asked_at.map_or(self.check_at, |asked| self.check_at.min(self.lost_at(asked)))
    }

    /// Whether claims are to be checked now.
    pub(super) fn is_check_due(&mut self, now: Instant) -> bool {
        let is_due = self.check_at <= now;
        if is_due {
            self.check_at = later(now, self.lease / 3);
            self.asked_at.get_or_insert(now);
        }
        is_due
    }

    /// The claims were checked, or there are none.
    pub(super) fn answered(&mut self) {
        self.asked_at = None;
    }

    /// Whether no check was answered for so long that every claim may be lost. It is said once.
    pub(super) fn is_lost(&mut self, now: Instant) -> bool {
        let is_lost = self.asked_at.is_some_and(|asked| self.lost_at(asked) <= now);
        if is_lost {
            self.asked_at = None;
        }
        is_lost
    }

    /// The process was stopped for so long.
    pub(super) fn forgive(&mut self, late: Duration) {
        self.asked_at = self.asked_at.map(|asked| later(asked, late));
    }

    fn lost_at(&self, asked: Instant) -> Instant {
        later(asked, self.lease / 3 * 2)
    }
}
