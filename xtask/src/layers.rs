//! The shape of the repository: which crate may use which, what stays out of which tree, what stands at the top.

mod arrows;
mod table;
mod top;
mod trees;

#[cfg(test)]
mod planted;

use anyhow::Result;

use crate::{git, metadata::Metadata, run};

/// Holds the workspace against the tables, and names every fault.
pub(crate) fn check() -> Result<()> {
    run::timed("layers", &"cargo xtask layers", || {
        run::no_faults(&[faults(&Metadata::read()?), top::faults(&git::files(&[])?)].concat())
    })
}

/// Everything that is wrong with the crates.
fn faults(metadata: &Metadata) -> Vec<String> {
    [arrows::faults(metadata), arrows::removing_features(metadata), trees::faults(metadata)].concat()
}
