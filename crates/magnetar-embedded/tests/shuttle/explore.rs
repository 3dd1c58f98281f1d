//! How many schedules of which kind a scenario is run under.

use std::panic::{AssertUnwindSafe, catch_unwind};

use libtest_mimic::{Failed, Trial};
use shuttle::{
    Config, FailurePersistence, MaxSteps, Runner,
    scheduler::{PctScheduler, RandomScheduler},
};

use crate::sync;

/// How many schedules there are in all, unless told.
const SCHEDULES: usize = 100_000;
/// How many moments of a schedule a bug may need that PCT is to find.
const PCT_DEPTH: usize = 3;
const STACK_BYTES: usize = 1 << 20;
const STEPS_MAX: usize = 200_000;

fn number(name: &str, otherwise: usize) -> usize {
    std::env::var(name).map_or(otherwise, |text| text.parse().unwrap_or_else(|_| panic!("{name}={text} is no number")))
}

fn config() -> Config {
    let mut config = Config::new();
    config.stack_size = STACK_BYTES;
    config.max_steps = MaxSteps::FailAfter(STEPS_MAX);
    config.failure_persistence = FailurePersistence::Print;
    config
}

/// Runs a scenario under half of these schedules drawn at random and half by PCT.
pub(crate) fn run(schedules: usize, scenario: fn()) {
    let seed = number("MAGNETAR_SEED", 1) as u64;
    Runner::new(RandomScheduler::new_from_seed(seed, schedules / 2), config()).run(scenario);
    Runner::new(PctScheduler::new_from_seed(seed, PCT_DEPTH, schedules - schedules / 2), config()).run(scenario);
}

/// A test of one scenario, under its share of all schedules.
pub(crate) fn trial(name: &'static str, share: (usize, usize), scenario: fn()) -> Trial {
    Trial::test(name, move || {
        run(number("MAGNETAR_SCHEDULES", SCHEDULES) * share.0 / share.1, scenario);
        Ok(())
    })
}

/// A test that a scenario with a bug planted in it fails, and says what.
pub(crate) fn control(name: &'static str, says: &'static str, scenario: fn()) -> Trial {
    Trial::test(name, move || {
        let found = catch_unwind(AssertUnwindSafe(|| run(1000, scenario)));
        sync::lose_wakes(false);
        let Err(panic) = found else { return Err(Failed::from("the bug was not found")) };
        let text = panic.downcast_ref::<String>().cloned().or_else(|| panic.downcast_ref::<&str>().map(|&text| text.to_owned()));
        let text = text.unwrap_or_default();
        if text.contains(says) { Ok(()) } else { Err(Failed::from(format!("something else was found: {text}"))) }
    })
}
