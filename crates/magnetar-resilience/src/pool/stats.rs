//! What a pool shows of itself.

use super::book::Census;
use crate::observe::ClosedReason;

/// The counts of a pool at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PoolStats {
    /// Connections that nobody uses.
    pub idle: usize,
    /// Connections that are lent out or being checked.
    pub active: usize,
    /// Both.
    pub total: usize,
    /// Connections being made. They take up room.
    pub dialling: usize,
    /// Connections being closed. They take up room until they are.
    pub closing: usize,
    /// How many there may be, of all of these.
    pub max_size: usize,
    /// How many wait for one.
    pub waiters: usize,
    /// Connections made since the pool was.
    pub created: u64,
    /// Connections that could not be made.
    pub dial_failures: u64,
    /// Connections that left the pool for good, by reason. Detached ones are in none.
    pub closed: ClosedCounts,
}

/// Connections that left a pool for good, by reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ClosedCounts {
    /// Idle for too long.
    pub idle: u64,
    /// Old.
    pub lifetime: u64,
    /// Did not pass a check.
    pub unhealthy: u64,
    /// Their users said so, panicked, or left them dirty.
    pub discarded: u64,
    /// The pool was closed.
    pub pool_closed: u64,
}

impl PoolStats {
    pub(super) fn new(census: &Census, max_size: usize) -> Self {
        let closed = |reason: ClosedReason| census.closed.get(reason as usize).copied().unwrap_or_default();
        Self {
            idle: census.idle,
            active: census.active,
            total: census.idle + census.active,
            dialling: census.dialling,
            closing: census.closing,
            max_size,
            waiters: census.waiters,
            created: census.created,
            dial_failures: census.dial_failures,
            closed: ClosedCounts {
                idle: closed(ClosedReason::Idle),
                lifetime: closed(ClosedReason::Lifetime),
                unhealthy: closed(ClosedReason::Unhealthy),
                discarded: closed(ClosedReason::Discarded),
                pool_closed: closed(ClosedReason::PoolClosed),
            },
        }
    }

    /// How much of the pool is in use, in percent, from 0 to 100: those that are lent out, of as many as there may be. A pool full of
    /// idle connections is at 0.
    #[expect(clippy::cast_precision_loss, reason = "a percentage needs no more than 53 bits")]
    pub fn utilization(&self) -> f64 {
        self.active as f64 / self.max_size as f64 * 100.0
    }
}
