//! What is explored: how many processes, how much budget, how far; and the flaws that a control is built with.

use std::time::Duration;

use magnetar_core::{Backoff, JobId, JobOptions, NewChunk, OnFailure, RetryPolicy, Timestamp};

/// The job of the model.
pub(super) const JOB: JobId = 1;
/// The chunk that the other waits for.
pub(super) const PARENT: u64 = 1;
/// The chunk that waits for the other.
pub(super) const CHILD: u64 = 2;
/// The smallest move of the clock.
pub(super) const TICK: Duration = Duration::from_secs(10);
/// How many ticks a session lives without being renewed.
pub(super) const SESSION_TICKS: u32 = 1;
/// How many ticks a chunk waits after a failure.
const WAIT_TICKS: u32 = 1;
/// 2026-01-01T00:00:00Z.
const BEGINNING_MILLIS: u64 = 1_767_225_600_000;

/// What is explored.
#[derive(Clone, Copy, Debug)]
pub struct Config {
    /// Processes, each with one handle.
    pub handles: usize,
    /// Instants at which the clock may stand; it jumps from any to any.
    pub ticks: u8,
    /// How often a handle may be opened.
    pub opens: u8,
    /// How often a chunk may be handed out.
    pub claims: u8,
    /// How often the power may be cut.
    pub cuts: u8,
    /// Failures after which a chunk ends as Failed.
    pub max_fails: u32,
    /// Lost leases after which a chunk ends as Failed.
    pub max_crashes: u32,
    /// How many ticks an attempt of the child may take.
    pub timeout_ticks: Option<u32>,
    /// What becomes of the child where the parent ends badly.
    pub on_failure: OnFailure,
    /// A flaw, for a control.
    pub flaw: Option<Flaw>,
}

/// What is wrong on purpose: a model with one of these must fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// A worker says which chunk it ends, and not under which claim.
    NoFence,
    /// A worker says who it is, and not under which claim: two of its attempts have one name.
    OwnerName,
    /// A flush that a worker's write was acknowledged with did not happen.
    LostFlush,
}

impl Default for Config {
    /// What the tests explore to its end.
    fn default() -> Self {
        Self {
            handles: 2,
            ticks: 2,
            opens: 2,
            claims: 3,
            cuts: 1,
            max_fails: 2,
            max_crashes: 2,
            timeout_ticks: Some(1),
            on_failure: OnFailure::Skip,
            flaw: None,
        }
    }
}

/// The instant at a tick.
pub(super) fn time(tick: u8) -> Timestamp {
    Timestamp::from_millis(BEGINNING_MILLIS).after(TICK * u32::from(tick))
}

impl Config {
    pub(super) fn options(&self) -> JobOptions {
        let retry = RetryPolicy {
            max_fails: self.max_fails,
            max_crashes: self.max_crashes,
            backoff: Backoff::Fixed,
            first_wait: TICK * WAIT_TICKS,
            longest_wait: TICK * WAIT_TICKS,
            jitter: 0.0,
        };
        JobOptions { retry, on_failure: self.on_failure }
    }

    pub(super) fn chunks(&self) -> Vec<NewChunk> {
        let mut child = NewChunk::new(CHILD).depends_on([PARENT]);
        child.timeout = self.timeout_ticks.map(|ticks| TICK * ticks);
        vec![NewChunk::new(PARENT), child]
    }
}
