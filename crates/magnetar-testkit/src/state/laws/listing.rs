//! Every collection that has a token, page by page.

use std::collections::BTreeMap;

use magnetar_state::{Guard, Loaded, StateError, limits};

use super::{LONG, World, refused};
use crate::{
    law::{Law, laws},
    state::samples::token,
};

pub(super) const LAWS: &[Law<World>] = laws![
    store_with_nothing_lists_nothing,
    every_collection_is_listed_once,
    listed_is_what_is_loaded,
    cleared_collection_is_not_listed,
    expired_collection_is_listed_as_expired,
    page_of_nothing_is_refused,
    page_beyond_the_largest_is_refused,
    largest_page_is_fine,
    listing_goes_on_though_what_was_listed_is_cleared,
];

async fn given(world: &World, count: i64) {
    for number in 0..count {
        world.store().save_resume_token(&format!("collection {number}"), token(number)).await.unwrap();
    }
}

async fn store_with_nothing_lists_nothing(world: &mut World) {
    let page = world.store().list(None, 10).await.unwrap();
    assert!(page.entries.is_empty() && page.damaged.is_empty() && page.next.is_none());
}

async fn every_collection_is_listed_once(world: &mut World) {
    given(world, 25).await;
    for limit in [1, 2, 7, 24, 25, 26] {
        let mut names: Vec<_> = world.list_all(limit).await.entries.into_iter().map(|listed| listed.collection).collect();
        names.sort_by_key(|name| name.rsplit(' ').next().unwrap().parse::<i64>().unwrap());
        assert_eq!(names, (0..25).map(|number| format!("collection {number}")).collect::<Vec<_>>(), "pages of {limit}");
    }
}

async fn listed_is_what_is_loaded(world: &mut World) {
    given(world, 5).await;
    world.store().save("collection 2", token(9), super::epoch(4), Some(LONG)).await.unwrap();
    let listed: BTreeMap<_, _> =
        world.list_all(3).await.entries.into_iter().map(|listed| (listed.collection, listed.loaded)).collect();
    for number in 0..5 {
        let name = format!("collection {number}");
        assert_eq!(listed[&name], world.store().load(&name).await.unwrap());
    }
}

async fn cleared_collection_is_not_listed(world: &mut World) {
    given(world, 5).await;
    for number in [0, 2, 4] {
        world.store().clear_resume_token(&format!("collection {number}")).await.unwrap();
    }
    for limit in [1, 2, 10] {
        let mut names: Vec<_> = world.list_all(limit).await.entries.into_iter().map(|listed| listed.collection).collect();
        names.sort_unstable();
        assert_eq!(names, ["collection 1", "collection 3"]);
    }
}

async fn expired_collection_is_listed_as_expired(world: &mut World) {
    world.store().save("old", token(1), Guard::default(), Some(world.tick())).await.unwrap();
    world.store().save("new", token(1), Guard::default(), Some(LONG)).await.unwrap();
    world.pass().await;
    for listed in world.list_all(10).await.entries {
        let is_expired = matches!(listed.loaded, Loaded::Expired { .. });
        assert_eq!(is_expired, listed.collection == "old", "{listed:?}");
    }
    assert_eq!(world.list_all(10).await.entries.len(), 2);
}

async fn page_of_nothing_is_refused(world: &mut World) {
    assert!(matches!(refused(world.store().list(None, 0).await), StateError::Invalid { .. }));
}

async fn page_beyond_the_largest_is_refused(world: &mut World) {
    for limit in [limits::PAGE_ENTRIES_MAX + 1, usize::MAX] {
        assert!(matches!(refused(world.store().list(None, limit).await), StateError::TooLarge { .. }));
    }
}

async fn largest_page_is_fine(world: &mut World) {
    given(world, 3).await;
    assert_eq!(world.store().list(None, limits::PAGE_ENTRIES_MAX).await.unwrap().entries.len(), 3);
}

async fn listing_goes_on_though_what_was_listed_is_cleared(world: &mut World) {
    given(world, 6).await;
    let mut seen = Vec::new();
    let mut after: Option<String> = None;
    loop {
        let page = world.store().list(after.as_deref(), 2).await.unwrap();
        for listed in page.entries {
            world.store().clear_resume_token(&listed.collection).await.unwrap();
            seen.push(listed.collection);
        }
        match page.next {
            Some(next) => after = Some(next),
            None => break,
        }
    }
    seen.sort_unstable();
    assert_eq!(seen, (0..6).map(|number| format!("collection {number}")).collect::<Vec<_>>());
}
