//! Flaws of an earlier store in Redis, one test each.

use std::{net::TcpListener, time::Duration};

use magnetar_redis::magnetar_state::{Guard, Loaded, StateError, StateStore};

use crate::{
    puppet::Puppet,
    rig::{config, open, record, store, timed, token, until},
    server::Server,
};

/// Connections that have run a script, beside the one that asks.
fn connections(server: &Server) -> usize {
    server
        .ask::<String>(&["CLIENT", "LIST"])
        .lines()
        .filter(|line| line.contains("cmd=evalsha") || line.contains("cmd=eval "))
        .count()
}

#[tokio::test(flavor = "multi_thread")]
async fn pool_size_is_honoured() {
    let Some(server) = Server::plain() else { return };
    let store = std::sync::Arc::new(open(config(server.url()).pool_size(3)).await.unwrap());
    for n in 0..20 {
        store.save_resume_token("c", token(n)).await.unwrap();
    }
    assert_eq!(connections(&server), 1, "one call after another needs one connection");
    // While the server does nothing, calls gather.
    server.freeze();
    let calls: Vec<_> = (0..50)
        .map(|_| {
            tokio::spawn({
                let store = store.clone();
                async move { store.load("c").await }
            })
        })
        .collect();
    tokio::task::yield_now().await;
    server.thaw();
    for call in calls {
        assert!(matches!(call.await.unwrap(), Ok(Loaded::Found(_))));
    }
    assert_eq!(connections(&server), 3, "fifty calls at a time share three");
}

#[tokio::test]
async fn connection_timeout_is_honoured() {
    // The system takes the connection, and nobody ever answers.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("redis://{}", silent.local_addr().unwrap());
    for after in [Duration::from_millis(100), Duration::from_millis(400)] {
        let (opened, took) = timed(open(config(&*url).connection_timeout(after).max_retries(0))).await;
        assert!(matches!(opened, Err(StateError::Unavailable { .. })), "{opened:?}");
        assert!((after..after + Duration::from_millis(250)).contains(&took), "{took:?} for {after:?}");
    }
}

#[tokio::test]
async fn time_to_live_of_less_than_a_second_is_kept() {
    let Some(server) = Server::plain() else { return };
    let store = open(config(server.url()).ttl(Duration::from_millis(250))).await.unwrap();
    store.save_resume_token("c", token(1)).await.unwrap();
    let Loaded::Found(entry) = store.load("c").await.unwrap() else { panic!("it expired at once") };
    assert_eq!(entry.expires_at.unwrap().since(entry.saved_at), Duration::from_millis(250));
    until("the token has expired", async || store.load_resume_token("c").await.is_err()).await;
    assert!(matches!(store.load_resume_token("c").await, Err(StateError::Expired { .. })));
    // The shortest there is counts as a millisecond and not as none.
    store.save("d", token(1), Guard::default(), Some(Duration::from_nanos(1))).await.unwrap();
    until("the token has expired", async || matches!(store.load("d").await, Ok(Loaded::Expired { .. }))).await;
}

#[tokio::test]
async fn lock_keys_are_unambiguous() {
    let Some(server) = Server::plain() else { return };
    let store = store(&server).await;
    let names = ["a", "a:b", "a:b:c", ":", "::", "lock:a", "epoch:a", "index", "{a}", "}:lock:a", "A", "a ", "ä"];
    for name in names {
        assert_eq!(store.acquire(name, Duration::from_mins(1)).await.unwrap().epoch().get(), 1, "{name:?}");
    }
    store.save_resume_token("lock:a", token(1)).await.unwrap();
    // A key for each lock and each epoch; and the record, the value and the index of one collection.
    assert_eq!(server.ask::<usize>(&["DBSIZE"]), names.len() * 2 + 3);
}

#[tokio::test]
async fn failure_that_stays_is_not_retried() {
    for answer in [
        "-ERR whatever",
        "-WRONGPASS no",
        "-NOPERM no",
        "-NOAUTH no",
        "-WRONGTYPE no",
        "-OOM no",
        "-MISCONF no",
        "-NEVERHEARD no",
    ] {
        let puppet = Puppet::answering(&[answer]).await;
        let store = open(config(puppet.url())).await.unwrap();
        let error = store.load("c").await.unwrap_err();
        assert!(!matches!(error, StateError::Unavailable { .. }), "{answer}: {error:?}");
        assert_eq!(puppet.asked(), 1, "{answer}");
    }
}

#[tokio::test]
async fn failure_that_passes_is_retried_and_no_more_often_than_told() {
    let absent = "*2\r\n$1\r\n1\r\n*1\r\n$6\r\nabsent";
    for answer in ["-LOADING x", "-BUSY x", "-READONLY x", "-CLUSTERDOWN x", "-TRYAGAIN x", "-MASTERDOWN x"] {
        let puppet = Puppet::answering(&[answer, answer, absent]).await;
        let store = open(config(puppet.url())).await.unwrap();
        assert_eq!(store.load("c").await.unwrap(), Loaded::Absent, "{answer}");
        assert_eq!(puppet.asked(), 3, "{answer}");

        let puppet = Puppet::answering(&[answer]).await;
        let store = open(config(puppet.url()).max_retries(2)).await.unwrap();
        let error = store.load("c").await.unwrap_err();
        assert!(error.is_transient() || matches!(error, StateError::ReadOnly { .. }), "{answer}: {error:?}");
        assert_eq!(puppet.asked(), 3, "{answer}");
    }
}

#[tokio::test]
async fn retries_end_with_the_time_that_a_call_may_take() {
    let puppet = Puppet::answering(&["-LOADING x"]).await;
    let store = open(config(puppet.url()).max_retries(1000).total_timeout(Duration::from_millis(500))).await.unwrap();
    let (loaded, took) = timed(store.load("c")).await;
    assert!(matches!(loaded, Err(StateError::Unavailable { .. })), "{loaded:?}");
    assert!(took < Duration::from_millis(900), "{took:?}");
    assert!((2..1000).contains(&puppet.asked()), "{}", puppet.asked());
}

#[tokio::test]
async fn listing_with_a_bad_value_shows_the_others() {
    let Some(server) = Server::plain() else { return };
    let store = store(&server).await;
    for name in ["a", "bad", "c", "d", "e"] {
        store.save_resume_token(name, token(1)).await.unwrap();
    }
    server.tell(&["SETRANGE", "{magnetar}:value:bad", "9", "X"]);
    server.tell(&["DEL", &record("c")]);
    server.tell(&["LPUSH", &record("c"), "a list"]);
    server.tell(&["DEL", "{magnetar}:value:d"]);
    server.tell(&["LPUSH", "{magnetar}:value:d", "a list"]);
    server.tell(&["ZADD", "{magnetar}:index", "0", "never-saved"]);
    let page = store.list(None, 10).await.unwrap();
    assert_eq!(page.entries.iter().map(|listed| &*listed.collection).collect::<Vec<_>>(), ["a", "e"]);
    assert_eq!(page.damaged.len(), 4, "{:?}", page.damaged);
    assert!(page.damaged.iter().all(StateError::is_corrupt));
}

#[tokio::test]
async fn closing_closes() {
    let Some(server) = Server::plain() else { return };
    let store = store(&server).await;
    store.save_resume_token("c", token(1)).await.unwrap();
    assert_eq!(connections(&server), 1);
    store.close().await.unwrap();
    until("the connection is closed", async || connections(&server) == 0).await;
    assert!(matches!(store.load_resume_token("c").await, Err(StateError::Closed)));
    assert!(matches!(store.acquire("l", Duration::from_secs(1)).await, Err(StateError::Closed)));
    assert!(matches!(store.health().await, Err(StateError::Closed)));
    store.close().await.unwrap();
}

#[tokio::test]
async fn expired_is_not_absent() {
    let Some(server) = Server::plain() else { return };
    let store = store(&server).await;
    store.save("c", token(1), Guard::default(), Some(Duration::from_millis(5))).await.unwrap();
    until("the token has expired", async || matches!(store.load("c").await, Ok(Loaded::Expired { .. }))).await;
    assert_eq!(store.load("never").await.unwrap(), Loaded::Absent);
    assert_eq!(store.list(None, 10).await.unwrap().entries.len(), 1, "it is listed, as expired");
}
