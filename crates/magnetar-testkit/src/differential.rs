//! The differential test: random steps on stores and on the model, which must agree on every answer and on all that can be read.
//!
//! Each store runs beside a model of its own, because the wait after a failure depends on tokens, which each store picks for
//! itself. A run begins with fresh stores; its steps are drawn by proptest from a seed, and shrunk where a store disagrees.

#![expect(clippy::panic, reason = "a disagreement fails the test")]

mod ask;
mod compare;
mod draw;
mod rig;
mod shrink;
mod step;
mod tally;
#[cfg(test)]
mod tests;

use std::{cell::RefCell, env, fmt::Write};

use futures_lite::future::block_on;
use proptest::{
    strategy::Strategy,
    test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner},
};

pub use self::tally::Tally;
use self::{rig::Rig, step::Step};
use crate::harness::Harness;

/// How much is tried.
#[derive(Clone, Copy, Debug)]
pub struct Differential {
    /// Ops that are applied in all, at least, on each store. Default 100,000.
    pub operations: u64,
    /// The most steps of one run. Default 120.
    pub steps_max: usize,
    /// The most groups of one submit. Every order of them is tried on the model, so keep it small. Default 3.
    pub groups_max: usize,
    /// Everything is read after every so many-th submit, and the most important after each. Default 8.
    pub thorough_every: u64,
    /// How often at most the steps are taken again to find fewer that still fail. Default 4,000.
    pub shrinks_max: u32,
}

impl Default for Differential {
    fn default() -> Self {
        Self { operations: 100_000, steps_max: 120, groups_max: 3, thorough_every: 8, shrinks_max: 4_000 }
    }
}

/// The seeds of every test. They are fixed, so that a suite is red for a change and never by chance; others are for long runs.
const SEEDS: [u64; 4] = [1, 7, 42, 2026];

/// Runs random steps on the stores of the harnesses, each with its name, and on the model, until as many ops as told were applied.
///
/// `MAGNETAR_SEED` (decimal) sets the one seed to run, and `MAGNETAR_RUN` the one run of it; a failure prints both.
///
/// # Panics
/// Where a store and the model disagree, with the fewest steps that show it.
pub fn differential(fresh: impl Fn() -> Vec<(String, Box<dyn Harness>)>, config: Differential) -> Tally {
    let mut total = Tally::default();
    let (seeds, only_run) = seeds();
    let share = config.operations.div_ceil(seeds.len() as u64);
    for seed in &seeds {
        let mut tally = Tally::default();
        let mut run = only_run.unwrap_or(0);
        while tally.operations() < share {
            tally.add(&one_run(&fresh, config, *seed, run));
            run += 1;
            if only_run.is_some() {
                break;
            }
        }
        total.add(&tally);
    }
    let seeds: Vec<_> = seeds.iter().map(u64::to_string).collect();
    println!("{} operations in {} runs, 0 disagreements, seed {}", total.operations(), total.runs(), seeds.join(", "));
    println!("{total}");
    total
}

fn seeds() -> (Vec<u64>, Option<u64>) {
    let number = |name| env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name}={text} is no number")));
    match number("MAGNETAR_SEED") {
        Some(seed) => (vec![seed], number("MAGNETAR_RUN")),
        None => (SEEDS.to_vec(), None),
    }
}

fn one_run(fresh: &impl Fn() -> Vec<(String, Box<dyn Harness>)>, config: Differential, seed: u64, run: u64) -> Tally {
    let mut bytes = [0; 32];
    bytes.iter_mut().zip(seed.to_le_bytes().into_iter().chain(run.to_le_bytes())).for_each(|(byte, from)| *byte = from);
    let settings = Config { failure_persistence: None, max_shrink_iters: config.shrinks_max / 2, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(settings, TestRng::from_seed(RngAlgorithm::ChaCha, &bytes));
    let steps = draw::steps(config).new_tree(&mut runner).unwrap_or_else(|reason| panic!("no steps could be drawn: {reason}"));
    let tally = RefCell::new(Tally::default());
    let outcome = runner.run_one(steps, |steps| match block_on(walk(fresh(), config, &steps)) {
        Ok(counted) => {
            tally.replace(counted);
            Ok(())
        }
        Err(disagreement) => Err(TestCaseError::fail(disagreement)),
    });
    match outcome {
        Ok(_) => tally.into_inner(),
        Err(TestError::Fail(_, steps)) => {
            let again = |steps: &[Step]| block_on(walk(fresh(), config, steps)).err();
            let (steps, disagreement) = shrink::shrink(steps, config.shrinks_max / 2, again);
            let steps = steps.iter().fold(String::new(), |mut text, step| {
                let _ = writeln!(text, "  {step:?}");
                text
            });
            panic!("{disagreement}\n\nthe steps, shrunk:\n{steps}\nrepeat with MAGNETAR_SEED={seed} MAGNETAR_RUN={run}");
        }
        Err(TestError::Abort(reason)) => panic!("run {run} of seed {seed} could not be made: {reason}"),
    }
}

/// Takes the steps on fresh stores. The error is the first disagreement, with all that happened before.
async fn walk(harnesses: Vec<(String, Box<dyn Harness>)>, config: Differential, steps: &[Step]) -> Result<Tally, String> {
    let mut rigs = Vec::new();
    for (name, harness) in harnesses {
        rigs.push(Rig::new(name, harness, config).await);
    }
    for step in steps {
        for rig in &mut rigs {
            rig.take(step).await?;
        }
    }
    let mut tally = Tally::default();
    for rig in rigs {
        tally.add_store(&rig.finish().await?);
    }
    Ok(tally)
}
