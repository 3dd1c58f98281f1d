//! One store beside its model: takes steps on both, and compares.

#![expect(clippy::indexing_slicing, reason = "places of handles and groups are always within their number")]

use std::{fmt::Write, sync::Arc, time::Duration};

use magnetar_core::{Clock, Group, JobStatus, JobStore, Op, Reply, Timestamp, check_group};

use super::{
    Differential,
    ask::Scene,
    compare,
    step::{Ask, Step},
    tally::Tally,
};
use crate::{
    harness::Harness,
    model::{Doubt, HandleId, Model, Outcome, SESSION_LIVES_FOR},
};

/// A store under test, and what it must do.
pub(super) struct Rig {
    name: String,
    config: Differential,
    harness: Box<dyn Harness>,
    handles: Vec<(HandleId, Arc<dyn JobStore>)>,
    model: Model,
    fences: Vec<(HandleId, magnetar_core::Fence)>,
    submitted_at: Timestamp,
    submits: u64,
    tally: Tally,
    log: Vec<Event>,
    /// Whether nothing more is comparable in this run.
    is_over: bool,
}

/// What happened, told where a disagreement follows.
enum Event {
    Said(String),
    Submitted { at: Timestamp, handle: HandleId, groups: Vec<Group>, outcomes: Vec<Outcome> },
}

impl Rig {
    pub(super) async fn new(name: String, harness: Box<dyn Harness>, config: Differential) -> Self {
        let mut rig = Self {
            name,
            config,
            harness,
            handles: Vec::new(),
            model: Model::new(),
            fences: Vec::new(),
            submitted_at: Timestamp::default(),
            submits: 0,
            tally: Tally::default(),
            log: Vec::new(),
            is_over: false,
        };
        rig.open_handle().await;
        rig
    }

    /// Takes a step on the store and on the model.
    pub(super) async fn take(&mut self, step: &Step) -> Result<(), String> {
        if self.is_over {
            return Ok(());
        }
        let outcome = match step {
            Step::Submit { handle, groups } => self.submit_asked(*handle, groups).await,
            Step::Advance(by) => {
                self.advance(*by);
                Ok(())
            }
            Step::GoBack(by) => {
                self.go_back(*by);
                Ok(())
            }
            Step::Open => self.open_another().await,
            Step::Close { handle } => self.close(*handle).await,
            Step::Kill { handle } => self.kill(*handle).await,
            Step::Read { handle, page_rows } => self.read(*handle, *page_rows).await,
        };
        outcome.map_err(|disagreement| self.tell(&disagreement))
    }

    /// Closes every handle, and returns what was tried.
    pub(super) async fn finish(mut self) -> Result<Tally, String> {
        for (_, store) in std::mem::take(&mut self.handles) {
            store.close().await.map_err(|error| self.tell(&format!("failed to close: {error}")))?;
        }
        Ok(self.tally)
    }

    fn now(&self) -> Timestamp {
        self.harness.clock().now()
    }

    /// Sets the clock, and a little on from an instant at which two answers would be right.
    fn set_clock(&mut self, mut now: Timestamp) {
        while self.model.is_on_edge(now) {
            now = now.after(Duration::from_millis(1));
        }
        self.harness.clock().set(now);
        self.log.push(Event::Said(format!("the clock is set to {now}")));
    }

    fn advance(&mut self, by: Duration) {
        self.set_clock(self.now().after(by));
    }

    /// Moves the clock back, but not behind what was due already: whether that waits again, the rules do not say.
    fn go_back(&mut self, by: Duration) {
        let now = self.now();
        let back = Timestamp::from_millis(now.as_millis().saturating_sub(Timestamp::default().after(by).as_millis()));
        let due = self.model.last_due(now.max(self.submitted_at)).unwrap_or(back).min(now);
        self.set_clock(back.max(due));
    }

    async fn open_handle(&mut self) -> usize {
        let store = self.harness.open().await;
        let handle = self.model.open(self.now());
        self.log.push(Event::Said(format!("{handle:?} is opened")));
        self.handles.push((handle, store));
        self.handles.len() - 1
    }

    /// Opens a handle and has it do its upkeep: whether opening does it too must make no difference.
    async fn open_settled(&mut self) -> Result<(), String> {
        let at = self.open_handle().await;
        self.settle(at).await
    }

    async fn open_another(&mut self) -> Result<(), String> {
        if self.harness.has_many_handles() && self.handles.len() < 2 {
            return self.open_settled().await;
        }
        Ok(())
    }

    /// Closes a handle after its upkeep: whether closing does it too must make no difference.
    async fn close(&mut self, handle: usize) -> Result<(), String> {
        let at = handle % self.handles.len();
        self.settle(at).await?;
        if self.is_over {
            return Ok(());
        }
        let (handle, store) = self.handles.remove(at);
        self.log.push(Event::Said(format!("{handle:?} is closed")));
        store.close().await.map_err(|error| format!("failed to close: {error}"))?;
        drop(store);
        self.model.close(handle, self.now());
        self.open_if_none().await
    }

    /// Kills a handle. Where a store has only one, its session's time passes first: who opens such a store alone may know at once that
    /// the one before is dead.
    async fn kill(&mut self, handle: usize) -> Result<(), String> {
        let (handle, store) = self.handles.remove(handle % self.handles.len());
        self.log.push(Event::Said(format!("{handle:?} is killed")));
        self.harness.kill(store).await;
        self.model.kill(handle);
        if !self.harness.has_many_handles() {
            self.advance(SESSION_LIVES_FOR + Duration::from_secs(1));
        }
        self.open_if_none().await
    }

    async fn open_if_none(&mut self) -> Result<(), String> {
        if self.handles.is_empty() { self.open_settled().await } else { Ok(()) }
    }

    async fn settle(&mut self, at: usize) -> Result<(), String> {
        self.submit(at, vec![vec![Op::Reap]]).await
    }

    async fn submit_asked(&mut self, handle: usize, asked: &[Vec<Ask>]) -> Result<(), String> {
        let at = handle % self.handles.len();
        let (handle, _) = self.handles[at];
        let scene = Scene { model: &self.model, now: self.now(), handle, fences: &self.fences };
        let mut groups: Vec<Group> = asked.iter().map(|group| group.iter().map(|ask| scene.op(ask)).collect()).collect();
        // A submit in which nothing passes the first check may not reach the engine, and then does no upkeep.
        if groups.iter().all(|group| check_group(group).is_err()) {
            groups.push(vec![Op::Reap]);
        }
        self.submit(at, groups).await
    }

    async fn submit(&mut self, at: usize, groups: Vec<Group>) -> Result<(), String> {
        let (handle, store) = (self.handles[at].0, Arc::clone(&self.handles[at].1));
        let now = self.now();
        let orders = orders(groups.len());
        for order in &orders {
            let mut trial = self.model.clone();
            trial.submit(handle, &in_order(&groups, order), now, &[]);
            if self.has_doubts(&trial) {
                return Ok(());
            }
        }
        let outcomes = store.submit(groups.clone()).await.map_err(|error| format!("failed to submit {groups:?}: {error}"))?;
        self.submitted_at = now;
        self.submits += 1;
        for (group, outcome) in groups.iter().zip(&outcomes) {
            self.tally.count(group, outcome);
        }
        self.log.push(Event::Submitted { at: now, handle, groups: groups.clone(), outcomes: outcomes.clone() });
        compare::same("the number of outcomes", &groups.len(), &outcomes.len())?;
        let mut disagreement = None;
        for order in &orders {
            let mut model = self.model.clone();
            let told = in_order(&outcomes, order);
            let expected = model.submit(handle, &in_order(&groups, order), now, &told);
            // One that came up only with what the store chose, after the store was asked.
            self.is_over |= self.has_doubts(&model);
            if self.is_over {
                return Ok(());
            }
            let verdict = match compare::outcomes(&expected, &told).and_then(|()| compare::faults(&model)) {
                Ok(()) => self.look(&model, &*store).await,
                Err(difference) => Err(difference),
            };
            match verdict {
                Ok(()) => {
                    self.model = model;
                    for outcome in &outcomes {
                        self.remember_fences(handle, outcome);
                    }
                    return Ok(());
                }
                Err(difference) => disagreement = disagreement.or(Some(difference)),
            }
        }
        disagreement.map_or(Ok(()), Err)
    }

    /// Reads what there is, and now and then in all ways.
    async fn look(&self, model: &Model, store: &dyn JobStore) -> Result<(), String> {
        if self.submits.is_multiple_of(self.config.thorough_every) {
            return compare::everything(model, store, 1_000).await;
        }
        compare::jobs_and_chunks(model, store, 1_000).await
    }

    /// Notes what the rules do not say. The submit is left out then; the run is over where any other would raise it too.
    fn has_doubts(&mut self, trial: &Model) -> bool {
        for doubt in trial.doubts() {
            self.tally.doubt(doubt.what());
            self.is_over |= matches!(doubt, Doubt::Upkeep(_));
        }
        !trial.doubts().is_empty()
    }

    fn remember_fences(&mut self, handle: HandleId, outcome: &Outcome) {
        for reply in outcome.iter().flatten() {
            match reply {
                Reply::Claimed(chunks) => {
                    let running = chunks.iter().filter(|chunk| chunk.status == JobStatus::Processing);
                    self.fences.extend(running.filter_map(|chunk| Some((handle, chunk.fence()?))));
                }
                Reply::Marked { fence: Some(fence), .. } if self.model.is_in_force(fence) => self.fences.push((handle, *fence)),
                _ => {}
            }
        }
    }

    /// Reads everything on any handle, after its upkeep: whether reading does it too must make no difference.
    async fn read(&mut self, handle: usize, page_rows: usize) -> Result<(), String> {
        let at = handle % self.handles.len();
        self.settle(at).await?;
        if self.is_over {
            return Ok(());
        }
        let (handle, store) = (self.handles[at].0, Arc::clone(&self.handles[at].1));
        self.log.push(Event::Said(format!("{handle:?} reads everything, {page_rows} rows a page")));
        compare::everything(&self.model, &*store, page_rows).await
    }

    /// The story of a disagreement.
    fn tell(&self, disagreement: &str) -> String {
        let mut story = format!("{} and the model disagree: {disagreement}\n\nwhat happened:", self.name);
        for (at, event) in self.log.iter().enumerate() {
            let _ = match event {
                Event::Said(text) => write!(story, "\n{at:>4}. {text}"),
                Event::Submitted { at: now, handle, groups, outcomes } => {
                    let _ = write!(story, "\n{at:>4}. {now} {handle:?} submits");
                    groups
                        .iter()
                        .zip(outcomes)
                        .try_for_each(|(group, outcome)| write!(story, "\n      {group:?}\n      -> {outcome:?}"))
                }
            };
        }
        story
    }
}

/// Every order of so many groups, their own first. Groups of a submit are unordered among each other: what a store does must be right in
/// one order.
fn orders(count: usize) -> Vec<Vec<usize>> {
    let mut orders = vec![Vec::new()];
    for _ in 0..count {
        let longer = |order: Vec<usize>| {
            let left = (0..count).filter(|at| !order.contains(at)).collect::<Vec<_>>();
            left.into_iter().map(move |at| order.iter().copied().chain([at]).collect())
        };
        orders = orders.into_iter().flat_map(longer).collect();
    }
    orders
}

fn in_order<T: Clone>(items: &[T], order: &[usize]) -> Vec<T> {
    order.iter().map(|at| items[*at].clone()).collect()
}
