//! Stores as tests want them.

use std::time::Duration;

use magnetar_redis::{
    RedisConfig, RedisConfigBuilder, RedisStore,
    magnetar_state::{Document, StateError, doc},
};

use crate::server::Server;

/// Settings with which a test does not wait for long.
pub(crate) fn config(url: impl Into<String>) -> RedisConfigBuilder {
    patient(RedisConfig::builder().url(url))
}

/// The same for servers that are not found by a url.
pub(crate) fn patient(builder: RedisConfigBuilder) -> RedisConfigBuilder {
    builder
        .connection_timeout(Duration::from_secs(2))
        .response_timeout(Duration::from_secs(2))
        .total_timeout(Duration::from_secs(10))
}

pub(crate) async fn open(builder: RedisConfigBuilder) -> Result<RedisStore, StateError> {
    RedisStore::new(builder.build().unwrap()).await
}

pub(crate) async fn store(server: &Server) -> RedisStore {
    open(config(server.url())).await.unwrap()
}

/// The n-th token of a stream.
pub(crate) fn token(n: i64) -> Document {
    doc! { "_data": n }
}

/// The key of a collection's record, with the namespace that a store has unless told otherwise.
pub(crate) fn record(collection: &str) -> String {
    format!("{{magnetar}}:record:{collection}")
}

pub(crate) fn value(collection: &str) -> String {
    format!("{{magnetar}}:value:{collection}")
}

/// Runs something, and how long it took.
#[expect(clippy::disallowed_methods, reason = "what is bounded is bounded in real time")]
pub(crate) async fn timed<T>(work: impl Future<Output = T>) -> (T, Duration) {
    let start = std::time::Instant::now();
    (work.await, start.elapsed())
}

/// Asks until the answer is yes; fails the test where that takes too long.
pub(crate) async fn until<F: AsyncFnMut() -> bool>(what: &str, mut is_so: F) {
    for _ in 0..4000 {
        if is_so().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("it took too long until {what}");
}
