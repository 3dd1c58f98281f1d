//! A server that is down, slow, full, read-only, restarted or of another mind about the password: each a typed error, in bounded time.

use std::time::Duration;

use magnetar_redis::magnetar_state::{Guard, Loaded, StateError, StateStore};

use crate::{
    puppet::Puppet,
    rig::{config, open, store, timed, token, until},
    server::{self, Server},
};

const BOUND: Duration = Duration::from_secs(5);

#[tokio::test]
async fn server_that_is_down_is_unavailable_in_bounded_time() {
    let Some(mut server) = Server::plain() else { return };
    let store = store(&server).await;
    server.kill();
    for _ in 0..2 {
        let (saved, took) = timed(store.save_resume_token("c", token(1))).await;
        assert!(matches!(saved, Err(StateError::Unavailable { .. })), "{saved:?}");
        assert!(took < BOUND, "{took:?}");
    }
    let (opened, took) = timed(open(config(server.url()))).await;
    let error = opened.unwrap_err();
    assert!(matches!(error, StateError::Unavailable { .. }) && error.to_string().contains("4 times"), "{error:?}");
    assert!(took < BOUND, "{took:?}");
}

#[tokio::test]
async fn server_that_comes_back_is_used_again() {
    let Some(mut server) = Server::with(&["--appendonly", "yes", "--appendfsync", "always"]) else { return };
    let store = store(&server).await;
    store.save_resume_token("c", token(1)).await.unwrap();
    for n in 2..5 {
        server.kill();
        server.start();
        assert_eq!(store.load_resume_token("c").await.unwrap(), Some(token(n - 1)));
        store.save_resume_token("c", token(n)).await.unwrap();
    }
}

#[tokio::test]
async fn server_that_does_not_answer_is_unavailable_in_bounded_time_and_used_again_later() {
    let Some(server) = Server::plain() else { return };
    let settings =
        config(server.url()).connection_timeout(Duration::from_millis(400)).response_timeout(Duration::from_millis(400));
    let store = open(settings.max_retries(1)).await.unwrap();
    store.save_resume_token("c", token(1)).await.unwrap();
    server.freeze();
    let (loaded, took) = timed(store.load("c")).await;
    assert!(matches!(loaded, Err(StateError::Unavailable { .. })), "{loaded:?}");
    assert!(took < Duration::from_secs(2), "{took:?}");
    server.thaw();
    until("the server answers", async || store.load_resume_token("c").await.is_ok_and(|found| found == Some(token(1)))).await;
}

#[tokio::test]
async fn connection_that_talks_nonsense_is_given_up() {
    let puppet = Puppet::answering(&["nonsense", "*2\r\n$1\r\n1\r\n*1\r\n$6\r\nabsent"]).await;
    let store = open(config(puppet.url()).max_retries(0)).await.unwrap();
    assert!(matches!(store.load("c").await, Err(StateError::Unavailable { .. })));
    assert_eq!(store.load("c").await.unwrap(), Loaded::Absent);
}

#[tokio::test]
async fn script_that_the_server_has_forgotten_is_told_again() {
    let Some(server) = Server::plain() else { return };
    let store = store(&server).await;
    for n in 0..3 {
        server.tell(&["SCRIPT", "FLUSH"]);
        store.save_resume_token("c", token(n)).await.unwrap();
        server.tell(&["SCRIPT", "FLUSH"]);
        assert_eq!(store.load_resume_token("c").await.unwrap(), Some(token(n)));
        server.tell(&["SCRIPT", "FLUSH"]);
        let lock = store.acquire("l", BOUND).await.unwrap();
        server.tell(&["SCRIPT", "FLUSH"]);
        let lock = store.renew(&lock, BOUND).await.unwrap();
        server.tell(&["SCRIPT", "FLUSH"]);
        store.release(&lock).await.unwrap();
        assert_eq!(store.holder("l").await.unwrap(), None);
    }
}

#[tokio::test]
async fn script_that_is_known_is_not_told_again() {
    let Some(server) = Server::plain() else { return };
    let store = store(&server).await;
    for n in 0..5 {
        store.save_resume_token("c", token(n)).await.unwrap();
    }
    let stats: String = server.ask(&["INFO", "commandstats"]);
    assert!(stats.contains("cmdstat_eval:calls=1,") && stats.contains("cmdstat_evalsha:calls=5,"), "{stats}");
}

#[tokio::test]
async fn memory_that_is_full_is_told_at_once_and_changes_nothing() {
    let Some(server) = Server::plain() else { return };
    let store = store(&server).await;
    store.save_resume_token("c", token(1)).await.unwrap();
    server.tell(&["CONFIG", "SET", "maxmemory", "1"]);
    let (saved, took) = timed(store.save_resume_token("c", token(2))).await;
    assert!(matches!(saved, Err(StateError::Full { .. })), "{saved:?}");
    assert!(took < Duration::from_secs(1), "{took:?}");
    assert!(matches!(store.acquire("l", BOUND).await, Err(StateError::Full { .. })));
    server.tell(&["CONFIG", "SET", "maxmemory", "0"]);
    assert_eq!(store.load_resume_token("c").await.unwrap(), Some(token(1)));
    store.save_resume_token("c", token(2)).await.unwrap();
}

#[tokio::test]
async fn master_that_became_a_replica_is_read_only() {
    let (Some(server), Some(other)) = (Server::plain(), Server::plain()) else { return };
    let store = store(&server).await;
    store.save_resume_token("c", token(1)).await.unwrap();
    server.tell(&["REPLICAOF", "127.0.0.1", &other.port().to_string()]);
    server::until("it is a replica", || server.says("replication", "master_link_status", "up"));
    let (saved, took) = timed(store.save_resume_token("c", token(2))).await;
    assert!(matches!(saved, Err(StateError::ReadOnly { .. })), "{saved:?}");
    assert!(took < BOUND, "{took:?}");
    assert!(matches!(store.health().await, Err(StateError::ReadOnly { .. })));
    server.tell(&["REPLICAOF", "NO", "ONE"]);
    store.save_resume_token("c", token(2)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn server_that_runs_a_script_of_somebody_else_is_busy_and_waited_for() {
    let Some(server) = Server::with(&["--save", "", "--lua-time-limit", "20"]) else { return };
    let waits = open(config(server.url()).max_retries(1000)).await.unwrap();
    let gives_up = open(config(server.url()).max_retries(1)).await.unwrap();
    waits.save_resume_token("c", token(1)).await.unwrap();
    let url = server.url();
    let endless = tokio::task::spawn_blocking(move || {
        let mut connection = redis::Client::open(url).unwrap().get_connection().unwrap();
        redis::cmd("EVAL").arg("while true do end").arg(0).query::<()>(&mut connection)
    });
    until("it is busy", async || matches!(gives_up.load("c").await, Err(StateError::Busy { .. }))).await;
    let waiting = tokio::spawn(async move { waits.load_resume_token("c").await });
    server.tell(&["SCRIPT", "KILL"]);
    assert_eq!(waiting.await.unwrap().unwrap(), Some(token(1)));
    assert!(endless.await.unwrap().is_err());
}

#[tokio::test]
async fn wrong_password_is_denied_at_once() {
    let Some(server) = Server::guarded("right", &[]) else { return };
    for url in [format!("redis://127.0.0.1:{}", server.port()), format!("redis://:wrong@127.0.0.1:{}", server.port())] {
        let (opened, took) = timed(open(config(&*url))).await;
        assert!(matches!(opened, Err(StateError::Denied { .. })), "{url}: {opened:?}");
        assert!(took < Duration::from_secs(1), "{took:?}");
    }
    let store = store(&server).await;
    store.save_resume_token("c", token(1)).await.unwrap();
}

#[tokio::test]
async fn password_that_is_changed_and_changed_back_locks_nobody_out() {
    let Some(server) = Server::guarded("right", &[]) else { return };
    let store = store(&server).await;
    store.save_resume_token("c", token(1)).await.unwrap();
    let mut admin = redis::Client::open(server.url()).unwrap().get_connection().unwrap();
    let mut tell = |words: &[&str]| redis::cmd(words[0]).arg(&words[1..]).query::<()>(&mut admin).unwrap();
    tell(&["CONFIG", "SET", "requirepass", "other"]);
    tell(&["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]);
    until("the password is refused", async || matches!(store.load("c").await, Err(StateError::Denied { .. }))).await;
    tell(&["CONFIG", "SET", "requirepass", "right"]);
    assert_eq!(store.load_resume_token("c").await.unwrap(), Some(token(1)));
}

#[tokio::test]
async fn user_without_permission_is_denied_and_writes_nothing() {
    let Some(server) = Server::plain() else { return };
    server.tell(&["ACL", "SETUSER", "app", "on", ">pw", "~*", "+@all", "-evalsha", "-eval"]);
    let store = open(config(format!("redis://app:pw@127.0.0.1:{}", server.port()))).await.unwrap();
    let (saved, took) = timed(store.save_resume_token("c", token(1))).await;
    assert!(matches!(saved, Err(StateError::Denied { .. })), "{saved:?}");
    assert!(took < Duration::from_secs(1), "{took:?}");
    assert_eq!(server.ask::<usize>(&["DBSIZE"]), 0);
}

#[tokio::test]
async fn what_is_no_redis_at_all_is_unavailable_in_bounded_time() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("redis://{}", listener.local_addr().unwrap());
    let task = tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let _ = tokio::io::AsyncWriteExt::write_all(&mut client, b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
        }
    });
    let (opened, took) = timed(open(config(&*url))).await;
    task.abort();
    assert!(matches!(opened, Err(StateError::Unavailable { .. } | StateError::Backend { .. })), "{opened:?}");
    assert!(took < BOUND, "{took:?}");
}

/// The rights that the manual names, with whatever stands for the namespace.
fn rights_of_the_manual() -> Vec<String> {
    let manual = include_str!("../../../../docs/OPERATIONS.md");
    let row = manual.lines().find(|line| line.starts_with("| the user's rights |")).unwrap();
    let rights = row.split('`').nth(1).unwrap().replace("\\|", "|").replace("{NAMESPACE}", "{magnetar}");
    rights.split(' ').map(str::to_owned).collect()
}

#[tokio::test]
async fn rights_that_the_manual_names_are_enough() {
    let Some(server) = Server::plain() else { return };
    let rights = rights_of_the_manual();
    let words: Vec<&str> =
        ["ACL", "SETUSER", "app", "on", ">pw", "-@all"].into_iter().chain(rights.iter().map(String::as_str)).collect();
    server.tell(&words);
    let store = open(config(format!("redis://app:pw@127.0.0.1:{}", server.port()))).await.unwrap();
    assert_eq!(store.probe().await.durability, magnetar_redis::RedisDurability::None, "it may ask for that");
    store.save("c", token(1), Guard::default(), Some(BOUND)).await.unwrap();
    store.save_resume_token("c", token(2)).await.unwrap();
    assert_eq!(store.list(None, 10).await.unwrap().entries.len(), 1);
    store.load("never").await.unwrap();
    store.clear_resume_token("c").await.unwrap();
    let lock = store.acquire("l", BOUND).await.unwrap();
    assert!(store.acquire("l", BOUND).await.unwrap_err().is_conflict());
    assert_eq!(store.holder("l").await.unwrap(), Some(lock.epoch()));
    store.release(&store.renew(&lock, BOUND).await.unwrap()).await.unwrap();
    store.health().await.unwrap();
    // And no key of anybody else.
    let other = open(config(format!("redis://app:pw@127.0.0.1:{}", server.port())).namespace("other")).await.unwrap();
    assert!(matches!(other.save_resume_token("c", token(1)).await, Err(StateError::Denied { .. })));
}

#[tokio::test]
async fn socket_of_the_machine_and_protocol_3_are_as_good() {
    let Some(server) = Server::with(&["--save", "", "--unixsocket", "socket"]) else { return };
    let socket = format!("unix://{}", server.folder().join("socket").display());
    for url in [socket, format!("{}/?protocol=resp3", server.url())] {
        let store = open(config(&*url)).await.unwrap();
        assert_eq!(store.probe().await.durability, magnetar_redis::RedisDurability::None);
        store.save_resume_token("c", token(1)).await.unwrap();
        assert_eq!(store.load_resume_token("c").await.unwrap(), Some(token(1)));
        assert_eq!(store.list(None, 10).await.unwrap().entries.len(), 1);
        let lock = store.acquire("l", BOUND).await.unwrap();
        assert_eq!(store.holder("l").await.unwrap(), Some(lock.epoch()));
        store.release(&lock).await.unwrap();
        assert_eq!(store.holder("l").await.unwrap(), None);
    }
}
