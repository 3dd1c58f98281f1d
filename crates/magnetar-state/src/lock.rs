//! Locks: who holds what, until when, under an epoch that is never handed out again.

use std::time::Duration;

use magnetar_core::Timestamp;

use crate::{
    check,
    entry::Epoch,
    error::{Result, StateError},
};

/// A lock that was acquired. It is proof of nothing but its epoch: save under that, and whoever comes later is safe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lock {
    name: String,
    epoch: Epoch,
    until: Timestamp,
}

impl Lock {
    /// Rebuilds a lock from its parts: for stores, and for a worker that got them as text.
    pub fn new(name: impl Into<String>, epoch: Epoch, until: Timestamp) -> Self {
        Self { name: name.into(), epoch, until }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The epoch that it is held under: from 1 on, larger at every `acquire` of this name.
    pub const fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// When it is over unless it is renewed, by the store's clock. Renew it well before: at a third of its time.
    pub const fn until(&self) -> Timestamp {
        self.until
    }
}

/// What a store keeps of a lock. Taking, renewing and releasing are decided here, and carried out by the stores.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct LockSlot {
    /// The epoch that was handed out last; 0 before the first.
    pub(crate) epoch: Epoch,
    /// Until when it is held; none where it was given back.
    pub(crate) until: Option<Timestamp>,
}

impl LockSlot {
    /// Takes the lock.
    pub(crate) fn acquire(self, name: &str, ttl: Duration, now: Timestamp) -> Result<Self> {
        let ttl = check::ttl(ttl)?;
        if let Some(until) = self.held_until(now) {
            return Err(StateError::Locked { name: name.into(), until });
        }
        let epoch = self.epoch.get().checked_add(1).ok_or(StateError::Exhausted { what: "number of epochs of this lock" })?;
        Ok(Self { epoch: Epoch::new(epoch), until: Some(now.after(ttl)) })
    }

    /// Holds it on.
    pub(crate) fn renew(self, lock: &Lock, ttl: Duration, now: Timestamp) -> Result<Self> {
        let ttl = check::ttl(ttl)?;
        if self.epoch != lock.epoch || self.held_until(now).is_none() {
            return Err(StateError::LockLost { name: lock.name.clone(), epoch: lock.epoch });
        }
        Ok(Self { epoch: self.epoch, until: Some(now.after(ttl)) })
    }

    /// Gives it back; none where there is nothing to give back. The epoch stays.
    pub(crate) fn release(self, lock: &Lock) -> Option<Self> {
        (self.epoch == lock.epoch && self.until.is_some()).then_some(Self { until: None, ..self })
    }

    /// The epoch of its holder.
    pub(crate) fn holder(self, now: Timestamp) -> Option<Epoch> {
        self.held_until(now).map(|_| self.epoch)
    }

    /// The lock as its holder gets it.
    pub(crate) fn handle(self, name: &str) -> Lock {
        Lock { name: name.into(), epoch: self.epoch, until: self.until.unwrap_or_default() }
    }

    fn held_until(self, now: Timestamp) -> Option<Timestamp> {
        self.until.filter(|until| now < *until)
    }
}
