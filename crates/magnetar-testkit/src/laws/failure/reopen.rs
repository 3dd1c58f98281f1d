//! A reopening makes what ended Pending again, and all that has ended behind it.

use magnetar_core::{
    ErrorKind,
    JobStatus::{Cancelled, Done, Failed, Pending, Processing, Skipped},
    NewChunk, OnFailure, Op,
};

use crate::{
    harness::World,
    law::{Law, laws},
    laws::{
        shape::{NONE, abroad, behind, chain, changes_nothing, job_that, mark, picture, ready, standing, take},
        support::{job_of, plain_job},
    },
};

pub(in crate::laws) const LAWS: &[Law] = laws![
    reopening_takes_finished_descendants_over_many_levels,
    reopening_leaves_what_does_not_stand_behind,
    reopening_reaches_over_jobs,
    reopening_brings_failed_and_skipped_descendants_back,
    reopening_blocks_a_pending_child_again_and_does_not_name_it,
    reopening_is_refused_while_a_distant_descendant_runs,
    reopening_is_refused_whole_when_one_chunk_has_not_ended,
    reopening_is_refused_whole_when_one_chunk_is_missing,
    reopening_a_chunk_and_its_descendant_names_each_once,
    reopening_nothing_changes_nothing,
    reopened_diamond_waits_for_both_its_sides,
    reopened_chunk_behind_a_bad_parent_is_held,
    reopened_chunk_can_be_ended_and_reopened_again,
];

async fn done_chain(world: &World, job: i64, count: u64) {
    job_of(world, job, chain(count)).await;
    for chunk in 1..=count {
        mark(world, job, chunk, Done).await;
    }
}

async fn reopen(world: &World, job: i64, chunks: &[u64]) -> Vec<(i64, u64)> {
    let mut reopened = world.store().reopen(job, chunks.to_vec()).await.unwrap();
    reopened.sort_unstable();
    reopened
}

async fn reopening_takes_finished_descendants_over_many_levels(world: &mut World) {
    done_chain(world, 7, 200).await;
    assert_eq!(reopen(world, 7, &[1]).await, (1..=200).map(|chunk| (7, chunk)).collect::<Vec<_>>());
    let stats = world.store().get_stats(7).await.unwrap();
    assert_eq!((stats.pending, stats.blocked, stats.done), (200, 199, 0));
    for next in 1..=200 {
        assert_eq!(take(world, 7, 2).await, [next]);
        mark(world, 7, next, Done).await;
    }
}

async fn reopening_leaves_what_does_not_stand_behind(world: &mut World) {
    job_of(world, 7, [NewChunk::new(1), behind(2, [1]), behind(3, [1]), behind(4, [2]), behind(5, [3])]).await;
    for chunk in 1..=5 {
        mark(world, 7, chunk, Done).await;
    }
    assert_eq!(reopen(world, 7, &[2]).await, [(7, 2), (7, 4)]);
    assert_eq!((standing(world, 7, Done).await, ready(world, 7).await), (vec![1, 3, 5], vec![2]));
}

async fn reopening_reaches_over_jobs(world: &mut World) {
    plain_job(world, 7, 1).await;
    job_of(world, 8, [abroad(1, [(7, 1)])]).await;
    job_of(world, -9, [abroad(5, [(8, 1)])]).await;
    for (job, chunk) in [(7, 1), (8, 1), (-9, 5)] {
        mark(world, job, chunk, Done).await;
    }
    assert_eq!(reopen(world, 7, &[1]).await, [(-9, 5), (7, 1), (8, 1)]);
    assert_eq!((ready(world, 7).await, ready(world, 8).await, ready(world, -9).await), (vec![1], vec![], vec![]));
}

async fn reopening_brings_failed_and_skipped_descendants_back(world: &mut World) {
    job_that(world, 7, OnFailure::Skip, [NewChunk::new(1), behind(2, [1]), behind(3, [2]), behind(4, [1])]).await;
    mark(world, 7, 1, Done).await;
    mark(world, 7, 2, Failed).await;
    mark(world, 7, 4, Cancelled).await;
    assert_eq!(world.status(7, 3).await, Skipped);
    assert_eq!(reopen(world, 7, &[1]).await, [(7, 1), (7, 2), (7, 3), (7, 4)]);
    for next in [vec![1], vec![2, 4], vec![3]] {
        assert_eq!(take(world, 7, 10).await, next);
        for chunk in next {
            mark(world, 7, chunk, Done).await;
        }
    }
}

async fn reopening_blocks_a_pending_child_again_and_does_not_name_it(world: &mut World) {
    job_of(world, 7, chain(2)).await;
    mark(world, 7, 1, Done).await;
    assert_eq!(ready(world, 7).await, [2]);
    assert_eq!(reopen(world, 7, &[1]).await, [(7, 1)]);
    assert_eq!(take(world, 7, 10).await, [1]);
}

async fn reopening_is_refused_while_a_distant_descendant_runs(world: &mut World) {
    done_chain(world, 7, 5).await;
    job_of(world, 8, [abroad(1, [(7, 5)])]).await;
    mark(world, 8, 1, Processing).await;
    changes_nothing(world, vec![Op::Reopen { job: 7, chunks: vec![1] }], ErrorKind::NotAllowed).await;
    mark(world, 8, 1, Done).await;
    assert_eq!(reopen(world, 7, &[1]).await.len(), 6);
}

async fn reopening_is_refused_whole_when_one_chunk_has_not_ended(world: &mut World) {
    plain_job(world, 7, 3).await;
    mark(world, 7, 1, Done).await;
    mark(world, 7, 3, Processing).await;
    for open in [2, 3] {
        changes_nothing(world, vec![Op::Reopen { job: 7, chunks: vec![1, open] }], ErrorKind::NotAllowed).await;
    }
}

async fn reopening_is_refused_whole_when_one_chunk_is_missing(world: &mut World) {
    plain_job(world, 7, 1).await;
    mark(world, 7, 1, Done).await;
    changes_nothing(world, vec![Op::Reopen { job: 7, chunks: vec![1, 2] }], ErrorKind::NotFound).await;
    changes_nothing(world, vec![Op::Reopen { job: 8, chunks: vec![1] }], ErrorKind::NotFound).await;
}

async fn reopening_a_chunk_and_its_descendant_names_each_once(world: &mut World) {
    done_chain(world, 7, 3).await;
    assert_eq!(reopen(world, 7, &[3, 1, 2]).await, [(7, 1), (7, 2), (7, 3)]);
    assert_eq!(ready(world, 7).await, [1]);
}

async fn reopening_nothing_changes_nothing(world: &mut World) {
    done_chain(world, 7, 2).await;
    let before = picture(world).await;
    assert_eq!(reopen(world, 7, &[]).await, []);
    assert_eq!(picture(world).await, before);
}

async fn reopened_diamond_waits_for_both_its_sides(world: &mut World) {
    job_of(world, 7, [NewChunk::new(1), behind(2, [1]), behind(3, [1]), behind(4, [2, 3])]).await;
    for chunk in 1..=4 {
        mark(world, 7, chunk, Done).await;
    }
    assert_eq!(reopen(world, 7, &[2, 3]).await, [(7, 2), (7, 3), (7, 4)]);
    assert_eq!(take(world, 7, 10).await, [2, 3]);
    mark(world, 7, 2, Done).await;
    assert_eq!(take(world, 7, 10).await, NONE);
    mark(world, 7, 3, Done).await;
    assert_eq!(take(world, 7, 10).await, [4]);
}

async fn reopened_chunk_behind_a_bad_parent_is_held(world: &mut World) {
    job_that(world, 7, OnFailure::Skip, chain(2)).await;
    mark(world, 7, 1, Failed).await;
    assert_eq!(reopen(world, 7, &[2]).await, [(7, 2)]);
    assert_eq!((world.status(7, 2).await, world.store().get_stats(7).await.unwrap().held), (Pending, 1));
}

async fn reopened_chunk_can_be_ended_and_reopened_again(world: &mut World) {
    done_chain(world, 7, 2).await;
    for _ in 0..3 {
        assert_eq!(reopen(world, 7, &[1]).await, [(7, 1), (7, 2)]);
        mark(world, 7, 1, Done).await;
        mark(world, 7, 2, Done).await;
    }
    assert!(world.store().get_stats(7).await.unwrap().is_complete());
}
