//! What a store of resume tokens gives the kit, and what a law works with.

#![expect(clippy::missing_panics_doc, clippy::panic, reason = "a law fails by panicking")]

use std::{future::Future, pin::Pin, sync::Arc, thread, time::Duration};

use async_trait::async_trait;
use magnetar_state::{Loaded, Page, StateError, StateResult as Result, StateStore, limits};

/// A store under test: fresh at the beginning, and opened as often as a law asks.
#[async_trait]
pub trait StateHarness: Send + Sync {
    /// Opens a handle on the same data as all before.
    async fn open(&self) -> Arc<dyn StateStore>;

    /// Lets this much of the store's time pass: sets a clock on, or waits where the time is a server's.
    async fn advance(&self, by: Duration);

    /// A time that can be waited for: what a law gives to what shall expire. Long for a clock that is set by hand.
    fn tick(&self) -> Duration {
        Duration::from_mins(1)
    }

    /// Whether a second handle can be open beside the first, and finds what the first left when that is closed.
    fn has_many_handles(&self) -> bool;

    /// Runs a law. For stores that need a runtime; it may be called by several threads at once.
    fn block_on(&self, law: Pin<Box<dyn Future<Output = ()> + Send + '_>>) {
        futures_lite::future::block_on(law);
    }
}

/// A law's world: a fresh store, open once.
pub struct World {
    harness: Arc<dyn StateHarness>,
    store: Arc<dyn StateStore>,
}

impl World {
    /// Opens the store of a fresh harness.
    pub async fn new(harness: Arc<dyn StateHarness>) -> Self {
        let store = harness.open().await;
        Self { harness, store }
    }

    /// The first handle.
    pub fn store(&self) -> &Arc<dyn StateStore> {
        &self.store
    }

    /// Another handle on the same data. Only for laws that need many handles.
    pub async fn another(&self) -> Arc<dyn StateStore> {
        self.harness.open().await
    }

    /// Closes the first handle and opens the store again as the first handle. Only for laws that need many handles.
    pub async fn reopen(&mut self) {
        self.store.close().await.expect("a sound store closes");
        self.store = self.harness.open().await;
    }

    /// How long what shall expire lives.
    pub fn tick(&self) -> Duration {
        self.harness.tick()
    }

    /// Lets everything expire that was to live for a tick.
    pub async fn pass(&self) {
        self.harness.advance(self.harness.tick() * 2).await;
    }

    /// Runs the same thing in `count` threads at once, each on a handle of its own where the store has several.
    pub async fn at_once<T, F, Fut>(&self, count: usize, run: F) -> Vec<T>
    where
        T: Send,
        F: Fn(Arc<dyn StateStore>, usize) -> Fut + Send + Sync,
        Fut: Future<Output = T> + Send,
    {
        let mut handles = Vec::new();
        for _ in 0..count {
            handles.push(if self.harness.has_many_handles() { self.another().await } else { Arc::clone(&self.store) });
        }
        let (harness, run) = (&self.harness, &run);
        thread::scope(|scope| {
            let started: Vec<_> = handles
                .into_iter()
                .enumerate()
                .map(|(at, handle)| {
                    scope.spawn(move || {
                        let mut outcome = None;
                        harness.block_on(Box::pin(async { outcome = Some(run(handle, at).await) }));
                        outcome.expect("it ran to its end")
                    })
                })
                .collect();
            started.into_iter().map(|thread| thread.join().expect("a thread of a law")).collect()
        })
    }

    /// Everything that is listed, page by page.
    pub async fn list_all(&self, limit: usize) -> Page {
        let mut all = Page::default();
        let mut after = None;
        for _ in 0..10_000 {
            let page = self.store.list(after.as_deref(), limit).await.expect("a page");
            assert!(page.entries.len() + page.damaged.len() <= limit, "a page of {limit} has more on it");
            all.entries.extend(page.entries);
            all.damaged.extend(page.damaged);
            match page.next {
                Some(next) => after = Some(next),
                None => return all,
            }
        }
        panic!("a listing without an end");
    }

    /// Holds the store against itself: nothing is damaged, and what is listed is what is loaded. Run after every law.
    pub async fn audit(&self) {
        if is_closed(&self.store.health().await) {
            return;
        }
        let all = self.list_all(limits::PAGE_ENTRIES_MAX).await;
        assert!(all.damaged.is_empty(), "the store is damaged: {:#?}", all.damaged);
        for listed in all.entries {
            let loaded = self.store.load(&listed.collection).await.expect("what is listed can be loaded");
            assert_eq!(loaded, listed.loaded, "{:?}", listed.collection);
            assert_ne!(loaded, Loaded::Absent);
        }
    }
}

fn is_closed<T>(answer: &Result<T>) -> bool {
    matches!(answer, Err(StateError::Closed))
}
