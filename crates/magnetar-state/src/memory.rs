//! The store in memory: for tests, and for programs that may start anew.

use std::{
    collections::BTreeMap,
    fmt,
    ops::Bound,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use bson::Document;
use magnetar_core::{Clock, Durability, Sharing};

use crate::{
    check,
    clock::SystemClock,
    entry::{Epoch, Guard, Listed, Loaded, Page, Saved},
    error::{Result, StateError},
    lock::{Lock, LockSlot},
    simple,
    slot::{self, Save, Slot, Verdict},
    store::{StateCapabilities, StateStore},
};

/// A store in memory. Clones share what is in it; it is gone with the last of them.
#[derive(Clone)]
pub struct MemoryStore {
    tables: Arc<Mutex<Tables>>,
    clock: Arc<dyn Clock>,
    ttl: Option<Duration>,
}

#[derive(Default)]
struct Tables {
    slots: BTreeMap<String, Slot>,
    locks: BTreeMap<String, LockSlot>,
    is_closed: bool,
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStore").field("ttl", &self.ttl).finish_non_exhaustive()
    }
}

impl MemoryStore {
    /// An empty store, by the time of the system, whose tokens do not expire.
    pub fn new() -> Self {
        Self { tables: Arc::default(), clock: Arc::new(SystemClock), ttl: None }
    }

    /// The same store by another clock.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// The same store, whose tokens expire after `ttl` where a save does not say otherwise.
    #[must_use]
    pub fn ttl(mut self, ttl: Duration) -> Self {
        self.ttl = Some(ttl);
        self
    }

    fn open(&self) -> Result<MutexGuard<'_, Tables>> {
        let tables = self.tables.lock().unwrap_or_else(PoisonError::into_inner);
        if tables.is_closed { Err(StateError::Closed) } else { Ok(tables) }
    }
}

impl Tables {
    fn carry_out(&mut self, collection: &str, verdict: Verdict) -> Saved {
        match verdict {
            Verdict::Nothing(saved) => saved,
            Verdict::Write(slot, saved) => {
                self.slots.insert(collection.to_owned(), slot);
                saved
            }
        }
    }

    fn lock(&self, name: &str) -> LockSlot {
        self.locks.get(name).copied().unwrap_or_default()
    }
}

#[async_trait]
impl StateStore for MemoryStore {
    async fn save_resume_token(&self, collection: &str, token: Document) -> Result<()> {
        simple::save(self, collection, token).await
    }

    async fn load_resume_token(&self, collection: &str) -> Result<Option<Document>> {
        simple::load(self, collection).await
    }

    async fn clear_resume_token(&self, collection: &str) -> Result<()> {
        simple::clear(self, collection).await
    }

    async fn load(&self, collection: &str) -> Result<Loaded> {
        check::collection(collection)?;
        Ok(slot::loaded(self.open()?.slots.get(collection), self.clock.now()))
    }

    async fn save(&self, collection: &str, token: Document, guard: Guard, ttl: Option<Duration>) -> Result<Saved> {
        let save = Save::new(collection, token, guard, ttl.or(self.ttl))?;
        let mut tables = self.open()?;
        let verdict = slot::save(tables.slots.get(collection), collection, save, self.clock.now())?;
        Ok(tables.carry_out(collection, verdict))
    }

    async fn clear(&self, collection: &str, guard: Guard) -> Result<Saved> {
        check::collection(collection)?;
        let mut tables = self.open()?;
        let verdict = slot::clear(tables.slots.get(collection), collection, guard, self.clock.now())?;
        Ok(tables.carry_out(collection, verdict))
    }

    async fn list(&self, after: Option<&str>, limit: usize) -> Result<Page> {
        check::page(limit)?;
        let now = self.clock.now();
        let tables = self.open()?;
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let mut page = Page::default();
        for (collection, slot) in tables.slots.range::<str, _>((from, Bound::Unbounded)) {
            let loaded = slot::loaded(Some(slot), now);
            if loaded == Loaded::Absent {
                continue;
            }
            if page.entries.len() == limit {
                page.next = page.entries.last().map(|last| last.collection.clone());
                break;
            }
            page.entries.push(Listed { collection: collection.clone(), loaded });
        }
        Ok(page)
    }

    async fn acquire(&self, name: &str, ttl: Duration) -> Result<Lock> {
        check::lock(name)?;
        let mut tables = self.open()?;
        let taken = tables.lock(name).acquire(name, ttl, self.clock.now())?;
        tables.locks.insert(name.to_owned(), taken);
        Ok(taken.handle(name))
    }

    async fn renew(&self, lock: &Lock, ttl: Duration) -> Result<Lock> {
        check::lock(lock.name())?;
        let mut tables = self.open()?;
        let renewed = tables.lock(lock.name()).renew(lock, ttl, self.clock.now())?;
        tables.locks.insert(lock.name().to_owned(), renewed);
        Ok(renewed.handle(lock.name()))
    }

    async fn release(&self, lock: &Lock) -> Result<()> {
        check::lock(lock.name())?;
        let mut tables = self.open()?;
        if let Some(released) = tables.lock(lock.name()).release(lock) {
            tables.locks.insert(lock.name().to_owned(), released);
        }
        Ok(())
    }

    async fn holder(&self, name: &str) -> Result<Option<Epoch>> {
        check::lock(name)?;
        Ok(self.open()?.lock(name).holder(self.clock.now()))
    }

    fn capabilities(&self) -> StateCapabilities {
        StateCapabilities::new("memory", Durability::Volatile, Sharing::OneProcess)
    }

    async fn health(&self) -> Result<()> {
        self.open().map(drop)
    }

    async fn close(&self) -> Result<()> {
        self.tables.lock().unwrap_or_else(PoisonError::into_inner).is_closed = true;
        Ok(())
    }
}
