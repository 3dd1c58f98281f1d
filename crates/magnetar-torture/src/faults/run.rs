//! A workload with a fault in it.

use std::sync::Arc;

use anyhow::{Context, Result, bail, ensure};
use futures_lite::future::block_on;
use magnetar_core::{Error, ErrorKind, Group, JobStore, Op, Query, Rejection};
use magnetar_embedded::Store;

use super::{
    kind::Kind,
    plan::Plan,
    steps::{Done, Step, go_on, submit},
};
use crate::{
    site::Site,
    workload::{HandClock, Known, Sight, Work, sound, work},
};

/// A workload that is done once more, while a plan looks on.
pub(super) struct Run<'r> {
    pub(super) site: &'r dyn Site,
    pub(super) steps: &'r [Done],
    pub(super) plan: &'r Plan,
    pub(super) kind: Kind,
}

impl Run<'_> {
    /// Does the steps until one fails, and then what there is to do about it.
    ///
    /// # Errors
    /// What was promised and does not hold.
    pub(super) fn play(&self) -> Result<()> {
        let clock = Arc::new(HandClock::default());
        let mut store = None;
        for (nth, done) in self.steps.iter().enumerate() {
            go_on(&clock, done.now)?;
            let Err(error) = self.step(&done.step, &clock, &mut store) else { continue };
            let checked = self.failed(nth, &error, &clock, &mut store);
            if checked.with_context(|| format!("step {nth} failed with {:?} ({error})", error.kind()))? == After::Reopened {
                return Ok(());
            }
        }
        self.plan.mend();
        let last = self.steps.last().context("there are steps")?;
        self.reopen(&[(&last.sight, &last.known)], &clock)
    }

    fn step(&self, step: &Step, clock: &Arc<HandClock>, store: &mut Option<Store>) -> magnetar_core::Result<()> {
        match step {
            Step::Open => *store = Some(self.site.open(Arc::clone(clock))?),
            Step::Close => block_on(store.take().ok_or_else(not_open)?.close())?,
            Step::Call(group) => {
                if let Err(Rejection::Corrupt { what }) = submit(store.as_ref().ok_or_else(not_open)?, group)? {
                    return Err(Error::new(ErrorKind::Corrupt, what));
                }
            }
            // Another program; what it meets is its own affair.
            Step::Checkpoint => drop(self.site.checkpoint(0)),
        }
        Ok(())
    }

    fn failed(&self, nth: usize, error: &Error, clock: &Arc<HandClock>, store: &mut Option<Store>) -> Result<After> {
        let done = self.steps.get(nth).context("the step is there")?;
        ensure!(self.plan.has_failed(), "nothing failed below it");
        ensure!(self.kind.explains(error, matches!(done.step, Step::Open)), "this is no answer to {:?}", self.kind);
        let before = nth.checked_sub(1).and_then(|before| self.steps.get(before));
        let after = (&done.sight, &done.known);
        // A store that could not be opened has what it had.
        let allowed: Vec<_> = match (&done.step, before) {
            (Step::Open, _) | (_, None) => vec![after],
            (Step::Close, Some(before)) => vec![(&before.sight, &done.known), after],
            (_, Some(before)) => vec![(&before.sight, &before.known), after],
        };
        let (Some(open), Step::Call(group), Some(before)) = (store.as_ref(), &done.step, before) else {
            self.plan.mend();
            self.reopen(&allowed, clock)?;
            return Ok(After::Reopened);
        };
        if error.kind() == ErrorKind::Full {
            // There is still no space. Reading needs none, unless ends are still to be told, which is written.
            let read = Sight::of(open);
            let is_full = read.as_ref().is_err_and(|error| error.kind() == ErrorKind::Full);
            ensure!(is_full || read.context("reading fails too")? == before.sight, "something was changed");
        }
        self.plan.mend();
        if is_poisoned(open, error)? {
            // What a poisoned handle says at its end, nobody needs to know.
            drop(store.take());
            self.reopen(&allowed, clock)?;
            return Ok(After::Reopened);
        }
        // SQLite checkpoints behind a commit, and keeps to itself what fails there; the read that fails next changes nothing.
        let is_of_commit = self.plan.is_torn() && error.to_string().starts_with("write");
        ensure!(error.kind() == ErrorKind::Full || !is_of_commit, "it goes on after a write that failed");
        unchanged_and_working(open, group, before, done)?;
        Ok(After::WentOn)
    }

    /// Opens the store again, which is in one of these states.
    fn reopen(&self, allowed: &[(&Sight, &Known)], clock: &Arc<HandClock>) -> Result<()> {
        let store = self.site.open(Arc::clone(clock)).context("the store does not open again")?;
        let sight = Sight::of(&store).context("the store does not show what is in it")?;
        let Some((_, known)) = allowed.iter().find(|(allowed, _)| **allowed == sight) else {
            let (first, known) = allowed.first().context("something is allowed")?;
            known.check(&sight)?;
            bail!("opened again, it is in a state of its own: {}", first.difference(&sight).unwrap_or_default());
        };
        known.check(&sight)?;
        sound(&store, &sight)?;
        work(&store, known.last_token, Work::Done)?;
        block_on(store.close()).context("the store does not close")
    }
}

/// What there is after a fault.
#[derive(Clone, Copy, PartialEq, Eq)]
enum After {
    /// The store goes on.
    WentOn,
    /// The store was opened again, and held against what it may be; this run is over.
    Reopened,
}

/// Whether a store refuses everything from here on. One that refuses some of it is neither poisoned nor well.
fn is_poisoned(store: &Store, error: &Error) -> Result<bool> {
    // Reading comes first: a write may find something to do by itself.
    let read = block_on(store.read(Query::Jobs { after: None, limit: 1 })).map(drop);
    if read.is_ok() && error.kind() != ErrorKind::Poisoned {
        return Ok(false);
    }
    let write = submit(store, &vec![Op::Reap]).map(drop);
    match (&write, &read) {
        (Err(write), Err(read)) if [write.kind(), read.kind()] == [ErrorKind::Poisoned; 2] => Ok(true),
        _ => bail!("then a write gives {write:?} and a read {read:?}"),
    }
}

/// The call that failed has changed nothing, and does its work now.
fn unchanged_and_working(store: &Store, group: &Group, before: &Done, done: &Done) -> Result<()> {
    let sight = Sight::of(store)?;
    // Telling of ends does the upkeep too that a call for upkeep was to do.
    let may_be_done = *group == [Op::Reap] && sight == done.sight;
    if sight != before.sight && !may_be_done {
        bail!("it says that it goes on, and has changed: {}", before.sight.difference(&sight).unwrap_or_default());
    }
    submit(store, group).context("what failed fails again, although all is well")?.ok();
    let sight = Sight::of(store)?;
    if sight != done.sight {
        bail!("what failed, done again, leads elsewhere: {}", done.sight.difference(&sight).unwrap_or_default());
    }
    sound(store, &sight)
}

fn not_open() -> Error {
    Error::new(ErrorKind::Closed, "the store is not open")
}
