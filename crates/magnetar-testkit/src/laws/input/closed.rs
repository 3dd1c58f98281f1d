//! A closed handle says so to every call, and what was closed or dropped opens again.

use std::sync::Arc;

use magnetar_core::{
    ErrorKind, Expect, Fence, Filter, JobRef, JobSpec,
    JobStatus::{Done, Pending, Processing},
    JobStore, Lane, Manifest, NewChunk, Query, Until,
};

use crate::{
    harness::World,
    law::{Law, laws},
    laws::{
        shape::{NONE, SPACE, mark, take},
        support::{chunk, fence, ids, kind, plain_job},
    },
};

pub(in crate::laws) const LAWS: &[Law] = laws![
    closed_handle_refuses_every_write,
    closed_handle_refuses_every_claim_and_end,
    closed_handle_refuses_every_read,
    closing_again_is_no_error,
    closed_store_opens_again,
    dropped_store_opens_again,
    dropped_handle_gives_back_what_it_held_at_no_cost,
    store_opens_again_over_and_over,
    @many closing_one_handle_leaves_the_other_open,
    @many dropping_one_handle_leaves_the_other_open,
    @many handles_see_what_each_other_did,
];

/// Closes the first handle of a world that has a job: the closed handle and a fence that held.
async fn closed(world: &World) -> (Arc<dyn JobStore>, Fence) {
    plain_job(world, 7, 3).await;
    let held = fence(world.store(), 7).await;
    world.store().close().await.unwrap();
    (Arc::clone(world.store()), held)
}

async fn closed_handle_refuses_every_write(world: &mut World) {
    let (store, _) = closed(world).await;
    let manifest: Manifest = toml::from_str("[[chunks]]\nid = 1\n").unwrap();
    let mut stream = [Ok(NewChunk::new(1))].into_iter();
    for refused in [
        kind(store.submit(Vec::new()).await),
        kind(store.apply(Vec::new()).await),
        kind(store.ensure_job(JobRef::Id(7), JobSpec::default()).await),
        kind(store.insert(7, vec![NewChunk::new(9)]).await),
        kind(store.init_from_manifest(7, &manifest).await),
        kind(store.init_from_stream(7, JobSpec::default(), &mut stream).await),
        kind(store.mark_status(7, 2, Done, None).await),
        kind(store.mark_failed(7, 2, "e".into()).await),
        kind(store.apply_batch_updates(7, &[]).await),
        kind(store.add_dependency(7, 2, vec![3]).await),
        kind(store.delete_job(7).await),
        kind(store.pause(7).await),
        kind(store.resume(7).await),
        kind(store.reopen(7, vec![1]).await),
        kind(store.prune(7, world.now()).await),
        kind(store.put_record(SPACE, b"k", None, Expect::Any).await),
    ] {
        assert_eq!(refused, ErrorKind::Closed);
    }
}

async fn closed_handle_refuses_every_claim_and_end(world: &mut World) {
    let (store, held) = closed(world).await;
    for refused in [
        kind(store.claim_pending(7).await),
        kind(store.claim_pending_batch(7, 2).await),
        kind(store.claim(vec![Lane::of(7)], 2).await),
        kind(store.complete(&held, Vec::new()).await),
        kind(store.complete_and_claim(&held, Vec::new(), vec![Lane::of(7)], 1).await),
        kind(store.fail(&held, "e".into()).await),
        kind(store.release(&held).await),
        kind(store.park(&held, Until::At(world.now())).await),
        kind(store.check(&held).await),
        kind(store.resume_pending(7).await),
        kind(store.watch(0).await),
    ] {
        assert_eq!(refused, ErrorKind::Closed);
    }
}

async fn closed_handle_refuses_every_read(world: &mut World) {
    let (store, _) = closed(world).await;
    for refused in [
        kind(store.read(Query::Job(7)).await),
        kind(store.get_by_status(7, Pending).await),
        kind(store.get_dependencies(7, 1).await),
        kind(store.topo_sort_ready(7).await),
        kind(store.get_chunk(7, 1).await),
        kind(store.get_stats(7).await),
        kind(store.chunks(7, Filter::All, None, 10).await),
        kind(store.ids(7, Filter::All, None, 10).await),
        kind(store.jobs().await),
        kind(store.job(7).await),
        kind(store.job_by_name("7").await),
        kind(store.get_record(SPACE, b"k").await),
        kind(store.records(SPACE, b"", None, 10).await),
        kind(store.audit(7).await),
    ] {
        assert_eq!(refused, ErrorKind::Closed);
    }
}

async fn closing_again_is_no_error(world: &mut World) {
    let (store, _) = closed(world).await;
    let before = store.capabilities();
    for _ in 0..3 {
        store.close().await.unwrap();
    }
    assert_eq!(store.capabilities(), before);
}

async fn closed_store_opens_again(world: &mut World) {
    plain_job(world, 7, 2).await;
    mark(world, 7, 1, Done).await;
    world.reopen().await;
    assert_eq!((world.status(7, 1).await, take(world, 7, 5).await), (Done, vec![2]));
}

async fn dropped_store_opens_again(world: &mut World) {
    plain_job(world, 7, 2).await;
    mark(world, 7, 1, Done).await;
    world.drop_and_reopen().await;
    assert_eq!((world.status(7, 1).await, take(world, 7, 5).await), (Done, vec![2]));
}

async fn dropped_handle_gives_back_what_it_held_at_no_cost(world: &mut World) {
    plain_job(world, 7, 1).await;
    let held = fence(world.store(), 7).await;
    world.drop_and_reopen().await;
    let chunk = chunk(world, 7, 1).await;
    assert_eq!((chunk.status, chunk.attempt(), chunk.crashes), (Pending, 1, 0));
    assert_eq!(kind(world.store().complete(&held, Vec::new()).await), ErrorKind::FenceLost);
}

async fn store_opens_again_over_and_over(world: &mut World) {
    plain_job(world, 7, 6).await;
    for next in 1..=6 {
        assert_eq!(take(world, 7, 1).await, [next]);
        mark(world, 7, next, Done).await;
        if next % 2 == 0 {
            world.reopen().await;
        } else {
            world.drop_and_reopen().await;
        }
    }
    assert!(world.store().get_stats(7).await.unwrap().is_complete());
}

async fn closing_one_handle_leaves_the_other_open(world: &mut World) {
    plain_job(world, 7, 3).await;
    let own = fence(world.store(), 7).await;
    let another = world.another().await;
    fence(&another, 7).await;
    another.close().await.unwrap();
    assert_eq!(kind(another.get_stats(7).await), ErrorKind::Closed);
    world.store().complete(&own, Vec::new()).await.unwrap();
    assert_eq!(take(world, 7, 5).await, [2, 3]);
}

async fn dropping_one_handle_leaves_the_other_open(world: &mut World) {
    plain_job(world, 7, 2).await;
    let another = world.another().await;
    fence(&another, 7).await;
    drop(another);
    assert_eq!((take(world, 7, 5).await, chunk(world, 7, 1).await.attempt()), (vec![1, 2], 1));
}

async fn handles_see_what_each_other_did(world: &mut World) {
    let another = world.another().await;
    plain_job(world, 7, 2).await;
    let held = fence(&another, 7).await;
    assert_eq!((held.chunk(), world.status(7, 1).await), (1, Processing));
    mark(world, 7, 2, Done).await;
    assert_eq!(ids(&another.get_by_status(7, Done).await.unwrap()), [2]);
    another.complete(&held, Vec::new()).await.unwrap();
    another.delete_job(7).await.unwrap();
    assert_eq!((world.store().jobs().await.unwrap(), take(world, 7, 1).await), (vec![], NONE.to_vec()));
}
