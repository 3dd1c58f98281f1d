//! The model as the checker sees it: where it begins, how it goes on, and what always holds.

use std::{
    collections::BTreeMap,
    fmt,
    sync::atomic::{AtomicU64, Ordering},
};

use magnetar_core::JobStatus;
use stateright::{Checker, HasDiscoveries, Model, Property};

use super::{
    config::{CHILD, Config, PARENT},
    oracle::Fault,
    stage::on_stage,
    state::{Chunk, State},
    step::Action,
};

/// Explorations so far, so that each has a number.
static SPACES: AtomicU64 = AtomicU64::new(1);

/// What an exploration found.
#[derive(Clone, Debug)]
pub struct Explored {
    /// States that differ.
    pub states: usize,
    /// Steps that were taken.
    pub steps: usize,
    /// How many steps the furthest state is away from the beginning.
    pub depth: usize,
    /// What did not hold, with the steps to it.
    pub broken: BTreeMap<&'static str, String>,
    /// What should happen somewhere, and did nowhere.
    pub never_seen: Vec<&'static str>,
}

impl fmt::Display for Explored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { states, steps, depth, .. } = self;
        write!(f, "{states} states, {steps} steps between them, up to {depth} steps deep")?;
        self.broken.iter().try_for_each(|(what, steps)| write!(f, "\nbroken: {what}, by {steps}"))?;
        self.never_seen.iter().try_for_each(|what| write!(f, "\nnever seen: {what}"))
    }
}

/// Explores every state there is, or all up to the first in which something does not hold.
pub fn explore(config: Config, threads: usize) -> Explored {
    let checker = config.checker().threads(threads).finish_when(HasDiscoveries::AnyFailures).spawn_bfs().join();
    let mut found = checker.discoveries();
    let (mut broken, mut never_seen) = (BTreeMap::new(), Vec::new());
    for property in config.properties() {
        let path = found.remove(property.name);
        match path {
            Some(path) if property.expectation == stateright::Expectation::Always => {
                let actions: Vec<_> = path.into_actions().iter().map(|action| format!("{action:?}")).collect();
                broken.insert(property.name, format!("{} steps: {}", actions.len(), actions.join(", ")));
            }
            None if property.expectation == stateright::Expectation::Sometimes => never_seen.push(property.name),
            _ => {}
        }
    }
    let (states, steps) = (checker.unique_state_count(), checker.state_count());
    Explored { states, steps, depth: checker.max_depth(), broken, never_seen }
}

impl Model for Config {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        let space = SPACES.fetch_add(1, Ordering::Relaxed);
        let store = on_stage(|stage| stage.beginning(self, space));
        store.map(|store| State::new(self, space, store)).into_iter().collect()
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        self.choices(state, actions);
    }

    fn next_state(&self, state: &State, action: Action) -> Option<State> {
        Some(self.step(state, action))
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("a chunk is accepted at most once", |_, state: &State| state.fault != Some(Fault::AcceptedTwice)),
            Property::always("a stale fence changes nothing", |_, state: &State| state.fault != Some(Fault::StaleWrite)),
            Property::always("a claim in force is believed", |_, state: &State| state.fault != Some(Fault::WrongRefusal)),
            Property::always("tokens only grow", |_, state: &State| state.fault != Some(Fault::TokenReused)),
            Property::always("nothing acknowledged is lost", |_, state: &State| state.fault != Some(Fault::Lost)),
            Property::always("no chunk runs before its parent is done", |_, state: &State| state.fault != Some(Fault::TooEarly)),
            Property::always("budgets hold", |_, state: &State| state.fault != Some(Fault::PastBudget)),
            Property::always("the living keep what they hold", |_, state: &State| state.fault != Some(Fault::TakenFromTheLiving)),
            Property::always("each lost lease is counted", |_, state: &State| state.fault != Some(Fault::Miscounted)),
            Property::always("no call fails without a reason", |_, state: &State| state.fault != Some(Fault::Failed)),
            Property::always("each chunk is in one place", |_, state: &State| on_stage(|stage| stage.is_sound(&state.store))),
            Property::always("all can end", |config: &Self, state: &State| on_stage(|stage| stage.can_end(config, &state.store))),
            Property::sometimes("all is done", |_, state: &State| stands(state, JobStatus::Done, JobStatus::Done)),
            Property::sometimes("a poison chunk ends", |config: &Self, state: &State| {
                state.store.chunk(PARENT).is_some_and(|parent| parent.crashes == config.max_crashes)
            }),
            Property::sometimes("a chunk fails for good", |config: &Self, state: &State| {
                state.store.chunk(CHILD).is_some_and(|child| child.fails == config.max_fails)
            }),
            Property::sometimes("a zombie is at work beside the next attempt", |_, state: &State| has_zombie(state)),
            Property::sometimes("a power cut undoes a claim", |_, state: &State| {
                let is_untouched = |chunk: &Chunk| chunk.lease.is_none() && chunk.last.is_none() && chunk.crashes == 0;
                state.used.claims > 0 && state.store.chunks.iter().all(is_untouched)
            }),
        ]
    }
}

fn stands(state: &State, parent: JobStatus, child: JobStatus) -> bool {
    state.store.chunks.iter().map(|chunk| chunk.status).eq([parent, child])
}

/// Whether an attempt goes on although another one has its chunk.
fn has_zombie(state: &State) -> bool {
    state.attempts.iter().any(|attempt| {
        let lease = state.store.chunk(attempt.chunk).and_then(|chunk| chunk.lease);
        attempt.ended.is_none() && lease.is_some_and(|lease| lease.token > attempt.token)
    })
}
