//! Checkpoints in files: what a program knew, so that it can go on from there.
//!
//! [`CheckpointManager`] keeps the newest few in a folder, as `checkpoint_1.json`, `checkpoint_2.json` and so on. What
//! [`CheckpointManager::save_checkpoint`] has acknowledged survives a power cut; what a crash left half done is never loaded.
//! [`CheckpointManager::load_latest`] gives the newest that verifies, and [`CheckpointManager::recover`] tells besides what was
//! passed over and why.
//!
//! ```
//! use magnetar_checkpoint::{Checkpoint, CheckpointManager};
//!
//! # let folder = tempfile::tempdir()?;
//! let manager = CheckpointManager::new(folder.path(), 3)?;
//! let sequence = manager.save_checkpoint(Checkpoint::new(0).with_queued(vec!["encode-7".to_owned()]))?;
//!
//! let latest = manager.load_latest()?.expect("one was saved");
//! assert_eq!((latest.sequence, latest.queued_jobs), (sequence, vec!["encode-7".to_owned()]));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod changes;
mod checkpoint;
mod clock;
mod error;
mod format;
mod head;
mod jobs;
pub mod limits;
mod manager;
mod names;
mod options;
mod periodic;
mod recovery;
mod saved;
mod survey;

pub use self::{
    checkpoint::Checkpoint,
    clock::SystemClock,
    error::CheckpointError,
    jobs::RestoredJobs,
    manager::CheckpointManager,
    options::Options,
    periodic::{Periodic, PeriodicStatus, Schedule, Tick},
    recovery::{Recovered, Recovery, SkipReason, Skipped},
    saved::{Saved, Warning},
};
