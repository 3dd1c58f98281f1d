//! Tokens: what the shared laws do not reach, because it lies in how Redis keeps them.

use magnetar_redis::magnetar_state::{Entry, Epoch, Expect, Guard, Loaded, StateError, StateStore, Version, WriteId};
use redis::Value;

use crate::{
    proxy::Proxy,
    rig::{config, open, record, store, token, value},
    server::Server,
};

fn found(loaded: Loaded) -> Entry {
    let Loaded::Found(entry) = loaded else { panic!("{loaded:?}") };
    entry
}

#[tokio::test]
async fn save_of_a_zombie_is_fenced() {
    let Some(server) = Server::plain() else { return };
    let (zombie, heir) = (store(&server).await, store(&server).await);
    let old = zombie.acquire("orders", std::time::Duration::from_millis(30)).await.unwrap();
    zombie.save("orders", token(1), Guard::epoch(old.epoch()), None).await.unwrap();
    // The zombie was away for longer than its lock, and somebody else went on.
    crate::rig::until("the lock is over", async || heir.holder("orders").await.unwrap().is_none()).await;
    let new = heir.acquire("orders", std::time::Duration::from_mins(1)).await.unwrap();
    heir.save("orders", token(2), Guard::epoch(new.epoch()), None).await.unwrap();
    let refused = zombie.save("orders", token(1), Guard::epoch(old.epoch()), None).await.unwrap_err();
    assert!(matches!(refused, StateError::Fenced { current, .. } if current == new.epoch()), "{refused:?}");
    assert_eq!(found(heir.load("orders").await.unwrap()).token, token(2));
}

#[tokio::test]
async fn epochs_that_a_double_cannot_tell_apart_are_told_apart() {
    let Some(server) = Server::plain() else { return };
    let store = store(&server).await;
    let at = |epoch| Guard::epoch(Epoch::new(epoch));
    store.save("c", token(1), at((1 << 53) + 1), None).await.unwrap();
    let refused = store.save("c", token(2), at(1 << 53), None).await.unwrap_err();
    assert!(matches!(refused, StateError::Fenced { .. }), "{refused:?}");
    store.save("c", token(3), at(u64::MAX), None).await.unwrap();
    assert_eq!(found(store.load("c").await.unwrap()).epoch, Epoch::new(u64::MAX));
}

/// Makes the record of a collection say another version, with the sum that belongs to it.
fn set_version(server: &Server, collection: &str, version: &str) {
    let key = record(collection);
    let fields = ["format", "epoch", "version", "write", "state", "hash", "saved", "expires"];
    server.tell(&["HSET", &key, "version", version]);
    let values: Vec<String> = fields.map(|field| server.ask(&["HGET", &key, field])).into();
    let code = "return redis.sha1hex(ARGV[1] .. '\\0' .. table.concat(ARGV, '\\0', 2))";
    let words: Vec<&str> = ["EVAL", code, "0", collection].into_iter().chain(values.iter().map(String::as_str)).collect();
    let sum: String = server.ask(&words);
    server.tell(&["HSET", &key, "sum", &sum]);
}

#[tokio::test]
async fn versions_are_counted_exactly_and_never_wrap() {
    let Some(server) = Server::plain() else { return };
    let store = store(&server).await;
    store.save_resume_token("c", token(0)).await.unwrap();
    for (version, next) in
        [("9", 10), ("1999", 2000), ("9007199254740993", 9_007_199_254_740_994), ("18446744073709551614", u64::MAX)]
    {
        set_version(&server, "c", version);
        let saved = store.save("c", token(1), Guard::default(), None).await.unwrap();
        assert_eq!(saved.version, Version::new(next));
    }
    let refused = store.save("c", token(2), Guard::default(), None).await.unwrap_err();
    assert!(matches!(refused, StateError::Exhausted { .. }), "{refused:?}");
    assert_eq!(found(store.load("c").await.unwrap()).token, token(1));
}

#[tokio::test]
async fn save_whose_reply_was_lost_is_known_for_what_it_is() {
    let Some(server) = Server::plain() else { return };
    let proxy = Proxy::before(server.port()).await;
    let store = open(config(proxy.url())).await.unwrap();
    store.save_resume_token("c", token(0)).await.unwrap();
    proxy.lose_reply_to("EVALSHA");
    let guard = Guard::default().expect(Expect::Version(Version::new(1)));
    let saved = store.save("c", token(1), guard, None).await.unwrap();
    assert!(proxy.has_lost());
    assert_eq!((saved.version, saved.already_applied), (Version::new(2), true));
}

#[tokio::test]
async fn save_that_is_sent_again_by_its_caller_is_applied_once() {
    let Some(server) = Server::plain() else { return };
    let proxy = Proxy::before(server.port()).await;
    let store = open(config(proxy.url()).max_retries(0)).await.unwrap();
    store.save_resume_token("c", token(0)).await.unwrap();
    let guard = Guard::default().write_id(WriteId::new(7));
    proxy.lose_reply_to("EVALSHA");
    let lost = store.save("c", token(1), guard, None).await.unwrap_err();
    assert!(matches!(lost, StateError::Unavailable { .. }), "{lost:?}");
    let saved = store.save("c", token(1), guard, None).await.unwrap();
    assert_eq!((saved.version, saved.already_applied), (Version::new(2), true));
}

#[tokio::test]
async fn record_outlives_its_token_so_that_expired_is_not_absent() {
    let Some(server) = Server::plain() else { return };
    let store = store(&server).await;
    let guard = Guard::epoch(Epoch::new(5));
    store.save("c", token(1), guard, Some(std::time::Duration::from_millis(20))).await.unwrap();
    assert_eq!(server.ask::<i64>(&["PTTL", &record("c")]), -1);
    assert!(server.ask::<i64>(&["PTTL", &value("c")]) > 0);
    crate::rig::until("the token has expired", async || matches!(store.load("c").await.unwrap(), Loaded::Expired { .. })).await;
    // The value's own end comes later; let it be now.
    server.tell(&["DEL", &value("c")]);
    let Loaded::Expired { version, epoch, .. } = store.load("c").await.unwrap() else { panic!("it is there") };
    assert_eq!((version, epoch), (Version::new(1), Epoch::new(5)));
    let fenced = store.save("c", token(2), Guard::epoch(Epoch::new(4)), None).await.unwrap_err();
    assert!(matches!(fenced, StateError::Fenced { .. }), "{fenced:?}");
}

#[tokio::test]
async fn stores_of_different_namespaces_know_nothing_of_each_other() {
    let Some(server) = Server::plain() else { return };
    let one = open(config(server.url()).namespace("one")).await.unwrap();
    let other = open(config(server.url()).namespace("other")).await.unwrap();
    one.save_resume_token("c", token(1)).await.unwrap();
    assert_eq!(other.load_resume_token("c").await.unwrap(), None);
    assert!(other.list(None, 10).await.unwrap().entries.is_empty());
}

#[tokio::test]
async fn listing_never_asks_for_all_keys() {
    let Some(server) = Server::plain() else { return };
    let store = store(&server).await;
    for n in 0..40 {
        store.save_resume_token(&format!("c{n:02}"), token(n)).await.unwrap();
    }
    let (mut names, mut after) = (Vec::new(), None);
    for _ in 0..4 {
        let page = store.list(after.as_deref(), 17).await.unwrap();
        assert!(page.entries.len() <= 17);
        names.extend(page.entries.into_iter().map(|listed| listed.collection));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(after, None, "three pages are enough");
    assert_eq!(names, (0..40).map(|n| format!("c{n:02}")).collect::<Vec<_>>());
    let stats: String = server.ask(&["INFO", "commandstats"]);
    assert!(
        stats.contains("cmdstat_zrangebylex") && !stats.contains("cmdstat_keys") && !stats.contains("cmdstat_scan"),
        "{stats}"
    );
}

#[tokio::test]
async fn cleared_collection_leaves_its_record_and_nothing_else() {
    let Some(server) = Server::plain() else { return };
    let store = store(&server).await;
    store.save_resume_token("c", token(1)).await.unwrap();
    store.clear_resume_token("c").await.unwrap();
    assert_eq!(server.ask::<Vec<String>>(&["KEYS", "*"]), [record("c")]);
    assert_eq!(store.load("c").await.unwrap(), Loaded::Absent);
    assert_eq!(server.ask::<Value>(&["HGET", &record("c"), "state"]), Value::BulkString(b"cleared".to_vec()));
}
