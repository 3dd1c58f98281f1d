//! How far the data is: which token may be saved, when batches are flushed in any order and some fail.
//!
//! A token that is saved before its data is flushed loses that data at the next crash, and a program that saves tokens as they come in
//! does just that. Here a token goes in with its batch and comes out as [`Flushed`] only when that batch and all before it are flushed;
//! [`save_flushed`] takes nothing else.

use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bson::Document;

use crate::{
    check,
    entry::{Guard, Saved},
    error::{Result, StateError},
    limits,
    store::StateStore,
};

/// Says of one source which token may be saved.
///
/// ```
/// use magnetar_state::{Guard, MemoryStore, StateStore, Tracker, doc, save_flushed};
///
/// # futures_lite::future::block_on(async {
/// let store = MemoryStore::new();
/// let (mut tracker, start) = Tracker::resume(&store, "shop.orders").await?;
/// assert_eq!(start, None); // Where the source must begin: it cannot be overlooked, as it comes with the tracker.
///
/// let first = tracker.receive(doc! { "_data": "01" })?;
/// let second = tracker.receive(doc! { "_data": "02" })?;
/// assert!(tracker.flush_ok(second)?.is_none()); // The first may still fail.
/// let flushed = tracker.flush_ok(first)?.expect("all is flushed");
/// save_flushed(&store, &flushed, Guard::default(), None).await?;
/// assert_eq!(store.load_resume_token("shop.orders").await?, Some(doc! { "_data": "02" }));
/// # Ok::<(), magnetar_state::StateError>(())
/// # }).unwrap();
/// ```
///
/// A token as it was received cannot be saved in its place:
///
/// ```compile_fail,E0308
/// use magnetar_state::{Guard, MemoryStore, Tracker, doc, save_flushed};
///
/// # futures_lite::future::block_on(async {
/// # let store = MemoryStore::new();
/// # let (mut tracker, _) = Tracker::resume(&store, "shop.orders").await?;
/// let pending = tracker.receive(doc! { "_data": "01" })?;
/// save_flushed(&store, &pending, Guard::default(), None).await?;
/// # Ok::<(), magnetar_state::StateError>(())
/// # }).unwrap();
/// ```
///
/// nor can one be made up:
///
/// ```compile_fail,E0451
/// use magnetar_state::{Flushed, doc};
///
/// let flushed = Flushed { collection: "shop.orders".into(), token: doc! {}, number: 1 };
/// ```
#[derive(Debug)]
pub struct Tracker {
    collection: Arc<str>,
    id: u64,
    /// The number of the batch at the front of the queue.
    first: u64,
    /// Batches that were received, from the first that is not flushed on.
    batches: VecDeque<Batch>,
}

#[derive(Debug)]
struct Batch {
    token: Document,
    is_flushed: bool,
}

/// A batch that was received and is not flushed. Keep it until its data is; dropping it means that it never will be, and holds back every
/// token from here on.
#[derive(Debug)]
#[must_use = "its tracker waits for it to be flushed"]
pub struct Pending {
    tracker: u64,
    number: u64,
}

impl Pending {
    /// The number of the batch: 1 for the first that its tracker received.
    pub const fn number(&self) -> u64 {
        self.number
    }
}

/// A token whose data is flushed, as is all before it. Only a [`Tracker`] makes one.
#[derive(Clone, Debug, PartialEq)]
pub struct Flushed {
    collection: Arc<str>,
    token: Document,
    number: u64,
}

impl Flushed {
    /// The collection that it belongs to.
    pub fn collection(&self) -> &str {
        &self.collection
    }

    /// The token.
    pub fn token(&self) -> &Document {
        &self.token
    }

    /// The number of the last batch that it stands for.
    pub const fn number(&self) -> u64 {
        self.number
    }
}

static NEXT_ID: AtomicU64 = AtomicU64::new(1);

impl Tracker {
    /// A tracker of a source that begins at its beginning, or somewhere that the caller knows.
    ///
    /// # Errors
    /// `Invalid` and `TooLarge` for a name that no store takes.
    pub fn new(collection: &str) -> Result<Self> {
        check::collection(collection)?;
        let id = NEXT_ID.fetch_add(1, Ordering::Relaxed);
        Ok(Self { collection: collection.into(), id, first: 1, batches: VecDeque::new() })
    }

    /// A tracker, and the token that the source must go on from; none where it is new.
    ///
    /// # Errors
    /// As [`StateStore::load_resume_token`]: an expired token is an error, never a beginning.
    pub async fn resume<S: StateStore + ?Sized>(store: &S, collection: &str) -> Result<(Self, Option<Document>)> {
        Ok((Self::new(collection)?, store.load_resume_token(collection).await?))
    }

    /// The collection.
    pub fn collection(&self) -> &str {
        &self.collection
    }

    /// How many batches were received and wait for one to be flushed: their own, or one before.
    pub fn pending(&self) -> usize {
        self.batches.len()
    }

    /// Takes in a batch by the token of its last event, in the order in which batches come.
    ///
    /// # Errors
    /// `Busy` where [`limits::PENDING_MAX`] batches wait: one of the first of them is stuck. `TooLarge` and `Invalid` for a token that no
    /// store takes, so that it is refused before its data is written and not after.
    pub fn receive(&mut self, token: Document) -> Result<Pending> {
        let token = check::token(token)?;
        if self.batches.len() >= limits::PENDING_MAX {
            let what = format!(
                "{} batches of {:?} wait for batch {}, which is not flushed",
                self.batches.len(),
                self.collection,
                self.first
            );
            return Err(StateError::Busy { what });
        }
        let number = self.first + self.batches.len() as u64;
        self.batches.push_back(Batch { token, is_flushed: false });
        Ok(Pending { tracker: self.id, number })
    }

    /// Notes that the data of a batch is flushed, in any order. Yields the last token up to which everything is, where there is a new one.
    ///
    /// Where a flush fails, keep the [`Pending`] and flush again: until then no token from here on is yielded.
    ///
    /// # Errors
    /// `Invalid` for a batch of another tracker.
    #[expect(clippy::needless_pass_by_value, reason = "a batch is flushed once")]
    pub fn flush_ok(&mut self, batch: Pending) -> Result<Option<Flushed>> {
        let Pending { tracker, number } = batch;
        let place = number.checked_sub(self.first).and_then(|at| usize::try_from(at).ok());
        let known = place.filter(|_| tracker == self.id).and_then(|at| self.batches.get_mut(at));
        let Some(known) = known else {
            return Err(StateError::invalid(format!("batch {number} was not received by this tracker of {:?}", self.collection)));
        };
        known.is_flushed = true;
        Ok(self.take_flushed())
    }

    fn take_flushed(&mut self) -> Option<Flushed> {
        let mut last = None;
        while let Some(batch) = self.batches.pop_front_if(|batch| batch.is_flushed) {
            last = Some(Flushed { collection: Arc::clone(&self.collection), token: batch.token, number: self.first });
            self.first += 1;
        }
        last
    }
}

/// Saves a token whose data is flushed, under the name that it belongs to.
///
/// # Errors
/// As [`StateStore::save`].
pub async fn save_flushed<S: StateStore + ?Sized>(
    store: &S,
    flushed: &Flushed,
    guard: Guard,
    ttl: Option<Duration>,
) -> Result<Saved> {
    store.save(&flushed.collection, flushed.token.clone(), guard, ttl).await
}

#[cfg(test)]
mod tests;
