//! Marks: what is done to a chunk without a fence.

use magnetar_core::{
    JobId,
    JobStatus::{self, Cancelled, Done, Failed, Pending, Processing, Skipped},
    JobUpdate, Rejection, Reply,
    machine::Event,
};

use super::{
    ExpectedFence, ExpectedReply, HandleId, Key, Model, Refusal,
    chunk::{Attempt, End, Kept, Said},
};

/// What a mark that is no claim answers.
const CHANGED: ExpectedReply = ExpectedReply::Marked { changed: true, fence: ExpectedFence::None };
/// What a mark answers that claims and ends at once.
const ENDED_AT_ONCE: ExpectedReply = ExpectedReply::Marked { changed: true, fence: ExpectedFence::Either };
/// What a mark answers of a chunk that is so already.
const UNCHANGED: ExpectedReply = ExpectedReply::Marked { changed: false, fence: ExpectedFence::Either };

impl Model {
    pub(super) fn mark(
        &mut self,
        handle: HandleId,
        job: JobId,
        update: &JobUpdate,
        told: Option<&Reply>,
    ) -> Result<ExpectedReply, Refusal> {
        let key = self.known_chunk((job, update.chunk_id))?;
        self.own_claim_stands(handle, key)?;
        if let Some(lease) = self.chunk(key).lease
            && lease.session != self.session_of(handle)
        {
            return Err(Rejection::Held { job: key.0, chunk: key.1, session: lease.session }.into());
        }
        let status = self.chunk(key).status;
        if status == update.status {
            return Ok(UNCHANGED);
        }
        match status {
            Processing => self.mark_running(handle, key, update),
            Pending => self.mark_pending(handle, key, update, told),
            Failed | Skipped | Cancelled if update.status == Pending => {
                self.redrive(key);
                Ok(CHANGED)
            }
            _ => Err(self.no_such_mark(key, update.status).into()),
        }
    }

    /// What this handle claimed is marked under that claim; once it is lost, every mark is, until it claims the chunk anew.
    fn own_claim_stands(&mut self, handle: HandleId, key: Key) -> Result<(), Refusal> {
        let Some(claimed) = self.handles[&handle].claims.get(&key).copied() else {
            return Ok(());
        };
        if claimed.number != self.chunk(key).number {
            self.doubt("whether what a handle lost stays lost when the chunk was removed and put in again");
        } else if claimed.is_ended_by_another {
            self.doubt("how a handle may mark what another handle ended under its fence");
        } else if !self.is_in_force(&claimed.lease.fence) {
            return Err(Rejection::FenceLost { fence: claimed.lease.fence }.into());
        }
        Ok(())
    }

    fn mark_running(&mut self, handle: HandleId, key: Key, update: &JobUpdate) -> Result<ExpectedReply, Refusal> {
        let lease = self.chunk(key).lease.unwrap();
        if update.status == Skipped {
            return Err(self.no_such_mark(key, Skipped).into());
        }
        self.forget(handle, key, lease);
        self.give_back(key, lease, End::Marked(update.status));
        if update.status != Pending {
            self.end_by_mark(key, update);
        }
        Ok(CHANGED)
    }

    fn mark_pending(
        &mut self,
        handle: HandleId,
        key: Key,
        update: &JobUpdate,
        told: Option<&Reply>,
    ) -> Result<ExpectedReply, Refusal> {
        let (unmet, bad) = self.counters(key);
        let mut refusals = Vec::new();
        if update.status == Skipped {
            refusals.push(self.no_such_mark(key, Skipped));
        }
        if self.is_blocked(key) {
            refusals.push(Rejection::Blocked { job: key.0, chunk: key.1, unmet, bad });
        }
        Refusal::any_of(refusals)?;
        if update.status == Processing {
            let told = match told {
                Some(Reply::Marked { fence, .. }) => *fence,
                _ => None,
            };
            let fence = self.lease(handle, key, told);
            return Ok(ExpectedReply::Marked { changed: true, fence: ExpectedFence::Is(fence) });
        }
        self.chunk_mut(key).attempts.push(Attempt { token: None, end: End::Marked(update.status) });
        self.end_by_mark(key, update);
        Ok(ENDED_AT_ONCE)
    }

    /// The checksum is recorded with Done, and with Failed and Cancelled where one is given.
    fn end_by_mark(&mut self, key: Key, update: &JobUpdate) {
        self.end(key, update.status);
        let chunk = self.chunk_mut(key);
        if let Some(checksum) = &update.checksum {
            chunk.recorded = Kept::exactly(Some(checksum.clone()));
        }
        match (&update.error, update.status) {
            (Some(error), Failed) => chunk.error = Said::Exactly(Some(error.clone())),
            (None, Failed) | (Some(_), _) => chunk.error = Said::Anything,
            (None, _) => {}
        }
    }

    fn no_such_mark(&self, key: Key, to: JobStatus) -> Rejection {
        let event = match to {
            Processing => Event::Claim,
            Done => Event::Complete,
            Failed => Event::GiveUp,
            Cancelled => Event::Cancel,
            Skipped => Event::Skip,
            _ => Event::Redrive,
        };
        self.not_allowed(key, event)
    }
}
