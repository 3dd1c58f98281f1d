//! Handles and their sessions: opened, renewed, closed, killed; and the upkeep that takes back what is lost or late.

use std::{collections::BTreeMap, time::Duration};

use magnetar_core::{JobStatus, Lease, SessionId, Timestamp};

use super::{
    Doubt, Key, Model,
    chunk::{Attempt, End, Said},
};

/// A session that was not renewed for this long is dead.
pub const SESSION_LIVES_FOR: Duration = Duration::from_secs(30);

/// A handle renews its session at its first upkeep after this long.
pub const RENEWED_AFTER: Duration = Duration::from_secs(10);

/// An open handle of the model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct HandleId(u64);

/// What a handle remembers.
#[derive(Clone, Debug)]
pub(super) struct Handle {
    session: u64,
    /// What it claimed and has not ended itself.
    pub(super) claims: BTreeMap<Key, Claimed>,
}

/// A claim that a handle remembers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Claimed {
    /// The number of the chunk, which tells it from a later one of the same id.
    pub(super) number: u64,
    pub(super) lease: Lease,
    /// Whether another handle has ended it, by its fence.
    pub(super) is_ended_by_another: bool,
}

/// A session of the model.
#[derive(Clone, Copy, Debug)]
pub(super) struct Session {
    renewed_at: Timestamp,
    /// The same, if a handle renews at once where the clock went behind the last time. Whether it does, the rules do not say.
    or_renewed_at: Timestamp,
}

impl Session {
    fn renewals(self) -> [Timestamp; 2] {
        [self.renewed_at, self.or_renewed_at]
    }
}

impl Model {
    /// Opens a handle with a session of its own. Upkeep is not part of it.
    pub fn open(&mut self, now: Timestamp) -> HandleId {
        let handle = HandleId(self.number());
        let session = self.new_session(now);
        self.handles.insert(handle, Handle { session, claims: BTreeMap::new() });
        handle
    }

    /// Closes a handle, which gives back what it holds at no cost. Upkeep is not part of it.
    ///
    /// # Panics
    /// For a handle that is not open.
    pub fn close(&mut self, handle: HandleId, now: Timestamp) {
        self.now = now;
        let session = self.handles.remove(&handle).unwrap().session;
        for (key, lease) in self.leases_of(session) {
            self.give_back(key, lease, End::Closed);
        }
        self.sessions.remove(&session);
    }

    /// Ends a handle as a kill of its process does: its session stays until its time is over.
    pub fn kill(&mut self, handle: HandleId) {
        self.handles.remove(&handle);
    }

    /// Whether this is the very instant at which a session dies or an attempt times out. Whether that is still in time, or too late
    /// already, the rules do not say.
    pub fn is_on_edge(&self, now: Timestamp) -> bool {
        let dies = self.sessions.values().flat_map(|session| session.renewals()).any(|at| at.after(SESSION_LIVES_FOR) == now);
        dies || self.chunks.values().filter_map(|chunk| chunk.lease).any(|lease| lease.deadline == Some(now))
    }

    /// The last instant up to `now` that a Pending chunk waited for. A store need not make it wait again when the clock goes back
    /// behind that.
    pub fn last_due(&self, now: Timestamp) -> Option<Timestamp> {
        let pending = self.chunks.values().filter(|chunk| chunk.status == JobStatus::Pending);
        pending.filter_map(|chunk| chunk.not_before).filter(|at| *at <= now).max()
    }

    /// Renews the session of the handle, takes back what dead ones held (a crash each), then what is late (a failure each).
    pub(super) fn upkeep(&mut self, handle: HandleId) {
        self.renew_session(handle);
        let own = self.handles[&handle].session;
        let now = self.now;
        let has_expired = |at| now.since(at) >= SESSION_LIVES_FOR;
        let others = self.sessions.iter().filter(|(id, _)| **id != own);
        let (dead, unsure): (Vec<_>, Vec<_>) = others
            .filter(|(_, session)| session.renewals().into_iter().any(has_expired))
            .map(|(id, session)| (*id, session.renewals().into_iter().all(has_expired)))
            .partition(|(_, is_dead)| *is_dead);
        if !unsure.is_empty() {
            self.doubts.push(Doubt::Upkeep("whether a session is renewed at once when the clock was set back"));
        }
        let dead: Vec<u64> = dead.into_iter().map(|(id, _)| id).collect();
        let lost: Vec<_> = dead.iter().flat_map(|session| self.leases_of(*session)).collect();
        self.take_back(&lost, Self::lose_lease);
        for session in dead {
            self.sessions.remove(&session);
        }
        let leases = self.chunks.iter().filter_map(|(key, chunk)| Some((*key, chunk.lease?)));
        let late: Vec<_> = leases.filter(|(_, lease)| lease.deadline.is_some_and(|deadline| deadline <= now)).collect();
        self.take_back(&late, Self::time_out);
    }

    /// Takes back many leases. In which order is not said, so it must make no difference.
    fn take_back(&mut self, leases: &[(Key, Lease)], each: fn(&mut Self, Key, Lease)) {
        if leases.is_empty() {
            return;
        }
        let mut backwards = self.clone();
        for (key, lease) in leases.iter().rev() {
            each(&mut backwards, *key, *lease);
        }
        for (key, lease) in leases {
            each(self, *key, *lease);
        }
        if self.chunks != backwards.chunks {
            self.doubts.push(Doubt::Upkeep("in which order lost and late leases are taken back"));
        }
    }

    /// A handle whose session was taken for dead gets a new one.
    fn renew_session(&mut self, handle: HandleId) {
        let now = self.now;
        let session = self.handles[&handle].session;
        let Some(own) = self.sessions.get_mut(&session) else {
            let session = self.new_session(now);
            self.handles.get_mut(&handle).unwrap().session = session;
            return;
        };
        if now.since(own.renewed_at) >= RENEWED_AFTER {
            own.renewed_at = now;
        }
        if now.since(own.or_renewed_at) >= RENEWED_AFTER || now < own.or_renewed_at {
            own.or_renewed_at = now;
        }
    }

    fn new_session(&mut self, now: Timestamp) -> u64 {
        let session = self.number();
        self.sessions.insert(session, Session { renewed_at: now, or_renewed_at: now });
        session
    }

    pub(super) fn session_of(&self, handle: HandleId) -> SessionId {
        SessionId::new(self.handles[&handle].session)
    }

    fn leases_of(&self, session: u64) -> Vec<(Key, Lease)> {
        let leases = self.chunks.iter().filter_map(|(key, chunk)| Some((*key, chunk.lease?)));
        leases.filter(|(_, lease)| lease.session.get() == session).collect()
    }

    /// A crash more; Failed when that spends the budget, else ready at once.
    fn lose_lease(&mut self, key: Key, lease: Lease) {
        let budget = self.jobs[&key.0].options.retry.max_crashes;
        self.give_back(key, lease, End::Lost);
        let chunk = self.chunk_mut(key);
        chunk.crashes += 1;
        chunk.error = Said::Anything;
        if chunk.crashes >= budget {
            self.end(key, JobStatus::Failed);
            self.chunk_mut(key).error = Said::Anything;
        }
    }

    fn time_out(&mut self, key: Key, lease: Lease) {
        self.count_failure(key, lease, End::TimedOut, Said::TimedOut);
    }

    /// Makes a chunk that runs Pending and ready.
    pub(super) fn give_back(&mut self, key: Key, lease: Lease, end: End) {
        let chunk = self.chunk_mut(key);
        chunk.status = JobStatus::Pending;
        chunk.not_before = None;
        chunk.lease = None;
        chunk.attempts.push(Attempt { token: Some(lease.fence.token().get()), end });
    }
}
