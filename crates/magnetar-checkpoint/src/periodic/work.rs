//! The thread, and the desk at which it is asked.

use std::{
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, mpsc},
    time::Duration,
};

use futures_lite::future::block_on;
use magnetar_core::{JobStore, Timestamp};

use super::{PeriodicStatus, Schedule, Tick};
use crate::{
    changes::Fingerprint,
    error::{CheckpointError, Result},
    jobs,
    manager::CheckpointManager,
};

/// Where a thread is asked for a look, and tells how it goes.
#[derive(Debug, Default)]
pub(super) struct Desk {
    asked: Mutex<Asked>,
    is_asked: Condvar,
    status: Mutex<PeriodicStatus>,
}

#[derive(Debug, Default)]
struct Asked {
    looks: Vec<mpsc::Sender<Result<Tick>>>,
    end: Option<mpsc::Sender<Result<Tick>>>,
    /// Nobody will answer any more.
    is_over: bool,
}

/// Says so when the thread ends, also by a panic.
struct Over(Arc<Desk>);

impl Drop for Over {
    fn drop(&mut self) {
        // Whoever waits learns it from the sender that goes away.
        *self.0.asked() = Asked { is_over: true, ..Asked::default() };
    }
}

/// Why the thread looks at the store.
enum Call {
    Interval,
    Asked(Vec<mpsc::Sender<Result<Tick>>>),
    End(mpsc::Sender<Result<Tick>>),
}

impl Desk {
    pub(super) fn ask(&self) -> Result<Tick> {
        self.wait(|asked, answer| asked.looks.push(answer))
    }

    pub(super) fn end(&self) -> Result<Tick> {
        self.wait(|asked, answer| asked.end = Some(answer))
    }

    pub(super) fn status(&self) -> PeriodicStatus {
        self.status.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn wait(&self, ask: impl FnOnce(&mut Asked, mpsc::Sender<Result<Tick>>)) -> Result<Tick> {
        let (answer, answered) = mpsc::channel();
        let mut asked = self.asked();
        if asked.is_over {
            drop(answer);
        } else {
            ask(&mut asked, answer);
        }
        drop(asked);
        self.is_asked.notify_one();
        answered.recv().unwrap_or_else(|_| Err(CheckpointError::Thread(std::io::Error::other("it has panicked"))))
    }

    /// Waits until somebody asks or the interval is over.
    fn next(&self, interval: Duration) -> Call {
        let is_idle = |asked: &mut Asked| asked.looks.is_empty() && asked.end.is_none();
        let waited = self.is_asked.wait_timeout_while(self.asked(), interval, is_idle);
        let (mut asked, _) = waited.unwrap_or_else(PoisonError::into_inner);
        if !asked.looks.is_empty() {
            return Call::Asked(std::mem::take(&mut asked.looks));
        }
        asked.end.take().map_or(Call::Interval, Call::End)
    }

    fn asked(&self) -> MutexGuard<'_, Asked> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self, outcome: &Result<Tick>, now: Timestamp) {
        let mut status = self.status.lock().unwrap_or_else(PoisonError::into_inner);
        status.last_error = None;
        match outcome {
            Ok(Tick::Saved(sequence)) => {
                status.saved += 1;
                status.last_saved = Some((*sequence, now));
            }
            Ok(Tick::Skipped { .. }) => status.skipped += 1,
            Err(error) => {
                status.failed += 1;
                status.last_error = Some(error.to_string());
            }
        }
    }
}

/// What the thread works with.
pub(super) struct Work {
    manager: Arc<CheckpointManager>,
    store: Arc<dyn JobStore>,
    schedule: Schedule,
    desk: Arc<Desk>,
    /// What was saved last; none until it is looked up, since it may have been by another process.
    saved: Option<Fingerprint>,
    saved_at: Option<Timestamp>,
}

impl Work {
    pub(super) fn new(manager: Arc<CheckpointManager>, store: Arc<dyn JobStore>, schedule: Schedule, desk: Arc<Desk>) -> Self {
        Self { manager, store, schedule, desk, saved: None, saved_at: None }
    }

    pub(super) fn run(mut self) {
        let _over = Over(Arc::clone(&self.desk));
        loop {
            match self.desk.next(self.schedule.interval) {
                Call::Interval => drop(self.look(self.schedule.min_changes)),
                Call::Asked(answers) => {
                    // All of them waited for this one look; the first is told what came of it, and the others look again, at what is the same.
                    for answer in answers {
                        let _ = answer.send(self.look(self.schedule.min_changes));
                    }
                }
                Call::End(answer) => {
                    // Whoever asked may have gone away.
                    let _ = answer.send(self.look(1));
                    return;
                }
            }
        }
    }

    fn look(&mut self, min_changes: u64) -> Result<Tick> {
        let now = self.manager.now();
        let outcome = self.try_to_look(min_changes, now);
        if let Err(error) = &outcome {
            tracing::warn!(folder = %self.manager.dir().display(), "no checkpoint was saved: {error}");
        }
        self.desk.tell(&outcome, now);
        outcome
    }

    fn try_to_look(&mut self, min_changes: u64, now: Timestamp) -> Result<Tick> {
        let snapshot = block_on(jobs::snapshot(&*self.store))?;
        let print = Fingerprint::of(&snapshot);
        let changes = print.changes_since(self.saved.get_or_insert_with(|| last_saved(&self.manager)));
        let is_old = |age| self.saved_at.is_none_or(|at| now.since(at) >= age);
        let is_due = changes >= min_changes || (changes > 0 && self.schedule.max_age.is_some_and(is_old));
        if !is_due {
            return Ok(Tick::Skipped { changes });
        }
        let saved = self.manager.save(&jobs::of_snapshot(snapshot, now))?;
        (self.saved, self.saved_at) = (Some(print), Some(now));
        Ok(Tick::Saved(saved.sequence))
    }
}

/// What the newest checkpoint holds. Where none can be loaded, everything counts as changed.
fn last_saved(manager: &CheckpointManager) -> Fingerprint {
    let newest = manager.load_latest().ok().flatten();
    newest.and_then(|checkpoint| checkpoint.jobs).map(|jobs| Fingerprint::of(&jobs)).unwrap_or_default()
}
