//! A rate limiter: a token bucket that all clones share, and a queue in which who comes first is served first.

mod builder;
mod gcra;
#[cfg(feature = "governor")]
mod governor;

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use tokio::sync::Semaphore;

pub use self::builder::RateLimiterBuilder;
use self::gcra::{Gcra, Grace};
use crate::{
    clock::{Clock, nanos},
    error::ResilienceError,
    observe::{Event, Observers},
    outcome::{Error, Rejection},
};

/// A rate limiter. Clones share the one bucket.
///
/// The bucket holds `burst` tokens and is full at the start, so within the first period up to `2 n - 1` calls may pass; the
/// [builder](Self::builder) sets both. Who finds it empty waits in a queue, in the order of the first poll. Only the first of the
/// queue takes a token, so one who leaves takes none along.
///
/// Timers tick by the millisecond. So that a rate of thousands a second is reached, `acquire` makes up for up to 5 ms
/// in which a timer was late or the next caller on its way; `try_acquire` is exact.
///
/// ```
/// use magnetar_resilience::{RateLimiter, ResilienceError};
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() -> Result<(), ResilienceError> {
/// let limiter = RateLimiter::per_second(2);
/// let shared = limiter.clone();
/// limiter.acquire().await?;
/// shared.try_acquire()?;
/// assert_eq!(limiter.try_acquire(), Err(ResilienceError::RateLimitExceeded));
/// let answer = limiter.execute(|| async { Ok(42) }).await?;
/// assert_eq!(answer, 42);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct RateLimiter {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    name: Arc<str>,
    bucket: Bucket,
    burst: usize,
    /// Whose turn it is, in the order of asking.
    turn: Semaphore,
    waiting: AtomicUsize,
    max_waiters: usize,
    clock: Arc<dyn Clock>,
    observers: Observers,
}

/// Where the tokens are.
#[derive(Debug)]
enum Bucket {
    /// Nowhere: the rate is zero.
    Never,
    Own(Gcra),
    #[cfg(feature = "governor")]
    Governor(governor::Bucket),
}

impl RateLimiter {
    /// `n` calls each period, with a burst of `n`. A rate of zero lets nothing through: every call is refused at once. A period
    /// of zero is as good as no limit, a billion calls a second.
    pub fn new(n: usize, period: Duration) -> Self {
        Self::builder(n, period).assemble()
    }

    /// `n` calls a second, with a burst of `n`.
    pub fn per_second(n: usize) -> Self {
        Self::new(n, Duration::from_secs(1))
    }

    /// `n` calls a minute, with a burst of `n`.
    pub fn per_minute(n: usize) -> Self {
        Self::new(n, Duration::from_mins(1))
    }

    /// `n` calls an hour, with a burst of `n`.
    pub fn per_hour(n: usize) -> Self {
        Self::new(n, Duration::from_hours(1))
    }

    /// Every other setting.
    pub fn builder(n: usize, period: Duration) -> RateLimiterBuilder {
        RateLimiterBuilder::new(n, period)
    }

    /// Runs an operation when there is a token.
    ///
    /// # Errors
    /// [`ResilienceError::RateLimitExceeded`] as [`acquire`](Self::acquire), else what the operation returned.
    pub async fn execute<T, F, Fut>(&self, op: F) -> Result<T, ResilienceError>
    where
        F: FnOnce() -> Fut,
        Fut: Future<Output = Result<T, ResilienceError>>,
    {
        self.acquire().await?;
        op().await
    }

    /// Runs an operation if there is a token now.
    ///
    /// # Errors
    /// [`ResilienceError::RateLimitExceeded`] without running it, else what the operation returned.
    pub async fn try_execute<T, F, Fut>(&self, op: F) -> Result<T, ResilienceError>
    where
        F: FnOnce() -> Fut,
        Fut: Future<Output = Result<T, ResilienceError>>,
    {
        self.try_acquire()?;
        op().await
    }

    /// [`execute`](Self::execute) for an operation of any error type, which is kept whole.
    ///
    /// # Errors
    /// [`Error::Rejected`] without running it, else [`Error::Inner`].
    pub async fn run<T, E, F, Fut>(&self, op: F) -> Result<T, Error<E>>
    where
        F: FnOnce() -> Fut,
        Fut: Future<Output = Result<T, E>>,
    {
        self.acquire_many(1).await.map_err(Error::Rejected)?;
        op().await.map_err(Error::Inner)
    }

    /// Waits for a token.
    ///
    /// # Errors
    /// [`ResilienceError::RateLimitExceeded`] where as many wait as may, or the rate is zero.
    ///
    /// # Cancellation
    /// Dropped at any point it takes no token, and the next in the queue goes on.
    pub async fn acquire(&self) -> Result<(), ResilienceError> {
        Ok(self.acquire_many(1).await?)
    }

    /// Takes a token if there is one and nobody waits for it.
    ///
    /// # Errors
    /// [`ResilienceError::RateLimitExceeded`].
    pub fn try_acquire(&self) -> Result<(), ResilienceError> {
        Ok(self.try_acquire_many(1)?)
    }

    /// Waits for as many tokens as a call weighs. None weighs nothing.
    ///
    /// # Errors
    /// [`Rejection::RateLimited`] at once where that is more than the burst, the rate is zero, or as many wait as may.
    pub async fn acquire_many(&self, weight: usize) -> Result<(), Rejection> {
        self.shared.fits(weight)?;
        if weight == 0 || self.take_now(weight) {
            return Ok(());
        }
        self.shared.wait(weight).await
    }

    /// Takes tokens if `acquire` would not have to wait for them.
    pub(crate) fn take_now(&self, weight: usize) -> bool {
        self.shared.waiting.load(SeqCst) == 0 && self.shared.take(weight, Grace::Recent).is_ok()
    }

    /// Takes as many tokens as a call weighs, if they are there and nobody waits for them.
    ///
    /// # Errors
    /// [`Rejection::RateLimited`] with the time until they would be there, as long as nobody else takes them.
    pub fn try_acquire_many(&self, weight: usize) -> Result<(), Rejection> {
        self.shared.fits(weight)?;
        if weight == 0 {
            return Ok(());
        }
        if self.shared.waiting.load(SeqCst) > 0 {
            return Err(self.shared.refused(Some(Duration::ZERO)));
        }
        self.shared.take(weight, Grace::None).map_err(|wait| self.shared.refused(Some(wait)))
    }

    /// The name that observers are told.
    pub fn name(&self) -> &str {
        &self.shared.name
    }

    /// How many wait for a token.
    pub fn waiters(&self) -> usize {
        self.shared.waiting.load(SeqCst)
    }
}

impl Shared {
    /// Waits for the turn, and then for the tokens. Only who has the turn takes any, so nobody passes another.
    async fn wait(&self, weight: usize) -> Result<(), Rejection> {
        let _place = self.place()?;
        let Ok(_turn) = self.turn.acquire().await else { return Err(self.refused(None)) };
        while let Err(wait) = self.take(weight, Grace::Waited) {
            let due = self.clock.now().saturating_add(wait);
            self.clock.sleep_until(due).await;
            if self.clock.now() < due {
                // A clock whose sleep ends too early must not keep a whole thread busy.
                tokio::task::yield_now().await;
            }
        }
        Ok(())
    }

    /// Refuses what can never pass.
    fn fits(&self, weight: usize) -> Result<(), Rejection> {
        if weight > self.burst || (weight > 0 && matches!(self.bucket, Bucket::Never)) {
            return Err(self.refused(None));
        }
        Ok(())
    }

    /// A place in the queue.
    fn place(&self) -> Result<Place<'_>, Rejection> {
        let enter = |waiting| (waiting < self.max_waiters).then_some(waiting + 1);
        if self.waiting.fetch_update(SeqCst, SeqCst, enter).is_err() {
            return Err(self.refused(None));
        }
        Ok(Place(&self.waiting))
    }

    fn take(&self, weight: usize, grace: Grace) -> Result<(), Duration> {
        match &self.bucket {
            Bucket::Never => Err(Duration::MAX),
            Bucket::Own(gcra) => gcra.take(weight as u64, nanos(self.clock.now()), grace).map_err(Duration::from_nanos),
            #[cfg(feature = "governor")]
            Bucket::Governor(bucket) => bucket.take(weight),
        }
    }

    fn refused(&self, retry_after: Option<Duration>) -> Rejection {
        self.observers.tell(&Event::RateLimited { limiter: &self.name });
        Rejection::RateLimited { retry_after }
    }
}

/// A place in the queue, free again when it is dropped.
struct Place<'a>(&'a AtomicUsize);

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, SeqCst);
    }
}
