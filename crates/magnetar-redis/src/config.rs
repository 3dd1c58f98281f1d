//! Where the server is, as whom, and how long to wait.

mod builder;

use std::{fmt, time::Duration};

pub use self::builder::RedisConfigBuilder;
use crate::{address::Topology, dial::Trust, probe::RedisDurability};

/// The settings of a [`RedisStore`](crate::RedisStore). Neither its `Debug` nor an error shows credentials.
///
/// ```
/// use std::time::Duration;
/// use magnetar_redis::RedisConfig;
///
/// let config = RedisConfig::builder()
///     .url("rediss://app:secret@redis.example.org:6380/2")
///     .pool_size(10)
///     .ttl(Duration::from_secs(7 * 24 * 3600))
///     .max_retries(3)
///     .connection_timeout(Duration::from_secs(5))
///     .build()?;
/// assert!(!format!("{config:?}").contains("secret"));
/// # Ok::<(), magnetar_redis::magnetar_state::StateError>(())
/// ```
#[derive(Clone)]
pub struct RedisConfig {
    pub(crate) topology: Topology,
    pub(crate) trust: Trust,
    pub(crate) namespace: String,
    pub(crate) pool_size: usize,
    pub(crate) ttl: Option<Duration>,
    pub(crate) max_retries: usize,
    pub(crate) connection_timeout: Duration,
    pub(crate) response_timeout: Duration,
    pub(crate) total_timeout: Duration,
    pub(crate) require: RedisDurability,
    pub(crate) replicas: u64,
}

impl RedisConfig {
    /// Settings to begin with; [`url`](RedisConfigBuilder::url) is the only one that must be told.
    pub fn builder() -> RedisConfigBuilder {
        RedisConfigBuilder::new()
    }
}

/// Without who asks.
impl fmt::Debug for RedisConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisConfig")
            .field("servers", &self.topology.to_string())
            .field("credentials", &if self.topology.has_credentials() { "hidden" } else { "none" })
            .field("trust", &self.trust)
            .field("namespace", &self.namespace)
            .field("pool_size", &self.pool_size)
            .field("ttl", &self.ttl)
            .field("max_retries", &self.max_retries)
            .field("connection_timeout", &self.connection_timeout)
            .field("response_timeout", &self.response_timeout)
            .field("total_timeout", &self.total_timeout)
            .field("require", &self.require)
            .field("replicas", &self.replicas)
            .finish()
    }
}
