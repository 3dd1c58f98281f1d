//! Any text is a name, two texts are two names, and what cannot be one is refused everywhere.

use std::collections::BTreeSet;

use magnetar_state::{Epoch, Guard, Lock, StateError, Timestamp, limits};

use super::{LONG, World, refused};
use crate::{
    law::{Law, laws},
    state::samples::{names, token},
};

pub(super) const LAWS: &[Law<World>] = laws![
    names_are_kept_apart,
    names_are_listed_as_they_were_given,
    locks_are_kept_apart,
    locks_and_collections_are_apart,
    empty_name_is_refused,
    name_with_a_nul_is_refused,
    name_beyond_the_longest_is_refused,
];

async fn names_are_kept_apart(world: &mut World) {
    for (name, number) in names().iter().zip(0..) {
        assert_eq!(world.store().load_resume_token(name).await.unwrap(), None, "{name:?} before it was saved");
        world.store().save_resume_token(name, token(number)).await.unwrap();
    }
    for (name, number) in names().iter().zip(0..) {
        assert_eq!(world.store().load_resume_token(name).await.unwrap(), Some(token(number)), "{name:?}");
    }
    for name in names() {
        world.store().clear_resume_token(&name).await.unwrap();
        assert_eq!(world.store().load_resume_token(&name).await.unwrap(), None, "{name:?} after it was cleared");
    }
}

async fn names_are_listed_as_they_were_given(world: &mut World) {
    for name in names() {
        world.store().save_resume_token(&name, token(1)).await.unwrap();
    }
    let listed: BTreeSet<_> = world.list_all(10).await.entries.into_iter().map(|listed| listed.collection).collect();
    assert_eq!(listed, names().into_iter().collect());
}

async fn locks_are_kept_apart(world: &mut World) {
    let mut locks = Vec::new();
    for name in names() {
        locks.push(world.store().acquire(&name, LONG).await.unwrap());
    }
    for (lock, name) in locks.iter().zip(names()) {
        assert_eq!((lock.name(), lock.epoch()), (name.as_str(), Epoch::new(1)));
        assert!(matches!(refused(world.store().acquire(&name, LONG).await), StateError::Locked { .. }), "{name:?}");
        world.store().release(lock).await.unwrap();
        assert_eq!(world.store().holder(&name).await.unwrap(), None, "{name:?}");
    }
}

async fn locks_and_collections_are_apart(world: &mut World) {
    let lock = world.store().acquire("a", LONG).await.unwrap();
    assert_eq!(world.store().load_resume_token("a").await.unwrap(), None);
    world.store().save_resume_token("a", token(1)).await.unwrap();
    world.store().save_resume_token("b", token(2)).await.unwrap();
    assert_eq!(world.store().holder("b").await.unwrap(), None);
    world.store().clear_resume_token("a").await.unwrap();
    assert_eq!(world.store().holder("a").await.unwrap(), Some(lock.epoch()));
    assert_eq!(world.list_all(10).await.entries.len(), 1);
}

async fn every_method_refuses(world: &World, name: &str) -> Vec<StateError> {
    let store = world.store();
    let lock = Lock::new(name, Epoch::new(1), Timestamp::default());
    let errors = vec![
        refused(store.save_resume_token(name, token(1)).await),
        refused(store.load_resume_token(name).await),
        refused(store.clear_resume_token(name).await),
        refused(store.load(name).await),
        refused(store.save(name, token(1), Guard::default(), None).await),
        refused(store.clear(name, Guard::default()).await),
        refused(store.acquire(name, LONG).await),
        refused(store.renew(&lock, LONG).await),
        refused(store.release(&lock).await),
        refused(store.holder(name).await),
    ];
    assert!(world.list_all(10).await.entries.is_empty());
    errors
}

async fn empty_name_is_refused(world: &mut World) {
    for error in every_method_refuses(world, "").await {
        assert!(matches!(error, StateError::Invalid { .. }), "{error}");
    }
}

async fn name_with_a_nul_is_refused(world: &mut World) {
    for name in ["\0", "a\0b", "orders\0"] {
        for error in every_method_refuses(world, name).await {
            assert!(matches!(error, StateError::Invalid { .. }), "{error}");
        }
    }
}

async fn name_beyond_the_longest_is_refused(world: &mut World) {
    for length in [limits::NAME_BYTES_MAX + 1, 10 * 1024] {
        for error in every_method_refuses(world, &"x".repeat(length)).await {
            assert!(matches!(error, StateError::TooLarge { size, .. } if size == length as u64), "{error}");
        }
    }
}
