//! What is kept of a collection, and what a write makes of it: the one place where writes are decided.
//!
//! Every store reads a slot, asks it, and puts what it answers in its place, all under its own kind of lock.

use std::time::Duration;

use bson::Document;
use magnetar_core::Timestamp;

use crate::{
    check,
    entry::{Entry, Epoch, Expect, Guard, Loaded, Saved, Version, WriteId},
    error::{Result, StateError},
};

/// What is kept of a collection that was written at least once. It is never removed, so that nobody of the past can write.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Slot {
    /// The epoch of the last write: never lower than one before it.
    pub(crate) epoch: Epoch,
    /// How often it was written.
    pub(crate) version: Version,
    /// The id of the last write.
    pub(crate) write_id: Option<WriteId>,
    /// What the last write left.
    pub(crate) held: Held,
}

/// What the last write left.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Held {
    /// A token.
    Token {
        /// The token.
        token: Document,
        /// When it was saved.
        saved_at: Timestamp,
        /// When it expires.
        expires_at: Option<Timestamp>,
    },
    /// Nothing.
    Cleared {
        /// When it was cleared.
        at: Timestamp,
    },
}

/// What a store has to do for a write.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Verdict {
    /// Put this slot there, then answer.
    Write(Slot, Saved),
    /// Answer; nothing changes.
    Nothing(Saved),
}

/// A token that is to be saved, which has passed the limits.
#[derive(Clone)]
pub(crate) struct Save {
    pub(crate) token: Document,
    pub(crate) guard: Guard,
    pub(crate) ttl: Option<Duration>,
}

impl Save {
    /// Refuses what no store takes, before anything is read, copied or locked.
    pub(crate) fn new(collection: &str, token: Document, guard: Guard, ttl: Option<Duration>) -> Result<Self> {
        check::collection(collection)?;
        let ttl = ttl.map(check::ttl).transpose()?;
        let token = check::token(token)?;
        Ok(Self { token, guard, ttl })
    }
}

/// What stands under a name, at an instant.
pub(crate) fn loaded(slot: Option<&Slot>, now: Timestamp) -> Loaded {
    let Some(slot) = slot else { return Loaded::Absent };
    match &slot.held {
        Held::Cleared { .. } => Loaded::Absent,
        Held::Token { expires_at: Some(at), .. } if *at <= now => {
            Loaded::Expired { at: *at, version: slot.version, epoch: slot.epoch }
        }
        Held::Token { token, saved_at, expires_at } => {
            Loaded::Found(Entry::new(token.clone(), slot.version, slot.epoch, *saved_at).expires_at(*expires_at))
        }
    }
}

/// What becomes of a save.
pub(crate) fn save(slot: Option<&Slot>, collection: &str, save: Save, now: Timestamp) -> Result<Verdict> {
    if let Some(saved) = meet(slot, collection, &save.guard)? {
        return Ok(Verdict::Nothing(saved));
    }
    let expires_at = save.ttl.map(|ttl| now.after(ttl));
    write(slot, save.guard, Held::Token { token: save.token, saved_at: now, expires_at })
}

/// What becomes of a clear.
pub(crate) fn clear(slot: Option<&Slot>, collection: &str, guard: Guard, now: Timestamp) -> Result<Verdict> {
    if let Some(saved) = meet(slot, collection, &guard)? {
        return Ok(Verdict::Nothing(saved));
    }
    let is_there = slot.is_some_and(|slot| matches!(slot.held, Held::Token { .. }));
    let fences = guard.epoch > slot.map_or(Epoch::default(), |slot| slot.epoch);
    if !is_there && !fences {
        return Ok(Verdict::Nothing(Saved::new(slot.map_or(Version::new(0), |slot| slot.version))));
    }
    write(slot, guard, Held::Cleared { at: now })
}

/// Holds a guard against what stands there: refused, applied before, or free to write.
fn meet(slot: Option<&Slot>, collection: &str, guard: &Guard) -> Result<Option<Saved>> {
    if let Some(slot) = slot {
        if guard.epoch < slot.epoch {
            return Err(StateError::Fenced { collection: collection.into(), epoch: guard.epoch, current: slot.epoch });
        }
        if guard.epoch == slot.epoch && guard.write_id.is_some() && guard.write_id == slot.write_id {
            return Ok(Some(Saved::again(slot.version)));
        }
    }
    let current = slot.filter(|slot| matches!(slot.held, Held::Token { .. })).map(|slot| slot.version);
    let is_met = match guard.expect {
        Expect::Any => true,
        Expect::Absent => current.is_none(),
        Expect::Version(version) => current == Some(version),
    };
    if is_met { Ok(None) } else { Err(StateError::Conflict { collection: collection.into(), current }) }
}

fn write(slot: Option<&Slot>, guard: Guard, held: Held) -> Result<Verdict> {
    let before = slot.map_or(0, |slot| slot.version.get());
    let version = before.checked_add(1).ok_or(StateError::Exhausted { what: "number of versions of this collection" })?;
    let version = Version::new(version);
    let slot = Slot { epoch: guard.epoch, version, write_id: guard.write_id, held };
    Ok(Verdict::Write(slot, Saved::new(version)))
}
