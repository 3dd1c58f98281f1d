//! What was promised: what the processes were told, and whether what became of the store is right.

use magnetar_core::{JobStatus, OnFailure, Rejection, Reply, Timestamp};

use super::{
    config::{CHILD, Config, PARENT},
    stage::Session,
    state::{Attempt, Chunk, Ending, Snap},
};

/// What did not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A chunk was accepted as done twice.
    AcceptedTwice,
    /// A write under a claim that is not in force changed something, or was told that it did.
    StaleWrite,
    /// A claim in force was refused, or a repeated write was not known.
    WrongRefusal,
    /// A token was not larger than every token before it.
    TokenReused,
    /// What was acknowledged is gone.
    Lost,
    /// A chunk ran before what it waits for was done.
    TooEarly,
    /// A budget was passed, or a chunk goes on although it is spent.
    PastBudget,
    /// A lease was taken although its session lives and its time is not over.
    TakenFromTheLiving,
    /// A lease was lost and not counted, or something was counted that was not lost.
    Miscounted,
    /// A call failed that had no reason to.
    Failed,
}

/// What the processes were told, and a power cut does not undo.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Told {
    parent: Ends,
    child: Ends,
    /// The largest token that was ever handed out.
    pub(super) token: u64,
}

/// What was told of one chunk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Ends {
    /// How often it was accepted as done.
    accepted: u8,
    /// How many failures were accepted.
    fails: u8,
}

impl Told {
    fn of(&mut self, chunk: u64) -> &mut Ends {
        if chunk == PARENT { &mut self.parent } else { &mut self.child }
    }

    /// Every number that makes a difference. The largest token makes none as long as each is larger than those before.
    pub(super) fn each(&self, mut show: impl FnMut(u8)) {
        [self.parent.accepted, self.parent.fails, self.child.accepted, self.child.fails].into_iter().for_each(&mut show);
    }

    pub(super) fn end(&mut self, chunk: u64, ending: Ending) {
        let ends = self.of(chunk);
        match ending {
            Ending::Complete => ends.accepted += 1,
            Ending::Fail => ends.fails += 1,
            Ending::Release => {}
        }
    }
}

/// Whether a store holds what was told, and obeys the rules that need no history.
pub(super) fn standing(config: &Config, snap: &Snap, told: &Told) -> Option<Fault> {
    let (Some(parent), Some(child)) = (snap.chunk(PARENT), snap.chunk(CHILD)) else { return Some(Fault::Lost) };
    let mut told = *told;
    for chunk in [parent, child] {
        let ends = *told.of(chunk.id);
        if ends.accepted > 1 {
            return Some(Fault::AcceptedTwice);
        }
        if (ends.accepted == 1 && chunk.status != JobStatus::Done) || chunk.fails < ends.fails.into() {
            return Some(Fault::Lost);
        }
        if !is_within_budget(config, chunk) {
            return Some(Fault::PastBudget);
        }
    }
    let has_run = child.lease.is_some() || child.last.is_some() || child.fails + child.crashes > 0;
    let may_run = match config.on_failure {
        OnFailure::Run => parent.status.is_terminal(),
        _ => parent.status == JobStatus::Done,
    };
    let is_skipped = parent.status == JobStatus::Failed && config.on_failure == OnFailure::Skip;
    if (has_run && !may_run) || is_skipped != (child.status == JobStatus::Skipped) {
        return Some(Fault::TooEarly);
    }
    None
}

fn is_within_budget(config: &Config, chunk: &Chunk) -> bool {
    let (max_fails, max_crashes) = (config.max_fails, config.max_crashes);
    let is_spent = chunk.fails == max_fails || chunk.crashes == max_crashes;
    let is_within = chunk.fails <= max_fails && chunk.crashes <= max_crashes;
    is_within && is_spent == (chunk.status == JobStatus::Failed)
}

/// What a call may have taken back: at what time, by whom, and what it ended in good order.
pub(super) struct Call<'c> {
    pub(super) now: Timestamp,
    pub(super) session: Session,
    /// The claims that it ended.
    pub(super) ended: &'c [(u64, Ending)],
}

/// Whether each lease that is gone after a call may be gone, and was counted as what it was.
pub(super) fn losses(before: &Snap, after: &Snap, call: &Call<'_>) -> Option<Fault> {
    before.chunks.iter().zip(&after.chunks).find_map(|(before_it, after_it)| {
        let counted = (after_it.fails + after_it.crashes).checked_sub(before_it.fails + before_it.crashes);
        let is_same = |token| after_it.lease.is_some_and(|lease| lease.token == token);
        let Some(lease) = before_it.lease.filter(|lease| !is_same(lease.token)) else {
            return (counted != Some(0)).then_some(Fault::Miscounted);
        };
        let wanted = match call.ended.iter().find(|(token, _)| *token == lease.token) {
            Some((_, Ending::Fail)) => 1,
            Some(_) => 0,
            None if lease.deadline.is_some_and(|at| at <= call.now) => 1,
            None if lease.session != call.session && before.until(lease.session).is_none_or(|until| until <= call.now) => 1,
            None => return Some(Fault::TakenFromTheLiving),
        };
        (counted != Some(wanted)).then_some(Fault::Miscounted)
    })
}

/// Whether the answer to a write under a claim is right. `upkeep` says what the chunks would be without it.
pub(super) fn write(
    (before, after): (&Snap, &Snap),
    attempt: &Attempt,
    ending: Ending,
    now: Timestamp,
    outcome: &Result<Vec<Reply>, Rejection>,
    upkeep: impl FnOnce() -> Option<Vec<Chunk>>,
) -> Option<Fault> {
    let chunk = before.chunk(attempt.chunk)?;
    let in_force = chunk.lease.filter(|lease| lease.token == attempt.token);
    let is_repeated = chunk.last == Some((attempt.token, ending));
    let Err(refusal) = outcome else {
        return (in_force.is_none() || attempt.ended.is_some()).then_some(Fault::StaleWrite);
    };
    let may_be_lost = in_force.is_none_or(|lease| lease.deadline.is_some_and(|at| at <= now));
    let is_right = match refusal {
        Rejection::AlreadyApplied { .. } => is_repeated,
        Rejection::FenceLost { .. } => may_be_lost && !is_repeated,
        _ => false,
    };
    if !is_right {
        return Some(Fault::WrongRefusal);
    }
    (before.chunks != after.chunks && upkeep().as_ref() != Some(&after.chunks)).then_some(Fault::StaleWrite)
}
