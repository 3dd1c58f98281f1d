//! The loop of attempts, which every call with retries goes through.

use std::time::Duration;

use super::{Idempotency, Retry, Withdrawal};
use crate::{
    backoff::Pace,
    classify::{Classifier, ErrorClass, Verdict},
    clock::Clock,
    deadline,
    observe::{Event, RetryStop},
    outcome::{Error, Phase},
};

/// The longest wait that a service may ask for. Who is told to come back later than that returns to its caller instead.
const ASKED_MAX: Duration = Duration::from_hours(1);

/// How an attempt ended, and what that means.
pub(crate) struct Ended<T, E> {
    pub(crate) result: Result<T, Error<E>>,
    pub(crate) verdict: Verdict,
}

impl<T, E> Ended<T, E> {
    /// One of our own parts refused, or took too long.
    pub(crate) fn rejected(error: Error<E>) -> Self {
        Self { result: Err(error), verdict: Verdict::failure(ErrorClass::Rejected) }
    }
}

/// When a call has to be over.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadline {
    pub(crate) at: Duration,
    pub(crate) after: Duration,
}

/// What bounds an attempt.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limit {
    pub(crate) deadline: Option<Deadline>,
    attempt: Option<Duration>,
}

impl Limit {
    /// No deadline, and this long for an attempt.
    pub(crate) fn attempt(attempt: Option<Duration>) -> Self {
        Self { deadline: None, attempt }
    }

    /// When an attempt that begins now has to be over, and what to say if it is not: whichever comes first.
    pub(crate) fn ends(&self, clock: &dyn Clock) -> Option<(Deadline, Phase)> {
        let attempt = self.attempt.map(|after| Deadline { at: clock.now().saturating_add(after), after });
        match (attempt, self.deadline) {
            (Some(attempt), Some(total)) if total.at < attempt.at => Some((total, Phase::Total)),
            (Some(attempt), _) => Some((attempt, Phase::Attempt)),
            (None, total) => total.map(|total| (total, Phase::Total)),
        }
    }
}

/// Runs one attempt within its limit, and judges it. A hang is a failure.
pub(crate) async fn timed<T, E, C, Fut>(clock: &dyn Clock, limit: Limit, classifier: &C, op: Fut) -> Ended<T, E>
where
    C: Classifier<T, E> + ?Sized,
    Fut: Future<Output = Result<T, E>>,
{
    let result = match limit.ends(clock) {
        None => op.await,
        Some((ends, phase)) => {
            let Some(result) = deadline::until(clock, Some(ends.at), op).await else {
                let result = Err(Error::Timeout { phase, after: ends.after });
                return Ended { result, verdict: Verdict::failure(ErrorClass::Transient) };
            };
            result
        }
    };
    let verdict = classifier.verdict(&result);
    Ended { result: result.map_err(Error::Inner), verdict }
}

impl Retry {
    /// Makes attempts until one ends it. `is_closed` tells before each further attempt whether it would be refused.
    pub(crate) async fn drive<T, E, F, Fut>(&self, is_closed: impl Fn() -> bool, mut attempt: F) -> Result<T, Error<E>>
    where
        F: FnMut(Limit) -> Fut,
        Fut: Future<Output = Ended<T, E>>,
    {
        let limit = self.begin();
        let mut pace = Pace::default();
        let mut ended = attempt(limit).await;
        self.deposit(ended.verdict);
        for attempts in 1_usize.. {
            let Verdict::Failure { class, retry_after } = ended.verdict else { break };
            let paid = match self.pay(attempts, (class, retry_after), limit, &is_closed, &mut pace) {
                Ok(paid) => paid,
                Err(why) => return self.stopped(attempts, why, ended.result),
            };
            self.clock.sleep_until(self.clock.now().saturating_add(paid.delay)).await;
            if is_closed() {
                return self.stopped(attempts, RetryStop::Rejected, ended.result);
            }
            paid.spend();
            let next = attempt(limit).await;
            // One of our own parts refused meanwhile: what really went wrong is the failure before.
            if let Verdict::Failure { class: ErrorClass::Rejected, .. } = next.verdict {
                return self.stopped(attempts, RetryStop::Rejected, ended.result);
            }
            ended = next;
        }
        ended.result
    }

    /// A call begins: what bounds its attempts.
    pub(crate) fn begin(&self) -> Limit {
        let deadline = self.deadline.map(|after| Deadline { at: self.clock.now().saturating_add(after), after });
        Limit { deadline, attempt: self.attempt_timeout }
    }

    /// A first attempt was made, unless one of our own parts refused it: then the service saw none, and pays for no retries.
    pub(crate) fn deposit(&self, verdict: Verdict) {
        if let Some(budget) = &self.budget
            && !matches!(verdict, Verdict::Failure { class: ErrorClass::Rejected, .. })
        {
            budget.deposit();
        }
    }

    /// Decides whether another attempt follows a failure of a class, and pays for it before the wait. The service may have asked for
    /// a longer one.
    pub(crate) fn pay(
        &self,
        attempts: usize,
        (class, retry_after): (ErrorClass, Option<Duration>),
        limit: Limit,
        is_closed: impl Fn() -> bool,
        pace: &mut Pace,
    ) -> Result<Paid, RetryStop> {
        if !self.retries(class) {
            return Err(RetryStop::NotRetryable);
        }
        if attempts > self.max_retries {
            return Err(RetryStop::Exhausted);
        }
        if is_closed() {
            return Err(RetryStop::Rejected);
        }
        let asked = retry_after.unwrap_or_default();
        if asked > ASKED_MAX {
            return Err(RetryStop::Deadline);
        }
        let delay = self.backoff.next(pace, &self.random).max(asked);
        if limit.deadline.is_some_and(|deadline| self.clock.now().saturating_add(delay) >= deadline.at) {
            return Err(RetryStop::Deadline);
        }
        let withdrawal = match &self.budget {
            Some(budget) => Some(budget.withdraw().ok_or(RetryStop::Budget)?),
            None => None,
        };
        self.tell(&Event::Retry { name: &self.name, retry: attempts, delay });
        Ok(Paid { delay, withdrawal })
    }

    fn retries(&self, class: ErrorClass) -> bool {
        match class {
            ErrorClass::Unsent | ErrorClass::Throttled => true,
            ErrorClass::Transient => self.idempotency == Idempotency::Idempotent,
            ErrorClass::Exhausted | ErrorClass::Permanent | ErrorClass::Rejected => false,
        }
    }

    /// No other attempt follows.
    pub(crate) fn stopped<T, E>(&self, attempts: usize, why: RetryStop, last: Result<T, Error<E>>) -> Result<T, Error<E>> {
        self.tell(&Event::RetryStopped { name: &self.name, attempts, why });
        match last {
            Err(last) if why == RetryStop::Exhausted => Err(Error::Exhausted { attempts, last: Box::new(last) }),
            other => other,
        }
    }
}

/// A retry that is paid for.
pub(crate) struct Paid {
    pub(crate) delay: Duration,
    withdrawal: Option<Withdrawal>,
}

impl Paid {
    /// The retry is being made.
    pub(crate) fn spend(self) {
        if let Some(withdrawal) = self.withdrawal {
            withdrawal.spend();
        }
    }
}
