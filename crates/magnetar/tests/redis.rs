//! The store in Redis, as the contract writes it. What it does with a server is tested where it lives.

use std::{net::TcpListener, sync::Arc, time::Duration};

use magnetar::state::{RedisConfig, RedisDurability, RedisStore, StateError, StateStore};

fn config(url: &str) -> Result<RedisConfig, StateError> {
    RedisConfig::builder()
        .url(url)
        .pool_size(10)
        .ttl(Duration::from_hours(24))
        .max_retries(3)
        .connection_timeout(Duration::from_secs(5))
        .build()
}

#[test]
fn settings_are_those_of_the_contract_and_show_no_credentials() {
    for url in ["redis://user:CANARY@host:6379/1", "rediss://:CANARY@host"] {
        let config = config(url).unwrap();
        assert!(!format!("{config:?}").contains("CANARY"), "{config:?}");
    }
}

#[tokio::test]
async fn server_that_is_not_there_is_a_typed_error() {
    // Nobody listens where somebody did a moment ago.
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let opened: Result<RedisStore, StateError> = RedisStore::new(config(&format!("redis://{address}")).unwrap()).await;
    let opened: Result<Arc<dyn StateStore>, StateError> = opened.map(|store| Arc::new(store) as _);
    assert!(matches!(opened.map(drop), Err(StateError::Unavailable { .. })));
    assert!(RedisDurability::AofAlways > RedisDurability::AofEverysec);
}
