//! How connections are made, checked and closed.

use std::{pin::Pin, sync::Arc};

use async_trait::async_trait;

use crate::error::ResilienceError;

/// What a method of a factory returns.
type Answer<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Makes, checks and closes the connections of a pool.
///
/// # Behavior
/// - Each method runs outside of every lock and within a time limit of the pool; it may hang, fail or panic without harm to the pool.
/// - `create` runs in a task of its own: a caller who goes away does not stop it, and what it makes goes to the next.
///
/// A connection need not be `Sync`. Then `is_healthy` cannot be an `async fn`, which would keep `&T` across threads: look at the
/// connection at once, and return `Box::pin(std::future::ready(…))`.
#[async_trait]
pub trait ConnectionFactory<T: Send + 'static>: Send + Sync {
    /// Makes a connection. The error reaches who waits for it as it is; [`ResilienceError::ConnectionCreation`] is the usual one.
    async fn create(&self) -> Result<T, ResilienceError>;

    /// Whether the connection still works. Asked before one is handed out that was idle for long, and when one is released.
    async fn is_healthy(&self, connection: &T) -> bool;

    /// Says goodbye. Unless written it just drops the connection.
    async fn close(&self, connection: T) {
        drop(connection);
    }
}

/// A shared factory is one too. Written out, because an `async fn` would ask for `T: Sync`, which a connection need not be.
impl<T: Send + 'static, F: ConnectionFactory<T> + ?Sized> ConnectionFactory<T> for Arc<F> {
    fn create<'life0, 'async_trait>(&'life0 self) -> Answer<'async_trait, Result<T, ResilienceError>>
    where
        'life0: 'async_trait,
        Self: 'async_trait,
    {
        (**self).create()
    }

    fn is_healthy<'life0, 'life1, 'async_trait>(&'life0 self, connection: &'life1 T) -> Answer<'async_trait, bool>
    where
        'life0: 'async_trait,
        'life1: 'async_trait,
        Self: 'async_trait,
    {
        (**self).is_healthy(connection)
    }

    fn close<'life0, 'async_trait>(&'life0 self, connection: T) -> Answer<'async_trait, ()>
    where
        'life0: 'async_trait,
        Self: 'async_trait,
    {
        (**self).close(connection)
    }
}
