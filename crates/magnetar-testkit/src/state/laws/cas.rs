//! A version that only grows, and writes that happen only where the version is the expected one.

use magnetar_state::{Expect, Guard, Loaded, Saved, StateError, Version};

use super::{ORDERS, World, at_version, changes_nothing, entry, refused};
use crate::{
    law::{Law, laws},
    state::samples::token,
};

pub(super) const LAWS: &[Law<World>] = laws![
    each_write_makes_the_next_version,
    plain_save_makes_the_next_version,
    expected_version_lets_a_write_through,
    another_version_is_a_conflict_that_names_the_right_one,
    version_where_nothing_is_is_a_conflict,
    absence_is_a_conflict_where_something_is,
    absence_is_met_by_what_was_cleared,
    version_of_what_was_cleared_is_not_met,
    version_is_not_used_again_after_a_clear,
    clearing_what_is_not_there_makes_no_version,
    of_many_who_expect_one_version_one_wins,
    of_many_who_expect_absence_one_wins,
    no_write_of_many_at_once_is_lost,
    @many version_is_not_used_again_after_reopening,
];

fn absent() -> Guard {
    Guard::default().expect(Expect::Absent)
}

async fn each_write_makes_the_next_version(world: &mut World) {
    for number in 1..=5 {
        let saved = world.store().save(ORDERS, token(1), Guard::default(), None).await.unwrap();
        assert_eq!(saved, Saved::new(Version::new(2 * number - 1)));
        assert_eq!(entry(world, ORDERS).await.version, saved.version);
        let cleared = world.store().clear(ORDERS, Guard::default()).await.unwrap();
        assert_eq!(cleared, Saved::new(Version::new(2 * number)));
    }
}

async fn plain_save_makes_the_next_version(world: &mut World) {
    for number in 1..=3 {
        world.store().save_resume_token(ORDERS, token(1)).await.unwrap();
        assert_eq!(entry(world, ORDERS).await.version, Version::new(number));
    }
}

async fn expected_version_lets_a_write_through(world: &mut World) {
    world.store().save(ORDERS, token(1), absent(), None).await.unwrap();
    world.store().save(ORDERS, token(2), at_version(1), None).await.unwrap();
    assert_eq!(entry(world, ORDERS).await.token, token(2));
    world.store().clear(ORDERS, at_version(2)).await.unwrap();
    assert_eq!(world.store().load(ORDERS).await.unwrap(), Loaded::Absent);
}

async fn another_version_is_a_conflict_that_names_the_right_one(world: &mut World) {
    world.store().save(ORDERS, token(1), Guard::default(), None).await.unwrap();
    world.store().save(ORDERS, token(2), Guard::default(), None).await.unwrap();
    for version in [0, 1, 3, u64::MAX] {
        let save = world.store().save(ORDERS, token(3), at_version(version), None);
        let clear = world.store().clear(ORDERS, at_version(version));
        for error in [changes_nothing(world, ORDERS, save).await, changes_nothing(world, ORDERS, clear).await] {
            assert!(error.is_conflict());
            let StateError::Conflict { collection, current } = error else { panic!("{error}") };
            assert_eq!((collection.as_str(), current), (ORDERS, Some(Version::new(2))));
        }
    }
}

async fn version_where_nothing_is_is_a_conflict(world: &mut World) {
    for version in [0, 1] {
        let error = refused(world.store().save(ORDERS, token(1), at_version(version), None).await);
        assert!(matches!(error, StateError::Conflict { current: None, .. }), "{error}");
        assert!(matches!(refused(world.store().clear(ORDERS, at_version(version)).await), StateError::Conflict { .. }));
    }
    assert_eq!(world.store().load(ORDERS).await.unwrap(), Loaded::Absent);
}

async fn absence_is_a_conflict_where_something_is(world: &mut World) {
    world.store().save(ORDERS, token(1), absent(), None).await.unwrap();
    let error = changes_nothing(world, ORDERS, world.store().save(ORDERS, token(2), absent(), None)).await;
    assert!(matches!(error, StateError::Conflict { current: Some(version), .. } if version == Version::new(1)), "{error}");
}

async fn absence_is_met_by_what_was_cleared(world: &mut World) {
    world.store().save(ORDERS, token(1), absent(), None).await.unwrap();
    world.store().clear(ORDERS, Guard::default()).await.unwrap();
    world.store().clear(ORDERS, absent()).await.unwrap();
    assert_eq!(world.store().save(ORDERS, token(2), absent(), None).await.unwrap().version, Version::new(3));
}

async fn version_of_what_was_cleared_is_not_met(world: &mut World) {
    world.store().save(ORDERS, token(1), absent(), None).await.unwrap();
    world.store().clear(ORDERS, Guard::default()).await.unwrap();
    for version in [1, 2] {
        let save = world.store().save(ORDERS, token(2), at_version(version), None);
        let error = changes_nothing(world, ORDERS, save).await;
        assert!(matches!(error, StateError::Conflict { current: None, .. }), "{error}");
    }
}

async fn version_is_not_used_again_after_a_clear(world: &mut World) {
    let first = world.store().save(ORDERS, token(1), Guard::default(), None).await.unwrap().version;
    world.store().clear(ORDERS, Guard::default()).await.unwrap();
    world.store().save(ORDERS, token(2), Guard::default(), None).await.unwrap();
    let guard = Guard::default().expect(Expect::Version(first));
    changes_nothing(world, ORDERS, world.store().save(ORDERS, token(3), guard, None)).await;
}

async fn clearing_what_is_not_there_makes_no_version(world: &mut World) {
    assert_eq!(world.store().clear(ORDERS, Guard::default()).await.unwrap(), Saved::new(Version::new(0)));
    world.store().save(ORDERS, token(1), Guard::default(), None).await.unwrap();
    for _ in 0..3 {
        assert_eq!(world.store().clear(ORDERS, Guard::default()).await.unwrap(), Saved::new(Version::new(2)));
    }
    assert_eq!(world.store().save(ORDERS, token(1), Guard::default(), None).await.unwrap().version, Version::new(3));
}

async fn of_many_who_expect_one_version_one_wins(world: &mut World) {
    world.store().save(ORDERS, token(0), absent(), None).await.unwrap();
    one_wins(world, at_version(1)).await;
}

async fn of_many_who_expect_absence_one_wins(world: &mut World) {
    one_wins(world, absent()).await;
}

async fn one_wins(world: &World, guard: Guard) {
    let outcomes = world
        .at_once(8, |store, at| async move { store.save(ORDERS, token(i64::try_from(at).unwrap()), guard, None).await })
        .await;
    let winners: Vec<_> = outcomes.iter().enumerate().filter(|(_, outcome)| outcome.is_ok()).map(|(at, _)| at).collect();
    let [winner] = winners[..] else { panic!("{outcomes:?}") };
    for error in outcomes.into_iter().filter_map(Result::err) {
        assert!(matches!(error, StateError::Conflict { current: Some(_), .. }), "{error}");
    }
    assert_eq!(entry(world, ORDERS).await.token, token(i64::try_from(winner).unwrap()));
}

async fn no_write_of_many_at_once_is_lost(world: &mut World) {
    let versions = world
        .at_once(4, |store, at| async move {
            let mut versions = Vec::new();
            for _ in 0..5 {
                let saved = store.save(ORDERS, token(i64::try_from(at).unwrap()), Guard::default(), None).await.unwrap();
                versions.push(saved.version.get());
            }
            versions
        })
        .await;
    let mut all = versions.concat();
    all.sort_unstable();
    assert_eq!(all, (1..=20).collect::<Vec<_>>());
    assert_eq!(entry(world, ORDERS).await.version, Version::new(20));
}

async fn version_is_not_used_again_after_reopening(world: &mut World) {
    world.store().save(ORDERS, token(1), Guard::default(), None).await.unwrap();
    world.store().clear(ORDERS, Guard::default()).await.unwrap();
    world.reopen().await;
    assert_eq!(world.store().save(ORDERS, token(1), Guard::default(), None).await.unwrap().version, Version::new(3));
}
