//! What is asked of the store: one submit at a time with everything that waits for one, and reads beside it.

use std::{future::Future, mem, sync::Arc};

use magnetar_core::{Claim, Group, Op, limits};
use tokio::time::Instant;

use super::{Boxed, answer::Look, finish::Finish, turn::Loop};

/// About how many bytes of results and records go in one submit.
const SUBMIT_BYTES_MAX: usize = 8 * 1024 * 1024;

/// What the store was asked, and when.
pub(super) struct Asked<T> {
    pub(super) at: Instant,
    answer: Boxed<T>,
}

impl<T> Asked<T> {
    fn now(answer: impl Future<Output = T> + Send + 'static) -> Self {
        Self { at: Instant::now(), answer: Box::pin(answer) }
    }
}

/// Waits for an answer, and takes it out; for ever where nothing was asked.
pub(super) async fn ready<T>(asked: &mut Option<Asked<T>>) -> T {
    let Some(Asked { answer, .. }) = asked else { return std::future::pending().await };
    let answer = answer.await;
    *asked = None;
    answer
}

impl Loop {
    /// Sends what is over, what is to be checked, and a claim for the room there is, as one submit.
    pub(super) fn send(&mut self) {
        if self.in_flight.is_some() || self.trouble.is_waiting() {
            return;
        }
        let room = self.room();
        let goes_anyway = !self.held.outbox.is_empty() || self.is_check_wanted;
        let claiming = if goes_anyway || self.lookout.is_hopeful() { room } else { 0 };
        if !goes_anyway && claiming == 0 {
            return;
        }
        self.held.sent = self.take_outbox();
        if mem::take(&mut self.is_check_wanted) {
            self.checking = self.held.fences();
            if self.checking.is_empty() {
                // All that was to be checked is over, and its end says how it stands with it.
                self.vigil.answered();
            }
        }
        self.claiming = claiming;
        let mut groups: Vec<Group> = self.held.sent.iter().map(Finish::group).collect();
        groups.extend(self.checking.iter().map(|fence| vec![Op::Check { fence: *fence }]));
        if claiming > 0 {
            self.lookout.asked();
            groups.push(vec![Op::Claim(Claim { lanes: self.lanes.clone(), limit: claiming })]);
        }
        if groups.is_empty() {
            return;
        }
        let store = Arc::clone(&self.held.store);
        self.in_flight = Some(Asked::now(async move { store.submit(groups).await }));
    }

    /// Takes what goes with the next submit out of the outbox: all of it, unless that is very large.
    fn take_outbox(&mut self) -> Vec<Finish> {
        let mut bytes = 0;
        let is_too_much = |finish: &Finish| {
            bytes += finish.bytes();
            bytes > SUBMIT_BYTES_MAX
        };
        let count = self.held.outbox.iter().position(is_too_much).unwrap_or(self.held.outbox.len());
        // One alone goes however large it is; the store has limits of its own.
        let later = self.held.outbox.split_off(count.max(1).min(self.held.outbox.len()));
        mem::replace(&mut self.held.outbox, later)
    }

    /// How many more chunks may be claimed.
    fn room(&self) -> usize {
        if self.ending.is_some() {
            return 0;
        }
        let most = self.settings.concurrency + self.held.ahead.wanted();
        most.saturating_sub(self.held.open()).min(limits::CLAIM_CHUNKS_MAX)
    }

    /// Reads what only the store knows: how it ended an attempt, or how far the job is.
    pub(super) fn read(&mut self) {
        if self.reading.is_some() || self.trouble.is_waiting() {
            return;
        }
        let store = Arc::clone(&self.held.store);
        if let Some(finish) = self.unclear.pop() {
            let (job, chunk) = (finish.fence.job(), finish.fence.chunk());
            self.reading = Some(Asked::now(async move { Look::Chunk(Box::new(finish), store.get_chunk(job, chunk).await) }));
        } else if let Some(job) = self.job.filter(|_| self.is_idle() && !self.is_looked) {
            self.reading = Some(Asked::now(async move { Look::Job(store.job(job).await) }));
        }
    }

    /// Whether there is nothing to do, as far as the last claim knew.
    pub(super) fn is_idle(&self) -> bool {
        self.ending.is_none() && self.held.is_empty() && self.in_flight.is_none() && !self.lookout.is_hopeful()
    }
}
