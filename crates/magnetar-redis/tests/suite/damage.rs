//! Damage: whatever is changed by hand or by rot is told, and never taken for a token.

use magnetar_redis::magnetar_state::{Guard, Loaded, StateError, StateStore};

use crate::{
    rig::{record, store, token, value},
    server::Server,
};

#[tokio::test]
async fn value_with_any_bit_flipped_is_corrupt() {
    let Some(server) = Server::plain() else { return };
    let store = store(&server).await;
    store.save_resume_token("c", token(1)).await.unwrap();
    let bits: usize = server.ask::<usize>(&["STRLEN", &value("c")]) * 8;
    for bit in 0..bits {
        let at = bit.to_string();
        let before: u8 = server.ask(&["GETBIT", &value("c"), &at]);
        server.tell(&["SETBIT", &value("c"), &at, &(1 - before).to_string()]);
        let error = store.load_resume_token("c").await.unwrap_err();
        assert!(error.is_corrupt() && error.to_string().contains("SHA-256"), "bit {bit}: {error:?}");
        server.tell(&["SETBIT", &value("c"), &at, &before.to_string()]);
    }
    assert_eq!(store.load_resume_token("c").await.unwrap(), Some(token(1)));
}

#[tokio::test]
async fn record_with_any_field_changed_or_gone_is_corrupt() {
    let Some(server) = Server::plain() else { return };
    let store = store(&server).await;
    store.save_resume_token("c", token(1)).await.unwrap();
    let key = record("c");
    let fields: Vec<String> = server.ask(&["HKEYS", &key]);
    assert_eq!(fields.len(), 9);
    for field in &fields {
        let before: String = server.ask(&["HGET", &key, field]);
        let changed = match before.strip_suffix('1') {
            Some(head) => format!("{head}2"),
            None => format!("{before}1"),
        };
        for act in [&["HSET", &key, field, &changed][..], &["HDEL", &key, field]] {
            server.tell(act);
            let error = store.load_resume_token("c").await.unwrap_err();
            assert!(error.is_corrupt(), "{act:?}: {error:?}");
            // A write does not paint over it: its epoch and version cannot be trusted.
            assert!(store.save("c", token(2), Guard::default(), None).await.unwrap_err().is_corrupt(), "{act:?}");
            assert!(store.clear("c", Guard::default()).await.unwrap_err().is_corrupt(), "{act:?}");
            server.tell(&["HSET", &key, field, &before]);
        }
    }
    assert_eq!(store.load_resume_token("c").await.unwrap(), Some(token(1)));
}

#[tokio::test]
async fn token_of_another_collection_is_corrupt() {
    let Some(server) = Server::plain() else { return };
    let store = store(&server).await;
    store.save_resume_token("a", token(1)).await.unwrap();
    store.save_resume_token("b", token(2)).await.unwrap();
    server.tell(&["EVAL", "return redis.call('SET', KEYS[2], redis.call('GET', KEYS[1]))", "2", &value("a"), &value("b")]);
    assert!(store.load_resume_token("b").await.unwrap_err().is_corrupt());
    let copy = "return redis.call('HSET', KEYS[2], unpack(redis.call('HGETALL', KEYS[1])))";
    server.tell(&["EVAL", copy, "2", &record("a"), &record("b")]);
    assert!(store.load_resume_token("b").await.unwrap_err().is_corrupt());
}

#[tokio::test]
async fn what_is_gone_is_not_absent() {
    let Some(server) = Server::plain() else { return };
    let store = store(&server).await;
    let save = async || store.save_resume_token("c", token(1)).await.unwrap();
    save().await;
    server.tell(&["DEL", &value("c")]);
    assert!(store.load("c").await.unwrap_err().is_corrupt(), "a value that was evicted");
    save().await;
    assert!(matches!(store.load("c").await.unwrap(), Loaded::Found(_)), "a save puts it right");
    server.tell(&["DEL", &record("c")]);
    assert!(store.load("c").await.unwrap_err().is_corrupt(), "a record that was evicted");
    server.tell(&["DEL", &value("c")]);
    assert!(store.load("c").await.unwrap_err().is_corrupt(), "the index still knows");
    save().await;
    server.tell(&["DEL", &record("c"), "{magnetar}:index"]);
    assert!(store.load("c").await.unwrap_err().is_corrupt(), "the value is still there");
    server.tell(&["FLUSHALL"]);
    assert_eq!(store.load("c").await.unwrap(), Loaded::Absent);
}

#[tokio::test]
async fn key_of_another_kind_is_corrupt() {
    let Some(server) = Server::plain() else { return };
    let store = store(&server).await;
    server.tell(&["SET", &record("c"), "a string"]);
    assert!(store.load("c").await.unwrap_err().is_corrupt());
    assert!(store.save_resume_token("c", token(1)).await.unwrap_err().is_corrupt());
    server.tell(&["DEL", &record("c")]);
    store.save_resume_token("c", token(1)).await.unwrap();
    server.tell(&["DEL", &value("c")]);
    server.tell(&["LPUSH", &value("c"), "a list"]);
    assert!(store.load("c").await.unwrap_err().is_corrupt());
    server.tell(&["HSET", &record("d"), "of", "somebody else"]);
    assert!(store.load("d").await.unwrap_err().is_corrupt());
    assert!(store.save_resume_token("d", token(1)).await.unwrap_err().is_corrupt());
    server.tell(&["DEL", "{magnetar}:index"]);
    server.tell(&["SET", "{magnetar}:index", "a string"]);
    assert!(store.save_resume_token("c", token(1)).await.unwrap_err().is_corrupt());
    assert!(store.list(None, 1).await.unwrap_err().is_corrupt());
    server.tell(&["LPUSH", "{magnetar}:lock:l", "a list"]);
    assert!(store.acquire("l", std::time::Duration::from_secs(1)).await.unwrap_err().is_corrupt());
    for held in ["somebody", "0123456789abcdef:1"] {
        // The second would be held for ever.
        server.tell(&["SET", "{magnetar}:lock:k", held]);
        assert!(store.acquire("k", std::time::Duration::from_secs(1)).await.unwrap_err().is_corrupt(), "{held}");
    }
}

#[tokio::test]
async fn record_of_a_newer_format_is_no_damage() {
    let Some(server) = Server::plain() else { return };
    let store = store(&server).await;
    let fields = ["2", "00000000000000000000", "1", "w", "token", "h", "1", ""];
    let code = "return redis.sha1hex('c\\0' .. table.concat(ARGV, '\\0'))";
    let words: Vec<&str> = ["EVAL", code, "0"].into_iter().chain(fields).collect();
    let sum: String = server.ask(&words);
    let names = ["format", "epoch", "version", "write", "state", "hash", "saved", "expires"];
    for (name, value) in names.iter().zip(fields).chain([(&"sum", &*sum)]) {
        server.tell(&["HSET", &record("c"), name, value]);
    }
    assert!(matches!(store.load("c").await, Err(StateError::Newer { format: 2, .. })));
    assert!(matches!(store.save_resume_token("c", token(1)).await, Err(StateError::Newer { format: 2, .. })));
}
