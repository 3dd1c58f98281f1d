//! The balance of a retry budget in one atomic word.
//!
//! A word is `refilled:40 | balance:24`: milliseconds and thousandths of a retry.

use std::sync::atomic::Ordering::{AcqRel, Acquire};

use crate::sync::AtomicU64;

const BALANCE_BITS: u32 = 24;
const BALANCE_MASK: u64 = (1 << BALANCE_BITS) - 1;

/// What one retry costs.
pub(crate) const RETRY: u64 = 1000;
/// The largest balance, in retries.
pub(crate) const CAPACITY_MAX: u64 = BALANCE_MASK / RETRY;

/// The balance, and when time last paid into it.
#[derive(Debug)]
pub(crate) struct Ledger {
    word: AtomicU64,
    /// The most that can be saved up.
    capacity: u64,
    /// What each millisecond pays in.
    per_milli: u64,
}

impl Ledger {
    /// A full one. The capacity and the pay are in thousandths.
    pub(crate) fn new(capacity: u64, per_milli: u64) -> Self {
        let capacity = capacity.min(BALANCE_MASK);
        Self { word: AtomicU64::new(capacity), capacity, per_milli }
    }

    /// Pays in, as far as the capacity goes.
    pub(crate) fn pay(&self, amount: u64) {
        self.step(|refilled, balance| Some((refilled, balance.saturating_add(amount))));
    }

    /// Takes the price of a retry out, if it is there. The check and the taking are one step.
    pub(crate) fn take(&self, now: u64) -> bool {
        self.step(|refilled, balance| {
            let elapsed = now.saturating_sub(refilled);
            let balance = balance.saturating_add(elapsed.saturating_mul(self.per_milli)).min(self.capacity);
            Some((refilled.max(now), balance.checked_sub(RETRY)?))
        })
    }

    /// The balance, without what time has not paid in yet.
    pub(crate) fn balance(&self) -> u64 {
        self.word.load(Acquire) & BALANCE_MASK
    }

    fn step(&self, step: impl Fn(u64, u64) -> Option<(u64, u64)>) -> bool {
        let mut current = self.word.load(Acquire);
        loop {
            let Some((refilled, balance)) = step(current >> BALANCE_BITS, current & BALANCE_MASK) else { return false };
            let target = (refilled << BALANCE_BITS) | balance.min(self.capacity);
            match self.word.compare_exchange(current, target, AcqRel, Acquire) {
                Ok(_) => return true,
                Err(newer) => current = newer,
            }
        }
    }
}
