//! A budget for retries, shared by many callers: what keeps an outage from being multiplied.

use std::{sync::Arc, time::Duration};

use super::ledger::{CAPACITY_MAX, Ledger, RETRY};
use crate::{
    clock::{Clock, TokioClock, millis},
    error::ConfigError,
};

/// How many retries there may be beside first attempts.
///
/// Each first attempt that was not refused by one of our own parts pays in a share of a retry when it ends, time pays in a few a second, and what is saved up is limited; each retry takes one
/// out before it waits. So the calls that a service sees in an outage are at most `1 + ratio` times the first attempts, plus
/// `min_per_second` a second, plus `capacity` once.
#[derive(Debug)]
pub struct RetryBudget {
    ledger: Ledger,
    /// What a first attempt pays in, in thousandths of a retry.
    deposit: u64,
    clock: Arc<dyn Clock>,
}

/// The settings of a [`RetryBudget`].
#[derive(Clone, Debug)]
pub struct RetryBudgetBuilder {
    ratio: f64,
    min_per_second: usize,
    capacity: usize,
    clock: Option<Arc<dyn Clock>>,
}

impl RetryBudget {
    /// A budget of a fifth of the first attempts and 10 a second, with at most 100 saved up; full at the start.
    pub fn new() -> Arc<Self> {
        Arc::new(RetryBudgetBuilder::default().assemble())
    }

    /// Other settings.
    pub fn builder() -> RetryBudgetBuilder {
        RetryBudgetBuilder::default()
    }

    /// How many retries are saved up, without what time has not paid in yet.
    pub fn balance(&self) -> usize {
        usize::try_from(self.ledger.balance() / RETRY).unwrap_or(usize::MAX)
    }

    /// A first attempt was made.
    pub fn deposit(&self) {
        self.ledger.pay(self.deposit);
    }

    /// Takes a retry out, or none where the budget is spent. Dropping it gives it back; [`Withdrawal::spend`] keeps it.
    pub fn withdraw(self: &Arc<Self>) -> Option<Withdrawal> {
        // Made only where something was taken: one that is dropped pays.
        self.ledger.take(millis(self.clock.now())).then(|| Withdrawal { budget: Some(Arc::clone(self)) })
    }
}

/// A retry that was taken out and not made yet. It goes back if it is dropped, as when the caller goes away while it waits.
#[derive(Debug)]
#[must_use = "dropping it gives the retry back"]
pub struct Withdrawal {
    /// None once it is spent.
    budget: Option<Arc<RetryBudget>>,
}

impl Withdrawal {
    /// The retry is being made.
    pub fn spend(mut self) {
        self.budget = None;
    }
}

impl Drop for Withdrawal {
    fn drop(&mut self) {
        if let Some(budget) = &self.budget {
            budget.ledger.pay(RETRY);
        }
    }
}

impl Default for RetryBudgetBuilder {
    fn default() -> Self {
        Self { ratio: 0.2, min_per_second: 10, capacity: 100, clock: None }
    }
}

impl RetryBudgetBuilder {
    /// How many retries each first attempt pays for, above 0 and at most 1; 0.2 unless told otherwise.
    #[must_use]
    pub fn ratio(mut self, ratio: f64) -> Self {
        self.ratio = ratio;
        self
    }

    /// How many retries a second there may be however few calls there are, up to 10,000; 10 unless told otherwise.
    #[must_use]
    pub fn min_per_second(mut self, retries: usize) -> Self {
        self.min_per_second = retries;
        self
    }

    /// How many retries can be saved up, from 1 to 16,000; 100 unless told otherwise. A new budget is full.
    #[must_use]
    pub fn capacity(mut self, retries: usize) -> Self {
        self.capacity = retries;
        self
    }

    /// Another clock than tokio's.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = Some(clock);
        self
    }

    /// The budget.
    ///
    /// # Errors
    /// A setting outside of its range.
    pub fn build(self) -> Result<Arc<RetryBudget>, ConfigError> {
        ConfigError::share("ratio", self.ratio)?;
        ConfigError::range("min_per_second", self.min_per_second, 0, 10_000)?;
        ConfigError::range("capacity", self.capacity, 1, usize::try_from(CAPACITY_MAX.min(16_000)).unwrap_or(16_000))?;
        Ok(Arc::new(self.assemble()))
    }

    fn assemble(self) -> RetryBudget {
        let clock = self.clock.unwrap_or_else(TokioClock::shared);
        // A retry is 1000 thousandths and a second is 1000 milliseconds: the numbers are the same.
        let per_milli = self.min_per_second as u64;
        let deposit = Duration::from_secs(1).mul_f64(self.ratio);
        RetryBudget { ledger: Ledger::new(self.capacity as u64 * RETRY, per_milli), deposit: millis(deposit), clock }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::ManualClock;

    fn budget(ratio: f64, min_per_second: usize, capacity: usize) -> (Arc<RetryBudget>, ManualClock) {
        let clock = ManualClock::new();
        let builder = RetryBudget::builder().ratio(ratio).min_per_second(min_per_second).capacity(capacity);
        (builder.clock(Arc::new(clock.clone())).build().unwrap(), clock)
    }

    fn spend_all(budget: &Arc<RetryBudget>) -> usize {
        std::iter::from_fn(|| budget.withdraw().map(Withdrawal::spend)).take(100_000).count()
    }

    #[test]
    fn t17_share_of_the_first_attempts_is_kept_exactly() {
        for ratio in [0.1, 0.2, 0.6, 0.75, 0.9, 1.0] {
            let (budget, _) = budget(ratio, 0, 16_000);
            spend_all(&budget);
            (0..1000).for_each(|_| budget.deposit());
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "at most 1000")]
            let expected = (ratio * 1000.0).round() as usize;
            assert_eq!(spend_all(&budget), expected, "{ratio}");
        }
    }

    #[test]
    fn t17_withdrawal_that_is_dropped_goes_back() {
        let (budget, _) = budget(0.2, 0, 1);
        let first = budget.withdraw().unwrap();
        assert!(budget.withdraw().is_none());
        drop(first);
        budget.withdraw().unwrap().spend();
        assert!(budget.withdraw().is_none());
    }

    #[test]
    fn time_pays_in_and_the_capacity_is_never_passed() {
        let (budget, clock) = budget(0.2, 10, 20);
        assert_eq!(spend_all(&budget), 20);
        clock.advance(Duration::from_millis(500));
        assert_eq!(spend_all(&budget), 5);
        clock.advance(Duration::from_hours(24 * 365));
        assert_eq!(spend_all(&budget), 20);
        // Far more than the word has room for.
        (0..200_000).for_each(|_| budget.deposit());
        assert_eq!(budget.balance(), 20);
        assert_eq!(spend_all(&budget), 20);
    }

    #[test]
    fn settings_that_cannot_be_meant_are_refused() {
        let refused = |builder: RetryBudgetBuilder| builder.build().unwrap_err().setting();
        assert_eq!(refused(RetryBudget::builder().ratio(f64::NAN)), "ratio");
        assert_eq!(refused(RetryBudget::builder().ratio(-0.1)), "ratio");
        assert_eq!(refused(RetryBudget::builder().min_per_second(usize::MAX)), "min_per_second");
        assert_eq!(refused(RetryBudget::builder().capacity(0)), "capacity");
        assert_eq!(refused(RetryBudget::builder().capacity(usize::MAX)), "capacity");
    }
}
