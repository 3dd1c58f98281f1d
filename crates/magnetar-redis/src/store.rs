//! The store: what the trait promises, as runs of scripts.

use std::{fmt, time::Duration};

use async_trait::async_trait;
use magnetar_resilience::{Random, TokioClock};
use magnetar_state::{
    Document, Epoch, Expect, Guard, Listed, Loaded, Lock, Page, Saved, Sharing, StateCapabilities, StateError,
    StateResult as Result, StateStore, Timestamp, WriteId, check, simple,
};
use redis::Value;
use tokio::sync::RwLock;

use crate::{
    call::{Caller, Run},
    config::RedisConfig,
    keys::Keys,
    probe::{RedisDurability, RedisProbe},
    record::{self, Sealed, Words},
    script::Scripts,
};

/// So many collections are read in one step, so that an answer is never more than a few megabytes.
const COLLECTIONS_A_READ: usize = 16;

/// A store of resume tokens in Redis. See the [crate] for what its server keeps, and when.
///
/// ```no_run
/// use magnetar_redis::{RedisConfig, RedisDurability, RedisStore, magnetar_state::{StateStore, doc}};
///
/// # async fn example() -> Result<(), magnetar_redis::magnetar_state::StateError> {
/// let config = RedisConfig::builder().url("redis://localhost:6379").require(RedisDurability::AofAlways).build()?;
/// let store = RedisStore::new(config).await?;
/// store.save_resume_token("shop.orders", doc! { "_data": "8263" }).await?;
/// assert_eq!(store.load_resume_token("shop.orders").await?, Some(doc! { "_data": "8263" }));
/// # Ok(())
/// # }
/// ```
pub struct RedisStore {
    pub(crate) caller: Caller,
    pub(crate) keys: Keys,
    pub(crate) scripts: Scripts,
    pub(crate) clock: TokioClock,
    ids: Random,
    ttl: Option<Duration>,
    require: RedisDurability,
    probe: RwLock<RedisProbe>,
    /// What the server promised when the store was made.
    capabilities: StateCapabilities,
}

impl RedisStore {
    /// Connects, and asks the server what it keeps.
    ///
    /// # Errors
    /// `Unavailable` where it cannot be reached in time, `Denied` for a wrong password, a certificate that nobody trusts or a server that evicts
    /// keys that do not expire (`maxmemory-policy allkeys-*`), `ReadOnly` for a replica, `TooWeak` where it keeps less than was
    /// [required](crate::RedisConfigBuilder::require), `Invalid` for certificates that are none.
    pub async fn new(config: RedisConfig) -> Result<Self> {
        let caller = Caller::new(&config)?;
        let probe = RedisProbe::take(&caller, config.require).await?;
        let capabilities = StateCapabilities::new("redis", probe.durability.survives(), Sharing::ManyHosts);
        Ok(Self {
            caller,
            keys: Keys::new(&config.namespace),
            scripts: Scripts::new(),
            clock: TokioClock::new(),
            ids: Random::from_entropy(),
            ttl: config.ttl,
            require: config.require,
            probe: RwLock::new(probe),
            capabilities,
        })
    }

    /// What the servers said when they were asked last: by [`new`](Self::new), or by [`health`](StateStore::health).
    pub async fn probe(&self) -> RedisProbe {
        self.probe.read().await.clone()
    }

    /// A number that nobody else draws.
    pub(crate) fn id(&self) -> WriteId {
        WriteId::new(u128::from(self.ids.next_u64()) << 64 | u128::from(self.ids.next_u64()))
    }

    async fn write(
        &self,
        what: &str,
        collection: &str,
        guard: Guard,
        token: Option<Sealed>,
        ttl: Option<Duration>,
    ) -> Result<Saved> {
        let expected = match guard.expect {
            Expect::Any => "any".to_owned(),
            Expect::Absent => "absent".to_owned(),
            Expect::Version(version) => version.to_string(),
        };
        // One that has no id gets one here, so that a retry after a lost reply is known for what it is.
        let write_id = guard.write_id.unwrap_or_else(|| self.id());
        let (bytes, hash) = token.map_or_else(Default::default, |sealed| (sealed.bytes, sealed.hash));
        let ttl = ttl.map(|ttl| milliseconds(ttl).to_string()).unwrap_or_default();
        let text = |text: &str| text.as_bytes().to_vec();
        let key = self.keys.record(collection);
        let run = Run {
            script: &self.scripts.write,
            keys: vec![key.clone(), self.keys.value(collection), self.keys.index()],
            args: vec![
                text(what),
                text(collection),
                text(&record::padded(guard.epoch)),
                text(&write_id.to_string()),
                text(&expected),
                bytes,
                text(&hash),
                text(&ttl),
            ],
        };
        let answer = self.caller.change(&run).await?;
        record::written(collection, &key, guard.epoch, &answer).unwrap_or_else(|| Err(self.nonsense("to a write")))
    }

    /// What stands under each of some names, as of one instant.
    async fn read(&self, collections: &[&str]) -> Result<Vec<Result<Loaded>>> {
        let keys = collections.iter().flat_map(|collection| [self.keys.record(collection), self.keys.value(collection)]);
        let run = Run {
            script: &self.scripts.read,
            keys: std::iter::once(self.keys.index()).chain(keys).collect(),
            args: collections.iter().map(|collection| collection.as_bytes().to_vec()).collect(),
        };
        let answer = self.caller.read(&run).await?;
        self.understood(collections, &answer).ok_or_else(|| self.nonsense("to a read"))
    }

    fn understood(&self, collections: &[&str], answer: &Value) -> Option<Vec<Result<Loaded>>> {
        let words = Words::of(answer)?;
        let now: Timestamp = words.instant(0)?;
        let answers = words.0.get(1..).filter(|answers| answers.len() == collections.len())?;
        let each = collections.iter().zip(answers);
        each.map(|(collection, answer)| record::loaded(&self.keys.record(collection), now, answer)).collect()
    }

    /// Some names of the index, in the order of their bytes, from the one after `after` on.
    async fn names(&self, after: Option<&str>, limit: usize) -> Result<Vec<Vec<u8>>> {
        let from = after.map_or_else(|| "-".to_owned(), |after| format!("({after}"));
        let mut command = redis::cmd("ZRANGEBYLEX");
        command.arg(self.keys.index()).arg(from).arg("+").arg("LIMIT").arg(0).arg(limit);
        let answer = self.caller.ask(&command).await?;
        redis::from_redis_value(answer).map_err(|_| self.nonsense("about the index"))
    }

    pub(crate) fn nonsense(&self, what: &str) -> StateError {
        self.caller.scene.nonsense(what)
    }
}

/// A time to live in whole milliseconds, rounded up, so that a short one never becomes none. What is longer than ten thousand years is that.
pub(crate) fn milliseconds(ttl: Duration) -> u64 {
    const LONGEST: u64 = 10_000 * 366 * 24 * 3600 * 1000;
    u64::try_from(ttl.as_nanos().div_ceil(1_000_000)).unwrap_or(LONGEST).min(LONGEST)
}

#[async_trait]
impl StateStore for RedisStore {
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
        self.read(&[collection]).await?.pop().unwrap_or_else(|| Err(self.nonsense("to a read")))
    }

    async fn save(&self, collection: &str, token: Document, guard: Guard, ttl: Option<Duration>) -> Result<Saved> {
        check::collection(collection)?;
        let ttl = ttl.or(self.ttl).map(check::ttl).transpose()?;
        let sealed = Sealed::new(&check::token(token)?)?;
        self.write("save", collection, guard, Some(sealed), ttl).await
    }

    async fn clear(&self, collection: &str, guard: Guard) -> Result<Saved> {
        check::collection(collection)?;
        self.write("clear", collection, guard, None, None).await
    }

    async fn list(&self, after: Option<&str>, limit: usize) -> Result<Page> {
        check::page(limit)?;
        let mut names = self.names(after, limit + 1).await?;
        let mut page = Page::default();
        if names.len() > limit {
            names.truncate(limit);
            page.next = names.last().map(|name| String::from_utf8_lossy(name).into_owned());
        }
        for some in names.chunks(COLLECTIONS_A_READ) {
            let texts: Vec<&str> = some.iter().filter_map(|name| std::str::from_utf8(name).ok()).collect();
            let foreign = some.len() - texts.len();
            page.damaged.extend((0..foreign).map(|_| StateError::corrupt(self.keys.index(), "a name in it is no text")));
            if texts.is_empty() {
                continue;
            }
            for (collection, loaded) in texts.iter().zip(self.read(&texts).await?) {
                match loaded {
                    // Cleared since its name was read.
                    Ok(Loaded::Absent) => {}
                    Ok(loaded) => page.entries.push(Listed { collection: (*collection).to_owned(), loaded }),
                    Err(damage) => page.damaged.push(damage),
                }
            }
        }
        Ok(page)
    }

    async fn acquire(&self, name: &str, ttl: Duration) -> Result<Lock> {
        self.take_lock(name, ttl).await
    }

    async fn renew(&self, lock: &Lock, ttl: Duration) -> Result<Lock> {
        self.hold_lock(lock, ttl).await
    }

    async fn release(&self, lock: &Lock) -> Result<()> {
        self.give_lock_back(lock).await
    }

    async fn holder(&self, name: &str) -> Result<Option<Epoch>> {
        self.lock_holder(name).await
    }

    /// The durability is what the server promised when the store was made; [`probe`](Self::probe) tells more, and later.
    fn capabilities(&self) -> StateCapabilities {
        self.capabilities
    }

    /// Asks the server again what it keeps, and refuses what [`new`](Self::new) would refuse.
    async fn health(&self) -> Result<()> {
        let probe = RedisProbe::take(&self.caller, self.require).await?;
        *self.probe.write().await = probe;
        Ok(())
    }

    async fn close(&self) -> Result<()> {
        self.caller.close().await;
        Ok(())
    }
}

impl fmt::Debug for RedisStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisStore").field("servers", &self.caller.scene.place).field("ttl", &self.ttl).finish_non_exhaustive()
    }
}
