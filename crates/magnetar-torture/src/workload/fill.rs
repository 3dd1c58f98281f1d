//! A store with something of everything in it.

use std::sync::Arc;

use anyhow::{Context, Result};
use futures_lite::future::block_on;
use magnetar_core::{Clock, JobStore, Op};
use magnetar_embedded::Store;

use super::{HandClock, Known, Script, Sight, Turn};

/// Opens a store on this clock.
pub(crate) type Open<'o> = dyn Fn(Arc<HandClock>) -> magnetar_core::Result<Store> + 'o;

/// A store that was filled.
pub(crate) struct Filled {
    /// Still open, so that what is claimed stays so.
    pub(crate) store: Store,
    /// What it showed after each turn.
    pub(crate) sights: Vec<Sight>,
}

/// Does so many turns of the script of a seed.
pub(crate) fn fill(open: &Open<'_>, clock: &Arc<HandClock>, seed: u64, turns: usize) -> Result<Filled> {
    let mut sights = Vec::new();
    let (mut script, mut known) = (Script::new(seed), Known::default());
    let mut store = open(Arc::clone(clock))?;
    for _ in 0..turns {
        let group = match script.turn(&known, clock) {
            Turn::Call(group) => group,
            Turn::Wait(time) => {
                clock.advance(time);
                known.time_out(clock.now());
                vec![Op::Reap]
            }
            Turn::Checkpoint => continue,
            Turn::Reopen => {
                known.let_all_go();
                block_on(store.close())?;
                store = open(Arc::clone(clock))?;
                continue;
            }
        };
        if let Ok(replies) = block_on(store.submit(vec![group.clone()]))?.pop().context("a group has an outcome")? {
            known.learn(&group, &replies);
        }
        sights.push(Sight::of(&store)?);
    }
    Ok(Filled { store, sights })
}
