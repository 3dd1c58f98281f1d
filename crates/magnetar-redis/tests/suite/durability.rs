//! What a server keeps, as the store finds out and holds against what is required.

use magnetar_redis::{
    RedisDurability,
    magnetar_state::{Durability, Expect, Guard, StateError, StateStore, WriteId},
};

use crate::{
    rig::{config, open, record, store, timed, token},
    server::Server,
};

#[tokio::test]
async fn durability_is_what_the_server_says() {
    let cases: [(&[&str], RedisDurability); 5] = [
        (&[], RedisDurability::Rdb),
        (&["--save", ""], RedisDurability::None),
        (&["--appendonly", "yes"], RedisDurability::AofEverysec),
        (&["--appendonly", "yes", "--appendfsync", "no"], RedisDurability::AofNo),
        (&["--appendonly", "yes", "--appendfsync", "always"], RedisDurability::AofAlways),
    ];
    for (words, expected) in cases {
        let Some(server) = Server::with(words) else { return };
        let store = store(&server).await;
        let probe = store.probe().await;
        assert_eq!(probe.durability, expected, "{words:?}");
        assert_eq!(probe.warnings.is_empty(), expected == RedisDurability::AofAlways, "{probe:?}");
        let level = if expected == RedisDurability::AofAlways { Durability::Power } else { Durability::Volatile };
        assert_eq!(store.capabilities().durability, level);
    }
}

#[tokio::test]
async fn server_that_keeps_less_than_required_is_refused() {
    let Some(server) = Server::with(&["--appendonly", "yes"]) else { return };
    let refused = open(config(server.url()).require(RedisDurability::AofAlways)).await.unwrap_err();
    assert!(matches!(refused, StateError::TooWeak { .. }), "{refused:?}");
    assert!(refused.to_string().contains("appendfsync everysec"), "{refused}");
    open(config(server.url()).require(RedisDurability::AofEverysec)).await.unwrap();
    open(config(server.url()).require(RedisDurability::Rdb)).await.unwrap();
}

#[tokio::test]
async fn server_that_is_made_weaker_is_refused_by_the_next_question_after_its_health() {
    let Some(server) = Server::with(&["--appendonly", "yes", "--appendfsync", "always"]) else { return };
    let store = open(config(server.url()).require(RedisDurability::AofAlways)).await.unwrap();
    store.health().await.unwrap();
    let anything = self::store(&server).await;
    server.tell(&["CONFIG", "SET", "appendfsync", "no"]);
    anything.health().await.unwrap();
    assert_eq!(anything.probe().await.durability, RedisDurability::AofNo);
    assert!(matches!(store.health().await, Err(StateError::TooWeak { .. })));
}

#[tokio::test]
async fn server_that_evicts_anything_is_refused_and_one_that_evicts_what_expires_is_told() {
    let Some(server) = Server::plain() else { return };
    for policy in ["allkeys-lru", "allkeys-lfu", "allkeys-random"] {
        server.tell(&["CONFIG", "SET", "maxmemory-policy", policy]);
        let refused = open(config(server.url())).await.unwrap_err();
        assert!(matches!(refused, StateError::Denied { .. }) && refused.to_string().contains(policy), "{refused:?}");
    }
    server.tell(&["CONFIG", "SET", "maxmemory-policy", "volatile-lru"]);
    let probe = store(&server).await.probe().await;
    assert_eq!(probe.eviction.as_deref(), Some("volatile-lru"));
    assert!(probe.warnings.iter().any(|warning| warning.contains("volatile-lru")), "{probe:?}");
}

#[tokio::test]
async fn server_that_does_not_tell_counts_as_the_weakest_and_says_so() {
    let Some(server) = Server::with(&["--appendonly", "yes", "--appendfsync", "always"]) else { return };
    server.tell(&["ACL", "SETUSER", "app", "on", ">pw", "~*", "+@all", "-config"]);
    let url = format!("redis://app:pw@127.0.0.1:{}", server.port());
    let store = open(config(&*url)).await.unwrap();
    let probe = store.probe().await;
    assert_eq!((probe.durability, probe.eviction), (RedisDurability::Unknown, None));
    assert!(probe.warnings.iter().any(|warning| warning.contains("CONFIG GET")), "{:?}", probe.warnings);
    assert_eq!(store.capabilities().durability, Durability::Volatile);
    store.save_resume_token("c", token(1)).await.unwrap();
    let refused = open(config(&*url).require(RedisDurability::None)).await.unwrap_err();
    assert!(matches!(refused, StateError::TooWeak { .. }), "{refused:?}");
}

#[tokio::test]
async fn replicas_are_counted_and_refused() {
    let (Some(master), Some(replica)) = (Server::plain(), Server::plain()) else { return };
    replica.tell(&["REPLICAOF", "127.0.0.1", &master.port().to_string()]);
    crate::server::until("the replica is there", || replica.says("replication", "master_link_status", "up"));
    let probe = store(&master).await.probe().await;
    assert_eq!(probe.replicas, 1);
    assert_eq!(probe.version.as_deref(), Some(&*master.info("server", "redis_version")));
    let refused = open(config(replica.url())).await.unwrap_err();
    assert!(matches!(refused, StateError::ReadOnly { .. }), "{refused:?}");
}

#[tokio::test]
async fn save_that_replicas_are_to_have_waits_for_them() {
    let (Some(master), Some(replica)) = (Server::plain(), Server::plain()) else { return };
    let waiting = || config(master.url()).replicas(1).response_timeout(std::time::Duration::from_millis(600)).max_retries(0);
    let refused = open(waiting()).await.unwrap_err();
    assert!(matches!(refused, StateError::TooWeak { .. }) && refused.to_string().contains("replicated to 1"), "{refused:?}");
    replica.tell(&["REPLICAOF", "127.0.0.1", &master.port().to_string()]);
    crate::server::until("the replica is there", || replica.says("replication", "master_link_status", "up"));

    let (store, other) = (open(waiting()).await.unwrap(), open(waiting()).await.unwrap());
    store.save_resume_token("c", token(1)).await.unwrap();
    assert_eq!(replica.ask::<String>(&["HGET", &record("c"), "version"]), "1");
    let lock = store.acquire("l", std::time::Duration::from_mins(1)).await.unwrap();
    assert_eq!(replica.ask::<u64>(&["GET", "{magnetar}:epoch:l"]), 1);

    replica.freeze();
    let guard = Guard::default().write_id(WriteId::new(7));
    // From the second time on there is nothing new to write, also by a connection that has written nothing, and it must not be taken for
    // confirmed.
    for store in [&store, &store, &other] {
        let (saved, took) = timed(store.save("c", token(2), guard, None)).await;
        let error = saved.unwrap_err();
        assert!(matches!(error, StateError::Unavailable { .. }) && error.to_string().contains("0 of 1 replicas"), "{error:?}");
        assert!(took < std::time::Duration::from_secs(2), "{took:?}");
    }
    assert!(matches!(store.renew(&lock, std::time::Duration::from_mins(1)).await, Err(StateError::Unavailable { .. })));
    // What was refused changed nothing, and waits for nobody's word.
    assert!(matches!(
        store.save("c", token(3), Guard::default().expect(Expect::Absent), None).await,
        Err(StateError::Conflict { .. })
    ));
    replica.thaw();
    let saved = store.save("c", token(2), guard, None).await.unwrap();
    assert_eq!((saved.version.get(), saved.already_applied), (2, true));
    assert_eq!(replica.ask::<String>(&["HGET", &record("c"), "version"]), "2");
}
