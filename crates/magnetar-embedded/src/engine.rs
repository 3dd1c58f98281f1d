//! The engine: applies groups to tables under the rules of the core, with no thread, clock or lock of its own.

mod chunk;
mod claim;
mod finish;
mod graph;
mod insert;
mod job;
mod mark;
mod record;
mod release;
mod reopen;
mod restore;
mod session;
mod upkeep;

use foldhash::HashMap;
use magnetar_core::{Group, Op, Rejection, Reply, Result, SessionId, Timestamp, Token};

pub(crate) use self::chunk::{Count, tally_place};
use self::upkeep::Upkeep;
use crate::{
    backend::{Flush, View},
    key::Spot,
    locks::Locks,
    memo::{Memo, Remembering},
    options::Options,
    stop::Stop,
    txn::Txn,
    writes::Writes,
};

/// One handle's engine.
pub(crate) struct Engine {
    options: Options,
    state: State,
    /// The state before the transaction that is being prepared.
    before: State,
    /// What this handle claimed and nobody has ended in good order: marks of these chunks are under these tokens.
    held: HashMap<Spot, Token>,
    /// What `held` was, change by change, since the last commit.
    undo_held: Vec<(Spot, Option<Token>)>,
    locks: Box<dyn Locks>,
    /// What is known of the tables as of the last commit; nothing while a transaction is being prepared.
    memo: Memo,
    /// The memory of the last transaction's writes, for the next.
    spare: Writes,
    /// Sessions that are gone once the transaction is committed.
    buried: Vec<SessionId>,
}

/// What a handle knows beside the tables.
#[derive(Clone, Copy)]
struct State {
    session: SessionId,
    renewed_at: Timestamp,
    upkept_at: Timestamp,
    /// When something is due next, as far as this handle knows.
    due_at: Option<Timestamp>,
    /// Whether ends may still have to be told, or leases taken back.
    has_backlog: bool,
    /// Whether rows of deleted jobs are still there.
    has_purge: bool,
}

/// What a group came to; none where it must be applied again in the next transaction.
pub(crate) type Outcome = Option<Result<Vec<Reply>, Rejection>>;

/// The requests of one transaction, which may still be arriving while the first are applied.
pub(crate) trait Requests {
    /// Goes to the next request; none where no more is to come, and the transaction is to be committed.
    fn next(&mut self) -> Option<Arrival>;

    /// Applies the groups of that request that have no outcome yet, and keeps what they come to.
    fn apply(&mut self, apply: &mut dyn FnMut(&Group) -> Result<Outcome>) -> Result<()>;
}

/// When a request came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Arrival {
    /// Before the transaction began, or with the request before it.
    Before,
    /// While the transaction was being prepared: what upkeep found earlier in it may be true no more.
    Since,
}

/// No requests: for a transaction of upkeep alone.
pub(crate) struct Nothing;

impl Requests for Nothing {
    fn next(&mut self) -> Option<Arrival> {
        None
    }

    fn apply(&mut self, _apply: &mut dyn FnMut(&Group) -> Result<Outcome>) -> Result<()> {
        Ok(())
    }
}

/// What a transaction comes to.
pub(crate) struct Applied {
    pub(crate) writes: Writes,
    pub(crate) flush: Flush,
    /// Whether something may have become claimable.
    pub(crate) wakes: bool,
    /// For [`Engine::remember`].
    pub(crate) memo: Memo,
}

/// Everything an op works with.
pub(crate) struct Step<'a, 'v> {
    pub(crate) txn: &'a mut Txn<'v>,
    engine: &'a mut Engine,
    now: Timestamp,
    /// Where the group's part of the engine's `undo_held` begins.
    group_held: usize,
    /// How many more rows upkeep may touch in this transaction.
    budget: usize,
    /// How many more children may be told of ends in this transaction.
    release_budget: usize,
    /// Whether children are still to be told of ends, once that is known.
    untold: Option<bool>,
    wakes: bool,
    /// Whether upkeep was done in this transaction, after the request came that is being applied.
    is_upkept: bool,
    /// Whether a claim of the group came up empty.
    starved: bool,
    /// The session of this handle, once it is known to be alive.
    session: Option<SessionId>,
}

impl Engine {
    /// Applies the groups of requests as one transaction, in their order, each wholly or not at all.
    pub(crate) fn apply(&mut self, view: &dyn View, requests: &mut dyn Requests, now: Timestamp) -> Result<Applied> {
        self.before = self.state;
        let memo = std::mem::take(&mut self.memo);
        let view = Remembering::new(view, memo.rows);
        let mut txn = Txn::new(&view, memo.lanes, std::mem::take(&mut self.spare));
        let mut step = Step::new(&mut txn, self, now);
        if step.is_upkeep_due() {
            step.bounded_upkeep()?;
        }
        let mut flush = Flush::Unsynced;
        while let Some(arrival) = requests.next() {
            if arrival == Arrival::Since {
                step.is_upkept = false;
            }
            // Behind a group that must wait, the others of its request wait too, so that they stay in order.
            let mut is_waiting = false;
            requests.apply(&mut |group| {
                if !group.iter().all(Op::is_claim) {
                    flush = Flush::Synced;
                }
                let outcome = if is_waiting { None } else { step.outcome(group)? };
                is_waiting = outcome.is_none();
                Ok(outcome)
            })?;
        }
        let wakes = step.wakes;
        let (writes, lanes) = txn.into_parts().map_err(Stop::into_error)?;
        let memo = Memo { rows: view.into_rows(), lanes };
        Ok(Applied { writes, flush, wakes, memo })
    }

    /// To be called where others have written since the last transaction: nothing that is known of the tables is right any more.
    pub(crate) fn forget(&mut self) {
        self.memo = Memo::default();
    }

    /// Takes over what a transaction has learned, once its writes are committed. Until then, nothing is remembered.
    pub(crate) fn remember(&mut self, writes: Writes, memo: Memo) {
        self.memo = memo;
        self.memo.commit(&writes);
        self.spare = writes.cleared();
    }

    /// To be called once the writes are committed.
    pub(crate) fn committed(&mut self) {
        self.before = self.state;
        self.undo_held.clear();
        for session in self.buried.drain(..) {
            self.locks.bury(session);
        }
    }

    /// To be called where the writes were not committed, and nothing was changed.
    pub(crate) fn roll_back(&mut self) {
        self.state = self.before;
        self.undo_held(0);
        self.buried.clear();
    }

    fn undo_held(&mut self, from: usize) {
        for (spot, token) in self.undo_held.drain(from..).rev() {
            match token {
                Some(token) => self.held.insert(spot, token),
                None => self.held.remove(&spot),
            };
        }
    }

    /// Whether another transaction should follow at once, to go on with what the last one left.
    pub(crate) fn has_backlog(&self) -> bool {
        self.state.has_backlog || self.state.has_purge
    }

    /// To be called where another handle may have left something to be done.
    pub(crate) fn expect_backlog(&mut self) {
        self.state.has_backlog = true;
    }

    /// When the engine wants to be called again, if nothing else happens.
    #[cfg(feature = "threaded")]
    pub(crate) fn due_at(&self) -> Timestamp {
        let upkeep = self.state.upkept_at.after(self.options.upkeep_every);
        self.state.due_at.map_or(upkeep, |due| due.min(upkeep))
    }
}

impl Step<'_, '_> {
    /// Runs a group; none where it must wait for the next transaction.
    fn outcome(&mut self, group: &Group) -> Result<Option<Result<Vec<Reply>, Rejection>>> {
        if group.iter().any(|op| looks_at_ends(op) || matches!(op, Op::Claim(_))) && self.must_wait_for_ends()? {
            return Ok(None);
        }
        let outcome = self.group(group)?;
        if outcome.is_err() || !self.starved || (self.is_upkept && !self.engine.state.has_backlog) {
            return Ok(Some(outcome));
        }
        // Before a claim comes back empty, everything that could fill it is done; the group then runs again.
        self.undo();
        self.bounded_upkeep()?;
        let outcome = self.group(group)?;
        if outcome.is_ok() && self.starved && self.engine.state.has_backlog && group.iter().all(Op::is_claim) {
            self.undo();
            return Ok(None);
        }
        Ok(Some(outcome))
    }

    /// Whether more children are still to be told of ends than one transaction can tell.
    fn must_wait_for_ends(&mut self) -> Result<bool> {
        if !self.is_upkept && self.has_untold().map_err(Stop::into_error)? {
            self.bounded_upkeep()?;
        }
        Ok(self.has_untold().map_err(Stop::into_error)? && self.engine.state.has_backlog)
    }

    /// Runs a group, and takes it back where it is refused.
    fn group(&mut self, group: &Group) -> Result<Result<Vec<Reply>, Rejection>> {
        self.txn.begin_group();
        self.group_held = self.engine.undo_held.len();
        self.starved = false;
        let replies =
            magnetar_core::check_group(group).map_err(Stop::from).and_then(|()| group.iter().map(|op| self.op(op)).collect());
        match replies {
            Ok(replies) => Ok(Ok(replies)),
            Err(stop) => {
                self.undo();
                match stop {
                    Stop::Reject(rejection) => Ok(Err(rejection)),
                    Stop::Fault(error) => Err(error),
                }
            }
        }
    }

    fn undo(&mut self) {
        self.txn.undo_group();
        self.engine.undo_held(self.group_held);
        // A session that was opened in the group is gone with it; the next claim opens it again.
        self.session = None;
        // So are ends that were told in it.
        self.engine.state.has_backlog = true;
        self.untold = None;
    }

    fn op(&mut self, op: &Op) -> Result<Reply, Stop> {
        if looks_at_ends(op) {
            self.tell_all()?;
        }
        match op {
            Op::EnsureJob { job, spec } => self.ensure_job(job, spec),
            Op::Insert { job, chunks } => self.insert(job, chunks).map(Reply::Inserted),
            Op::Claim(claim) => self.claim(claim).map(Reply::Claimed),
            Op::Complete { fence, result, checksum } => self.complete(fence, result, checksum.as_deref()),
            Op::Fail { fence, error } => self.fail(fence, error),
            Op::Release { fence } => self.release(fence),
            Op::Check { fence } => self.check(fence),
            Op::Park { fence, until } => self.park(fence, until),
            Op::Mark { job, update } => self.mark(*job, update),
            Op::Depend { job, chunk, on } => self.depend(*job, *chunk, on),
            Op::Reopen { job, chunks } => self.reopen(*job, chunks).map(Reply::Reopened),
            Op::Pause { job } => self.set_paused(*job, true),
            Op::Resume { job } => self.set_paused(*job, false),
            Op::DeleteJob { job } => self.delete_job(*job),
            Op::PutRecord { space, key, value, expect } => self.put_record(space, key, value.as_deref(), *expect),
            Op::Restore { snapshot } => self.restore(snapshot),
            Op::Prune { job, ended_before, after, limit } => self.prune(*job, *ended_before, *after, *limit).map(Reply::Pruned),
            Op::Reap => self.upkeep(Upkeep::Whole).map(|chunks| Reply::Reaped { chunks }),
            _ => Err(Rejection::invalid("this store is older than the op it was asked for").into()),
        }
    }

    /// Notes what this handle holds, or no longer does.
    fn hold(&mut self, spot: Spot, token: Option<Token>) {
        let before = match token {
            Some(token) => self.engine.held.insert(spot, token),
            None => self.engine.held.remove(&spot),
        };
        self.engine.undo_held.push((spot, before));
    }
}

/// Whether an op would show, or build upon, ends of which only some children know.
const fn looks_at_ends(op: &Op) -> bool {
    matches!(
        op,
        Op::Mark { .. }
            | Op::Depend { .. }
            | Op::Insert { .. }
            | Op::Park { .. }
            | Op::Reopen { .. }
            | Op::DeleteJob { .. }
            | Op::Prune { .. }
    )
}
