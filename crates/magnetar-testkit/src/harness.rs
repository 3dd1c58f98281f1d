//! What a backend gives the kit, and what a law works with.

#![expect(clippy::missing_panics_doc, clippy::panic, reason = "a law fails by panicking")]

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use magnetar_core::{Clock, ErrorKind, JobSpec, JobStatus, JobStore, Manifest, NewChunk, Timestamp};

use crate::clock::ManualClock;

/// A backend under test: one store, fresh at the beginning, that can be opened, closed and killed.
///
/// Every handle takes its time from [`Harness::clock`].
#[async_trait]
pub trait Harness: Send + Sync {
    /// The clock of every handle.
    fn clock(&self) -> &ManualClock;

    /// Opens a handle on the same data as all before.
    async fn open(&self) -> Arc<dyn JobStore>;

    /// Ends a handle as `kill -9` would: nothing is given back, nothing closed, its session stays as it is.
    /// The caller has no other clone of it.
    async fn kill(&self, handle: Arc<dyn JobStore>);

    /// Whether a second handle can be open beside the first.
    fn has_many_handles(&self) -> bool;
}

/// A law's world: a fresh store, open once, and a clock.
pub struct World {
    harness: Box<dyn Harness>,
    store: Arc<dyn JobStore>,
}

/// The time after which a session that does not renew is dead, and some more.
const LONGER_THAN_A_SESSION: Duration = Duration::from_secs(31);

impl World {
    /// Opens the store of a fresh harness.
    pub async fn new(harness: Box<dyn Harness>) -> Self {
        let store = harness.open().await;
        Self { harness, store }
    }

    /// The first handle.
    pub fn store(&self) -> &Arc<dyn JobStore> {
        &self.store
    }

    /// Another handle on the same data, with a session of its own. Only for laws that need many handles.
    pub async fn another(&self) -> Arc<dyn JobStore> {
        self.harness.open().await
    }

    /// Whether a second handle can be open beside the first.
    pub fn has_many_handles(&self) -> bool {
        self.harness.has_many_handles()
    }

    /// Kills the first handle, lets its session die, and opens the store again as the first handle.
    pub async fn crash(&mut self) {
        self.kill_first().await;
        self.advance(LONGER_THAN_A_SESSION);
        self.store = self.harness.open().await;
    }

    /// Closes the first handle in good order and opens the store again as the first handle.
    pub async fn reopen(&mut self) {
        self.store.close().await.expect("a sound store closes");
        self.store = self.harness.open().await;
    }

    /// Kills a handle; its session lives on until its time is over. Move the clock on by more than 30 s for that.
    pub async fn kill(&self, handle: Arc<dyn JobStore>) {
        self.harness.kill(handle).await;
    }

    async fn kill_first(&mut self) {
        let first = std::mem::replace(&mut self.store, Arc::new(crate::mortal::Nothing));
        self.harness.kill(first).await;
    }

    /// Moves the clock on. The store's own upkeep follows: use [`World::settle`] where a law looks at its effect by reads.
    pub fn advance(&self, by: Duration) {
        self.harness.clock().advance(by);
    }

    /// Sets the clock, also back.
    pub fn set_clock(&self, now: Timestamp) {
        self.harness.clock().set(now);
    }

    /// What the clock says.
    pub fn now(&self) -> Timestamp {
        self.harness.clock().now()
    }

    /// Has the first handle do its upkeep: take back what is lost or late, hand out what is due.
    pub async fn settle(&self) {
        self.store.apply(vec![magnetar_core::Op::Reap]).await.expect("upkeep of a sound store");
    }

    /// Makes a job of what stands in a TOML manifest.
    pub async fn given(&self, job: i64, manifest: &str) {
        let manifest: Manifest = toml::from_str(manifest).expect("a law's manifest is sound");
        self.store.init_from_manifest(job, &manifest).await.expect("a law's job goes in");
    }

    /// Makes a job of `count` chunks numbered from 1, with nothing else in them.
    pub async fn given_plain(&self, job: i64, count: u64) {
        let chunks = (1..=count).map(NewChunk::new).collect();
        let manifest = Manifest::new(JobSpec::default(), chunks).expect("plain chunks make a manifest");
        self.store.init_from_manifest(job, &manifest).await.expect("a law's job goes in");
    }

    /// The status of a chunk of the first handle; panics where there is no such chunk.
    pub async fn status(&self, job: i64, chunk: u64) -> JobStatus {
        self.store.get_chunk(job, chunk).await.expect("a read").unwrap_or_else(|| panic!("no chunk {chunk} in job {job}")).status
    }

    /// Holds every job against itself: counters, places, dependencies. Run after every law.
    pub async fn audit(&self) {
        if self.store.read(magnetar_core::Query::Stats(0)).await.is_err_and(|error| error.kind() == ErrorKind::Closed) {
            return;
        }
        let problems = self.store.audit_store().await.expect("an audit of the store").problems;
        assert!(problems.is_empty(), "the store does not hold together: {problems:#?}");
        for job in self.store.jobs().await.expect("a listing of jobs") {
            let audit = self.store.audit(job.id).await.expect("an audit");
            assert!(audit.problems.is_empty(), "job {} does not hold together: {:#?}", job.id, audit.problems);
        }
    }

    /// Drops the first handle without closing it and opens the store again as the first handle.
    pub async fn drop_and_reopen(&mut self) {
        self.store = Arc::new(crate::mortal::Nothing);
        self.store = self.harness.open().await;
    }
}
