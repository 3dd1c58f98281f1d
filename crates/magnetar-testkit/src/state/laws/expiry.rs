//! What has expired is told apart from what never was.

use std::time::Duration;

use magnetar_state::{Epoch, Expect, Guard, Loaded, StateError, Version};

use super::{LONG, ORDERS, World, at_version, changes_nothing, entry, epoch, refused};
use crate::{
    law::{Law, laws},
    state::samples::token,
};

pub(super) const LAWS: &[Law<World>] = laws![
    expired_token_is_an_error_and_no_silent_none,
    expired_token_keeps_version_and_epoch,
    token_without_a_time_stays,
    token_with_a_long_time_stays,
    time_begins_anew_with_each_save,
    save_without_a_time_ends_the_time,
    time_of_less_than_a_millisecond_is_no_error_and_not_for_ever,
    time_of_nothing_is_refused,
    longest_time_is_no_overflow,
    save_over_what_expired_makes_the_next_version,
    version_of_what_expired_can_be_expected,
    absence_is_not_met_by_what_expired,
    clear_of_what_expired_is_an_absence,
    repeated_save_does_not_prolong,
    @many expiry_is_known_after_reopening,
];

async fn given_an_expired_token(world: &World) {
    world.store().save(ORDERS, token(1), epoch(3), Some(world.tick())).await.unwrap();
    world.pass().await;
}

async fn expired_token_is_an_error_and_no_silent_none(world: &mut World) {
    given_an_expired_token(world).await;
    let error = refused(world.store().load_resume_token(ORDERS).await);
    assert!(!error.is_transient() && !error.is_conflict() && !error.is_corrupt());
    let StateError::Expired { collection, at } = error else { panic!("{error}") };
    assert_eq!(collection, ORDERS);
    assert!(at.as_millis() > 0);
}

async fn expired_token_keeps_version_and_epoch(world: &mut World) {
    given_an_expired_token(world).await;
    let loaded = world.store().load(ORDERS).await.unwrap();
    let Loaded::Expired { version, epoch, .. } = loaded else { panic!("{loaded:?}") };
    assert_eq!((version, epoch), (Version::new(1), Epoch::new(3)));
}

async fn token_without_a_time_stays(world: &mut World) {
    world.store().save(ORDERS, token(1), Guard::default(), None).await.unwrap();
    assert_eq!(entry(world, ORDERS).await.expires_at, None);
    world.pass().await;
    assert_eq!(entry(world, ORDERS).await.token, token(1));
}

async fn token_with_a_long_time_stays(world: &mut World) {
    world.store().save(ORDERS, token(1), Guard::default(), Some(LONG)).await.unwrap();
    let before = entry(world, ORDERS).await;
    assert_eq!(before.expires_at.unwrap().since(before.saved_at), LONG);
    world.pass().await;
    assert_eq!(entry(world, ORDERS).await, before);
    assert_eq!(world.store().load_resume_token(ORDERS).await.unwrap(), Some(token(1)));
}

async fn time_begins_anew_with_each_save(world: &mut World) {
    world.store().save(ORDERS, token(1), Guard::default(), Some(world.tick())).await.unwrap();
    world.store().save(ORDERS, token(2), Guard::default(), Some(LONG)).await.unwrap();
    world.pass().await;
    assert_eq!(entry(world, ORDERS).await.token, token(2));
    world.store().save(ORDERS, token(3), Guard::default(), Some(world.tick())).await.unwrap();
    world.pass().await;
    assert!(matches!(world.store().load(ORDERS).await.unwrap(), Loaded::Expired { .. }));
}

async fn save_without_a_time_ends_the_time(world: &mut World) {
    world.store().save(ORDERS, token(1), Guard::default(), Some(world.tick())).await.unwrap();
    world.store().save_resume_token(ORDERS, token(2)).await.unwrap();
    world.pass().await;
    assert_eq!(entry(world, ORDERS).await.token, token(2));
}

async fn time_of_less_than_a_millisecond_is_no_error_and_not_for_ever(world: &mut World) {
    for ttl in [Duration::from_nanos(1), Duration::from_micros(999), Duration::from_millis(1), Duration::from_micros(1001)] {
        world.store().save(ORDERS, token(1), Guard::default(), Some(ttl)).await.unwrap();
        world.pass().await;
        assert!(matches!(world.store().load(ORDERS).await.unwrap(), Loaded::Expired { .. }), "{ttl:?}");
    }
}

async fn time_of_nothing_is_refused(world: &mut World) {
    world.store().save_resume_token(ORDERS, token(1)).await.unwrap();
    let save = world.store().save(ORDERS, token(2), Guard::default(), Some(Duration::ZERO));
    assert!(matches!(changes_nothing(world, ORDERS, save).await, StateError::Invalid { .. }));
}

async fn longest_time_is_no_overflow(world: &mut World) {
    for ttl in [Duration::from_secs(1 << 40), Duration::MAX] {
        world.store().save(ORDERS, token(1), Guard::default(), Some(ttl)).await.unwrap();
        world.pass().await;
        assert_eq!(entry(world, ORDERS).await.token, token(1), "{ttl:?}");
    }
}

async fn save_over_what_expired_makes_the_next_version(world: &mut World) {
    given_an_expired_token(world).await;
    let saved = world.store().save(ORDERS, token(2), epoch(3), None).await.unwrap();
    assert_eq!(saved.version, Version::new(2));
    assert_eq!(entry(world, ORDERS).await.token, token(2));
}

async fn version_of_what_expired_can_be_expected(world: &mut World) {
    world.store().save(ORDERS, token(1), Guard::default(), Some(world.tick())).await.unwrap();
    world.pass().await;
    assert_eq!(world.store().save(ORDERS, token(2), at_version(1), None).await.unwrap().version, Version::new(2));
}

async fn absence_is_not_met_by_what_expired(world: &mut World) {
    given_an_expired_token(world).await;
    let guard = epoch(3).expect(Expect::Absent);
    let error = changes_nothing(world, ORDERS, world.store().save(ORDERS, token(2), guard, None)).await;
    assert!(matches!(error, StateError::Conflict { current: Some(version), .. } if version == Version::new(1)), "{error}");
}

async fn clear_of_what_expired_is_an_absence(world: &mut World) {
    given_an_expired_token(world).await;
    assert_eq!(world.store().clear(ORDERS, epoch(3)).await.unwrap().version, Version::new(2));
    assert_eq!(world.store().load_resume_token(ORDERS).await.unwrap(), None);
}

async fn repeated_save_does_not_prolong(world: &mut World) {
    let guard = super::named(7);
    world.store().save(ORDERS, token(1), guard, Some(world.tick())).await.unwrap();
    assert!(world.store().save(ORDERS, token(1), guard, Some(LONG)).await.unwrap().already_applied);
    world.pass().await;
    assert!(matches!(world.store().load(ORDERS).await.unwrap(), Loaded::Expired { .. }));
}

async fn expiry_is_known_after_reopening(world: &mut World) {
    world.store().save(ORDERS, token(1), epoch(3), Some(world.tick())).await.unwrap();
    world.reopen().await;
    world.pass().await;
    let loaded = world.store().load(ORDERS).await.unwrap();
    assert!(matches!(loaded, Loaded::Expired { version, .. } if version == Version::new(1)), "{loaded:?}");
}
