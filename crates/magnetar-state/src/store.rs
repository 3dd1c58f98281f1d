//! The one trait that every state store implements and every caller uses.

use std::time::Duration;

use async_trait::async_trait;
use bson::Document;
use magnetar_core::{Durability, Sharing};

use crate::{
    entry::{Epoch, Guard, Loaded, Page, Saved},
    error::{Result, StateError},
    lock::Lock,
};

/// What a state store can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StateCapabilities {
    /// The store's name, in lower case.
    pub backend: &'static str,
    /// What survives once a call has returned.
    pub durability: Durability,
    /// Whether it has versions, epochs and write ids: `load`, `save`, `clear`.
    pub cas: bool,
    /// Whether tokens can expire.
    pub ttl: bool,
    /// Whether it has locks with epochs.
    pub locks: bool,
    /// Who can use it at the same time.
    pub sharing: Sharing,
}

impl StateCapabilities {
    /// A store that has everything, at this durability.
    pub const fn new(backend: &'static str, durability: Durability, sharing: Sharing) -> Self {
        Self { backend, durability, cas: true, ttl: true, locks: true, sharing }
    }

    /// A store of which nothing is known but that it has the three methods.
    pub const fn plain(backend: &'static str) -> Self {
        Self { backend, durability: Durability::Volatile, cas: false, ttl: false, locks: false, sharing: Sharing::OneHandle }
    }

    /// Whether several processes can use it at the same time.
    pub fn is_multi_process(&self) -> bool {
        matches!(self.sharing, Sharing::OneHost | Sharing::ManyHosts)
    }
}

/// A store of resume tokens, one a collection.
///
/// The first three methods are all that a store must have; [`crate::simple`] has them for one that has the
/// compare-and-set core. Handles are shared behind `Arc`; every method takes `&self`.
///
/// # Behavior
/// - A name is up to [`crate::limits::NAME_BYTES_MAX`] bytes of any text, but neither empty nor with a NUL; two names are one
///   only if they have the same bytes. A token is a document of up to [`crate::limits::TOKEN_BYTES_MAX`] bytes and
///   [`crate::limits::TOKEN_DEPTH_MAX`] levels, and comes back with the types it had.
/// - When a call that changes something returns `Ok`, the change survives what [`StateCapabilities::durability`] says.
///   A crash in the middle of a call leaves all of it or nothing of it, never something torn.
/// - A collection's version grows by one with each write and is never used again, its epoch never sinks: not through a clear
///   either, nor when the token expires.
/// - What does not verify is an error, and an older token is never shown instead.
/// - After [`close`](Self::close) every call is `Closed`.
#[async_trait]
pub trait StateStore: Send + Sync {
    /// Saves the token of a collection, over whatever is there.
    ///
    /// # Errors
    /// `Fenced` where a writer with an epoch has been there: whoever uses epochs uses [`save`](Self::save).
    /// `Invalid` and `TooLarge` for what [`StateStore`] does not take.
    async fn save_resume_token(&self, collection: &str, token: Document) -> Result<()>;

    /// Loads the token of a collection; none where there never was one or it was cleared.
    ///
    /// # Errors
    /// `Expired` where there was one and its time is over: that is never a silent none. `Corrupt` where it does not verify.
    async fn load_resume_token(&self, collection: &str) -> Result<Option<Document>>;

    /// Removes the token of a collection, expired or not. That there is none is no error.
    ///
    /// # Errors
    /// `Fenced` where a writer with an epoch has been there: whoever uses epochs uses [`clear`](Self::clear).
    async fn clear_resume_token(&self, collection: &str) -> Result<()>;

    /// Loads what stands under a name, with its version and epoch.
    async fn load(&self, collection: &str) -> Result<Loaded> {
        let _ = collection;
        unsupported("versions")
    }

    /// Saves a token if its guard holds. `ttl` none is what the store was set up with, which is "for ever" by default.
    ///
    /// # Behavior
    /// - The epoch is looked at first, then the write id, then the version.
    /// - What has the epoch and the write id of the last write changes nothing and is `already_applied`.
    /// - A save after the token has expired goes on with the next version.
    /// - A `ttl` counts in milliseconds, rounded up.
    ///
    /// # Errors
    /// `Fenced` for a lower epoch than the last write's, `Conflict` where another version stands; nothing is written then.
    /// `Invalid` for a `ttl` of nothing, `TooLarge`.
    async fn save(&self, collection: &str, token: Document, guard: Guard, ttl: Option<Duration>) -> Result<Saved> {
        drop((collection, token, guard, ttl));
        unsupported("versions")
    }

    /// Removes a token if its guard holds. Epoch and version stay, so that nobody of the past can write afterwards.
    ///
    /// # Behavior
    /// - As a save, it has a version of its own, and its write id can be sent again.
    /// - Where there is no token, it raises the epoch if the guard's is higher, and changes nothing else.
    ///
    /// # Errors
    /// As [`save`](Self::save).
    async fn clear(&self, collection: &str, guard: Guard) -> Result<Saved> {
        let _ = (collection, guard);
        unsupported("versions")
    }

    /// Lists collections that have a token, from the page's cursor on: none for the first page.
    ///
    /// # Behavior
    /// - What stands from the first page to the last is listed exactly once; what changes meanwhile may or may not be.
    /// - What is damaged is told beside the rest.
    ///
    /// # Errors
    /// `Invalid` for a limit of 0, `TooLarge` beyond [`crate::limits::PAGE_ENTRIES_MAX`].
    async fn list(&self, after: Option<&str>, limit: usize) -> Result<Page> {
        let _ = (after, limit);
        Err(StateError::Unsupported { what: "listing" })
    }

    /// Takes a lock for `ttl` and hands out an epoch that is larger than every one before it under this name. A save under
    /// that epoch fences off whoever held the lock before.
    ///
    /// Nothing gives it back but [`release`](Self::release) or time: a holder that is dropped holds it until `ttl` is over.
    ///
    /// # Errors
    /// `Locked` where another holds it. `Invalid` for a `ttl` of nothing.
    async fn acquire(&self, name: &str, ttl: Duration) -> Result<Lock> {
        let _ = (name, ttl);
        unsupported("locks")
    }

    /// Holds a lock for another `ttl` from now on, under the same epoch.
    ///
    /// # Errors
    /// `LockLost` where its time is over, also if nobody has taken it since: stop what it stood for.
    async fn renew(&self, lock: &Lock, ttl: Duration) -> Result<Lock> {
        let _ = (lock, ttl);
        unsupported("locks")
    }

    /// Gives a lock back. One that was given back or lost before changes nothing and is no error.
    async fn release(&self, lock: &Lock) -> Result<()> {
        let _ = lock;
        unsupported("locks")
    }

    /// The epoch under which a lock is held; none where nobody holds it.
    async fn holder(&self, name: &str) -> Result<Option<Epoch>> {
        let _ = name;
        unsupported("locks")
    }

    /// What this store can do.
    fn capabilities(&self) -> StateCapabilities {
        StateCapabilities::plain("unknown")
    }

    /// Asks whether the store would answer: an error says why not.
    async fn health(&self) -> Result<()> {
        Ok(())
    }

    /// Ends what was accepted and closes. Closing again is no error.
    async fn close(&self) -> Result<()> {
        Ok(())
    }
}

fn unsupported<T>(what: &'static str) -> Result<T> {
    Err(StateError::Unsupported { what })
}
