//! A redrive takes a bad end back, and with it what was done to the chunks behind.

use magnetar_core::{
    JobStatus::{Cancelled, Done, Failed, Pending, Processing, Skipped},
    NewChunk, OnFailure,
};

use crate::{
    harness::World,
    law::{Law, laws},
    laws::{
        shape::{NONE, abroad, behind, chain, job_that, mark, ready, standing, take},
        support::{chunk, fence, job_of},
    },
};

pub(in crate::laws) const LAWS: &[Law] = laws![
    redrive_brings_back_the_skipped_over_many_levels,
    redrive_of_a_cancelled_chunk_brings_back_the_skipped,
    redrive_reaches_over_jobs,
    redrive_leaves_what_another_bad_chunk_skipped,
    child_of_two_bad_parents_comes_back_with_the_last,
    child_of_a_parent_that_went_bad_later_comes_back_with_the_last,
    redriving_a_skipped_chunk_brings_back_what_is_behind_it,
    redriven_skipped_chunk_is_skipped_by_another_bad_parent,
    redriven_skipped_chunk_runs_when_its_parent_is_redriven_and_done,
    parent_that_ends_counts_for_a_skipped_child,
    redriven_parent_that_fails_again_skips_again,
    redriven_parent_of_a_held_child_frees_it_when_done,
    child_that_ran_behind_a_bad_parent_stays_as_it_ended,
    redrive_blocks_a_child_that_could_have_run_again,
    redrive_lets_a_child_go_on_that_runs,
];

async fn redrive_brings_back_the_skipped_over_many_levels(world: &mut World) {
    job_that(world, 7, OnFailure::Skip, chain(300)).await;
    mark(world, 7, 1, Failed).await;
    assert_eq!(standing(world, 7, Skipped).await.len(), 299);
    mark(world, 7, 1, Pending).await;
    let stats = world.store().get_stats(7).await.unwrap();
    assert_eq!((stats.pending, stats.blocked, stats.held, stats.skipped), (300, 299, 0, 0));
    assert_eq!(chunk(world, 7, 300).await.ended_at, None);
    for next in 1..=300 {
        assert_eq!(take(world, 7, 2).await, [next]);
        mark(world, 7, next, Done).await;
    }
}

async fn redrive_of_a_cancelled_chunk_brings_back_the_skipped(world: &mut World) {
    job_that(world, 7, OnFailure::Skip, chain(3)).await;
    mark(world, 7, 1, Cancelled).await;
    mark(world, 7, 1, Pending).await;
    assert_eq!((standing(world, 7, Pending).await, ready(world, 7).await), (vec![1, 2, 3], vec![1]));
}

async fn redrive_reaches_over_jobs(world: &mut World) {
    job_of(world, 7, chain(1)).await;
    job_of(world, 8, [abroad(1, [(7, 1)])]).await;
    job_of(world, 9, [abroad(1, [(8, 1)])]).await;
    mark(world, 7, 1, Failed).await;
    assert_eq!(world.status(9, 1).await, Skipped);
    mark(world, 7, 1, Pending).await;
    assert_eq!((world.status(8, 1).await, world.status(9, 1).await), (Pending, Pending));
}

async fn redrive_leaves_what_another_bad_chunk_skipped(world: &mut World) {
    job_that(world, 7, OnFailure::Skip, [NewChunk::new(1), NewChunk::new(2), behind(3, [1]), behind(4, [2])]).await;
    mark(world, 7, 1, Failed).await;
    mark(world, 7, 2, Failed).await;
    mark(world, 7, 1, Pending).await;
    assert_eq!((world.status(7, 3).await, world.status(7, 4).await), (Pending, Skipped));
}

async fn child_of_two_bad_parents_comes_back_with_the_last(world: &mut World) {
    job_that(world, 7, OnFailure::Skip, [NewChunk::new(1), NewChunk::new(2), behind(3, [1, 2]), behind(4, [3])]).await;
    mark(world, 7, 1, Failed).await;
    mark(world, 7, 2, Failed).await;
    mark(world, 7, 1, Pending).await;
    assert_eq!(standing(world, 7, Skipped).await, [3, 4]);
    mark(world, 7, 2, Pending).await;
    assert_eq!((standing(world, 7, Pending).await, ready(world, 7).await), (vec![1, 2, 3, 4], vec![1, 2]));
}

async fn child_of_a_parent_that_went_bad_later_comes_back_with_the_last(world: &mut World) {
    job_that(world, 7, OnFailure::Skip, [NewChunk::new(1), NewChunk::new(2), behind(3, [1, 2])]).await;
    mark(world, 7, 2, Processing).await;
    mark(world, 7, 1, Failed).await;
    assert_eq!(world.status(7, 3).await, Skipped);
    mark(world, 7, 2, Cancelled).await;
    mark(world, 7, 1, Pending).await;
    assert_eq!(world.status(7, 3).await, Skipped);
    mark(world, 7, 2, Pending).await;
    assert_eq!(world.status(7, 3).await, Pending);
}

async fn redriving_a_skipped_chunk_brings_back_what_is_behind_it(world: &mut World) {
    job_that(world, 7, OnFailure::Skip, chain(4)).await;
    mark(world, 7, 1, Failed).await;
    mark(world, 7, 2, Pending).await;
    assert_eq!((standing(world, 7, Pending).await, take(world, 7, 10).await), (vec![2, 3, 4], vec![]));
    let stats = world.store().get_stats(7).await.unwrap();
    assert_eq!((stats.blocked, stats.held), (3, 1));
}

async fn redriven_skipped_chunk_is_skipped_by_another_bad_parent(world: &mut World) {
    job_that(world, 7, OnFailure::Skip, [NewChunk::new(1), NewChunk::new(2), behind(3, [1, 2])]).await;
    mark(world, 7, 1, Failed).await;
    mark(world, 7, 3, Pending).await;
    assert_eq!(world.status(7, 3).await, Pending);
    mark(world, 7, 2, Failed).await;
    assert_eq!(world.status(7, 3).await, Skipped);
}

async fn redriven_skipped_chunk_runs_when_its_parent_is_redriven_and_done(world: &mut World) {
    job_that(world, 7, OnFailure::Skip, chain(2)).await;
    mark(world, 7, 1, Failed).await;
    mark(world, 7, 2, Pending).await;
    mark(world, 7, 1, Pending).await;
    assert_eq!(take(world, 7, 10).await, [1]);
    mark(world, 7, 1, Done).await;
    assert_eq!(take(world, 7, 10).await, [2]);
}

async fn parent_that_ends_counts_for_a_skipped_child(world: &mut World) {
    job_that(world, 7, OnFailure::Skip, [NewChunk::new(1), NewChunk::new(2), behind(3, [1, 2])]).await;
    mark(world, 7, 1, Failed).await;
    mark(world, 7, 2, Done).await;
    mark(world, 7, 1, Pending).await;
    assert_eq!(ready(world, 7).await, [1]);
    mark(world, 7, 1, Done).await;
    assert_eq!(ready(world, 7).await, [3]);
}

async fn redriven_parent_that_fails_again_skips_again(world: &mut World) {
    job_that(world, 7, OnFailure::Skip, chain(3)).await;
    for _ in 0..3 {
        mark(world, 7, 1, Failed).await;
        assert_eq!(standing(world, 7, Skipped).await, [2, 3]);
        mark(world, 7, 1, Pending).await;
        assert_eq!(standing(world, 7, Pending).await, [1, 2, 3]);
    }
}

async fn redriven_parent_of_a_held_child_frees_it_when_done(world: &mut World) {
    job_that(world, 7, OnFailure::Hold, chain(2)).await;
    mark(world, 7, 1, Failed).await;
    mark(world, 7, 1, Pending).await;
    let stats = world.store().get_stats(7).await.unwrap();
    assert_eq!((stats.blocked, stats.held), (1, 0));
    assert_eq!(take(world, 7, 10).await, [1]);
    mark(world, 7, 1, Done).await;
    assert_eq!(take(world, 7, 10).await, [2]);
}

async fn child_that_ran_behind_a_bad_parent_stays_as_it_ended(world: &mut World) {
    let children = [(2, Done), (3, Failed), (4, Cancelled)];
    job_that(world, 7, OnFailure::Run, [1, 2, 3, 4].map(|id| behind(id, (id > 1).then_some(1)))).await;
    mark(world, 7, 1, Failed).await;
    for (child, end) in children {
        mark(world, 7, child, end).await;
    }
    mark(world, 7, 1, Pending).await;
    mark(world, 7, 1, Done).await;
    for (child, end) in children {
        assert_eq!(world.status(7, child).await, end);
    }
}

async fn redrive_blocks_a_child_that_could_have_run_again(world: &mut World) {
    job_that(world, 7, OnFailure::Run, chain(2)).await;
    mark(world, 7, 1, Failed).await;
    assert_eq!(ready(world, 7).await, [2]);
    mark(world, 7, 1, Pending).await;
    assert_eq!(take(world, 7, 10).await, [1]);
    mark(world, 7, 1, Failed).await;
    assert_eq!(take(world, 7, 10).await, [2]);
}

async fn redrive_lets_a_child_go_on_that_runs(world: &mut World) {
    job_that(world, 7, OnFailure::Run, [NewChunk::new(1), behind(2, [1]), behind(3, [1])]).await;
    mark(world, 7, 1, Failed).await;
    let (second, third) = (fence(world.store(), 7).await, fence(world.store(), 7).await);
    mark(world, 7, 1, Pending).await;
    mark(world, 7, 1, Processing).await;
    world.store().complete(&second, Vec::new()).await.unwrap();
    world.store().release(&third).await.unwrap();
    assert_eq!((world.status(7, 2).await, take(world, 7, 10).await), (Done, NONE.to_vec()), "what was given back is blocked");
    mark(world, 7, 1, Done).await;
    assert_eq!(take(world, 7, 10).await, [3]);
}
