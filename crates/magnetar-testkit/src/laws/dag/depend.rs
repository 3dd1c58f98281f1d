//! Dependencies that come late.

use magnetar_core::{
    ErrorKind,
    JobStatus::{Cancelled, Done, Failed, Pending, Processing, Skipped},
    NewChunk, Op,
};

use crate::{
    harness::World,
    law::{Law, laws},
    laws::{
        shape::{NONE, abroad, behind, chain, changes_nothing, depend, mark, picture, ready, take},
        support::{SECOND, chunk, job_of, kind, plain_job},
    },
};

pub(in crate::laws) const LAWS: &[Law] = laws![
    late_dependency_blocks_a_ready_chunk_again,
    late_dependency_on_a_done_chunk_blocks_nothing,
    late_dependency_lets_go_when_its_parent_is_done,
    late_dependency_on_a_running_chunk_waits_for_it,
    delay_outlasts_a_dependency,
    dependency_is_not_added_to_a_chunk_that_runs,
    dependency_is_not_added_to_a_chunk_that_has_ended,
    dependency_on_a_missing_parent_adds_none_of_the_others,
    dependency_of_a_missing_chunk_or_job_is_not_found,
    chunk_cannot_depend_on_itself,
    two_chunks_cannot_wait_for_each_other,
    long_circle_is_refused,
    circle_through_three_jobs_is_refused,
    circle_among_chains_of_a_diamond_is_refused,
    circle_that_one_call_would_close_is_refused_whole,
    insert_once_more_cannot_close_a_circle,
    shortcut_along_a_chain_is_no_circle,
    existing_dependency_added_again_changes_nothing,
    dependencies_added_one_by_one_add_up,
    adding_no_dependency_changes_nothing,
    late_dependency_on_another_job_holds_and_releases,
];

async fn late_dependency_blocks_a_ready_chunk_again(world: &mut World) {
    plain_job(world, 7, 3).await;
    world.store().add_dependency(7, 1, vec![2]).await.unwrap();
    assert_eq!(ready(world, 7).await, [2, 3]);
    assert_eq!(take(world, 7, 10).await, [2, 3]);
    assert_eq!(world.store().get_dependencies(7, 1).await.unwrap(), [2]);
}

async fn late_dependency_on_a_done_chunk_blocks_nothing(world: &mut World) {
    plain_job(world, 7, 2).await;
    mark(world, 7, 2, Done).await;
    world.store().add_dependency(7, 1, vec![2]).await.unwrap();
    assert_eq!(world.store().get_dependencies(7, 1).await.unwrap(), [2]);
    assert_eq!(take(world, 7, 10).await, [1]);
}

async fn late_dependency_lets_go_when_its_parent_is_done(world: &mut World) {
    plain_job(world, 7, 2).await;
    world.store().add_dependency(7, 1, vec![2]).await.unwrap();
    mark(world, 7, 2, Done).await;
    assert_eq!(take(world, 7, 10).await, [1]);
}

async fn late_dependency_on_a_running_chunk_waits_for_it(world: &mut World) {
    plain_job(world, 7, 2).await;
    mark(world, 7, 2, Processing).await;
    world.store().add_dependency(7, 1, vec![2]).await.unwrap();
    assert_eq!(take(world, 7, 10).await, NONE);
    mark(world, 7, 2, Done).await;
    assert_eq!(take(world, 7, 10).await, [1]);
}

async fn delay_outlasts_a_dependency(world: &mut World) {
    job_of(world, 7, [NewChunk::new(1).not_before(world.now().after(60 * SECOND)), NewChunk::new(2)]).await;
    world.store().add_dependency(7, 1, vec![2]).await.unwrap();
    let stats = world.store().get_stats(7).await.unwrap();
    assert_eq!((stats.blocked, stats.delayed), (1, 0));
    mark(world, 7, 2, Done).await;
    let stats = world.store().get_stats(7).await.unwrap();
    assert_eq!((stats.blocked, stats.delayed), (0, 1));
    assert_eq!(take(world, 7, 10).await, NONE);
    world.advance(60 * SECOND);
    assert_eq!(take(world, 7, 10).await, [1]);
}

async fn dependency_is_not_added_to_a_chunk_that_runs(world: &mut World) {
    plain_job(world, 7, 2).await;
    mark(world, 7, 1, Processing).await;
    changes_nothing(world, vec![Op::Depend { job: 7, chunk: 1, on: vec![(7, 2)] }], ErrorKind::NotAllowed).await;
    mark(world, 7, 1, Done).await;
}

async fn dependency_is_not_added_to_a_chunk_that_has_ended(world: &mut World) {
    job_of(world, 7, [NewChunk::new(1), NewChunk::new(2), NewChunk::new(3), behind(4, [2]), NewChunk::new(5)]).await;
    for (chunk, status) in [(1, Done), (2, Failed), (3, Cancelled)] {
        mark(world, 7, chunk, status).await;
    }
    assert_eq!(world.status(7, 4).await, Skipped);
    for chunk in 1..=4 {
        changes_nothing(world, vec![Op::Depend { job: 7, chunk, on: vec![(7, 5)] }], ErrorKind::NotAllowed).await;
    }
}

async fn dependency_on_a_missing_parent_adds_none_of_the_others(world: &mut World) {
    plain_job(world, 7, 2).await;
    for missing in [(7, 99), (8, 1)] {
        changes_nothing(world, vec![Op::Depend { job: 7, chunk: 1, on: vec![(7, 2), missing] }], ErrorKind::NotFound).await;
    }
}

async fn dependency_of_a_missing_chunk_or_job_is_not_found(world: &mut World) {
    plain_job(world, 7, 1).await;
    assert_eq!(kind(world.store().add_dependency(7, 2, vec![1]).await), ErrorKind::NotFound);
    assert_eq!(kind(world.store().add_dependency(8, 1, vec![1]).await), ErrorKind::NotFound);
}

async fn chunk_cannot_depend_on_itself(world: &mut World) {
    plain_job(world, 7, 2).await;
    changes_nothing(world, vec![Op::Depend { job: 7, chunk: 1, on: vec![(7, 2), (7, 1)] }], ErrorKind::Cycle).await;
}

async fn two_chunks_cannot_wait_for_each_other(world: &mut World) {
    job_of(world, 7, chain(2)).await;
    changes_nothing(world, vec![Op::Depend { job: 7, chunk: 1, on: vec![(7, 2)] }], ErrorKind::Cycle).await;
    assert_eq!(take(world, 7, 10).await, [1]);
}

async fn long_circle_is_refused(world: &mut World) {
    job_of(world, 7, chain(500)).await;
    changes_nothing(world, vec![Op::Depend { job: 7, chunk: 1, on: vec![(7, 500)] }], ErrorKind::Cycle).await;
    changes_nothing(world, vec![Op::Depend { job: 7, chunk: 200, on: vec![(7, 1), (7, 300)] }], ErrorKind::Cycle).await;
}

async fn circle_through_three_jobs_is_refused(world: &mut World) {
    plain_job(world, 7, 1).await;
    job_of(world, 8, [abroad(1, [(7, 1)])]).await;
    job_of(world, 9, [abroad(1, [(8, 1)])]).await;
    changes_nothing(world, vec![Op::Depend { job: 7, chunk: 1, on: vec![(9, 1)] }], ErrorKind::Cycle).await;
    assert_eq!(take(world, 7, 10).await, [1]);
}

async fn circle_among_chains_of_a_diamond_is_refused(world: &mut World) {
    job_of(world, 7, [NewChunk::new(1), behind(2, [1]), behind(3, [1]), behind(4, [2, 3])]).await;
    changes_nothing(world, vec![Op::Depend { job: 7, chunk: 2, on: vec![(7, 3), (7, 4)] }], ErrorKind::Cycle).await;
    assert_eq!(depend(world, 7, 2, vec![(7, 3)]).await, None, "the two sides may be put in a row");
}

async fn circle_that_one_call_would_close_is_refused_whole(world: &mut World) {
    plain_job(world, 7, 3).await;
    let wait = |chunk, on| Op::Depend { job: 7, chunk, on: vec![(7, on)] };
    changes_nothing(world, vec![wait(1, 2), wait(2, 3), wait(3, 1)], ErrorKind::Cycle).await;
}

async fn insert_once_more_cannot_close_a_circle(world: &mut World) {
    job_of(world, 7, chain(3)).await;
    let before = picture(world).await;
    assert_eq!(kind(world.store().insert(7, vec![NewChunk::new(4), behind(1, [3])]).await), ErrorKind::Cycle);
    assert_eq!(kind(world.store().insert(7, vec![behind(1, [5]), behind(5, [3])]).await), ErrorKind::Cycle);
    assert_eq!(picture(world).await, before);
}

async fn shortcut_along_a_chain_is_no_circle(world: &mut World) {
    job_of(world, 7, chain(4)).await;
    world.store().add_dependency(7, 4, vec![1, 2]).await.unwrap();
    for next in 1..=4 {
        assert_eq!(take(world, 7, 10).await, [next]);
        mark(world, 7, next, Done).await;
    }
}

async fn existing_dependency_added_again_changes_nothing(world: &mut World) {
    job_of(world, 7, chain(2)).await;
    let before = picture(world).await;
    world.store().add_dependency(7, 2, vec![1, 1]).await.unwrap();
    assert_eq!(picture(world).await, before);
    mark(world, 7, 1, Done).await;
    world.store().add_dependency(7, 2, vec![1]).await.unwrap();
    assert_eq!(take(world, 7, 10).await, [2]);
}

async fn dependencies_added_one_by_one_add_up(world: &mut World) {
    plain_job(world, 7, 4).await;
    for parent in [4, 2, 3] {
        world.store().add_dependency(7, 1, vec![parent]).await.unwrap();
    }
    assert_eq!(world.store().get_dependencies(7, 1).await.unwrap(), [2, 3, 4]);
    assert_eq!((chunk(world, 7, 1).await.unmet, ready(world, 7).await), (3, vec![2, 3, 4]));
}

async fn adding_no_dependency_changes_nothing(world: &mut World) {
    plain_job(world, 7, 1).await;
    let before = picture(world).await;
    world.store().add_dependency(7, 1, Vec::new()).await.unwrap();
    assert_eq!(picture(world).await, before);
}

async fn late_dependency_on_another_job_holds_and_releases(world: &mut World) {
    plain_job(world, 7, 1).await;
    plain_job(world, 8, 1).await;
    assert_eq!(depend(world, 7, 1, vec![(8, 1)]).await, None);
    assert_eq!((take(world, 7, 1).await, world.status(7, 1).await), (vec![], Pending));
    mark(world, 8, 1, Done).await;
    assert_eq!(take(world, 7, 1).await, [1]);
}
