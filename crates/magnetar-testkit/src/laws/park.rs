//! A parked chunk waits for a time or for the end of others, costs no budget, and frees its worker.

use std::time::Duration;

use magnetar_core::{
    Answer, ErrorKind, Fence,
    JobStatus::{Cancelled, Done, Failed, Pending, Processing, Skipped},
    NewChunk, Op, Query, Timestamp, Until,
};

use super::{
    large::take_all,
    shape::{NONE, behind, chain, changes_nothing, depend, mark, take},
    support::{MILLI, SECOND, chunk, fence, ids, job_of, kind, plain_job},
};
use crate::{
    harness::World,
    law::{Law, laws},
};

pub(super) const LAWS: &[Law] = laws![
    parked_chunk_is_not_handed_out_before_its_time,
    chunk_parked_until_the_past_is_ready_at_once,
    parking_costs_no_budget,
    chunk_parked_until_a_time_is_counted_as_delayed,
    parked_chunk_wakes_at_a_good_end,
    parked_chunk_wakes_at_every_bad_end,
    parked_chunk_waits_for_all_the_ends_it_named,
    chunk_parked_until_what_has_ended_is_ready_at_once,
    chunk_parked_until_no_end_is_ready_at_once,
    parked_chunk_waits_for_ends_in_other_jobs,
    retry_of_the_other_is_no_end,
    parked_chunk_is_bound_to_nothing_once_it_woke,
    chunk_parked_until_an_end_is_counted_as_blocked,
    what_a_parked_chunk_waits_for_is_no_dependency,
    parking_on_what_is_not_there_is_not_found,
    chunk_cannot_be_parked_on_itself,
    chunk_cannot_be_parked_on_what_waits_for_it,
    two_chunks_cannot_be_parked_on_each_other,
    dependency_cannot_close_a_circle_through_a_parked_chunk,
    parked_chunk_keeps_its_children_waiting,
    parked_fence_ends_nothing_any_more,
    parked_chunk_survives_a_crash,
    parked_chunk_keeps_the_job_it_waits_for,
    many_parked_chunks_wake_with_one_end,
    @many another_handle_takes_a_parked_chunk_up_under_a_higher_fence,
];

async fn park_until(world: &World, fence: &Fence, chunks: &[(i64, u64)]) {
    world.store().park(fence, Until::Ended(chunks.to_vec())).await.unwrap();
}

fn park_op(fence: Fence, chunks: &[(i64, u64)]) -> Vec<Op> {
    vec![Op::Park { fence, until: Until::Ended(chunks.to_vec()) }]
}

/// A job of which the first chunk is claimed: its fence.
async fn given(world: &World, job: i64, count: u64) -> Fence {
    plain_job(world, job, count).await;
    fence(world.store(), job).await
}

async fn parked_chunk_is_not_handed_out_before_its_time(world: &mut World) {
    let held = given(world, 7, 1).await;
    world.store().park(&held, Until::At(world.now().after(10 * SECOND))).await.unwrap();
    world.advance(Duration::from_millis(9999));
    world.settle().await;
    assert_eq!((world.status(7, 1).await, take(world, 7, 1).await), (Pending, vec![]));
    world.advance(MILLI);
    assert_eq!(take(world, 7, 1).await, [1]);
}

async fn chunk_parked_until_the_past_is_ready_at_once(world: &mut World) {
    for past in [world.now(), Timestamp::from_millis(0)] {
        let held = given(world, 7, 1).await;
        world.store().park(&held, Until::At(past)).await.unwrap();
        assert_eq!(take(world, 7, 1).await, [1]);
        world.store().delete_job(7).await.unwrap();
    }
}

async fn parking_costs_no_budget(world: &mut World) {
    plain_job(world, 7, 1).await;
    for _ in 0..10 {
        let held = fence(world.store(), 7).await;
        world.store().park(&held, Until::At(world.now().after(SECOND))).await.unwrap();
        world.advance(SECOND);
    }
    let chunk = chunk(world, 7, 1).await;
    assert_eq!((chunk.attempt(), chunk.fails, chunk.crashes, chunk.error), (1, 0, 0, None));
}

async fn chunk_parked_until_a_time_is_counted_as_delayed(world: &mut World) {
    let held = given(world, 7, 1).await;
    world.store().park(&held, Until::At(world.now().after(SECOND))).await.unwrap();
    let stats = world.store().get_stats(7).await.unwrap();
    assert_eq!((stats.pending, stats.delayed, stats.blocked, stats.processing), (1, 1, 0, 0));
}

async fn parked_chunk_wakes_at_a_good_end(world: &mut World) {
    let held = given(world, 7, 2).await;
    park_until(world, &held, &[(7, 2)]).await;
    let other = fence(world.store(), 7).await;
    assert_eq!((other.chunk(), take(world, 7, 1).await), (2, vec![]));
    world.store().complete(&other, Vec::new()).await.unwrap();
    assert_eq!(take(world, 7, 1).await, [1]);
}

async fn parked_chunk_wakes_at_every_bad_end(world: &mut World) {
    for (job, end) in [(7, Failed), (8, Cancelled), (9, Skipped)] {
        job_of(world, job, [NewChunk::new(1), NewChunk::new(2), behind(3, [2])]).await;
        let held = fence(world.store(), job).await;
        park_until(world, &held, &[(job, 3)]).await;
        if end == Skipped {
            mark(world, job, 2, Failed).await;
        } else {
            mark(world, job, 2, Done).await;
            mark(world, job, 3, end).await;
        }
        assert_eq!((world.status(job, 3).await, take(world, job, 5).await), (end, vec![1]));
    }
}

async fn parked_chunk_waits_for_all_the_ends_it_named(world: &mut World) {
    let held = given(world, 7, 4).await;
    park_until(world, &held, &[(7, 2), (7, 3), (7, 4), (7, 2)]).await;
    for (other, end) in [(4, Failed), (2, Done), (3, Cancelled)] {
        assert_eq!(world.store().get_stats(7).await.unwrap().blocked, 1, "before the end of {other}");
        mark(world, 7, other, end).await;
    }
    assert_eq!(take(world, 7, 5).await, [1]);
}

async fn chunk_parked_until_what_has_ended_is_ready_at_once(world: &mut World) {
    let held = given(world, 7, 3).await;
    mark(world, 7, 2, Done).await;
    mark(world, 7, 3, Failed).await;
    park_until(world, &held, &[(7, 2), (7, 3)]).await;
    assert_eq!(take(world, 7, 5).await, [1]);
}

async fn chunk_parked_until_no_end_is_ready_at_once(world: &mut World) {
    let held = given(world, 7, 1).await;
    park_until(world, &held, &[]).await;
    assert_eq!(take(world, 7, 5).await, [1]);
}

async fn parked_chunk_waits_for_ends_in_other_jobs(world: &mut World) {
    plain_job(world, 8, 1).await;
    plain_job(world, -8, 1).await;
    let held = given(world, 7, 1).await;
    park_until(world, &held, &[(8, 1), (-8, 1)]).await;
    mark(world, -8, 1, Failed).await;
    assert_eq!(take(world, 7, 1).await, NONE);
    mark(world, 8, 1, Done).await;
    assert_eq!(take(world, 7, 1).await, [1]);
}

async fn retry_of_the_other_is_no_end(world: &mut World) {
    let held = given(world, 7, 2).await;
    park_until(world, &held, &[(7, 2)]).await;
    let other = fence(world.store(), 7).await;
    assert!(world.store().fail(&other, "once".into()).await.unwrap().is_some());
    assert_eq!(take(world, 7, 1).await, NONE);
    assert_eq!(world.store().get_stats(7).await.unwrap().blocked, 1);
}

async fn parked_chunk_is_bound_to_nothing_once_it_woke(world: &mut World) {
    let held = given(world, 7, 2).await;
    park_until(world, &held, &[(7, 2)]).await;
    mark(world, 7, 2, Failed).await;
    mark(world, 7, 2, Pending).await;
    assert_eq!(take(world, 7, 5).await, [1, 2]);
}

async fn chunk_parked_until_an_end_is_counted_as_blocked(world: &mut World) {
    let held = given(world, 7, 2).await;
    park_until(world, &held, &[(7, 2)]).await;
    let stats = world.store().get_stats(7).await.unwrap();
    assert_eq!((stats.pending, stats.blocked, stats.delayed, stats.held, stats.ready()), (2, 1, 0, 0, 1));
}

async fn what_a_parked_chunk_waits_for_is_no_dependency(world: &mut World) {
    job_of(world, 7, chain(3)).await;
    mark(world, 7, 1, Done).await;
    let held = fence(world.store(), 7).await;
    plain_job(world, 8, 1).await;
    park_until(world, &held, &[(8, 1)]).await;
    assert_eq!(world.store().get_dependencies(7, 2).await.unwrap(), [1]);
    let all = world.store().read(Query::Dependencies { job: 7, chunk: 2 }).await.unwrap();
    assert_eq!(all, Answer::Dependencies(vec![(7, 1)]));
}

async fn parking_on_what_is_not_there_is_not_found(world: &mut World) {
    let held = given(world, 7, 2).await;
    for missing in [(7, 99), (8, 1)] {
        changes_nothing(world, park_op(held, &[(7, 2), missing]), ErrorKind::NotFound).await;
    }
    world.store().complete(&held, Vec::new()).await.unwrap();
}

async fn chunk_cannot_be_parked_on_itself(world: &mut World) {
    let held = given(world, 7, 2).await;
    changes_nothing(world, park_op(held, &[(7, 2), (7, 1)]), ErrorKind::Cycle).await;
    world.store().complete(&held, Vec::new()).await.unwrap();
}

async fn chunk_cannot_be_parked_on_what_waits_for_it(world: &mut World) {
    job_of(world, 7, chain(3)).await;
    plain_job(world, 8, 1).await;
    assert_eq!(depend(world, 8, 1, vec![(7, 3)]).await, None);
    let held = fence(world.store(), 7).await;
    for waiting in [(7, 2), (7, 3), (8, 1)] {
        changes_nothing(world, park_op(held, &[waiting]), ErrorKind::Cycle).await;
    }
    world.store().complete(&held, Vec::new()).await.unwrap();
}

async fn two_chunks_cannot_be_parked_on_each_other(world: &mut World) {
    let first = given(world, 7, 2).await;
    let second = fence(world.store(), 7).await;
    park_until(world, &first, &[(7, 2)]).await;
    changes_nothing(world, park_op(second, &[(7, 1)]), ErrorKind::Cycle).await;
    world.store().complete(&second, Vec::new()).await.unwrap();
    assert_eq!(take(world, 7, 1).await, [1]);
}

async fn dependency_cannot_close_a_circle_through_a_parked_chunk(world: &mut World) {
    let held = given(world, 7, 2).await;
    park_until(world, &held, &[(7, 2)]).await;
    changes_nothing(world, vec![Op::Depend { job: 7, chunk: 2, on: vec![(7, 1)] }], ErrorKind::Cycle).await;
}

async fn parked_chunk_keeps_its_children_waiting(world: &mut World) {
    job_of(world, 7, chain(2)).await;
    let held = fence(world.store(), 7).await;
    world.store().park(&held, Until::At(world.now().after(SECOND))).await.unwrap();
    assert_eq!(take(world, 7, 5).await, NONE);
    world.advance(SECOND);
    mark(world, 7, 1, Done).await;
    assert_eq!(take(world, 7, 5).await, [2]);
}

async fn parked_fence_ends_nothing_any_more(world: &mut World) {
    let held = given(world, 7, 1).await;
    world.store().park(&held, Until::At(world.now().after(SECOND))).await.unwrap();
    assert_eq!(kind(world.store().complete(&held, Vec::new()).await), ErrorKind::FenceLost);
    assert_eq!(kind(world.store().fail(&held, "e".into()).await), ErrorKind::FenceLost);
    assert_eq!(kind(world.store().check(&held).await), ErrorKind::FenceLost);
    assert_eq!(world.store().get_stats(7).await.unwrap().delayed, 1);
}

async fn parked_chunk_survives_a_crash(world: &mut World) {
    let first = given(world, 7, 3).await;
    let second = fence(world.store(), 7).await;
    park_until(world, &first, &[(7, 3)]).await;
    world.store().park(&second, Until::At(world.now().after(600 * SECOND))).await.unwrap();
    world.crash().await;
    assert_eq!(take(world, 7, 5).await, [3]);
    mark(world, 7, 3, Done).await;
    let woken = world.store().claim_pending(7).await.unwrap().unwrap();
    assert_eq!((woken.chunk, woken.attempt(), take(world, 7, 1).await), (1, 1, vec![]));
    world.advance(600 * SECOND);
    mark(world, 7, 2, Processing).await;
}

async fn parked_chunk_keeps_the_job_it_waits_for(world: &mut World) {
    plain_job(world, 8, 1).await;
    let held = given(world, 7, 1).await;
    park_until(world, &held, &[(8, 1)]).await;
    changes_nothing(world, vec![Op::DeleteJob { job: 8 }], ErrorKind::Conflict).await;
    mark(world, 8, 1, Done).await;
    world.store().delete_job(8).await.unwrap();
    assert_eq!(take(world, 7, 1).await, [1]);
}

async fn many_parked_chunks_wake_with_one_end(world: &mut World) {
    plain_job(world, 8, 1).await;
    plain_job(world, 7, 2500).await;
    let chunks = world.store().claim_pending_batch(7, 2500).await.unwrap();
    let groups = chunks.iter().map(|chunk| park_op(chunk.fence().unwrap(), &[(8, 1)])).collect();
    assert!(world.store().submit(groups).await.unwrap().iter().all(Result::is_ok));
    assert_eq!(take(world, 7, 1).await, NONE);
    mark(world, 8, 1, Cancelled).await;
    assert_eq!(take_all(world, 7).await, ids(&chunks));
}

async fn another_handle_takes_a_parked_chunk_up_under_a_higher_fence(world: &mut World) {
    let held = given(world, 7, 1).await;
    let another = world.another().await;
    world.store().park(&held, Until::At(world.now().after(SECOND))).await.unwrap();
    world.advance(SECOND);
    let taken = fence(&another, 7).await;
    assert!(taken.token() > held.token());
    assert_eq!(kind(world.store().complete(&held, Vec::new()).await), ErrorKind::FenceLost);
    another.complete(&taken, Vec::new()).await.unwrap();
    assert_eq!(world.status(7, 1).await, Done);
}
