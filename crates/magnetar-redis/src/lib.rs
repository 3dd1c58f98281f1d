//! Resume tokens and locks in Redis: one server, Sentinel or Cluster, with or without TLS.
//!
//! [`RedisStore`] is a [`StateStore`](magnetar_state::StateStore). Every write is one script that looks at the epoch, the write id and the
//! version, writes, sets the time to live and keeps the index, so nothing of it can be seen or lost by halves.
//!
//! How much an acknowledged token survives is for the server's configuration to say. The store asks for it when it connects, tells it as
//! [`RedisProbe`], and refuses less than [`require`](RedisConfigBuilder::require) says:
//!
//! | [`RedisDurability`] | the server has | lost with a `kill -9` or a power cut |
//! |---|---|---|
//! | `AofAlways` | `appendonly yes`, `appendfsync always` | nothing that was acknowledged, as far as the drive honours a flush |
//! | `AofEverysec` | `appendonly yes`, `appendfsync everysec` | about a second of writes, two where the disk is slow |
//! | `AofNo` | `appendonly yes`, `appendfsync no` | what the operating system has not written yet, often half a minute |
//! | `Rdb` | snapshots | everything since the last snapshot |
//! | `None` | nothing | everything |
//!
//! Replication is asynchronous: a failover, by Sentinel or in a Cluster, may lose writes that were acknowledged, whatever the table says. Then a
//! token is an older one, work since then is done once more, and an epoch may be handed out again.

mod address;
mod call;
mod class;
mod config;
mod dial;
mod error;
mod keys;
mod link;
mod locks;
mod pool;
mod probe;
mod record;
mod script;
mod store;

pub use magnetar_state;

pub use crate::{
    config::{RedisConfig, RedisConfigBuilder},
    probe::{RedisDurability, RedisProbe},
    store::RedisStore,
};
