//! The three methods that every program uses.

use magnetar_state::{Loaded, doc};

use super::{ORDERS, World, entry};
use crate::{
    law::{Law, laws},
    state::samples::token,
};

pub(super) const LAWS: &[Law<World>] = laws![
    saved_token_is_loaded,
    collection_that_never_was_has_no_token,
    last_save_is_what_is_loaded,
    cleared_token_is_gone,
    clearing_what_is_not_there_is_fine,
    collections_are_apart,
    cleared_collection_can_be_saved_again,
    store_says_what_it_can,
    @many token_is_there_after_reopening,
    @many clear_is_there_after_reopening,
    @many handles_see_what_others_save,
    @many handles_see_what_others_clear,
];

async fn saved_token_is_loaded(world: &mut World) {
    world.store().save_resume_token(ORDERS, token(1)).await.unwrap();
    assert_eq!(world.store().load_resume_token(ORDERS).await.unwrap(), Some(token(1)));
}

async fn collection_that_never_was_has_no_token(world: &mut World) {
    assert_eq!(world.store().load_resume_token(ORDERS).await.unwrap(), None);
    assert_eq!(world.store().load(ORDERS).await.unwrap(), Loaded::Absent);
}

async fn last_save_is_what_is_loaded(world: &mut World) {
    for number in 0..20 {
        world.store().save_resume_token(ORDERS, token(number)).await.unwrap();
        assert_eq!(world.store().load_resume_token(ORDERS).await.unwrap(), Some(token(number)));
    }
}

async fn cleared_token_is_gone(world: &mut World) {
    world.store().save_resume_token(ORDERS, token(1)).await.unwrap();
    world.store().clear_resume_token(ORDERS).await.unwrap();
    assert_eq!(world.store().load_resume_token(ORDERS).await.unwrap(), None);
}

async fn clearing_what_is_not_there_is_fine(world: &mut World) {
    world.store().clear_resume_token(ORDERS).await.unwrap();
    world.store().save_resume_token(ORDERS, token(1)).await.unwrap();
    world.store().clear_resume_token(ORDERS).await.unwrap();
    world.store().clear_resume_token(ORDERS).await.unwrap();
    assert_eq!(world.store().load(ORDERS).await.unwrap(), Loaded::Absent);
}

async fn collections_are_apart(world: &mut World) {
    world.store().save_resume_token("a", token(1)).await.unwrap();
    world.store().save_resume_token("b", token(2)).await.unwrap();
    world.store().clear_resume_token("a").await.unwrap();
    assert_eq!(world.store().load_resume_token("a").await.unwrap(), None);
    assert_eq!(world.store().load_resume_token("b").await.unwrap(), Some(token(2)));
}

async fn cleared_collection_can_be_saved_again(world: &mut World) {
    world.store().save_resume_token(ORDERS, doc! { "old": true }).await.unwrap();
    world.store().clear_resume_token(ORDERS).await.unwrap();
    world.store().save_resume_token(ORDERS, token(2)).await.unwrap();
    assert_eq!(entry(world, ORDERS).await.token, token(2));
}

async fn store_says_what_it_can(world: &mut World) {
    let can = world.store().capabilities();
    assert!(can.cas && can.ttl && can.locks, "a store that runs these laws has all of it: {can:?}");
    assert_eq!(can.backend, can.backend.to_lowercase());
    assert!(!can.backend.is_empty());
    world.store().health().await.unwrap();
}

async fn token_is_there_after_reopening(world: &mut World) {
    world.store().save_resume_token(ORDERS, token(1)).await.unwrap();
    let before = entry(world, ORDERS).await;
    world.reopen().await;
    assert_eq!(entry(world, ORDERS).await, before);
}

async fn clear_is_there_after_reopening(world: &mut World) {
    world.store().save_resume_token(ORDERS, token(1)).await.unwrap();
    world.store().clear_resume_token(ORDERS).await.unwrap();
    world.reopen().await;
    assert_eq!(world.store().load(ORDERS).await.unwrap(), Loaded::Absent);
}

async fn handles_see_what_others_save(world: &mut World) {
    let another = world.another().await;
    for number in 0..3 {
        world.store().save_resume_token(ORDERS, token(number)).await.unwrap();
        assert_eq!(another.load_resume_token(ORDERS).await.unwrap(), Some(token(number)));
    }
}

async fn handles_see_what_others_clear(world: &mut World) {
    let another = world.another().await;
    world.store().save_resume_token(ORDERS, token(1)).await.unwrap();
    another.clear_resume_token(ORDERS).await.unwrap();
    assert_eq!(world.store().load_resume_token(ORDERS).await.unwrap(), None);
}
