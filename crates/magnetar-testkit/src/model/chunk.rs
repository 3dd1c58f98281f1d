//! A chunk of the model, and how one that a store shows is held against it.

use std::{collections::BTreeSet, time::Duration};

use magnetar_core::{Extra, JobState, JobStatus, Lease, NewChunk, Timestamp};

use super::Key;

/// A chunk as the model has it. `unmet` and `bad` are not kept but counted.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Chunk {
    /// Tells it from an earlier chunk of the same id.
    pub(super) number: u64,
    pub(super) status: JobStatus,
    pub(super) expected: Option<String>,
    pub(super) recorded: Kept<String>,
    pub(super) result: Kept<Vec<u8>>,
    pub(super) error: Said,
    pub(super) payload: Vec<u8>,
    pub(super) priority: i16,
    pub(super) lane: String,
    pub(super) fails: u32,
    pub(super) max_fails: Option<u32>,
    pub(super) crashes: u32,
    pub(super) not_before: Option<Timestamp>,
    pub(super) timeout: Option<Duration>,
    pub(super) key: Option<String>,
    pub(super) lease: Option<Lease>,
    pub(super) created_at: Timestamp,
    pub(super) ended_at: Option<Timestamp>,
    pub(super) extra: Extra,
    /// What must be Done first.
    pub(super) depends_on: BTreeSet<Key>,
    /// What must end first, because it was parked until then.
    pub(super) awaits: BTreeSet<Key>,
    /// What it depended on and was removed since, when it had ended itself.
    pub(super) lost_parents: BTreeSet<Key>,
    /// How its attempts ended, in their order.
    pub(super) attempts: Vec<Attempt>,
}

/// One attempt that is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Attempt {
    /// The number of its token; none for a mark that claimed and ended at once.
    pub(super) token: Option<u64>,
    pub(super) end: End,
}

/// How an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Completed,
    Failed,
    Released,
    Parked,
    /// By a mark; Pending for a release.
    Marked(JobStatus),
    /// Its handle was closed.
    Closed,
    TimedOut,
    Lost,
}

/// A value that a store may or may not have dropped when its chunk became Pending again: the rules do not say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Kept<T> {
    value: Option<T>,
    may_be_gone: bool,
}

impl<T: Clone + PartialEq> Kept<T> {
    pub(super) fn exactly(value: Option<T>) -> Self {
        Self { value, may_be_gone: false }
    }

    fn loosen(&mut self) {
        self.may_be_gone = self.value.is_some();
    }

    fn allows(&self, actual: Option<&T>) -> bool {
        actual == self.value.as_ref() || (self.may_be_gone && actual.is_none())
    }
}

/// What the error of a chunk says, as far as the rules tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Said {
    Exactly(Option<String>),
    /// What was said before, or nothing any more.
    PerhapsStill(String),
    TimedOut,
    Anything,
}

impl Said {
    fn loosen(&mut self) {
        *self = match std::mem::replace(self, Self::Anything) {
            Self::Exactly(Some(text)) => Self::PerhapsStill(text),
            Self::TimedOut => Self::Anything,
            other => other,
        }
    }

    fn allows(&self, actual: Option<&str>) -> bool {
        match self {
            Self::Exactly(text) => text.as_deref() == actual,
            Self::PerhapsStill(text) => actual.is_none_or(|actual| actual == text),
            Self::TimedOut => actual.is_some_and(|text| text.starts_with("timed out after")),
            Self::Anything => true,
        }
    }
}

impl Chunk {
    pub(super) fn new(number: u64, new: &NewChunk, now: Timestamp) -> Self {
        Self {
            number,
            status: JobStatus::Pending,
            expected: new.checksum.clone(),
            recorded: Kept::exactly(None),
            result: Kept::exactly(None),
            error: Said::Exactly(None),
            payload: new.payload.clone(),
            priority: new.priority,
            lane: new.lane.clone(),
            fails: 0,
            max_fails: new.max_fails,
            crashes: 0,
            not_before: new.not_before,
            timeout: new.timeout,
            key: new.key.clone(),
            lease: None,
            created_at: now,
            ended_at: None,
            extra: new.extra.clone(),
            depends_on: BTreeSet::new(),
            awaits: BTreeSet::new(),
            lost_parents: BTreeSet::new(),
            attempts: Vec::new(),
        }
    }

    /// Gives it another chance: Pending, with fresh budgets and no delay.
    pub(super) fn renew(&mut self) {
        self.status = JobStatus::Pending;
        self.fails = 0;
        self.crashes = 0;
        self.not_before = None;
        self.ended_at = None;
        self.recorded.loosen();
        self.result.loosen();
        self.error.loosen();
    }

    /// Ends it. Whether an error of an earlier attempt is still shown, nobody says.
    pub(super) fn ended(&mut self, status: JobStatus, now: Timestamp) {
        self.status = status;
        self.ended_at = Some(now);
        self.not_before = None;
        self.lease = None;
        match status {
            JobStatus::Skipped => self.error = Said::Anything,
            _ => self.error.loosen(),
        }
    }

    /// The state that a store shows, with these counters.
    pub(super) fn show(&self, key: Key, unmet: u64, bad: u64) -> ExpectedChunk {
        let mut state = JobState::new(key.0, key.1);
        state.status = self.status;
        state.expected_checksum.clone_from(&self.expected);
        state.payload.clone_from(&self.payload);
        state.priority = self.priority;
        state.lane.clone_from(&self.lane);
        state.fails = self.fails;
        state.max_fails = self.max_fails;
        state.crashes = self.crashes;
        state.unmet = unmet;
        state.bad = bad;
        state.not_before = self.not_before;
        state.timeout = self.timeout;
        state.key.clone_from(&self.key);
        state.lease = self.lease;
        state.created_at = self.created_at;
        state.ended_at = self.ended_at;
        state.extra = self.extra.clone();
        state.recorded_checksum.clone_from(&self.recorded.value);
        state.result.clone_from(&self.result.value);
        if let Said::Exactly(Some(text)) | Said::PerhapsStill(text) = &self.error {
            state.error = Some(text.clone());
        }
        set_checksum(&mut state);
        ExpectedChunk {
            state,
            recorded: self.recorded.clone(),
            result: self.result.clone(),
            error: self.error.clone(),
            are_counters_known: self.lost_parents.is_empty(),
        }
    }
}

/// The checksum is the recorded one, else the expected one, else empty.
fn set_checksum(state: &mut JobState) {
    state.checksum = state.recorded_checksum.clone().or_else(|| state.expected_checksum.clone()).unwrap_or_default();
}

/// A chunk as a store must show it, apart from what the rules leave open.
///
/// Open are: the session's number; the delay of what runs; counters and dependencies of what lost a parent to a prune; whether result, recorded
/// checksum and error of an earlier run are still there after a redrive or a reopening; the text of an error that nobody gave.
#[derive(Clone, Debug)]
pub struct ExpectedChunk {
    state: JobState,
    recorded: Kept<String>,
    result: Kept<Vec<u8>>,
    error: Said,
    are_counters_known: bool,
}

impl ExpectedChunk {
    /// The state, with the open things as the model would have them.
    pub fn state(&self) -> &JobState {
        &self.state
    }

    /// Whether `unmet`, `bad` and the listed dependencies are known.
    pub fn are_counters_known(&self) -> bool {
        self.are_counters_known
    }

    /// Holds the chunk that a store shows against this one.
    ///
    /// # Errors
    /// Both, where they differ in something that is not open.
    pub fn hold_against(&self, actual: &JobState) -> Result<(), String> {
        let mut wanted = self.state.clone();
        if self.recorded.allows(actual.recorded_checksum.as_ref()) {
            wanted.recorded_checksum.clone_from(&actual.recorded_checksum);
        }
        if self.result.allows(actual.result.as_ref()) {
            wanted.result.clone_from(&actual.result);
        }
        if self.error.allows(actual.error.as_deref()) {
            wanted.error.clone_from(&actual.error);
        }
        if !self.are_counters_known {
            (wanted.unmet, wanted.bad) = (actual.unmet, actual.bad);
        }
        if wanted.status == JobStatus::Processing {
            wanted.not_before = actual.not_before;
        }
        if let (Some(lease), Some(other)) = (&mut wanted.lease, &actual.lease) {
            lease.session = other.session;
        }
        set_checksum(&mut wanted);
        if wanted == *actual { Ok(()) } else { Err(format!("a chunk differs\n  model: {wanted:?}\n  store: {actual:?}")) }
    }
}
