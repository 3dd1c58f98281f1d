//! The model as a rig: a round takes random walks through a space too large to be explored to its end.

use anyhow::{Error, bail};
use fastrand::Rng;
use magnetar_core::OnFailure;
use stateright::{Expectation, Model, Property};

use super::{config::Config, state::State, step::Action};
use crate::rig::{Counts, Rig};

/// Walks of one round.
const WALKS: usize = 400;
/// The most steps of one walk.
const STEPS_MAX: usize = 60;

/// Random walks through the protocol model.
#[derive(Clone, Copy, Debug, Default)]
pub struct ModelRig;

impl Rig for ModelRig {
    fn name(&self) -> &'static str {
        "model"
    }

    fn round(&self, seed: u64) -> Result<Counts, Error> {
        let mut rng = Rng::with_seed(seed);
        let config = draw(&mut rng);
        let properties = config.properties();
        let mut counts = Counts::default();
        for _ in 0..WALKS {
            counts.add("model steps", walk(&config, &properties, &mut rng)?);
        }
        counts.add("model walks", WALKS as u64);
        Ok(counts)
    }
}

/// More of everything than can be explored to its end.
fn draw(rng: &mut Rng) -> Config {
    Config {
        handles: rng.usize(2..=4),
        ticks: rng.u8(3..=8),
        opens: 20,
        claims: 20,
        cuts: rng.u8(0..=4),
        max_fails: rng.u32(1..=4),
        max_crashes: rng.u32(1..=4),
        timeout_ticks: rng.bool().then(|| rng.u32(1..=3)),
        on_failure: rng.choice([OnFailure::Skip, OnFailure::Hold, OnFailure::Run]).unwrap_or_default(),
        flaw: None,
    }
}

/// Takes a walk, and returns how many steps it had.
fn walk(config: &Config, properties: &[Property<Config>], rng: &mut Rng) -> Result<u64, Error> {
    let Some(mut state) = config.init_states().pop() else { bail!("the model has no beginning") };
    let mut taken: Vec<Action> = Vec::new();
    let mut choices = Vec::new();
    for _ in 0..STEPS_MAX {
        check(config, properties, &state, &taken)?;
        choices.clear();
        config.choices(&state, &mut choices);
        let Some(action) = rng.choice(&choices) else { break };
        taken.push(*action);
        state = config.step(&state, *action);
    }
    check(config, properties, &state, &taken)?;
    Ok(taken.len() as u64)
}

fn check(config: &Config, properties: &[Property<Config>], state: &State, taken: &[Action]) -> Result<(), Error> {
    let is_broken =
        |property: &&Property<Config>| property.expectation == Expectation::Always && !(property.condition)(config, state);
    if let Some(broken) = properties.iter().find(is_broken) {
        bail!("not so: {}, after {taken:?} of {config:?}\n{state:?}", broken.name);
    }
    Ok(())
}
