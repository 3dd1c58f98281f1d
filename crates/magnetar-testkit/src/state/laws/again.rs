//! A write with an id can be sent again: it happens once.

use magnetar_state::{Expect, Guard, Saved, StateError, Version, WriteId};

use super::{ORDERS, World, at_version, changes_nothing, entry, epoch, named, refused};
use crate::{
    law::{Law, laws},
    state::samples::token,
};

pub(super) const LAWS: &[Law<World>] = laws![
    repeated_save_is_applied_once,
    repeated_save_that_expected_a_version_is_no_conflict,
    repeated_save_that_expected_absence_is_no_conflict,
    repeated_clear_is_applied_once,
    repeated_save_after_expiry_is_applied_once,
    save_without_an_id_is_never_a_repetition,
    another_id_is_another_write,
    same_id_under_a_higher_epoch_is_another_write,
    repetition_of_an_older_epoch_is_fenced,
    repetition_after_another_write_is_held_against_its_version,
    ids_of_every_size_are_kept,
    one_write_sent_by_many_at_once_is_applied_once,
    @many repetition_is_known_after_reopening,
];

async fn repeated_save_is_applied_once(world: &mut World) {
    let first = world.store().save(ORDERS, token(1), named(7), None).await.unwrap();
    assert!(!first.already_applied);
    for _ in 0..3 {
        let again = world.store().save(ORDERS, token(1), named(7), None).await.unwrap();
        assert_eq!(again, Saved::again(first.version));
    }
    assert_eq!(entry(world, ORDERS).await.version, Version::new(1));
}

async fn repeated_save_that_expected_a_version_is_no_conflict(world: &mut World) {
    world.store().save(ORDERS, token(1), Guard::default(), None).await.unwrap();
    let guard = at_version(1).write_id(WriteId::new(7));
    assert_eq!(world.store().save(ORDERS, token(2), guard, None).await.unwrap(), Saved::new(Version::new(2)));
    assert_eq!(world.store().save(ORDERS, token(2), guard, None).await.unwrap(), Saved::again(Version::new(2)));
}

async fn repeated_save_that_expected_absence_is_no_conflict(world: &mut World) {
    let guard = named(7).expect(Expect::Absent);
    assert_eq!(world.store().save(ORDERS, token(1), guard, None).await.unwrap(), Saved::new(Version::new(1)));
    assert_eq!(world.store().save(ORDERS, token(1), guard, None).await.unwrap(), Saved::again(Version::new(1)));
}

async fn repeated_clear_is_applied_once(world: &mut World) {
    world.store().save(ORDERS, token(1), Guard::default(), None).await.unwrap();
    let guard = at_version(1).write_id(WriteId::new(7));
    assert_eq!(world.store().clear(ORDERS, guard).await.unwrap(), Saved::new(Version::new(2)));
    assert_eq!(world.store().clear(ORDERS, guard).await.unwrap(), Saved::again(Version::new(2)));
}

async fn repeated_save_after_expiry_is_applied_once(world: &mut World) {
    world.store().save(ORDERS, token(1), named(7), Some(world.tick())).await.unwrap();
    world.pass().await;
    let again = world.store().save(ORDERS, token(1), named(7), Some(world.tick())).await.unwrap();
    assert_eq!(again, Saved::again(Version::new(1)));
    assert!(matches!(refused(world.store().load_resume_token(ORDERS).await), StateError::Expired { .. }));
}

async fn save_without_an_id_is_never_a_repetition(world: &mut World) {
    for number in 1..=3 {
        let saved = world.store().save(ORDERS, token(1), Guard::default(), None).await.unwrap();
        assert_eq!(saved, Saved::new(Version::new(number)));
    }
}

async fn another_id_is_another_write(world: &mut World) {
    for number in 1..=3 {
        let saved = world.store().save(ORDERS, token(1), named(number.into()), None).await.unwrap();
        assert_eq!(saved, Saved::new(Version::new(number)));
    }
}

async fn same_id_under_a_higher_epoch_is_another_write(world: &mut World) {
    let id = WriteId::new(7);
    world.store().save(ORDERS, token(1), epoch(1).write_id(id), None).await.unwrap();
    let saved = world.store().save(ORDERS, token(2), epoch(2).write_id(id), None).await.unwrap();
    assert_eq!(saved, Saved::new(Version::new(2)));
    assert_eq!(entry(world, ORDERS).await.token, token(2));
}

async fn repetition_of_an_older_epoch_is_fenced(world: &mut World) {
    let id = WriteId::new(7);
    world.store().save(ORDERS, token(1), epoch(1).write_id(id), None).await.unwrap();
    world.store().save(ORDERS, token(2), epoch(2).write_id(id), None).await.unwrap();
    let save = world.store().save(ORDERS, token(1), epoch(1).write_id(id), None);
    assert!(matches!(changes_nothing(world, ORDERS, save).await, StateError::Fenced { .. }));
}

async fn repetition_after_another_write_is_held_against_its_version(world: &mut World) {
    let guard = named(7).expect(Expect::Absent);
    world.store().save(ORDERS, token(1), guard, None).await.unwrap();
    world.store().save(ORDERS, token(2), named(8), None).await.unwrap();
    let error = changes_nothing(world, ORDERS, world.store().save(ORDERS, token(1), guard, None)).await;
    assert!(matches!(error, StateError::Conflict { .. }), "{error}");
}

async fn ids_of_every_size_are_kept(world: &mut World) {
    for id in [0, 1, u128::from(u64::MAX), 1 << 64, u128::MAX] {
        assert!(!world.store().save(ORDERS, token(1), named(id), None).await.unwrap().already_applied, "{id}");
        assert!(world.store().save(ORDERS, token(1), named(id), None).await.unwrap().already_applied, "{id}");
    }
}

async fn one_write_sent_by_many_at_once_is_applied_once(world: &mut World) {
    let outcomes = world.at_once(6, |store, _| async move { store.save(ORDERS, token(1), named(7), None).await.unwrap() }).await;
    assert!(outcomes.iter().all(|saved| saved.version == Version::new(1)), "{outcomes:?}");
    assert_eq!(outcomes.iter().filter(|saved| !saved.already_applied).count(), 1, "{outcomes:?}");
}

async fn repetition_is_known_after_reopening(world: &mut World) {
    let guard = named(u128::MAX).expect(Expect::Absent);
    world.store().save(ORDERS, token(1), guard, None).await.unwrap();
    world.reopen().await;
    assert_eq!(world.store().save(ORDERS, token(1), guard, None).await.unwrap(), Saved::again(Version::new(1)));
}
