//! Prune: what ended long ago and is not waited for makes room.

use magnetar_core::{
    ErrorKind, Filter,
    JobStatus::{Cancelled, Done, Failed, Pending, Skipped},
    NewChunk, OnFailure, Op, Reply, Timestamp,
};

use crate::{
    harness::World,
    law::{Law, laws},
    laws::{
        shape::{abroad, behind, chain, job_that, mark, ready, take},
        support::{MILLI, SECOND, fence, job_of, kind, plain_job},
    },
};

pub(in crate::laws) const LAWS: &[Law] = laws![
    prune_removes_what_ended_before_the_instant,
    prune_removes_every_kind_of_end,
    prune_leaves_open_chunks_alone,
    prune_leaves_a_chunk_with_an_open_child,
    prune_leaves_a_chunk_with_an_open_child_in_another_job,
    prune_leaves_a_bad_chunk_with_a_held_child,
    prune_removes_a_parent_along_with_its_ended_child,
    prune_removes_what_only_a_grandchild_stands_behind,
    counters_follow_a_prune,
    prune_again_removes_nothing,
    prune_goes_by_pages,
    pruned_chunk_is_not_found,
    pruned_id_can_be_put_in_again,
    reopened_chunk_is_not_pruned_for_its_old_end,
    prune_of_one_job_leaves_the_others,
    child_of_a_pruned_parent_is_met,
];

const FOREVER: Timestamp = Timestamp::from_millis(u64::MAX);

async fn prune(world: &World, job: i64, ended_before: Timestamp) -> u64 {
    world.store().prune(job, ended_before).await.unwrap()
}

/// The ids of all chunks.
async fn left(world: &World, job: i64) -> Vec<u64> {
    world.store().ids(job, Filter::All, None, 1000).await.unwrap().items
}

async fn prune_removes_what_ended_before_the_instant(world: &mut World) {
    plain_job(world, 7, 3).await;
    for chunk in [3, 1, 2] {
        world.advance(SECOND);
        mark(world, 7, chunk, Done).await;
    }
    let last = world.now();
    assert_eq!((prune(world, 7, last).await, left(world, 7).await), (2, vec![2]), "what ended at the instant stays");
    assert_eq!((prune(world, 7, last.after(MILLI)).await, left(world, 7).await), (1, vec![]));
}

async fn prune_removes_every_kind_of_end(world: &mut World) {
    job_that(world, 7, OnFailure::Skip, [1, 2, 3].map(NewChunk::new).into_iter().chain([behind(4, [2])])).await;
    for (chunk, end) in [(1, Done), (2, Failed), (3, Cancelled)] {
        mark(world, 7, chunk, end).await;
    }
    assert_eq!(world.status(7, 4).await, Skipped);
    assert_eq!((prune(world, 7, FOREVER).await, left(world, 7).await), (4, vec![]));
}

async fn prune_leaves_open_chunks_alone(world: &mut World) {
    job_of(world, 7, [NewChunk::new(1), NewChunk::new(2), behind(3, [2]), NewChunk::new(4).not_before(FOREVER)]).await;
    let held = fence(world.store(), 7).await;
    assert_eq!((prune(world, 7, FOREVER).await, left(world, 7).await), (0, vec![1, 2, 3, 4]));
    world.store().complete(&held, Vec::new()).await.unwrap();
}

async fn prune_leaves_a_chunk_with_an_open_child(world: &mut World) {
    job_of(world, 7, [NewChunk::new(1), NewChunk::new(2), behind(3, [1, 2])]).await;
    mark(world, 7, 1, Done).await;
    assert_eq!(prune(world, 7, FOREVER).await, 0);
    mark(world, 7, 2, Done).await;
    assert_eq!((prune(world, 7, FOREVER).await, ready(world, 7).await), (0, vec![3]), "a child that is ready is open");
    let child = fence(world.store(), 7).await;
    assert_eq!(prune(world, 7, FOREVER).await, 0, "a child that runs is open");
    world.store().complete(&child, Vec::new()).await.unwrap();
    assert_eq!(prune(world, 7, FOREVER).await, 3);
}

async fn prune_leaves_a_chunk_with_an_open_child_in_another_job(world: &mut World) {
    plain_job(world, 7, 2).await;
    job_of(world, 8, [abroad(1, [(7, 1)])]).await;
    mark(world, 7, 1, Done).await;
    mark(world, 7, 2, Done).await;
    assert_eq!((prune(world, 7, FOREVER).await, left(world, 7).await), (1, vec![1]));
    mark(world, 8, 1, Done).await;
    assert_eq!(prune(world, 7, FOREVER).await, 1);
}

async fn prune_leaves_a_bad_chunk_with_a_held_child(world: &mut World) {
    job_that(world, 7, OnFailure::Hold, chain(2)).await;
    mark(world, 7, 1, Failed).await;
    assert_eq!((prune(world, 7, FOREVER).await, left(world, 7).await), (0, vec![1, 2]));
}

async fn prune_removes_a_parent_along_with_its_ended_child(world: &mut World) {
    job_of(world, 7, [behind(1, [2]), NewChunk::new(2), behind(3, [2])]).await;
    for chunk in [2, 1, 3] {
        mark(world, 7, chunk, Done).await;
    }
    assert_eq!((prune(world, 7, FOREVER).await, left(world, 7).await), (3, vec![]));
}

async fn prune_removes_what_only_a_grandchild_stands_behind(world: &mut World) {
    job_of(world, 7, chain(4)).await;
    mark(world, 7, 1, Done).await;
    mark(world, 7, 2, Done).await;
    assert_eq!((prune(world, 7, FOREVER).await, left(world, 7).await), (1, vec![2, 3, 4]));
    for next in [3, 4] {
        assert_eq!(take(world, 7, 5).await, [next]);
        mark(world, 7, next, Done).await;
    }
}

async fn counters_follow_a_prune(world: &mut World) {
    job_that(world, 7, OnFailure::Skip, (1..=6).map(NewChunk::new).chain([behind(7, [3])])).await;
    for (chunk, end) in [(1, Done), (2, Done), (3, Failed), (4, Cancelled)] {
        mark(world, 7, chunk, end).await;
    }
    world.advance(SECOND);
    mark(world, 7, 5, Done).await;
    assert_eq!(prune(world, 7, world.now()).await, 5);
    let stats = world.store().get_stats(7).await.unwrap();
    assert_eq!((stats.total_chunks, stats.done, stats.pending), (2, 1, 1));
    assert_eq!((stats.failed, stats.cancelled, stats.skipped), (0, 0, 0));
}

async fn prune_again_removes_nothing(world: &mut World) {
    plain_job(world, 7, 2).await;
    mark(world, 7, 1, Done).await;
    assert_eq!((prune(world, 7, FOREVER).await, prune(world, 7, FOREVER).await), (1, 0));
    plain_job(world, 8, 0).await;
    assert_eq!(prune(world, 8, FOREVER).await, 0);
}

async fn prune_goes_by_pages(world: &mut World) {
    plain_job(world, 7, 20).await;
    for chunk in (1..=20).filter(|chunk| chunk % 3 != 0) {
        mark(world, 7, chunk, Done).await;
    }
    let (mut removed, mut after) = (0, None);
    for _ in 0..12 {
        let op = Op::Prune { job: 7, ended_before: FOREVER, after, limit: 2 };
        let Some(Reply::Pruned(pruned)) = world.store().apply(vec![op]).await.unwrap().pop() else { panic!("no count") };
        assert!(pruned.removed <= 2 && pruned.next.is_none_or(|next| next > after.unwrap_or(0)), "{pruned:?}");
        removed += pruned.removed;
        after = pruned.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!((removed, after, left(world, 7).await), (14, None, vec![3, 6, 9, 12, 15, 18]));
}

async fn pruned_chunk_is_not_found(world: &mut World) {
    plain_job(world, 7, 2).await;
    let held = fence(world.store(), 7).await;
    world.store().complete(&held, Vec::new()).await.unwrap();
    assert_eq!(prune(world, 7, FOREVER).await, 1);
    assert_eq!(world.store().get_chunk(7, 1).await.unwrap(), None);
    assert_eq!(kind(world.store().complete(&held, Vec::new()).await), ErrorKind::NotFound);
    assert_eq!(kind(world.store().mark_status(7, 1, Done, None).await), ErrorKind::NotFound);
    assert_eq!(kind(world.store().add_dependency(7, 2, vec![1]).await), ErrorKind::NotFound);
}

async fn pruned_id_can_be_put_in_again(world: &mut World) {
    job_of(world, 7, [NewChunk::new(1).checksum("old")]).await;
    let held = fence(world.store(), 7).await;
    world.store().complete(&held, b"old".to_vec()).await.unwrap();
    assert_eq!(prune(world, 7, FOREVER).await, 1);
    let report = world.store().insert(7, vec![NewChunk::new(1)]).await.unwrap();
    assert_eq!(report.added, 1);
    let chunk = world.store().claim_pending(7).await.unwrap().unwrap();
    assert_eq!((chunk.checksum.as_str(), chunk.result.clone(), chunk.attempt()), ("", None, 1));
    assert!(chunk.fence().unwrap().token() > held.token());
    assert_eq!(kind(world.store().complete(&held, Vec::new()).await), ErrorKind::FenceLost);
}

async fn reopened_chunk_is_not_pruned_for_its_old_end(world: &mut World) {
    plain_job(world, 7, 1).await;
    mark(world, 7, 1, Done).await;
    world.store().reopen(7, vec![1]).await.unwrap();
    world.advance(SECOND);
    assert_eq!((prune(world, 7, world.now()).await, world.status(7, 1).await), (0, Pending));
    mark(world, 7, 1, Done).await;
    assert_eq!(prune(world, 7, world.now()).await, 0);
}

async fn prune_of_one_job_leaves_the_others(world: &mut World) {
    for job in [-7, 7, 8] {
        plain_job(world, job, 2).await;
        mark(world, job, 1, Done).await;
    }
    assert_eq!(prune(world, 7, FOREVER).await, 1);
    assert_eq!((left(world, -7).await, left(world, 7).await, left(world, 8).await), (vec![1, 2], vec![2], vec![1, 2]));
}

async fn child_of_a_pruned_parent_is_met(world: &mut World) {
    job_of(world, 7, chain(2)).await;
    mark(world, 7, 1, Done).await;
    world.advance(SECOND);
    mark(world, 7, 2, Done).await;
    assert_eq!((prune(world, 7, world.now()).await, left(world, 7).await), (1, vec![2]));
    assert_eq!(world.store().reopen(7, vec![2]).await.unwrap(), [(7, 2)]);
    assert_eq!(take(world, 7, 5).await, [2]);
}
