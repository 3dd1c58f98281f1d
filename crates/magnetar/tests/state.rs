//! The module `magnetar::state`, as the contract writes it.
#![cfg(feature = "state")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::{Arc, Mutex};

use magnetar::state::*;

#[tokio::test]
async fn everything_the_contract_names_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state").display().to_string();
    let stores: Vec<Arc<dyn StateStore>> =
        vec![Arc::new(MemoryStore::new()), Arc::new(FileStore::new(&*path).await.unwrap()), Arc::new(Plain::default())];
    for store in stores {
        let token: Document = doc! { "_data": "8263", "n": 7_i64 };
        store.save_resume_token("shop.orders", token.clone()).await.unwrap();
        let loaded: Result<Option<Document>, StateError> = store.load_resume_token("shop.orders").await;
        assert_eq!(loaded.unwrap(), Some(token));
        store.clear_resume_token("shop.orders").await.unwrap();
        assert_eq!(store.load_resume_token("shop.orders").await.unwrap(), None);
        store.close().await.unwrap();
    }
}

/// A store of these three methods and no more.
#[derive(Default)]
struct Plain {
    token: Mutex<Option<Document>>,
}

#[async_trait::async_trait]
impl StateStore for Plain {
    async fn save_resume_token(&self, _collection: &str, token: Document) -> Result<(), StateError> {
        *self.token.lock().unwrap() = Some(token);
        Ok(())
    }

    async fn load_resume_token(&self, _collection: &str) -> Result<Option<Document>, StateError> {
        Ok(self.token.lock().unwrap().clone())
    }

    async fn clear_resume_token(&self, _collection: &str) -> Result<(), StateError> {
        *self.token.lock().unwrap() = None;
        Ok(())
    }
}

#[tokio::test]
async fn what_a_plain_store_lacks_is_a_typed_error() {
    let store = Plain::default();
    let guard = Guard::default();
    let errors = [
        store.load("a").await.unwrap_err(),
        store.save("a", doc! {}, guard, None).await.unwrap_err(),
        store.clear("a", guard).await.unwrap_err(),
        store.list(None, 1).await.unwrap_err(),
        store.acquire("a", std::time::Duration::from_secs(1)).await.unwrap_err(),
        store.holder("a").await.unwrap_err(),
    ];
    assert!(errors.iter().all(|error| matches!(error, StateError::Unsupported { .. })));
    let can = store.capabilities();
    assert!(!can.cas && !can.ttl && !can.locks && !can.is_multi_process());
    store.health().await.unwrap();
}

#[tokio::test]
async fn token_is_saved_with_the_chunk_that_it_stands_for() {
    use magnetar::Op;

    let jobs = magnetar::open("memory:").await.unwrap();
    jobs.init_from_manifest(7, &toml::from_str("[[chunks]]\nid = 1\n").unwrap()).await.unwrap();
    let fence = jobs.claim_pending(7).await.unwrap().unwrap().fence().unwrap();
    let state = JobStateStore::new(jobs.clone());
    let complete = Op::Complete { fence, result: Vec::new(), checksum: None };
    state.save_with(vec![complete], "orders", doc! { "_data": "1" }, Guard::default(), None).await.unwrap();
    assert!(jobs.get_stats(7).await.unwrap().is_complete());
    assert_eq!(state.load_resume_token("orders").await.unwrap(), Some(doc! { "_data": "1" }));
}
