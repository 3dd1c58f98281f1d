//! A lock has one holder, and each holder an epoch of its own.

use std::time::Duration;

use magnetar_state::{Epoch, Lock, StateError, Timestamp};

use super::{LONG, World, refused};
use crate::law::{Law, laws};

pub(super) const LAWS: &[Law<World>] = laws![
    lock_has_one_holder,
    first_epoch_is_one_and_each_next_one_larger,
    released_lock_can_be_taken,
    lock_whose_time_is_over_can_be_taken,
    renewed_lock_is_held_on,
    renewal_counts_from_now,
    renewal_keeps_the_epoch,
    renewal_after_the_time_is_over_is_refused,
    renewal_of_what_another_has_is_refused,
    renewal_of_what_was_released_is_refused,
    release_of_what_another_has_changes_nothing,
    release_twice_is_fine,
    lock_that_never_was_has_no_holder,
    lock_of_a_made_up_epoch_is_lost,
    time_of_nothing_is_refused,
    shortest_and_longest_time_are_fine,
    of_many_who_acquire_one_wins,
    epochs_of_many_are_all_different,
    @many another_handle_is_kept_out,
    @many lock_outlives_its_handle,
    @many epoch_is_not_used_again_after_reopening,
];

const WORK: &str = "work";

async fn held(world: &World, ttl: Duration) -> Lock {
    world.store().acquire(WORK, ttl).await.unwrap()
}

async fn holder(world: &World) -> Option<Epoch> {
    world.store().holder(WORK).await.unwrap()
}

fn is_lost<T: std::fmt::Debug>(result: magnetar_state::StateResult<T>, lock: &Lock) {
    let error = refused(result);
    assert!(error.is_conflict() && !error.is_transient());
    let StateError::LockLost { name, epoch } = error else { panic!("{error}") };
    assert_eq!((name.as_str(), epoch), (lock.name(), lock.epoch()));
}

async fn lock_has_one_holder(world: &mut World) {
    let lock = held(world, LONG).await;
    assert_eq!((lock.name(), holder(world).await), (WORK, Some(lock.epoch())));
    let error = refused(world.store().acquire(WORK, LONG).await);
    assert!(error.is_conflict());
    let StateError::Locked { name, until } = error else { panic!("{error}") };
    assert_eq!(name, WORK);
    assert!(until.since(Timestamp::default()) > Duration::ZERO);
    world.store().acquire("other work", LONG).await.unwrap();
}

async fn first_epoch_is_one_and_each_next_one_larger(world: &mut World) {
    for number in 1..=5 {
        let lock = held(world, LONG).await;
        assert_eq!(lock.epoch(), Epoch::new(number));
        world.store().release(&lock).await.unwrap();
    }
}

async fn released_lock_can_be_taken(world: &mut World) {
    let first = held(world, LONG).await;
    world.store().release(&first).await.unwrap();
    assert_eq!(holder(world).await, None);
    let second = held(world, LONG).await;
    assert!(second.epoch() > first.epoch());
}

async fn lock_whose_time_is_over_can_be_taken(world: &mut World) {
    let first = held(world, world.tick()).await;
    world.pass().await;
    assert_eq!(holder(world).await, None);
    let second = held(world, LONG).await;
    assert!(second.epoch() > first.epoch());
    assert_eq!(holder(world).await, Some(second.epoch()));
}

async fn renewed_lock_is_held_on(world: &mut World) {
    let lock = held(world, LONG).await;
    let renewed = world.store().renew(&lock, LONG * 2).await.unwrap();
    assert!(renewed.until() > lock.until());
    world.pass().await;
    assert_eq!(holder(world).await, Some(lock.epoch()));
}

async fn renewal_counts_from_now(world: &mut World) {
    let lock = held(world, LONG).await;
    world.store().renew(&lock, world.tick()).await.unwrap();
    world.pass().await;
    assert_eq!(holder(world).await, None);
}

async fn renewal_keeps_the_epoch(world: &mut World) {
    let lock = held(world, LONG).await;
    let renewed = world.store().renew(&lock, LONG).await.unwrap();
    assert_eq!((renewed.name(), renewed.epoch()), (lock.name(), lock.epoch()));
    // Either of the two is proof enough.
    world.store().renew(&lock, LONG).await.unwrap();
    world.store().release(&renewed).await.unwrap();
    assert_eq!(held(world, LONG).await.epoch(), Epoch::new(2));
}

async fn renewal_after_the_time_is_over_is_refused(world: &mut World) {
    let lock = held(world, world.tick()).await;
    world.pass().await;
    is_lost(world.store().renew(&lock, LONG).await, &lock);
    assert_eq!(holder(world).await, None);
}

async fn renewal_of_what_another_has_is_refused(world: &mut World) {
    let zombie = held(world, world.tick()).await;
    world.pass().await;
    let heir = held(world, LONG).await;
    is_lost(world.store().renew(&zombie, LONG).await, &zombie);
    assert_eq!(holder(world).await, Some(heir.epoch()));
}

async fn renewal_of_what_was_released_is_refused(world: &mut World) {
    let lock = held(world, LONG).await;
    world.store().release(&lock).await.unwrap();
    is_lost(world.store().renew(&lock, LONG).await, &lock);
    assert_eq!(holder(world).await, None);
}

async fn release_of_what_another_has_changes_nothing(world: &mut World) {
    let zombie = held(world, world.tick()).await;
    world.pass().await;
    let heir = held(world, LONG).await;
    world.store().release(&zombie).await.unwrap();
    assert_eq!(holder(world).await, Some(heir.epoch()));
    assert!(matches!(refused(world.store().acquire(WORK, LONG).await), StateError::Locked { .. }));
}

async fn release_twice_is_fine(world: &mut World) {
    let lock = held(world, LONG).await;
    world.store().release(&lock).await.unwrap();
    world.store().release(&lock).await.unwrap();
    assert_eq!(held(world, LONG).await.epoch(), Epoch::new(2));
}

async fn lock_that_never_was_has_no_holder(world: &mut World) {
    assert_eq!(holder(world).await, None);
    let made_up = Lock::new(WORK, Epoch::new(1), Timestamp::from_millis(u64::MAX));
    is_lost(world.store().renew(&made_up, LONG).await, &made_up);
    world.store().release(&made_up).await.unwrap();
    assert_eq!(held(world, LONG).await.epoch(), Epoch::new(1));
}

async fn lock_of_a_made_up_epoch_is_lost(world: &mut World) {
    let lock = held(world, LONG).await;
    for number in [0, 2, u64::MAX] {
        let made_up = Lock::new(WORK, Epoch::new(number), lock.until());
        is_lost(world.store().renew(&made_up, LONG).await, &made_up);
        world.store().release(&made_up).await.unwrap();
        assert_eq!(holder(world).await, Some(lock.epoch()));
    }
}

async fn time_of_nothing_is_refused(world: &mut World) {
    assert!(matches!(refused(world.store().acquire(WORK, Duration::ZERO).await), StateError::Invalid { .. }));
    let lock = held(world, LONG).await;
    assert_eq!(lock.epoch(), Epoch::new(1));
    assert!(matches!(refused(world.store().renew(&lock, Duration::ZERO).await), StateError::Invalid { .. }));
    assert_eq!(holder(world).await, Some(lock.epoch()));
}

async fn shortest_and_longest_time_are_fine(world: &mut World) {
    held(world, Duration::from_nanos(1)).await;
    world.pass().await;
    held(world, Duration::MAX).await;
    world.pass().await;
    assert_eq!(holder(world).await, Some(Epoch::new(2)));
}

async fn of_many_who_acquire_one_wins(world: &mut World) {
    let outcomes = world.at_once(8, |store, _| async move { store.acquire(WORK, LONG).await }).await;
    let winners: Vec<_> = outcomes.iter().flatten().collect();
    assert_eq!(winners.len(), 1, "{outcomes:?}");
    assert_eq!(holder(world).await, Some(winners[0].epoch()));
    for error in outcomes.into_iter().filter_map(Result::err) {
        assert!(matches!(error, StateError::Locked { .. }), "{error}");
    }
}

async fn epochs_of_many_are_all_different(world: &mut World) {
    let outcomes = world
        .at_once(4, |store, _| async move {
            let mut epochs = Vec::new();
            for _ in 0..10 {
                if let Ok(lock) = store.acquire(WORK, LONG).await {
                    store.release(&lock).await.unwrap();
                    epochs.push(lock.epoch().get());
                }
            }
            epochs
        })
        .await;
    let mut epochs = outcomes.concat();
    epochs.sort_unstable();
    assert!(!epochs.is_empty());
    assert_eq!(epochs, (1..=epochs.len() as u64).collect::<Vec<_>>());
}

async fn another_handle_is_kept_out(world: &mut World) {
    let lock = held(world, LONG).await;
    let another = world.another().await;
    assert!(matches!(refused(another.acquire(WORK, LONG).await), StateError::Locked { .. }));
    assert_eq!(another.holder(WORK).await.unwrap(), Some(lock.epoch()));
    world.store().release(&lock).await.unwrap();
    assert_eq!(another.acquire(WORK, LONG).await.unwrap().epoch(), Epoch::new(2));
}

async fn lock_outlives_its_handle(world: &mut World) {
    let lock = held(world, LONG).await;
    world.reopen().await;
    assert_eq!(holder(world).await, Some(lock.epoch()));
    world.store().renew(&lock, LONG).await.unwrap();
    world.store().release(&lock).await.unwrap();
}

async fn epoch_is_not_used_again_after_reopening(world: &mut World) {
    let lock = held(world, LONG).await;
    world.store().release(&lock).await.unwrap();
    world.reopen().await;
    assert_eq!(held(world, LONG).await.epoch(), Epoch::new(2));
}
