//! Claims, and what is done under the fence of one.

use std::cmp::Reverse;

use magnetar_core::{Claim, Fence, JobStatus, Lease, Rejection, Reply, Timestamp, Token, Until};

use super::{
    APPLIED, ExpectedReply, HandleId, Key, Model, Refusal,
    chunk::{Attempt, Chunk, End, Kept, Said},
    sessions::Claimed,
};

impl Model {
    /// Whether this claim is in force.
    pub fn is_in_force(&self, fence: &Fence) -> bool {
        self.chunks.get(&(fence.job(), fence.chunk())).and_then(|chunk| chunk.lease).is_some_and(|lease| lease.fence == *fence)
    }

    pub(super) fn claim(&mut self, handle: HandleId, claim: &Claim, told: Option<&Reply>) -> ExpectedReply {
        let place = |key: Key, chunk: &Chunk| claim.lanes.iter().position(|lane| lane.job == key.0 && lane.name == chunk.lane);
        let ready = self.chunks.iter().filter(|(key, chunk)| self.is_ready(**key, chunk));
        let mut ready: Vec<_> =
            ready.filter_map(|(key, chunk)| Some((Reverse(chunk.priority), place(*key, chunk)?, key.1, *key))).collect();
        ready.sort_unstable();
        ready.truncate(claim.limit);
        let told = match told {
            Some(Reply::Claimed(states)) => states.as_slice(),
            _ => &[],
        };
        let keys: Vec<Key> = ready.into_iter().map(|(.., key)| key).collect();
        for (at, key) in keys.iter().enumerate() {
            self.lease(handle, *key, told.get(at).and_then(magnetar_core::JobState::fence));
        }
        ExpectedReply::Claimed(keys.into_iter().map(|key| self.show(key)).collect())
    }

    fn is_ready(&self, key: Key, chunk: &Chunk) -> bool {
        let is_due = chunk.not_before.is_none_or(|at| at <= self.now);
        chunk.status == JobStatus::Pending && is_due && !self.jobs[&key.0].paused && !self.is_blocked(key)
    }

    /// Hands a chunk to a handle, under the fence that the store gave, if it gave one.
    pub(super) fn lease(&mut self, handle: HandleId, key: Key, told: Option<Fence>) -> Fence {
        let fence = self.next_fence(key, told);
        let (session, now) = (self.session_of(handle), self.now);
        let chunk = self.chunk_mut(key);
        let lease = Lease::new(fence, session, now, chunk.timeout.map(|timeout| now.after(timeout)));
        chunk.status = JobStatus::Processing;
        chunk.lease = Some(lease);
        let claimed = Claimed { number: chunk.number, lease, is_ended_by_another: false };
        self.handles.get_mut(&handle).unwrap().claims.insert(key, claimed);
        fence
    }

    fn next_fence(&mut self, key: Key, told: Option<Fence>) -> Fence {
        let last = self.last_token;
        let next = Fence::new(key.0, key.1, Token::new(last + 1).unwrap());
        let fence = told.filter(|fence| (fence.job(), fence.chunk()) == key).unwrap_or(next);
        if fence.token().get() <= last {
            self.fault(format!("the token of claim {fence} is not larger than {last}, which was given before"));
        }
        self.last_token = fence.token().get().max(last);
        fence
    }

    pub(super) fn complete(
        &mut self,
        handle: HandleId,
        fence: &Fence,
        result: &[u8],
        checksum: Option<&str>,
    ) -> Result<ExpectedReply, Refusal> {
        let (key, lease) = self.held_by(fence, Some(End::Completed))?;
        self.forget(handle, key, lease);
        self.give_back(key, lease, End::Completed);
        let chunk = self.chunk_mut(key);
        chunk.result = Kept::exactly(Some(result.to_vec()));
        if let Some(checksum) = checksum {
            chunk.recorded = Kept::exactly(Some(checksum.to_owned()));
        }
        self.end(key, JobStatus::Done);
        Ok(APPLIED)
    }

    pub(super) fn fail(&mut self, handle: HandleId, fence: &Fence, error: &str) -> Result<ExpectedReply, Refusal> {
        let (key, lease) = self.held_by(fence, Some(End::Failed))?;
        self.forget(handle, key, lease);
        let retry_at = self.count_failure(key, lease, End::Failed, Said::Exactly(Some(error.to_owned())));
        Ok(ExpectedReply::Exactly(Reply::Failed { retry_at }))
    }

    /// A failure more; Failed when that spends the budget, else Pending after the backoff, until the instant that is returned.
    pub(super) fn count_failure(&mut self, key: Key, lease: Lease, end: End, said: Said) -> Option<Timestamp> {
        let retry = self.jobs[&key.0].options.retry;
        let now = self.now;
        self.give_back(key, lease, end);
        let chunk = self.chunk_mut(key);
        chunk.fails += 1;
        if chunk.fails < chunk.max_fails.unwrap_or(retry.max_fails) {
            let retry_at = now.after(retry.wait(chunk.fails, lease.fence.token().get()));
            chunk.not_before = Some(retry_at);
            chunk.error = said;
            return Some(retry_at);
        }
        self.end(key, JobStatus::Failed);
        self.chunk_mut(key).error = said;
        None
    }

    pub(super) fn release(&mut self, handle: HandleId, fence: &Fence) -> Result<ExpectedReply, Refusal> {
        let (key, lease) = self.held_by(fence, Some(End::Released))?;
        self.forget(handle, key, lease);
        self.give_back(key, lease, End::Released);
        Ok(APPLIED)
    }

    pub(super) fn check(&mut self, fence: &Fence) -> Result<ExpectedReply, Refusal> {
        self.held_by(fence, None).map(|_| APPLIED)
    }

    pub(super) fn park(&mut self, handle: HandleId, fence: &Fence, until: &Until) -> Result<ExpectedReply, Refusal> {
        let (key, lease) = self.held_by(fence, Some(End::Parked))?;
        match until {
            Until::At(at) => {
                self.give_back(key, lease, End::Parked);
                self.chunk_mut(key).not_before = Some(*at);
            }
            Until::Ended(chunks) => {
                self.add_awaits(key, chunks)?;
                self.give_back(key, lease, End::Parked);
            }
        }
        self.forget(handle, key, lease);
        Ok(APPLIED)
    }

    /// The chunk that a fence holds; else why it does not. `asked` is what was to be done with it, if that can be done once.
    fn held_by(&self, fence: &Fence, asked: Option<End>) -> Result<(Key, Lease), Refusal> {
        let key = self.known_chunk((fence.job(), fence.chunk()))?;
        match self.chunk(key).lease {
            Some(lease) if lease.fence == *fence => Ok((key, lease)),
            _ => Err(Self::stale(fence, self.chunk(key), asked)),
        }
    }

    /// A fence that did exactly this before has already applied it, as long as no later attempt has ended the chunk in another way;
    /// any other is lost. Two cases are open: a mark or a close that came to the same, and later attempts that did not end the chunk,
    /// or ended it in the same way.
    fn stale(fence: &Fence, chunk: &Chunk, asked: Option<End>) -> Refusal {
        let lost = Rejection::FenceLost { fence: *fence };
        let applied = Rejection::AlreadyApplied { fence: *fence };
        let own = chunk.attempts.iter().position(|attempt| attempt.token == Some(fence.token().get()));
        let (Some(own), Some(asked)) = (own, asked) else {
            return lost.into();
        };
        let likeness = likeness(asked, chunk.attempts[own].end);
        let later = &chunk.attempts[own + 1..];
        if likeness == Likeness::Other || later.iter().any(|attempt| ends_otherwise(attempt, asked)) {
            lost.into()
        } else if likeness == Likeness::Same && later.is_empty() {
            applied.into()
        } else {
            Refusal::any_of(vec![applied, lost]).unwrap_err()
        }
    }

    /// The handle need not remember a claim that it has ended itself.
    pub(super) fn forget(&mut self, handle: HandleId, key: Key, ended: Lease) {
        for (other, state) in &mut self.handles {
            match state.claims.get_mut(&key) {
                Some(claimed) if claimed.lease.fence == ended.fence && *other == handle => drop(state.claims.remove(&key)),
                Some(claimed) if claimed.lease.fence == ended.fence => claimed.is_ended_by_another = true,
                _ => {}
            }
        }
    }
}

/// How far one end of an attempt is the other.
#[derive(PartialEq, Eq)]
enum Likeness {
    Same,
    Alike,
    Other,
}

fn likeness(asked: End, done: End) -> Likeness {
    match (asked, done) {
        (End::Completed, End::Completed | End::Marked(JobStatus::Done))
        | (End::Failed, End::Failed)
        | (End::Released, End::Released)
        | (End::Parked, End::Parked) => Likeness::Same,
        (End::Failed, End::Marked(JobStatus::Failed)) | (End::Released, End::Marked(JobStatus::Pending) | End::Closed) => {
            Likeness::Alike
        }
        _ => Likeness::Other,
    }
}

/// Whether a later attempt has ended the chunk in another way. A failure, time-out or crash may have ended it.
fn ends_otherwise(attempt: &Attempt, asked: End) -> bool {
    let has_ended_it =
        matches!(attempt.end, End::Completed | End::Marked(JobStatus::Done | JobStatus::Failed | JobStatus::Cancelled));
    has_ended_it && likeness(asked, attempt.end) == Likeness::Other
}
