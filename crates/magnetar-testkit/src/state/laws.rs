//! The laws of state stores, by what they are about.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a law fails by panicking")]

mod again;
mod cas;
mod closing;
mod expiry;
mod fence;
mod listing;
mod locks;
mod names;
mod plain;
mod tokens;

use std::{fmt::Debug, time::Duration};

use magnetar_state::{Entry, Epoch, Expect, Guard, Loaded, StateError, StateResult as Result, Version, WriteId};

use super::harness::World;
use crate::law::Law;

/// Every law of state stores.
pub fn all() -> impl Iterator<Item = Law<World>> {
    [
        again::LAWS,
        cas::LAWS,
        closing::LAWS,
        expiry::LAWS,
        fence::LAWS,
        listing::LAWS,
        locks::LAWS,
        names::LAWS,
        plain::LAWS,
        tokens::LAWS,
    ]
    .into_iter()
    .flatten()
    .copied()
}

/// A time that no law waits for.
const LONG: Duration = Duration::from_hours(1);
/// The collection of laws that need one.
const ORDERS: &str = "shop.orders";

fn epoch(number: u64) -> Guard {
    Guard::epoch(Epoch::new(number))
}

fn at_version(number: u64) -> Guard {
    Guard::default().expect(Expect::Version(Version::new(number)))
}

fn named(number: u128) -> Guard {
    Guard::default().write_id(WriteId::new(number))
}

/// The entry of a collection; panics where there is none.
async fn entry(world: &World, collection: &str) -> Entry {
    match world.store().load(collection).await.unwrap() {
        Loaded::Found(entry) => entry,
        other => panic!("a token was due, and this came: {other:?}"),
    }
}

fn refused<T: Debug>(result: Result<T>) -> StateError {
    match result {
        Ok(value) => panic!("a refusal was due, and this came: {value:?}"),
        Err(error) => error,
    }
}

/// What is refused leaves the collection as it was.
async fn changes_nothing<T: Debug>(world: &World, collection: &str, call: impl Future<Output = Result<T>>) -> StateError {
    let before = world.store().load(collection).await.unwrap();
    let error = refused(call.await);
    assert_eq!(world.store().load(collection).await.unwrap(), before, "{error}");
    error
}
