//! State beside jobs, in any job store: a token and the work that it stands for become durable together.
//!
//! A collection is a record in a space of its own. Each write reads the record, decides, and puts what it decided in its place if the
//! record is still the one that was read; where it is not, it begins anew.

mod record;

use std::{
    fmt,
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use bson::Document;
use magnetar_core::{Clock, JobStore, Op, Rejection, Reply};

use self::record::Read;
use crate::{
    check,
    clock::SystemClock,
    entry::{Epoch, Guard, Listed, Loaded, Page, Saved},
    error::{Result, StateError},
    format,
    lock::{Lock, LockSlot},
    simple,
    slot::{self, Save, Slot, Verdict},
    store::{StateCapabilities, StateStore},
};

/// The space of tokens.
const TOKENS: &str = "state";
/// The space of locks.
const LOCKS: &str = "state.lock";
/// How often a write begins anew because another came first.
const TRIES_MAX: usize = 100;
/// Records that a listing reads at once.
const RECORDS_AT_ONCE: usize = 100;

/// Resume tokens in a job store, under the space `state`.
///
/// What it saves is as durable as what else is in the job store. Beyond other stores it can put a save and other ops in one group:
/// [`JobStateStore::save_with`]. Closing it leaves the job store open.
#[derive(Clone)]
pub struct JobStateStore {
    jobs: Arc<dyn JobStore>,
    clock: Arc<dyn Clock>,
    ttl: Option<Duration>,
    is_closed: Arc<AtomicBool>,
}

impl fmt::Debug for JobStateStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JobStateStore").field("jobs", &self.jobs.capabilities()).field("ttl", &self.ttl).finish_non_exhaustive()
    }
}

/// A save that was decided, to be put in a group of the caller's.
#[derive(Clone, Debug, PartialEq)]
pub struct PreparedSave {
    /// The op that carries it out. The group is rejected as [`Rejection::Version`] where another write came first: prepare it again then.
    /// None where this very save was applied before.
    pub op: Option<Op>,
    /// What becomes of the save when the group is applied.
    pub saved: Saved,
}

impl JobStateStore {
    /// The tokens in a job store, by the time of the system, that do not expire.
    pub fn new(jobs: Arc<dyn JobStore>) -> Self {
        Self { jobs, clock: Arc::new(SystemClock), ttl: None, is_closed: Arc::default() }
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

    /// The job store.
    pub fn jobs(&self) -> &Arc<dyn JobStore> {
        &self.jobs
    }

    /// Decides a save and yields the op that carries it out, so that it can be part of any group: of the one that ends the chunk whose
    /// work the token stands for.
    ///
    /// # Errors
    /// As [`StateStore::save`].
    pub async fn prepare_save(
        &self,
        collection: &str,
        token: Document,
        guard: Guard,
        ttl: Option<Duration>,
    ) -> Result<PreparedSave> {
        let save = Save::new(collection, token, guard, ttl.or(self.ttl))?;
        let read = self.read_token(collection).await?;
        let verdict = slot::save(read.value(), collection, save, self.clock.now())?;
        prepared(collection, &read, verdict)
    }

    /// Saves a token in one group with other ops: both become durable, or neither does.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// use magnetar_core::{JobStore, Manifest, Op};
    /// use magnetar_state::{Guard, JobStateStore, StateStore, doc};
    ///
    /// # futures_lite::future::block_on(async {
    /// # let jobs: Arc<dyn JobStore> = Arc::new(magnetar_memory::MemoryStore::open().await?);
    /// # jobs.init_from_manifest(7, &toml::from_str("[[chunks]]\nid = 1\n")?).await?;
    /// let state = JobStateStore::new(jobs.clone());
    /// let chunk = jobs.claim_pending(7).await?.expect("a chunk");
    /// let fence = chunk.fence().expect("a claimed chunk has a fence");
    /// let complete = Op::Complete { fence, result: Vec::new(), checksum: None };
    /// state.save_with(vec![complete], "shop.orders", doc! { "_data": "8263" }, Guard::default(), None).await?;
    /// # assert!(state.load_resume_token("shop.orders").await?.is_some());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    ///
    /// # Errors
    /// As [`StateStore::save`]; `Rejected` where the other ops are, with the refusal as its source: a lost fence, or a group that was
    /// applied before.
    pub async fn save_with(
        &self,
        ops: Vec<Op>,
        collection: &str,
        token: Document,
        guard: Guard,
        ttl: Option<Duration>,
    ) -> Result<(Vec<Reply>, Saved)> {
        again(collection, async || {
            let PreparedSave { op, saved } = self.prepare_save(collection, token.clone(), guard, ttl).await?;
            let mut group = ops.clone();
            let is_last_ours = op.is_some();
            group.extend(op);
            let Some(mut replies) = self.apply(group).await? else { return Ok(None) };
            if is_last_ours {
                replies.pop();
            }
            Ok(Some((replies, saved)))
        })
        .await
    }

    /// Applies a group; none where another write of ours came first.
    async fn apply(&self, group: Vec<Op>) -> Result<Option<Vec<Reply>>> {
        match self.jobs.apply(group).await {
            Ok(replies) => Ok(Some(replies)),
            Err(error) if is_ours(error.rejection()) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Decides and carries out, anew while others come first.
    async fn change(&self, collection: &str, decide: impl Fn(Option<&Slot>) -> Result<Verdict>) -> Result<Saved> {
        again(collection, async || {
            let read = self.read_token(collection).await?;
            let PreparedSave { op, saved } = prepared(collection, &read, decide(read.value())?)?;
            let Some(op) = op else { return Ok(Some(saved)) };
            Ok(self.apply(vec![op]).await?.map(|_| saved))
        })
        .await
    }

    /// Puts what is decided in the place of a lock, and tells what stands there then.
    async fn change_lock(&self, name: &str, decide: impl Fn(LockSlot) -> Result<Option<LockSlot>>) -> Result<LockSlot> {
        check::lock(name)?;
        again(name, async || {
            let read = self.read_lock(name).await?;
            let before = read.value().copied().unwrap_or_default();
            let Some(after) = decide(before)? else { return Ok(Some(before)) };
            let op = read.replacement(LOCKS, name, format::encode_lock(name, &after)?);
            Ok(self.apply(vec![op]).await?.map(|_| after))
        })
        .await
    }

    async fn read_token(&self, collection: &str) -> Result<Read<Slot>> {
        self.answering()?;
        record::read(&*self.jobs, TOKENS, collection, format::decode_slot).await
    }

    async fn read_lock(&self, name: &str) -> Result<Read<LockSlot>> {
        self.answering()?;
        record::read(&*self.jobs, LOCKS, name, format::decode_lock).await
    }

    fn answering(&self) -> Result<()> {
        if self.is_closed.load(Ordering::Acquire) { Err(StateError::Closed) } else { Ok(()) }
    }
}

/// What is decided, as an op.
fn prepared(collection: &str, read: &Read<Slot>, verdict: Verdict) -> Result<PreparedSave> {
    match verdict {
        Verdict::Nothing(saved) => Ok(PreparedSave { op: None, saved }),
        Verdict::Write(slot, saved) => {
            let op = read.replacement(TOKENS, collection, format::encode_slot(collection, &slot)?);
            Ok(PreparedSave { op: Some(op), saved })
        }
    }
}

/// Whether a group was rejected because another write of a token or a lock came first.
fn is_ours(rejection: Option<&Rejection>) -> bool {
    matches!(rejection, Some(Rejection::Version { space, .. }) if space == TOKENS || space == LOCKS)
}

/// Tries until it is done; it says none where another came first.
async fn again<T, F: Future<Output = Result<Option<T>>>>(name: &str, attempt: impl Fn() -> F) -> Result<T> {
    for _ in 0..TRIES_MAX {
        if let Some(done) = attempt().await? {
            return Ok(done);
        }
    }
    Err(StateError::Busy { what: format!("others wrote {name:?} first, {TRIES_MAX} times") })
}

#[async_trait]
impl StateStore for JobStateStore {
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
        Ok(slot::loaded(self.read_token(collection).await?.value(), self.clock.now()))
    }

    async fn save(&self, collection: &str, token: Document, guard: Guard, ttl: Option<Duration>) -> Result<Saved> {
        let save = Save::new(collection, token, guard, ttl.or(self.ttl))?;
        self.change(collection, |slot| slot::save(slot, collection, save.clone(), self.clock.now())).await
    }

    async fn clear(&self, collection: &str, guard: Guard) -> Result<Saved> {
        check::collection(collection)?;
        self.change(collection, |slot| slot::clear(slot, collection, guard, self.clock.now())).await
    }

    async fn list(&self, after: Option<&str>, limit: usize) -> Result<Page> {
        check::page(limit)?;
        self.answering()?;
        let now = self.clock.now();
        let mut page = Page::default();
        let mut next = after.map(|after| after.as_bytes().to_vec());
        loop {
            let records = self.jobs.records(TOKENS, b"", next, RECORDS_AT_ONCE).await?;
            for record in records.items {
                if page.entries.len() + page.damaged.len() == limit {
                    return Ok(page);
                }
                match record::decode(TOKENS, &record, format::decode_slot) {
                    Ok((_, slot)) if slot::loaded(Some(&slot), now) == Loaded::Absent => continue,
                    Ok((collection, slot)) => page.entries.push(Listed { collection, loaded: slot::loaded(Some(&slot), now) }),
                    Err(error) => page.damaged.push(error),
                }
                page.next = Some(String::from_utf8_lossy(&record.key).into_owned());
            }
            next = records.next;
            if next.is_none() {
                page.next = None;
                return Ok(page);
            }
        }
    }

    async fn acquire(&self, name: &str, ttl: Duration) -> Result<Lock> {
        Ok(self.change_lock(name, |lock| lock.acquire(name, ttl, self.clock.now()).map(Some)).await?.handle(name))
    }

    async fn renew(&self, lock: &Lock, ttl: Duration) -> Result<Lock> {
        let name = lock.name();
        Ok(self.change_lock(name, |slot| slot.renew(lock, ttl, self.clock.now()).map(Some)).await?.handle(name))
    }

    async fn release(&self, lock: &Lock) -> Result<()> {
        self.change_lock(lock.name(), |slot| Ok(slot.release(lock))).await.map(drop)
    }

    async fn holder(&self, name: &str) -> Result<Option<Epoch>> {
        check::lock(name)?;
        Ok(self.read_lock(name).await?.value().and_then(|lock| lock.holder(self.clock.now())))
    }

    fn capabilities(&self) -> StateCapabilities {
        let jobs = self.jobs.capabilities();
        StateCapabilities::new(jobs.backend, jobs.durability, jobs.sharing)
    }

    async fn health(&self) -> Result<()> {
        self.read_token("health").await.map(drop)
    }

    async fn close(&self) -> Result<()> {
        self.is_closed.store(true, Ordering::Release);
        Ok(())
    }
}
