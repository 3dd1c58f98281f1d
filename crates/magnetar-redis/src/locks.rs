//! Locks: a key that expires, beside a counter that never goes back.

use std::time::Duration;

use magnetar_resilience::Clock;
use magnetar_state::{Epoch, Lock, StateError, StateResult as Result, Timestamp, check};
use redis::Value;

use crate::{
    call::Run,
    record::Words,
    store::{RedisStore, milliseconds},
};

/// What a script said of a lock.
enum Answer {
    Held { epoch: Epoch, until: Timestamp },
    Locked { until: Timestamp },
    Lost,
}

impl RedisStore {
    /// Takes a lock as somebody new. A retry of this call after a lost reply is the same somebody, and finds that it has it.
    pub(crate) async fn take_lock(&self, name: &str, ttl: Duration) -> Result<Lock> {
        check::lock(name)?;
        let ttl = check::ttl(ttl)?;
        let asked_at = self.clock.now();
        let run = Run {
            script: &self.scripts.acquire,
            keys: vec![self.keys.lock(name), self.keys.epoch(name)],
            args: vec![self.id().to_string().into_bytes(), milliseconds(ttl).to_string().into_bytes()],
        };
        match self.answer(name, &self.caller.change(&run).await?)? {
            Answer::Held { epoch, until } => self.counted_from(asked_at, Lock::new(name, epoch, until), ttl).await,
            Answer::Locked { until } => Err(StateError::Locked { name: name.to_owned(), until }),
            Answer::Lost => Err(self.nonsense("about a lock")),
        }
    }

    pub(crate) async fn hold_lock(&self, lock: &Lock, ttl: Duration) -> Result<Lock> {
        check::lock(lock.name())?;
        let ttl = check::ttl(ttl)?;
        let asked_at = self.clock.now();
        let run = Run {
            script: &self.scripts.renew,
            keys: vec![self.keys.lock(lock.name())],
            args: vec![lock.epoch().to_string().into_bytes(), milliseconds(ttl).to_string().into_bytes()],
        };
        match self.answer(lock.name(), &self.caller.change(&run).await?)? {
            Answer::Held { epoch, until } => self.counted_from(asked_at, Lock::new(lock.name(), epoch, until), ttl).await,
            Answer::Locked { .. } | Answer::Lost => Err(lost(lock)),
        }
    }

    pub(crate) async fn give_lock_back(&self, lock: &Lock) -> Result<()> {
        check::lock(lock.name())?;
        let run = Run {
            script: &self.scripts.release,
            keys: vec![self.keys.lock(lock.name())],
            args: vec![lock.epoch().to_string().into_bytes()],
        };
        self.caller.change(&run).await.map(drop)
    }

    pub(crate) async fn lock_holder(&self, name: &str) -> Result<Option<Epoch>> {
        check::lock(name)?;
        let key = self.keys.lock(name);
        let mut command = redis::cmd("GET");
        command.arg(&key);
        match self.caller.ask(&command).await? {
            Value::Nil => Ok(None),
            Value::BulkString(held) => epoch_of(&held).map(Some).ok_or_else(|| StateError::corrupt(key, "it is no lock of ours")),
            _ => Err(self.nonsense("about a lock")),
        }
    }

    /// Counts a lock's time from before it was asked for, by a clock that never jumps: for whoever holds it, it is over sooner than for the server, and
    /// never later. One that is over by the time the answer is here is given back and lost.
    async fn counted_from(&self, asked_at: Duration, lock: Lock, ttl: Duration) -> Result<Lock> {
        let gone = self.clock.now().saturating_sub(asked_at);
        if gone >= ttl {
            self.give_lock_back(&lock).await?;
            return Err(lost(&lock));
        }
        let until = lock.until().as_millis().saturating_sub(milliseconds(gone));
        Ok(Lock::new(lock.name(), lock.epoch(), Timestamp::from_millis(until)))
    }

    fn answer(&self, name: &str, answer: &Value) -> Result<Answer> {
        let read = || {
            let words = Words::of(answer)?;
            Some(match words.text(0)? {
                "held" => Ok(Answer::Held { epoch: Epoch::new(words.number(1)?), until: words.instant(2)? }),
                "locked" => Ok(Answer::Locked { until: words.instant(2)? }),
                "lost" => Ok(Answer::Lost),
                "corrupt" => Err(StateError::corrupt(self.keys.lock(name), words.text(1)?)),
                _ => return None,
            })
        };
        read().unwrap_or_else(|| Err(self.nonsense("about a lock")))
    }
}

fn lost(lock: &Lock) -> StateError {
    StateError::LockLost { name: lock.name().to_owned(), epoch: lock.epoch() }
}

/// The epoch in the text of a lock: who holds it, a colon, the epoch.
fn epoch_of(held: &[u8]) -> Option<Epoch> {
    let (_, epoch) = std::str::from_utf8(held).ok()?.rsplit_once(':')?;
    epoch.parse().ok().map(Epoch::new)
}
