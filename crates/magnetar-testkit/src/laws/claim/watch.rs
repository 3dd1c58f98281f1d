//! The hint that something may have become claimable.

use std::{sync::Arc, time::Duration};

use futures_lite::future::poll_once;
use magnetar_core::{JobStatus, JobStore, NewChunk};

use crate::{
    harness::World,
    law::{Law, laws},
    laws::support::{fence, job_of, plain_job, reap},
};

pub(in crate::laws) const LAWS: &[Law] = laws![
    a_watch_returns_after_an_insert,
    a_watch_returns_after_a_release,
    a_watch_returns_after_a_resume,
    a_watch_returns_when_the_last_dependency_is_done,
    a_watch_returns_when_a_chunk_falls_due,
    a_watch_from_the_beginning_returns_where_there_is_work,
];

/// The hint that stands now: what `watch` returns until it has nothing new to tell.
async fn hint(store: &Arc<dyn JobStore>) -> u64 {
    let mut seen = 0;
    for _ in 0..1_000 {
        match poll_once(store.watch(seen)).await {
            Some(new) => seen = new.unwrap(),
            None => return seen,
        }
    }
    panic!("a watch goes on telling though nothing happens");
}

/// Waits for a watch from `seen` on, giving the store a round trip between looks.
async fn told(store: &Arc<dyn JobStore>, seen: u64) {
    let mut watch = store.watch(seen);
    for _ in 0..10_000 {
        if let Some(new) = poll_once(&mut watch).await {
            assert_ne!(new.unwrap(), seen, "a watch came back with the hint it was given");
            return;
        }
        reap(store).await;
    }
    panic!("a watch was told nothing");
}

async fn a_watch_returns_after_an_insert(world: &mut World) {
    plain_job(world, 7, 1).await;
    let seen = hint(world.store()).await;
    world.store().insert(7, vec![NewChunk::new(2)]).await.unwrap();
    told(world.store(), seen).await;
}

async fn a_watch_returns_after_a_release(world: &mut World) {
    plain_job(world, 7, 1).await;
    let held = fence(world.store(), 7).await;
    let seen = hint(world.store()).await;
    world.store().release(&held).await.unwrap();
    told(world.store(), seen).await;
}

async fn a_watch_returns_after_a_resume(world: &mut World) {
    plain_job(world, 7, 1).await;
    world.store().pause(7).await.unwrap();
    let seen = hint(world.store()).await;
    world.store().resume(7).await.unwrap();
    told(world.store(), seen).await;
}

async fn a_watch_returns_when_the_last_dependency_is_done(world: &mut World) {
    job_of(world, 7, [NewChunk::new(1), NewChunk::new(2).depends_on([1])]).await;
    let held = fence(world.store(), 7).await;
    let seen = hint(world.store()).await;
    world.store().complete(&held, Vec::new()).await.unwrap();
    told(world.store(), seen).await;
    assert_eq!(world.status(7, 2).await, JobStatus::Pending);
}

async fn a_watch_returns_when_a_chunk_falls_due(world: &mut World) {
    let at = world.now().after(Duration::from_secs(20));
    job_of(world, 7, [NewChunk::new(1).not_before(at)]).await;
    let seen = hint(world.store()).await;
    world.advance(Duration::from_secs(20));
    told(world.store(), seen).await;
}

async fn a_watch_from_the_beginning_returns_where_there_is_work(world: &mut World) {
    plain_job(world, 7, 1).await;
    told(world.store(), 0).await;
}
