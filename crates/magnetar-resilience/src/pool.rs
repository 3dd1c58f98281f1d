//! A pool of connections: no slot is ever lost, whoever goes away, panics or fails.

mod acquire;
mod book;
mod builder;
mod config;
mod factory;
mod guard;
mod queue;
mod roster;
#[cfg(test)]
mod roster_model;
mod shared;
mod stats;
mod upkeep;
mod wait;

use std::{fmt, future::poll_fn, sync::Arc, task::Poll, time::Duration};

pub(crate) use self::guard::Watch;
use self::shared::Shared;
pub use self::{
    acquire::AcquireError,
    builder::PoolBuilder,
    config::PoolConfig,
    factory::ConnectionFactory,
    guard::Pooled,
    stats::{ClosedCounts, PoolStats},
};
use crate::{deadline, error::ResilienceError};

/// A pool of connections. Clones are handles of one pool; the last that is dropped closes it.
///
/// Who comes first is served first. Of the idle connections the one that was used last is taken, so that what is not needed ages
/// and goes. A new pool dials nothing before its first acquire. Dialling and closing need a tokio runtime.
///
/// ```
/// use std::{sync::Arc, time::Duration};
/// use magnetar_resilience::{ConnectionFactory, ConnectionPool, PoolConfig, ResilienceError};
///
/// struct Connection {
///     id: u32,
/// }
///
/// struct Factory;
///
/// #[async_trait::async_trait]
/// impl ConnectionFactory<Connection> for Factory {
///     async fn create(&self) -> Result<Connection, ResilienceError> {
///         Ok(Connection { id: 7 })
///     }
///
///     async fn is_healthy(&self, connection: &Connection) -> bool {
///         connection.id > 0
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() -> Result<(), ResilienceError> {
/// let pool = ConnectionPool::new(
///     Arc::new(Factory),
///     PoolConfig {
///         max_size: 5,
///         min_idle: 1,
///         idle_timeout: Some(Duration::from_secs(60)),
///         max_lifetime: None,
///         acquire_timeout: Duration::from_secs(5),
///     },
/// );
/// let connection = pool.acquire().await?;
/// assert_eq!(connection.id, 7);
/// assert_eq!(pool.stats().await.utilization(), 20.0);
/// pool.release(connection).await;
/// assert_eq!(pool.stats().await.idle, 1);
/// # Ok(())
/// # }
/// ```
pub struct ConnectionPool<T: Send + 'static> {
    shared: Arc<Shared<T>>,
    last: Arc<Last<T>>,
}

/// What ends with the last handle.
struct Last<T: Send + 'static>(Arc<Shared<T>>);

impl<T: Send + 'static> ConnectionPool<T> {
    /// A pool. A setting that cannot be meant counts as the nearest that can: a size of zero as 1, more idle than there may be as
    /// that. The [builder](Self::builder) refuses them.
    pub fn new<F: ConnectionFactory<T> + ?Sized + 'static>(factory: Arc<F>, config: PoolConfig) -> Self {
        Self::builder(factory).config(config).assemble()
    }

    /// A pool with the default config.
    pub fn new_default<F: ConnectionFactory<T> + ?Sized + 'static>(factory: Arc<F>) -> Self {
        Self::new(factory, PoolConfig::default())
    }

    /// Every other setting.
    pub fn builder<F: ConnectionFactory<T> + ?Sized + 'static>(factory: Arc<F>) -> PoolBuilder<T> {
        PoolBuilder::new(Arc::new(factory))
    }

    /// Lends a connection, within `acquire_timeout`.
    ///
    /// # Errors
    /// [`ResilienceError::Timeout`], [`ResilienceError::PoolExhausted`] where as many wait as may, [`ResilienceError::Closed`], and what
    /// the factory said where it could not make one.
    ///
    /// # Cancellation
    /// Dropped at any point it takes nothing along: a place in the queue is given up, a connection it was given goes to the next, a dial
    /// goes on for the others.
    pub async fn acquire(&self) -> Result<Pooled<T>, ResilienceError> {
        Ok(self.acquire_within(self.shared.config.acquire_timeout).await?)
    }

    /// Lends a connection within another time, and tells more where there is none.
    ///
    /// # Errors
    /// [`AcquireError`]: what it was at when the time was over, and how the last dial failed.
    pub async fn acquire_within(&self, limit: Duration) -> Result<Pooled<T>, AcquireError> {
        self.shared.acquire(limit).await
    }

    /// Lends a connection within `acquire_timeout`, or what is left of a call where that is shorter.
    pub(crate) async fn acquire_before(&self, left: Option<Duration>) -> Result<Pooled<T>, AcquireError> {
        let limit = self.shared.config.acquire_timeout;
        self.acquire_within(left.map_or(limit, |left| left.min(limit))).await
    }

    /// Gives a connection back after asking the factory whether it is healthy; one that is not is closed. Dropping the guard gives it
    /// back too, unasked. A connection of another pool goes back to that.
    pub async fn release(&self, connection: Pooled<T>) {
        connection.release().await;
    }

    /// The counts of one moment, for those who await them. It waits for nothing.
    #[expect(clippy::unused_async, reason = "the contract awaits it")]
    pub async fn stats(&self) -> PoolStats {
        self.snapshot()
    }

    /// The counts of one moment.
    pub fn snapshot(&self) -> PoolStats {
        PoolStats::new(&self.shared.roster.census(), self.shared.config.max_size)
    }

    /// Closes the pool: nobody gets in any more, who waits is sent away, idle connections are closed at once and lent ones when they come
    /// back. True when all are closed; false where that took longer than `within`, and what is left closes later.
    pub async fn close(&self, within: Duration) -> bool {
        self.shared.shut();
        let clock = &*self.shared.clock;
        let emptied =
            poll_fn(|context| if self.shared.roster.is_empty(context.waker()) { Poll::Ready(()) } else { Poll::Pending });
        deadline::until(clock, Some(clock.now().saturating_add(within)), emptied).await.is_some()
    }

    /// The name that observers are told.
    pub fn name(&self) -> &str {
        &self.shared.name
    }

    fn over(shared: Shared<T>) -> Self {
        let shared = Arc::new(shared);
        let last = Arc::new(Last(Arc::clone(&shared)));
        Self { shared, last }
    }
}

impl<T: Send + 'static> Clone for ConnectionPool<T> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared), last: Arc::clone(&self.last) }
    }
}

impl<T: Send + 'static> fmt::Debug for ConnectionPool<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.shared.fmt(f)
    }
}

impl<T: Send + 'static> Drop for Last<T> {
    fn drop(&mut self) {
        self.0.shut();
    }
}
