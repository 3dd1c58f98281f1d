//! The rules: what an event does to a chunk. Pure functions over the chunk, the event and the time.
//!
//! [`STEPS`] is the whole table of what is legal; `docs/state-machine.md` is made from it. Stores persist what
//! [`Standing::step`] and [`Standing::dependency`] decide, and decide nothing themselves.

mod table;

use std::fmt;

use serde::{Deserialize, Serialize};

pub use self::table::{STEPS, Step, markdown};
use crate::{
    job::{JobOptions, OnFailure},
    retry::RetryPolicy,
    status::JobStatus,
    time::Timestamp,
};

/// What can happen to a chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Event {
    /// A session takes it.
    Claim,
    /// Its work is done.
    Complete,
    /// Its handler failed.
    Fail,
    /// Its attempt took longer than its timeout; counts as a failure.
    TimeOut,
    /// The session that held it is gone; counts as a crash.
    LoseLease,
    /// Its session gives it back unharmed.
    Release,
    /// Its session gives it back until a time, or until other chunks have ended.
    Park,
    /// It is given up as Failed, whatever budget remains.
    GiveUp,
    /// It is called off.
    Cancel,
    /// Something it depends on ended badly, and its job skips what is behind that.
    Skip,
    /// It gets another chance, with fresh budgets.
    Redrive,
    /// It is to be done once more although it ended, with fresh budgets.
    Reopen,
    /// It is made to wait for one more chunk.
    Depend,
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Claim => "claim",
            Self::Complete => "complete",
            Self::Fail => "fail",
            Self::TimeOut => "time-out",
            Self::LoseLease => "lost lease",
            Self::Release => "release",
            Self::Park => "park",
            Self::GiveUp => "give-up",
            Self::Cancel => "cancel",
            Self::Skip => "skip",
            Self::Redrive => "redrive",
            Self::Reopen => "reopen",
            Self::Depend => "new dependency",
        })
    }
}

/// All that the rules need to know of a chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Where it stands.
    pub status: JobStatus,
    /// Failures so far.
    pub fails: u32,
    /// Leases lost so far.
    pub crashes: u32,
    /// Dependencies that have not ended.
    pub unmet: u64,
    /// Dependencies that ended otherwise than Done.
    pub bad: u64,
    /// Not handed out before this instant.
    pub not_before: Option<Timestamp>,
}

/// The rules that hold for one chunk: its job's, and its own budget where it has one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rules {
    /// Budgets and waits.
    pub retry: RetryPolicy,
    /// What a bad dependency does.
    pub on_failure: OnFailure,
}

impl Rules {
    /// The rules of a chunk with this budget of failures, or the job's.
    pub fn of(options: &JobOptions, max_fails: Option<u32>) -> Self {
        let mut retry = options.retry;
        retry.max_fails = max_fails.unwrap_or(retry.max_fails);
        Self { retry, on_failure: options.on_failure }
    }
}

/// Where a chunk is to be found: exactly one of these at any time (the placement invariant).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// It has ended.
    Ended,
    /// It waits for dependencies.
    Blocked,
    /// It can be claimed.
    Ready,
    /// It waits for this instant.
    Timer(Timestamp),
    /// A session holds it.
    Lease,
}

/// Why the rules allow no such step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The table has no such step from where the chunk stands.
    NotAllowed,
    /// The chunk waits for its dependencies.
    Blocked,
}

/// What a dependency of a chunk did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dependency {
    /// One more was named, which stands there.
    Added(JobStatus),
    /// One that was open has ended there.
    Ended(JobStatus),
    /// One that had ended there is open again.
    Reopened(JobStatus),
    /// One chunk whose mere end was awaited is awaited.
    Awaited,
    /// One chunk whose mere end was awaited has ended.
    AwaitOver,
}

impl Standing {
    /// A new chunk, before its dependencies are counted.
    pub const fn new(not_before: Option<Timestamp>) -> Self {
        Self { status: JobStatus::Pending, fails: 0, crashes: 0, unmet: 0, bad: 0, not_before }
    }

    /// Whether its dependencies keep it from being handed out.
    pub fn is_blocked(&self, rules: &Rules) -> bool {
        self.unmet > 0 || (self.bad > 0 && rules.on_failure != OnFailure::Run)
    }

    /// Where the chunk belongs.
    pub fn place(&self, rules: &Rules, now: Timestamp) -> Place {
        match self.status {
            JobStatus::Processing => Place::Lease,
            JobStatus::Pending if self.is_blocked(rules) => Place::Blocked,
            JobStatus::Pending => match self.not_before {
                Some(at) if at > now => Place::Timer(at),
                _ => Place::Ready,
            },
            _ => Place::Ended,
        }
    }

    /// What an event makes of the chunk. `seed` decides the jitter of a wait.
    ///
    /// # Errors
    /// A [`Refusal`] where the table has no such step, or where the chunk is blocked and the step does not bear that.
    pub fn step(&self, event: Event, rules: &Rules, now: Timestamp, seed: u64) -> Result<Self, Refusal> {
        let step = STEPS.iter().find(|step| step.from == self.status && step.event == event).ok_or(Refusal::NotAllowed)?;
        if step.unblocked && self.is_blocked(rules) {
            return Err(Refusal::Blocked);
        }
        let mut next = *self;
        match event {
            Event::Depend => {}
            Event::Claim => next.status = JobStatus::Processing,
            Event::Complete => next.status = JobStatus::Done,
            Event::GiveUp => next.status = JobStatus::Failed,
            Event::Cancel => next.status = JobStatus::Cancelled,
            Event::Skip => next.status = JobStatus::Skipped,
            Event::Fail | Event::TimeOut => {
                next.fails = self.fails.saturating_add(1);
                next.status = if next.fails >= rules.retry.max_fails { JobStatus::Failed } else { JobStatus::Pending };
                next.not_before = Some(now.after(rules.retry.wait(next.fails, seed)));
            }
            Event::LoseLease => {
                next.crashes = self.crashes.saturating_add(1);
                next.status = if next.crashes >= rules.retry.max_crashes { JobStatus::Failed } else { JobStatus::Pending };
                next.not_before = None;
            }
            Event::Release | Event::Park => {
                next.status = JobStatus::Pending;
                next.not_before = None;
            }
            Event::Redrive | Event::Reopen => {
                next = Self { fails: 0, crashes: 0, not_before: None, status: JobStatus::Pending, ..*self };
            }
        }
        if next.status.is_terminal() {
            next.not_before = None;
        }
        Ok(next)
    }

    /// What a dependency's change makes of the counters, and the event that follows from it, if one does.
    pub fn dependency(&self, change: Dependency, rules: &Rules) -> (Self, Option<Event>) {
        let mut next = *self;
        match change {
            Dependency::Added(status) if status.is_bad() => next.bad += 1,
            Dependency::Added(JobStatus::Done) => {}
            Dependency::Added(_) | Dependency::Awaited => next.unmet += 1,
            Dependency::Ended(status) => {
                next.unmet = next.unmet.saturating_sub(1);
                next.bad += u64::from(status.is_bad());
            }
            Dependency::Reopened(status) => {
                next.unmet += 1;
                next.bad = next.bad.saturating_sub(u64::from(status.is_bad()));
            }
            Dependency::AwaitOver => next.unmet = next.unmet.saturating_sub(1),
        }
        let worse = next.bad > self.bad;
        let event = match self.status {
            JobStatus::Pending if worse && rules.on_failure == OnFailure::Skip => Some(Event::Skip),
            JobStatus::Skipped if next.bad == 0 && self.bad > 0 => Some(Event::Redrive),
            _ => None,
        };
        (next, event)
    }
}

#[cfg(test)]
mod tests;
