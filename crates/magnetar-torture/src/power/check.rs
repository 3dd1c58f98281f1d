//! What must hold after a power cut.

use std::sync::Arc;

use anyhow::{Context, Result, bail, ensure};
use futures_lite::future::block_on;
use magnetar_core::{JobRef, JobSpec, JobStore};
use magnetar_embedded::Store;

use super::history::{Allowed, State};
use crate::{
    site::Site,
    workload::{HandClock, Sight, Work, drain, repeat, sound, work},
};

/// How thoroughly an image is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Depth {
    /// Everything is read and audited, and something is claimed.
    Usual,
    /// Beside that, what was acknowledged is said again, and all that is left is done, by other hands than those that were cut off.
    Whole,
}

/// Opens what a cut has left and holds it against what may be there. Returns what was found.
///
/// # Errors
/// What was promised and does not hold.
pub(super) fn check(site: &dyn Site, allowed: &Allowed<'_>, depth: Depth) -> Result<State> {
    let acknowledged = allowed.acknowledged;
    let clock = Arc::new(HandClock::at(acknowledged.now));
    let store = site.open(Arc::clone(&clock)).context("the store does not open")?;
    let sight = Sight::of(&store).context("the store does not show what is in it")?;
    let Some(found) = allowed.states.iter().find(|state| *state.sight == sight) else {
        acknowledged.known.check(&sight)?;
        let difference = acknowledged.sight.difference(&sight).unwrap_or_default();
        bail!("it is neither as acknowledged nor as the call in doubt would have made it: {difference}");
    };
    let found = State { deeds: 0, ..(*found).clone() };
    sound(&store, &sight)?;
    if depth == Depth::Whole {
        ensure!(Sight::of(&store)? == sight, "it changes while it is looked at");
        repeat(&store, &found.known)?;
    }
    let works = if depth == Depth::Whole { Work::Done } else { Work::Claimed };
    work(&store, acknowledged.known.last_token, works)?;
    if depth == Depth::Whole {
        drain(&store, &clock)?;
        let drained = Sight::of(&store)?;
        sound(&store, &drained)?;
        let mut known = (*found.known).clone();
        known.let_all_go();
        known.check(&drained).context("after all that was left was done")?;
    }
    block_on(store.close()).context("the store does not close")?;
    Ok(found)
}

/// What must hold of a store that is being made, when its making was not acknowledged: it opens and is empty.
///
/// # Errors
/// What was promised and does not hold.
pub(super) fn check_unborn(open: &dyn Fn(Arc<HandClock>) -> magnetar_core::Result<Store>, clock: &Arc<HandClock>) -> Result<()> {
    let store = open(Arc::clone(clock)).context("the store does not open")?;
    let sight = Sight::of(&store)?;
    ensure!(sight.jobs.is_empty() && sight.records.is_empty(), "a new store has something in it: {sight:?}");
    let spec = JobSpec::default();
    block_on(store.ensure_job(JobRef::Id(1), spec)).context("a new store takes no job")?;
    block_on(store.close()).context("the store does not close")
}
