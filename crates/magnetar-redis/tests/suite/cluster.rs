//! A Cluster of three masters: a store finds the one that has its slot, and follows it.

use std::{sync::OnceLock, time::Duration};

use magnetar_redis::{
    RedisConfig, RedisConfigBuilder,
    magnetar_state::{StateError, StateStore},
};

use crate::{
    rig::{open, patient, timed, token, until},
    server::cluster::Cluster,
};

fn config(urls: impl IntoIterator<Item = String>) -> RedisConfigBuilder {
    patient(RedisConfig::builder().cluster(urls))
}

/// The tests of this file share one that they leave as they found it: it takes some seconds to come about.
fn shared() -> Option<&'static Cluster> {
    static SHARED: OnceLock<Option<Cluster>> = OnceLock::new();
    SHARED.get_or_init(Cluster::new).as_ref()
}

#[tokio::test]
async fn cluster_is_really_there() {
    let Some(cluster) = shared() else { return };
    // Namespaces that lie on different masters, each found from each node alone.
    let mut owners = std::collections::HashSet::new();
    for namespace in ["a", "b", "c", "d", "e", "f"] {
        let key = format!("{{{namespace}}}:record:orders");
        owners.insert(cluster.owner_of(&key).port());
        for (n, url) in (0..).zip(cluster.urls()) {
            let store = open(config([url]).namespace(namespace)).await.unwrap();
            store.save_resume_token("orders", token(n)).await.unwrap();
            assert_eq!(store.load_resume_token("orders").await.unwrap(), Some(token(n)));
            assert_eq!(store.list(None, 10).await.unwrap().entries.len(), 1);
            let lock = store.acquire("orders", Duration::from_mins(1)).await.unwrap();
            store.release(&lock).await.unwrap();
        }
        assert_eq!(cluster.owner_of(&key).ask::<u64>(&["EXISTS", &key]), 1);
    }
    assert_eq!(owners.len(), 3, "the namespaces lie on all masters");
}

#[tokio::test]
async fn node_of_a_cluster_is_not_taken_for_a_server() {
    let Some(cluster) = shared() else { return };
    let refused = open(crate::rig::config(cluster.nodes[0].url())).await.unwrap_err();
    assert!(matches!(refused, StateError::Invalid { .. }) && refused.to_string().contains("Cluster"), "{refused:?}");
}

#[tokio::test]
async fn weakest_master_counts() {
    let Some(cluster) = Cluster::new() else { return };
    cluster.nodes[1].tell(&["CONFIG", "SET", "appendonly", "yes"]);
    let probe = open(config(cluster.urls())).await.unwrap().probe().await;
    assert_eq!(probe.durability, magnetar_redis::RedisDurability::None);
    cluster.nodes[2].tell(&["CONFIG", "SET", "maxmemory-policy", "allkeys-lru"]);
    assert!(matches!(open(config(cluster.urls())).await, Err(StateError::Denied { .. })));
}

#[tokio::test]
async fn slot_that_moves_is_followed() {
    let Some(cluster) = Cluster::new() else { return };
    let store = open(config(cluster.urls())).await.unwrap();
    store.save_resume_token("c", token(0)).await.unwrap();
    let key = crate::rig::record("c");
    for n in 1..4 {
        let before = cluster.owner_of(&key).port();
        cluster.move_slot_of(&key);
        assert_ne!(cluster.owner_of(&key).port(), before);
        assert_eq!(store.load_resume_token("c").await.unwrap(), Some(token(n - 1)));
        store.save_resume_token("c", token(n)).await.unwrap();
    }
}

#[tokio::test]
async fn node_that_is_down_is_unavailable_in_bounded_time_and_used_again_later() {
    let Some(mut cluster) = Cluster::new() else { return };
    let store = open(config(cluster.urls()).total_timeout(Duration::from_secs(3))).await.unwrap();
    store.save_resume_token("c", token(1)).await.unwrap();
    let port = cluster.owner_of(&crate::rig::record("c")).port();
    let owner = cluster.nodes.iter_mut().find(|node| node.port() == port).unwrap();
    owner.kill();
    let (saved, took) = timed(store.save_resume_token("c", token(2))).await;
    assert!(matches!(saved, Err(StateError::Unavailable { .. })), "{saved:?}");
    assert!(took < Duration::from_secs(5), "{took:?}");
    owner.start();
    until("the Cluster is whole again", async || store.save_resume_token("c", token(3)).await.is_ok()).await;
}
