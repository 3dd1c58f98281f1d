//! Calls under a breaker: one attempt, or with retries.

use super::{CircuitBreaker, Permit};
use crate::{
    classify::{ByClass, Classifier},
    error::ResilienceError,
    observe::Event,
    outcome::{Error, Rejection},
    retry::{Ended, Limit, timed},
};

impl CircuitBreaker {
    /// Makes one attempt under the breaker.
    ///
    /// # Errors
    /// [`ResilienceError::CircuitOpen`] without running anything; [`ResilienceError::Timeout`] where the builder set a timeout;
    /// else what the operation returned.
    pub async fn call<T, F, Fut>(&self, op: F) -> Result<T, ResilienceError>
    where
        F: FnOnce() -> Fut,
        Fut: Future<Output = Result<T, ResilienceError>>,
    {
        self.run_once(&ByClass, op).await.map_err(ResilienceError::from)
    }

    /// Makes attempts until one succeeds, cannot be helped by another, or the retries end. The breaker is asked before each, and
    /// each counts: with the default config the second call that fails opens it in its midst.
    ///
    /// # Errors
    /// - [`ResilienceError::CircuitOpen`] where the breaker refused the first attempt: nothing was run.
    /// - The last error as it is, where another try would not help, the breaker opened, the deadline is near or the budget spent.
    /// - [`ResilienceError::MaxRetriesExceeded`] where the retries are used up. Observers and traces are told the last cause;
    ///   [`run`](Self::run) returns it.
    pub async fn execute<T, F, Fut>(&self, op: F) -> Result<T, ResilienceError>
    where
        F: FnMut() -> Fut,
        Fut: Future<Output = Result<T, ResilienceError>>,
    {
        let ended = self.run(&ByClass, op).await;
        if let Err(Error::Exhausted { last, .. }) = &ended {
            self.parts.observers.tell(&Event::Exhausted { name: &self.parts.name, cause: &**last });
        }
        ended.map_err(ResilienceError::from)
    }

    /// [`execute`](Self::execute) for an operation of any error type, which is kept whole.
    ///
    /// # Errors
    /// [`Error::Rejected`] where nothing was run; [`Error::Exhausted`] with the last error where the retries are used up; else how the
    /// last attempt ended.
    pub async fn run<T, E, C, F, Fut>(&self, classifier: &C, mut op: F) -> Result<T, Error<E>>
    where
        C: Classifier<T, E> + ?Sized,
        F: FnMut() -> Fut,
        Fut: Future<Output = Result<T, E>>,
    {
        let attempt = |limit| self.attempt(limit, classifier, self.admitted(&mut op));
        self.parts.retry.drive(|| self.is_refusing(), attempt).await
    }

    /// [`call`](Self::call) for an operation of any error type, which is kept whole.
    ///
    /// # Errors
    /// [`Error::Rejected`] where nothing was run, [`Error::Timeout`] where the builder set one, [`Error::Inner`].
    pub async fn run_once<T, E, C, F, Fut>(&self, classifier: &C, op: F) -> Result<T, Error<E>>
    where
        C: Classifier<T, E> + ?Sized,
        F: FnOnce() -> Fut,
        Fut: Future<Output = Result<T, E>>,
    {
        self.attempt(Limit::attempt(self.parts.attempt_timeout), classifier, self.admitted(op)).await.result
    }

    /// Makes the operation's future, only if it is let through.
    fn admitted<Fut>(&self, op: impl FnOnce() -> Fut) -> Result<(Permit<&Self>, Fut), Rejection> {
        let permit = self.try_acquire()?;
        Ok((permit, op()))
    }

    /// Runs what was let through.
    async fn attempt<T, E, C, Fut>(
        &self,
        limit: Limit,
        classifier: &C,
        admitted: Result<(Permit<&Self>, Fut), Rejection>,
    ) -> Ended<T, E>
    where
        C: Classifier<T, E> + ?Sized,
        Fut: Future<Output = Result<T, E>>,
    {
        let (permit, op) = match admitted {
            Ok(admitted) => admitted,
            Err(rejection) => return Ended::rejected(Error::Rejected(rejection)),
        };
        let ended = timed(&*self.parts.clock, limit, classifier, op).await;
        permit.record(ended.verdict);
        ended
    }
}
