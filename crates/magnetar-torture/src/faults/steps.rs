//! The steps of a workload, and what the store shows after each, as it is without a fault.

use std::{sync::Arc, time::Duration};

use anyhow::{Context, Result, bail, ensure};
use futures_lite::future::block_on;
use magnetar_core::{Clock, Group, JobStore, Op, Rejection, Timestamp};
use magnetar_embedded::Store;

use crate::{
    site::Site,
    workload::{HandClock, Known, Script, Sight, Turn},
};

/// Something that is done.
pub(super) enum Step {
    Open,
    Call(Group),
    Close,
    Checkpoint,
}

/// A step, and what there is behind it.
pub(super) struct Done {
    pub(super) step: Step,
    pub(super) now: Timestamp,
    pub(super) sight: Sight,
    pub(super) known: Known,
}

/// Does so many turns of a script without a fault. Claims that are closed away show in what the next opening shows.
pub(super) fn rehearse(site: &dyn Site, script: &mut Script, turns: usize) -> Result<Vec<Done>> {
    let clock = Arc::new(HandClock::default());
    let mut rehearsal = Rehearsal { site, clock, known: Known::default(), store: None, done: Vec::new() };
    rehearsal.open()?;
    for _ in 0..turns {
        match script.turn(&rehearsal.known, &rehearsal.clock) {
            Turn::Call(group) => rehearsal.call(group)?,
            Turn::Wait(time) => rehearsal.wait(time)?,
            Turn::Checkpoint => {
                site.checkpoint(0)?;
                rehearsal.note(Step::Checkpoint)?;
            }
            Turn::Reopen => {
                rehearsal.close()?;
                rehearsal.open()?;
            }
        }
    }
    rehearsal.close()?;
    rehearsal.open()?;
    rehearsal.close()?;
    Ok(rehearsal.done)
}

struct Rehearsal<'s> {
    site: &'s dyn Site,
    clock: Arc<HandClock>,
    known: Known,
    store: Option<Store>,
    done: Vec<Done>,
}

impl Rehearsal<'_> {
    fn open(&mut self) -> Result<()> {
        let store = self.store.insert(self.site.open(Arc::clone(&self.clock))?);
        // What closing led to shows only now.
        let sight = Sight::of(store)?;
        if let Some(closed) = self.done.last_mut() {
            closed.sight = sight;
        }
        self.note(Step::Open)
    }

    fn close(&mut self) -> Result<()> {
        self.known.let_all_go();
        let sight = self.done.last().context("a store is open before it is closed")?.sight.clone();
        self.done.push(Done { step: Step::Close, now: self.clock.now(), sight, known: self.known.clone() });
        block_on(self.store.take().context("the store is open")?.close())?;
        Ok(())
    }

    fn wait(&mut self, time: Duration) -> Result<()> {
        self.clock.advance(time);
        self.known.time_out(self.clock.now());
        self.call(vec![Op::Reap])
    }

    fn call(&mut self, group: Group) -> Result<()> {
        match submit(self.store.as_ref().context("the store is open")?, &group)? {
            Ok(replies) => self.known.learn(&group, &replies),
            Err(Rejection::Corrupt { what }) => bail!("without a fault: {what}"),
            Err(_) => {}
        }
        self.note(Step::Call(group))
    }

    fn note(&mut self, step: Step) -> Result<()> {
        let sight = Sight::of(self.store.as_ref().context("the store is open")?)?;
        self.known.check(&sight)?;
        self.done.push(Done { step, now: self.clock.now(), sight, known: self.known.clone() });
        Ok(())
    }
}

/// Submits a group by itself.
pub(super) fn submit(store: &Store, group: &Group) -> magnetar_core::Result<Result<Vec<magnetar_core::Reply>, Rejection>> {
    let mut outcomes = block_on(store.submit(vec![group.clone()]))?;
    outcomes.pop().ok_or_else(|| magnetar_core::Error::new(magnetar_core::ErrorKind::Backend, "a group has no outcome"))
}

/// Whether a clock stands where a step wants it, or goes on to there.
pub(super) fn go_on(clock: &HandClock, to: Timestamp) -> Result<()> {
    ensure!(clock.now() <= to, "steps are done in order");
    clock.advance(to.since(clock.now()));
    Ok(())
}
