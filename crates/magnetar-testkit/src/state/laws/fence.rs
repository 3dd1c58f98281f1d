//! An epoch that never sinks: whoever is of the past writes nothing.

use magnetar_state::{Epoch, Guard, Loaded, StateError};

use super::{LONG, ORDERS, World, changes_nothing, entry, epoch, refused};
use crate::{
    law::{Law, laws},
    state::samples::token,
};

pub(super) const LAWS: &[Law<World>] = laws![
    lower_epoch_is_fenced,
    same_epoch_is_not_fenced,
    epochs_are_compared_as_numbers,
    plain_methods_are_fenced_by_an_epoch,
    fence_stays_after_a_clear,
    fence_stays_after_expiry,
    clearing_what_is_not_there_raises_the_epoch,
    clearing_with_an_older_epoch_is_fenced_where_nothing_is,
    fence_is_looked_at_before_the_version,
    refused_save_raises_no_epoch,
    epoch_is_shown,
    zombie_that_lost_its_lock_is_fenced,
    @many fence_stays_after_reopening,
];

/// Holds a store to refusing everything under a lower epoch.
async fn fences(world: &World, lower: u64, current: u64) {
    let calls = [
        changes_nothing(world, ORDERS, world.store().save(ORDERS, token(9), epoch(lower), None)).await,
        changes_nothing(world, ORDERS, world.store().save(ORDERS, token(9), epoch(lower), Some(LONG))).await,
        changes_nothing(world, ORDERS, world.store().clear(ORDERS, epoch(lower))).await,
    ];
    for error in calls {
        assert!(error.is_conflict() && !error.is_transient());
        let StateError::Fenced { collection, epoch, current: found } = error else { panic!("{error}") };
        assert_eq!((collection.as_str(), epoch.get(), found.get()), (ORDERS, lower, current));
    }
}

async fn lower_epoch_is_fenced(world: &mut World) {
    world.store().save(ORDERS, token(1), epoch(5), None).await.unwrap();
    for lower in [0, 1, 4] {
        fences(world, lower, 5).await;
    }
    assert_eq!(entry(world, ORDERS).await.token, token(1));
}

async fn same_epoch_is_not_fenced(world: &mut World) {
    for number in 1..=3 {
        world.store().save(ORDERS, token(number), epoch(5), None).await.unwrap();
    }
    assert_eq!(entry(world, ORDERS).await.token, token(3));
}

async fn epochs_are_compared_as_numbers(world: &mut World) {
    // As text 10 is less than 9, and as a double 2^53 + 1 is 2^53.
    let numbers = [9, 10, 99, 100, (1 << 53) - 1, 1 << 53, (1 << 53) + 1, (1 << 53) + 2, u64::MAX - 1, u64::MAX];
    let mut before = None;
    for current in numbers {
        world.store().save(ORDERS, token(1), epoch(current), None).await.unwrap();
        assert_eq!(entry(world, ORDERS).await.epoch, Epoch::new(current));
        if let Some(before) = before {
            fences(world, before, current).await;
        }
        before = Some(current);
    }
}

async fn plain_methods_are_fenced_by_an_epoch(world: &mut World) {
    world.store().save(ORDERS, token(1), epoch(1), None).await.unwrap();
    let save = changes_nothing(world, ORDERS, world.store().save_resume_token(ORDERS, token(2))).await;
    let clear = changes_nothing(world, ORDERS, world.store().clear_resume_token(ORDERS)).await;
    assert!(matches!(save, StateError::Fenced { .. }) && matches!(clear, StateError::Fenced { .. }));
    assert_eq!(world.store().load_resume_token(ORDERS).await.unwrap(), Some(token(1)));
}

async fn fence_stays_after_a_clear(world: &mut World) {
    world.store().save(ORDERS, token(1), epoch(5), None).await.unwrap();
    world.store().clear(ORDERS, epoch(6)).await.unwrap();
    fences(world, 5, 6).await;
    world.store().save(ORDERS, token(2), epoch(6), None).await.unwrap();
}

async fn fence_stays_after_expiry(world: &mut World) {
    world.store().save(ORDERS, token(1), epoch(5), Some(world.tick())).await.unwrap();
    world.pass().await;
    assert!(matches!(world.store().load(ORDERS).await.unwrap(), Loaded::Expired { .. }));
    fences(world, 4, 5).await;
    world.store().save(ORDERS, token(2), epoch(5), None).await.unwrap();
    assert_eq!(entry(world, ORDERS).await.token, token(2));
}

async fn clearing_what_is_not_there_raises_the_epoch(world: &mut World) {
    world.store().clear(ORDERS, epoch(3)).await.unwrap();
    fences(world, 2, 3).await;
    assert!(world.list_all(10).await.entries.is_empty());
    world.store().clear(ORDERS, epoch(7)).await.unwrap();
    fences(world, 6, 7).await;
}

async fn clearing_with_an_older_epoch_is_fenced_where_nothing_is(world: &mut World) {
    world.store().clear(ORDERS, epoch(3)).await.unwrap();
    assert!(matches!(refused(world.store().clear_resume_token(ORDERS).await), StateError::Fenced { .. }));
}

async fn fence_is_looked_at_before_the_version(world: &mut World) {
    world.store().save(ORDERS, token(1), epoch(5), None).await.unwrap();
    let version = entry(world, ORDERS).await.version;
    for expect in [magnetar_state::Expect::Absent, magnetar_state::Expect::Version(version)] {
        let error = refused(world.store().save(ORDERS, token(2), epoch(4).expect(expect), None).await);
        assert!(matches!(error, StateError::Fenced { .. }), "{error}");
    }
}

async fn refused_save_raises_no_epoch(world: &mut World) {
    world.store().save(ORDERS, token(1), epoch(1), None).await.unwrap();
    let late = epoch(9).expect(magnetar_state::Expect::Absent);
    changes_nothing(world, ORDERS, world.store().save(ORDERS, token(2), late, None)).await;
    world.store().save(ORDERS, token(3), epoch(1), None).await.unwrap();
}

async fn epoch_is_shown(world: &mut World) {
    world.store().save_resume_token(ORDERS, token(1)).await.unwrap();
    assert_eq!(entry(world, ORDERS).await.epoch, Epoch::default());
    world.store().save(ORDERS, token(1), Guard::epoch(Epoch::new(7)), None).await.unwrap();
    assert_eq!(entry(world, ORDERS).await.epoch, Epoch::new(7));
}

async fn zombie_that_lost_its_lock_is_fenced(world: &mut World) {
    let zombie = world.store().acquire(ORDERS, world.tick()).await.unwrap();
    world.pass().await;
    let heir = world.store().acquire(ORDERS, LONG).await.unwrap();
    world.store().save(ORDERS, token(2), Guard::epoch(heir.epoch()), None).await.unwrap();
    fences(world, zombie.epoch().get(), heir.epoch().get()).await;
}

async fn fence_stays_after_reopening(world: &mut World) {
    world.store().save(ORDERS, token(1), epoch(5), None).await.unwrap();
    world.store().clear(ORDERS, epoch(6)).await.unwrap();
    world.reopen().await;
    fences(world, 5, 6).await;
}
