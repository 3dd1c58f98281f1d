//! Works on a store while a recorder looks on.

use std::{rc::Rc, sync::Arc, time::Duration};

use anyhow::{Context, Result, ensure};
use futures_lite::future::block_on;
use magnetar_core::{Clock, Group, JobStore, Op, Rejection, Reply};
use magnetar_embedded::Store;

use super::{
    history::{History, State},
    recorder::Recorder,
};
use crate::{
    site::Site,
    workload::{HandClock, Known, Script, Sight, Turn, audit},
};

/// A worker on a recorded store.
struct Worker<'w> {
    site: &'w dyn Site,
    recorder: &'w Recorder,
    clock: Arc<HandClock>,
    store: Option<Store>,
    known: Known,
    states: Vec<State>,
}

/// Does so many turns of a script from a state on, and returns what was recorded of it.
///
/// # Errors
/// What the store did that it may not do, even without a power cut.
pub(super) fn record(
    site: &dyn Site,
    recorder: &Recorder,
    at_first: (Vec<Vec<u8>>, &State),
    script: &mut Script,
    turns: usize,
) -> Result<History> {
    let (at_first, state) = at_first;
    let known = (*state.known).clone();
    let clock = Arc::new(HandClock::at(state.now));
    let mut worker = Worker { site, recorder, clock, store: None, known, states: vec![state.clone()] };
    worker.open()?;
    for turn in 0..turns {
        worker.turn(script).with_context(|| format!("turn {turn}"))?;
    }
    // What is closed in good order may be cut short, too. It gives back what is held; what that leads to is seen by opening again.
    worker.close()?;
    worker.open()?;
    worker.close()?;
    let states = worker.states;
    let (deeds, names) = recorder.take();
    Ok(History { deeds, names, at_first, states })
}

impl Worker<'_> {
    fn open(&mut self) -> Result<()> {
        self.store = Some(self.site.open(Arc::clone(&self.clock)).context("the store does not open")?);
        self.acknowledged(false)
    }

    fn close(&mut self) -> Result<()> {
        if let Some(store) = self.store.take() {
            block_on(store.close()).context("the store does not close")?;
        }
        self.known.let_all_go();
        // Everything that was held back reaches the disk with the end of the handle.
        self.recorder.flush();
        Ok(())
    }

    fn turn(&mut self, script: &mut Script) -> Result<()> {
        match script.turn(&self.known, &self.clock) {
            Turn::Call(group) => self.call(&group),
            Turn::Wait(time) => self.wait(time),
            Turn::Checkpoint => self.site.checkpoint(self.recorder.len() as u64),
            Turn::Reopen => {
                self.close()?;
                self.open()
            }
        }
    }

    /// The clock goes on, and everything that becomes due is done at once, by a call of its own.
    fn wait(&mut self, time: Duration) -> Result<()> {
        self.clock.advance(time);
        self.known.time_out(self.clock.now());
        self.call(&vec![Op::Reap])
    }

    fn call(&mut self, group: &Group) -> Result<()> {
        let is_claim = group.iter().all(Op::is_claim);
        let store = self.store.as_ref().context("the store is open between turns")?;
        let outcome = block_on(store.submit(vec![group.clone()])).with_context(|| format!("{group:?} failed"))?.pop();
        match outcome.context("a group has an outcome")? {
            Ok(replies) => self.learn(group, &replies)?,
            Err(Rejection::Corrupt { what }) => anyhow::bail!("{group:?} found damage: {what}"),
            Err(_) => {}
        }
        self.acknowledged(is_claim)
    }

    fn learn(&mut self, group: &Group, replies: &[Reply]) -> Result<()> {
        let before = self.known.last_token;
        for chunk in
            replies.iter().filter_map(|reply| if let Reply::Claimed(chunks) = reply { Some(chunks) } else { None }).flatten()
        {
            let token = chunk.fence().map_or(0, |fence| fence.token().get());
            ensure!(token > before, "token {token} is not larger than {before}");
        }
        self.known.learn(group, replies);
        Ok(())
    }

    /// Notes what the store says now, and that what was said before survives from here on.
    fn acknowledged(&mut self, is_claim: bool) -> Result<()> {
        let deeds = self.recorder.len();
        let store = self.store.as_ref().context("the store is open between turns")?;
        let sight = Sight::of(store)?;
        let problems = audit(store, sight.jobs.iter().map(|(job, _)| job.id))?;
        ensure!(problems.is_empty(), "without a power cut: {}", problems.join("; "));
        self.known.check(&sight).context("without a power cut")?;
        let state = State { deeds, now: self.clock.now(), sight: Rc::new(sight), known: Rc::new(self.known.clone()), is_claim };
        self.states.push(state);
        Ok(())
    }
}
