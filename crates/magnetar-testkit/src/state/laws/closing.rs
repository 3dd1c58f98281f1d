//! A store that was closed says so.

use magnetar_state::{Epoch, Guard, Lock, StateError, Timestamp};

use super::{LONG, ORDERS, World, refused};
use crate::{
    law::{Law, laws},
    state::samples::token,
};

pub(super) const LAWS: &[Law<World>] = laws![
    closed_store_answers_that_it_is_closed,
    closing_again_is_fine,
    @many closing_one_handle_closes_no_other,
];

async fn closed_store_answers_that_it_is_closed(world: &mut World) {
    let store = world.store();
    store.save_resume_token(ORDERS, token(1)).await.unwrap();
    store.close().await.unwrap();
    let lock = Lock::new("work", Epoch::new(1), Timestamp::default());
    for error in [
        refused(store.save_resume_token(ORDERS, token(1)).await),
        refused(store.load_resume_token(ORDERS).await),
        refused(store.clear_resume_token(ORDERS).await),
        refused(store.load(ORDERS).await),
        refused(store.save(ORDERS, token(1), Guard::default(), None).await),
        refused(store.clear(ORDERS, Guard::default()).await),
        refused(store.list(None, 10).await),
        refused(store.acquire("work", LONG).await),
        refused(store.renew(&lock, LONG).await),
        refused(store.release(&lock).await),
        refused(store.holder("work").await),
        refused(store.health().await),
    ] {
        assert!(matches!(error, StateError::Closed), "{error}");
    }
}

async fn closing_again_is_fine(world: &mut World) {
    for _ in 0..3 {
        world.store().close().await.unwrap();
    }
}

async fn closing_one_handle_closes_no_other(world: &mut World) {
    world.another().await.close().await.unwrap();
    world.store().save_resume_token(ORDERS, token(1)).await.unwrap();
    assert_eq!(world.store().load_resume_token(ORDERS).await.unwrap(), Some(token(1)));
}
