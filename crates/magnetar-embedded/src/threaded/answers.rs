//! Answers of large commits: given by a thread of their own, while the writer begins the next.
//!
//! To wake sixty callers takes about half as long as to apply their groups. A few are woken by the writer itself, for whom
//! another thread would be one more to wait for.

use std::sync::{Arc, Weak};

use magnetar_core::{Group, Result};

use super::{Outcomes, Shared, spawn};
use crate::{
    answer::Answerer,
    engine::Outcome,
    sync::{SyncSender, sync_channel, thread::JoinHandle},
};

/// From so many answers on it is worth the hand-over.
const MANY: usize = 8;
/// So many of them the writer gives all the same, so that their callers come back while the thread wakes up.
const FEW: usize = 4;
/// Commits whose answers may wait to be given.
const BACKLOG_COMMITS: usize = 4;

/// What a request came to. Its groups come along, so that the writer need not free them either.
pub(super) struct Applied {
    pub(super) answerer: Answerer<Outcomes>,
    pub(super) outcomes: Vec<Outcome>,
    pub(super) groups: Vec<Group>,
}

pub(super) struct Answers {
    commits: SyncSender<Vec<Applied>>,
    thread: JoinHandle<()>,
    shared: Weak<Shared>,
}

impl Answers {
    pub(super) fn start(shared: &Arc<Shared>) -> Result<Self> {
        let shared = Arc::downgrade(shared);
        let own = Weak::clone(&shared);
        let (commits, next) = sync_channel::<Vec<Applied>>(BACKLOG_COMMITS);
        let thread = spawn("magnetar-answers", move || next.into_iter().for_each(|commit| give(commit, &own)))?;
        Ok(Self { commits, thread, shared })
    }

    /// Answers the requests of a commit, now or in a moment.
    pub(super) fn give(&self, mut commit: Vec<Applied>) {
        let rest = if commit.len() < MANY { Vec::new() } else { commit.split_off(FEW) };
        give(commit, &self.shared);
        if !rest.is_empty()
            && let Err(unsent) = self.commits.send(rest)
        {
            give(unsent.0, &self.shared);
        }
    }

    /// Returns when every answer was given.
    pub(super) fn end(self) {
        drop(self.commits);
        // A panic of a caller's waker is the caller's.
        let _ = self.thread.join();
    }
}

fn give(commit: Vec<Applied>, shared: &Weak<Shared>) {
    for Applied { answerer, outcomes, groups } in commit {
        // Each group has an outcome by now, so this takes all of them.
        let outcomes = outcomes.into_iter().map_while(|outcome| outcome).collect();
        answerer.send(Ok(Outcomes { outcomes, shared: Weak::clone(shared) }));
        drop(groups);
    }
}
