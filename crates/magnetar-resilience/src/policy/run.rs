//! How a call goes through the stack.

use std::{future::ready, time::Duration};

use super::Policy;
use crate::{
    breaker::CircuitBreaker,
    classify::{ByClass, Classifier, ErrorClass, Verdict},
    deadline,
    error::ResilienceError,
    observe::Event,
    outcome::{Error, Phase},
    pool::{AcquireError, ConnectionPool, Pooled, Watch},
    retry::{Ended, Limit, timed},
};

impl Policy {
    /// Runs an operation through the stack.
    ///
    /// # Errors
    /// As [`run`](Self::run), in the words of [`ResilienceError`]; the last cause of retries that are used up goes to observers and traces.
    pub async fn execute<T, F, Fut>(&self, op: F) -> Result<T, ResilienceError>
    where
        F: Fn() -> Fut,
        Fut: Future<Output = Result<T, ResilienceError>>,
    {
        self.plain(self.run(&ByClass, op).await)
    }

    /// Runs an operation of any error type through the stack. The operation's future is made anew for each attempt.
    ///
    /// # Errors
    /// [`Error::Rejected`] where one of our own parts refused, [`Error::Timeout`] with what took too long, [`Error::Exhausted`] with the
    /// last error where retries are used up, else how the last attempt ended.
    pub async fn run<T, E, C, F, Fut>(&self, classifier: &C, op: F) -> Result<T, Error<E>>
    where
        C: Classifier<T, E> + ?Sized,
        F: Fn() -> Fut,
        Fut: Future<Output = Result<T, E>>,
    {
        let lease = |_| ready(Ok(()));
        self.drive(classifier, &lease, &|()| op()).await
    }
}

impl<R: Send + 'static> Policy<ConnectionPool<R>> {
    /// Runs an operation through the stack, with a connection of the pool. The connection goes back when the operation drops it;
    /// if the operation itself is dropped in its midst, by a timeout or by a caller who leaves, the connection is closed.
    ///
    /// # Errors
    /// As [`run`](Self::run), in the words of [`ResilienceError`]; the last cause of retries that are used up goes to observers and traces.
    pub async fn execute<T, F, Fut>(&self, op: F) -> Result<T, ResilienceError>
    where
        F: Fn(Pooled<R>) -> Fut,
        Fut: Future<Output = Result<T, ResilienceError>>,
    {
        self.plain(self.run(&ByClass, op).await)
    }

    /// Runs an operation of any error type through the stack, with a connection of the pool.
    ///
    /// # Errors
    /// [`Error::Rejected`] where one of our own parts refused, [`Error::Timeout`] with what took too long, [`Error::Connection`] where
    /// none could be made, [`Error::Exhausted`] with the last error where retries are used up, else how the last attempt ended.
    pub async fn run<T, E, C, F, Fut>(&self, classifier: &C, op: F) -> Result<T, Error<E>>
    where
        C: Classifier<T, E> + ?Sized,
        F: Fn(Pooled<R>) -> Fut,
        Fut: Future<Output = Result<T, E>>,
    {
        let lease = |left| self.resource.acquire_before(left);
        let watched = |connection: Pooled<R>| {
            let watch = Watch::default();
            watch.clone().over(op(connection.watched(watch)))
        };
        self.drive(classifier, &lease, &watched).await
    }
}

impl<R> Policy<R> {
    async fn drive<T, E, C, L, Lease, LeaseFut, F, Fut>(&self, classifier: &C, lease: &Lease, op: &F) -> Result<T, Error<E>>
    where
        C: Classifier<T, E> + ?Sized,
        Lease: Fn(Option<Duration>) -> LeaseFut,
        LeaseFut: Future<Output = Result<L, AcquireError>>,
        F: Fn(L) -> Fut,
        Fut: Future<Output = Result<T, E>>,
    {
        let ended = self
            .retry
            .drive(
                || self.breaker.as_deref().is_some_and(CircuitBreaker::is_refusing),
                |limit| self.attempt(limit, classifier, lease, op),
            )
            .await;
        match ended {
            Err(Error::Exhausted { last, .. }) if !self.retries => Err(*last),
            ended => ended,
        }
    }

    async fn attempt<T, E, C, L, Lease, LeaseFut, F, Fut>(
        &self,
        limit: Limit,
        classifier: &C,
        lease: &Lease,
        op: &F,
    ) -> Ended<T, E>
    where
        C: Classifier<T, E> + ?Sized,
        Lease: Fn(Option<Duration>) -> LeaseFut,
        LeaseFut: Future<Output = Result<L, AcquireError>>,
        F: Fn(L) -> Fut,
        Fut: Future<Output = Result<T, E>>,
    {
        if let Err(rejection) = self.breaker.as_deref().map_or(Ok(()), CircuitBreaker::peek) {
            return Ended::rejected(Error::Rejected(rejection));
        }
        if let Err(error) = self.limited(limit).await {
            return Ended::rejected(error);
        }
        let leased = match lease(self.left(limit)).await {
            Ok(leased) => leased,
            Err(error) => return self.unleased(error),
        };
        let permit = match self.breaker.as_deref().map(CircuitBreaker::try_acquire).transpose() {
            Ok(permit) => permit,
            Err(rejection) => return Ended::rejected(Error::Rejected(rejection)),
        };
        let ended = timed(&*self.retry.clock, limit, classifier, op(leased)).await;
        if let Some(permit) = permit {
            permit.record(ended.verdict);
        }
        ended
    }

    /// Waits for the limiter, no longer than until the deadline.
    async fn limited<E>(&self, limit: Limit) -> Result<(), Error<E>> {
        let Some(limiter) = &self.limiter else { return Ok(()) };
        let Some(deadline) = limit.deadline else { return limiter.acquire_many(1).await.map_err(Error::Rejected) };
        match deadline::until(&*self.retry.clock, Some(deadline.at), limiter.acquire_many(1)).await {
            Some(acquired) => acquired.map_err(Error::Rejected),
            None => Err(Error::Timeout { phase: Phase::Limiter, after: deadline.after }),
        }
    }

    /// There was no connection. Where the service was not reached it counts as a failure of the service; where one of our own
    /// parts refused, the breaker hears nothing of it.
    fn unleased<T, E>(&self, error: AcquireError) -> Ended<T, E> {
        let verdict = Verdict::of(&error);
        let is_local = matches!(verdict, Verdict::Failure { class: ErrorClass::Rejected, .. });
        if let Some(permit) = self.breaker.as_deref().filter(|_| !is_local).and_then(|breaker| breaker.try_acquire().ok()) {
            permit.record(verdict);
        }
        Ended { result: Err(error.into()), verdict }
    }

    fn left(&self, limit: Limit) -> Option<Duration> {
        limit.deadline.map(|deadline| deadline.at.saturating_sub(self.retry.clock.now()))
    }

    fn plain<T>(&self, ended: Result<T, Error<ResilienceError>>) -> Result<T, ResilienceError> {
        if let Err(Error::Exhausted { last, .. }) = &ended {
            self.retry.observers.tell(&Event::Exhausted { name: &self.retry.name, cause: &**last });
        }
        ended.map_err(ResilienceError::from)
    }
}
