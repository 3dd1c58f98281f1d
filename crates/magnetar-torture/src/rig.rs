//! What a rig is, and how rounds are played.

use std::{collections::BTreeMap, fmt};

use anyhow::Error;

/// A way to break a store, and the checks of what must hold after it.
pub trait Rig: Sync {
    /// The name, as `--rig` takes it: lower case, words joined by hyphens.
    fn name(&self) -> &'static str;

    /// Plays one round, about a second long, of which everything that can be is decided by the seed.
    ///
    /// # Errors
    /// What was promised and did not hold, in words that name the chunk, the row or the call.
    fn round(&self, seed: u64) -> Result<Counts, Error>;
}

/// How often things were done, by what was done (`kills`, `images`, `faults`, `flips`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts(BTreeMap<&'static str, u64>);

/// A round in which a promise did not hold.
#[derive(Debug)]
pub struct Failure {
    rig: &'static str,
    seed: u64,
    why: Error,
}

impl Counts {
    /// Adds to a count.
    pub fn add(&mut self, what: &'static str, count: u64) {
        *self.0.entry(what).or_default() += count;
    }

    /// A count; 0 where nothing was counted.
    pub fn get(&self, what: &str) -> u64 {
        self.0.get(what).copied().unwrap_or_default()
    }

    /// Adds all counts of another.
    pub fn absorb(&mut self, other: &Self) {
        for (what, count) in &other.0 {
            self.add(what, *count);
        }
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts: Vec<String> = self.0.iter().map(|(what, count)| format!("{count} {what}")).collect();
        f.write_str(&counts.join(", "))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rig, seed, why } = self;
        write!(f, "rig `{rig}`, seed {seed}: {why:#}\nto replay it: cargo xtask crash --rig {rig} --seed {seed}")
    }
}

impl std::error::Error for Failure {}

/// Plays rounds with one seed after the other for as long as `goes_on` says, which is asked before each with the counts so far.
///
/// # Errors
/// The first round in which a promise did not hold.
pub fn play(rig: &dyn Rig, first_seed: u64, mut goes_on: impl FnMut(&Counts) -> bool) -> Result<Counts, Failure> {
    let mut counts = Counts::default();
    let mut seed = first_seed;
    while goes_on(&counts) {
        counts.absorb(&replay(rig, seed)?);
        seed = seed.wrapping_add(1);
    }
    Ok(counts)
}

/// Plays the round of one seed.
///
/// # Errors
/// What was promised and did not hold.
pub fn replay(rig: &dyn Rig, seed: u64) -> Result<Counts, Failure> {
    rig.round(seed).map_err(|why| Failure { rig: rig.name(), seed, why })
}

/// Every rig, without a flaw.
pub fn rigs() -> Vec<Box<dyn Rig>> {
    let mut rigs: Vec<Box<dyn Rig>> = Vec::new();
    #[cfg(target_os = "linux")]
    rigs.extend(crate::kill::rigs());
    rigs.extend(crate::power::rigs());
    rigs.extend(crate::faults::rigs());
    rigs.extend(crate::files::rigs());
    rigs.push(Box::new(crate::model::ModelRig));
    rigs.extend(crate::rot::rigs());
    rigs
}
