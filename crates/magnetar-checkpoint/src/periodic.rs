//! Checkpoints of a store of jobs at intervals, and once more at the end.

mod work;

use std::{
    fmt,
    sync::Arc,
    thread::{self, JoinHandle},
    time::Duration,
};

use magnetar_core::{JobStore, Timestamp};

use self::work::{Desk, Work};
use crate::{
    error::{CheckpointError, Result},
    manager::CheckpointManager,
};

/// When a store is saved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Schedule {
    interval: Duration,
    min_changes: u64,
    max_age: Option<Duration>,
}

impl Schedule {
    /// Looks at the store at this interval, at least a millisecond, and saves it where anything has changed.
    pub fn every(interval: Duration) -> Self {
        Self { interval: interval.max(Duration::from_millis(1)), min_changes: 1, max_age: None }
    }

    /// Saves only where at least so many chunks, records and jobs have changed since the last save; 1 unless told, and 0 counts as 1.
    #[must_use]
    pub const fn min_changes(mut self, changes: u64) -> Self {
        self.min_changes = if changes == 0 { 1 } else { changes };
        self
    }

    /// Saves fewer changes, too, once the last save is so long ago. Not so unless told.
    #[must_use]
    pub const fn max_age(mut self, age: Duration) -> Self {
        self.max_age = Some(age);
        self
    }
}

impl From<Duration> for Schedule {
    fn from(interval: Duration) -> Self {
        Self::every(interval)
    }
}

/// What came of one look at the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Tick {
    /// It was saved, as this sequence.
    Saved(u64),
    /// So much had changed, which is too little.
    Skipped {
        /// Chunks, records and jobs.
        changes: u64,
    },
}

/// How the checkpoints have gone so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct PeriodicStatus {
    /// Saves.
    pub saved: u64,
    /// Looks that found too little changed.
    pub skipped: u64,
    /// Looks that failed. The next one tries again.
    pub failed: u64,
    /// The sequence of the last save, and when it was.
    pub last_saved: Option<(u64, Timestamp)>,
    /// What the last look said, if it failed.
    pub last_error: Option<String>,
}

/// A thread that saves a store of jobs at intervals.
///
/// # Behavior
/// - Each look takes one consistent snapshot of the store, which is in memory while it is saved.
/// - Nothing is saved while nothing changes. Where too little has changed for the schedule, it is saved at the end at the latest.
/// - [`stop`](Self::stop) looks once more, and saves whatever has changed. Dropping does so too, and its failure is a warning of the log.
/// - A look that fails is a warning of the log and of [`status`](Self::status), and the next one tries again.
///
/// The store must be one whose futures need no runtime of their own to be polled, as those in memory and in files are.
pub struct Periodic {
    desk: Arc<Desk>,
    thread: Option<JoinHandle<()>>,
}

impl CheckpointManager {
    /// Saves a store of jobs at intervals, on a thread of its own, until what is returned is stopped or dropped.
    ///
    /// # Errors
    /// `Thread`.
    pub fn spawn_periodic(self: &Arc<Self>, store: Arc<dyn JobStore>, schedule: impl Into<Schedule>) -> Result<Periodic> {
        let desk = Arc::new(Desk::default());
        let work = Work::new(Arc::clone(self), store, schedule.into(), Arc::clone(&desk));
        let thread = thread::Builder::new().name("magnetar-checkpoint".to_owned());
        let thread = thread.spawn(move || work.run()).map_err(CheckpointError::Thread)?;
        Ok(Periodic { desk, thread: Some(thread) })
    }
}

impl Periodic {
    /// Looks at the store now, by the same rules as at each interval, and waits until that is done.
    ///
    /// # Errors
    /// `Store`, and those of [`CheckpointManager::save_checkpoint`].
    pub fn tick(&self) -> Result<Tick> {
        self.desk.ask()
    }

    /// How it has gone so far.
    pub fn status(&self) -> PeriodicStatus {
        self.desk.status()
    }

    /// How long ago the last save was by a clock that says `now`; none where there was none.
    pub fn last_success_age(&self, now: Timestamp) -> Option<Duration> {
        self.status().last_saved.map(|(_, at)| now.since(at))
    }

    /// Saves whatever has changed since the last save, and ends the thread. Call it before the store is closed.
    ///
    /// # Errors
    /// `Store`, and those of [`CheckpointManager::save_checkpoint`]: then what changed since the last save is only in the store.
    pub fn stop(mut self) -> Result<Tick> {
        self.end()
    }

    fn end(&mut self) -> Result<Tick> {
        let last = self.desk.end();
        if let Some(thread) = self.thread.take() {
            // A panic has been told by the answer that never came.
            let _ = thread.join();
        }
        last
    }
}

impl Drop for Periodic {
    fn drop(&mut self) {
        if self.thread.is_some()
            && let Err(error) = self.end()
        {
            tracing::warn!("the last checkpoint was not saved: {error}");
        }
    }
}

impl fmt::Debug for Periodic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Periodic").field("status", &self.status()).finish_non_exhaustive()
    }
}
