//! A token bucket in one atomic word: the generic cell rate algorithm.
//!
//! The word is the time at which the bucket would be full again, in nanoseconds of the clock. A token moves it on by the time that
//! the rate takes to make one; there is one as long as that stays within the time that the burst takes.

use std::sync::atomic::Ordering::{AcqRel, Acquire};

use crate::sync::AtomicU64;

/// How late a timer may be without loss: they tick by the millisecond, and a rate of thousands a second wants more than one a tick.
const GRACE: u64 = 5_000_000;

/// The longest span: far beyond any clock, and far from the end of the word.
const LONGEST: u64 = 1 << 62;

/// Which time without callers counts although the bucket was full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Grace {
    /// None.
    None,
    /// The last 5 ms, if somebody took a token within them: callers one after another keep the rate.
    Recent,
    /// The last 5 ms, for one who waited that long or longer: only its timer was late.
    Waited,
}

/// The bucket.
#[derive(Debug)]
pub(crate) struct Gcra {
    full_at: AtomicU64,
    /// The time that a token takes.
    interval: u64,
    /// The time that a full bucket takes.
    span: u64,
}

impl Gcra {
    /// A bucket for `burst` tokens, one each `interval`, that has so many at the time `now`.
    pub(crate) fn new(interval: u64, burst: u64, tokens: u64, now: u64) -> Self {
        let interval = interval.clamp(1, LONGEST);
        let span = interval.saturating_mul(burst).min(LONGEST);
        let missing = interval.saturating_mul(burst.saturating_sub(tokens)).min(span);
        Self { full_at: AtomicU64::new(now.min(LONGEST).saturating_add(missing)), interval, span }
    }

    /// Takes tokens, or tells how long until they are there. More than the burst are never there: the caller checks that.
    pub(crate) fn take(&self, tokens: u64, now: u64, grace: Grace) -> Result<(), u64> {
        let cost = self.interval.saturating_mul(tokens);
        let mut full_at = self.full_at.load(Acquire);
        loop {
            let target = full_at.max(floor(full_at, now, grace)).saturating_add(cost);
            let latest = now.saturating_add(self.span);
            if target > latest {
                return Err(target - latest);
            }
            match self.full_at.compare_exchange(full_at, target, AcqRel, Acquire) {
                Ok(_) => return Ok(()),
                Err(newer) => full_at = newer,
            }
        }
    }
}

/// The earliest time that the bucket may be seen as full at.
fn floor(full_at: u64, now: u64, grace: Grace) -> u64 {
    let earliest = now.saturating_sub(GRACE);
    match grace {
        Grace::Waited => earliest,
        Grace::Recent if full_at >= earliest => earliest,
        Grace::Recent | Grace::None => now,
    }
}
