//! Locks: whose they are when replies are lost, time goes by, or names are alike.

use std::time::Duration;

use magnetar_redis::magnetar_state::{Epoch, Lock, StateError, StateStore};

use crate::{
    proxy::Proxy,
    rig::{config, open, store, until},
    server::Server,
};

const LONG: Duration = Duration::from_mins(1);
const SHORT: Duration = Duration::from_millis(40);

#[tokio::test]
async fn lock_is_held_by_one_until_it_is_given_back() {
    let Some(server) = Server::plain() else { return };
    let (one, other) = (store(&server).await, store(&server).await);
    let lock = one.acquire("l", LONG).await.unwrap();
    assert!(matches!(other.acquire("l", LONG).await, Err(StateError::Locked { .. })));
    // Also the same handle is somebody else the second time.
    assert!(matches!(one.acquire("l", LONG).await, Err(StateError::Locked { .. })));
    one.release(&lock).await.unwrap();
    assert_eq!(other.acquire("l", LONG).await.unwrap().epoch(), Epoch::new(2));
}

#[tokio::test]
async fn acquire_whose_reply_was_lost_knows_that_it_has_the_lock() {
    let Some(server) = Server::plain() else { return };
    let proxy = Proxy::before(server.port()).await;
    let store = open(config(proxy.url())).await.unwrap();
    let first = store.acquire("other", LONG).await.unwrap();
    proxy.lose_reply_to("EVALSHA");
    let lock = store.acquire("l", LONG).await.unwrap();
    assert!(proxy.has_lost());
    assert_eq!((first.epoch(), lock.epoch()), (Epoch::new(1), Epoch::new(1)));
    assert_eq!(store.holder("l").await.unwrap(), Some(Epoch::new(1)));
}

#[tokio::test]
async fn lock_of_less_than_a_second_lasts_so_long_and_no_longer() {
    let Some(server) = Server::plain() else { return };
    let store = store(&server).await;
    let lock = store.acquire("l", SHORT).await.unwrap();
    assert!((1..=40).contains(&server.ask::<i64>(&["PTTL", "{magnetar}:lock:l"])));
    until("the lock is over", async || store.holder("l").await.unwrap().is_none()).await;
    let lost = store.renew(&lock, LONG).await.unwrap_err();
    assert!(matches!(lost, StateError::LockLost { .. }), "{lost:?}");
}

#[tokio::test]
async fn lock_that_another_has_by_now_is_neither_renewed_nor_given_back() {
    let Some(server) = Server::plain() else { return };
    let store = store(&server).await;
    let old = store.acquire("l", SHORT).await.unwrap();
    until("the lock is over", async || store.holder("l").await.unwrap().is_none()).await;
    let new = store.acquire("l", LONG).await.unwrap();
    assert!(matches!(store.renew(&old, LONG).await, Err(StateError::LockLost { .. })));
    store.release(&old).await.unwrap();
    assert_eq!(store.holder("l").await.unwrap(), Some(new.epoch()));
}

#[tokio::test]
async fn time_of_a_lock_counts_from_before_it_was_asked_for() {
    let Some(server) = Server::plain() else { return };
    let store = store(&server).await;
    store.acquire("warm", LONG).await.unwrap();
    server.freeze();
    let ended = tokio::join!(store.acquire("l", SHORT), async {
        // The server is away for longer than the lock lasts, so it is over when the answer comes.
        tokio::time::sleep(SHORT * 3).await;
        server.thaw();
    })
    .0;
    assert!(matches!(ended, Err(StateError::LockLost { .. })), "{ended:?}");
    assert_eq!(store.holder("l").await.unwrap(), None);
    let lock = store.acquire("l", LONG).await.unwrap();
    let code = "local time = redis.call('TIME'); return time[1] * 1000 + math.ceil(time[2] / 1000) + redis.call('PTTL', KEYS[1])";
    let end: u64 = server.ask(&["EVAL", code, "1", "{magnetar}:lock:l"]);
    assert!(lock.until().as_millis() <= end, "{lock:?} {end}");
}

#[tokio::test]
async fn epoch_of_a_lock_outlives_it_and_is_exact() {
    let Some(server) = Server::plain() else { return };
    let store = store(&server).await;
    server.tell(&["SET", "{magnetar}:epoch:l", "9007199254740992"]);
    let lock = store.acquire("l", LONG).await.unwrap();
    assert_eq!(lock.epoch(), Epoch::new((1 << 53) + 1));
    let renewed = store.renew(&lock, LONG).await.unwrap();
    assert_eq!(renewed.epoch(), lock.epoch());
    let imposter = Lock::new("l", Epoch::new(1 << 53), lock.until());
    assert!(matches!(store.renew(&imposter, LONG).await, Err(StateError::LockLost { .. })));
    store.release(&lock).await.unwrap();
    server.tell(&["SET", "{magnetar}:epoch:l", &i64::MAX.to_string()]);
    assert!(matches!(store.acquire("l", LONG).await, Err(StateError::Exhausted { .. })));
    server.tell(&["SET", "{magnetar}:epoch:l", "no number"]);
    assert!(matches!(store.acquire("l", LONG).await, Err(StateError::Corrupt { .. })));
}
