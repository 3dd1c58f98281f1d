//! A master that is found by its sentinel, and its successor when it dies.

use std::time::Duration;

use magnetar_redis::{
    RedisConfig, RedisConfigBuilder,
    magnetar_state::{StateError, StateStore},
};

use crate::{
    rig::{open, patient, timed, token},
    server::sentinel::{Watched, sentinel},
};

fn config(watched: &Watched) -> RedisConfigBuilder {
    patient(RedisConfig::builder().sentinel(Watched::NAME, [watched.sentinel.url()])).total_timeout(Duration::from_secs(20))
}

#[tokio::test]
async fn sentinel_is_really_there_and_names_the_next_master() {
    let Some(mut watched) = Watched::new() else { return };
    // Enough tries to outlast a failover.
    let store = open(config(&watched).max_retries(30)).await.unwrap();
    assert_eq!(store.probe().await.replicas, 1);
    store.save_resume_token("c", token(1)).await.unwrap();
    let first = watched.master_port();
    watched.wait_until_in_step();
    watched.first.kill();
    store.save_resume_token("c", token(2)).await.unwrap();
    assert_ne!(watched.master_port(), first);
    assert_eq!(store.load_resume_token("c").await.unwrap(), Some(token(2)));
    assert_eq!(watched.second.ask::<u64>(&["EXISTS", &crate::rig::record("c")]), 1);
}

#[tokio::test]
async fn master_that_was_made_a_replica_is_left_for_the_new_one() {
    let Some(watched) = Watched::new() else { return };
    let store = open(config(&watched).max_retries(30)).await.unwrap();
    store.save_resume_token("c", token(1)).await.unwrap();
    // The connections of the old master may live on; it only refuses to write.
    watched.wait_until_in_step();
    watched.change_roles();
    store.save_resume_token("c", token(2)).await.unwrap();
    assert_eq!(watched.second.ask::<String>(&["HGET", &crate::rig::record("c"), "version"]), "2");
}

#[tokio::test]
async fn master_that_nobody_knows_is_unavailable_in_bounded_time() {
    let Some(mut watched) = Watched::new() else { return };
    let unknown = patient(RedisConfig::builder().sentinel("nobody", [watched.sentinel.url()]));
    let (opened, took) = timed(open(unknown)).await;
    assert!(matches!(opened, Err(StateError::Unavailable { .. })), "{opened:?}");
    assert!(took < Duration::from_secs(5), "{took:?}");
    watched.sentinel.kill();
    let (opened, took) = timed(open(config(&watched))).await;
    assert!(matches!(opened, Err(StateError::Unavailable { .. })), "{opened:?}");
    assert!(took < Duration::from_secs(5), "{took:?}");
}

#[tokio::test]
async fn sentinel_that_is_silent_does_not_keep_a_store_from_the_others() {
    let Some(watched) = Watched::new() else { return };
    let silent = sentinel(watched.first.port());
    silent.freeze();
    let settings = RedisConfig::builder().sentinel(Watched::NAME, [silent.url(), watched.sentinel.url()]);
    let settings = patient(settings).connection_timeout(Duration::from_millis(300));
    // Alone, it uses up the time of a connection.
    assert!(matches!(open(settings.clone().max_retries(0)).await, Err(StateError::Unavailable { .. })));
    let store = open(settings).await.unwrap();
    store.save_resume_token("c", token(1)).await.unwrap();
    silent.thaw();
}
