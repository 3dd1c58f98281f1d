//! Crashes: leases that were lost, and the chunk that costs too many of them.

use magnetar_core::{JobOptions, JobStatus, NewChunk, RetryPolicy};

use super::{at_once, fail_next};
use crate::{
    harness::World,
    law::{Law, laws},
    laws::support::{chunk, claim, fence, ids, job_with, plain_job, still},
};

pub(in crate::laws) const LAWS: &[Law] = laws![
    a_poison_chunk_ends_after_three_crashes_by_default,
    a_budget_of_one_crash_allows_no_second_try,
    a_job_says_how_many_crashes_end_its_chunks,
    crashes_and_failures_are_counted_apart,
    a_crash_waits_for_nothing,
    a_crash_costs_each_chunk_that_was_held_and_no_other,
    a_crash_costs_what_was_marked_processing_too,
    a_chunk_that_is_not_held_costs_no_crash,
    a_poison_chunk_lets_the_others_go_on,
];

fn crashes(max_crashes: u32) -> JobOptions {
    JobOptions { retry: RetryPolicy { max_crashes, ..still() }, ..JobOptions::default() }
}

/// Claims a chunk of job 7, dies with it, and lets the next handle take it back.
async fn die_holding(world: &mut World) {
    fence(world.store(), 7).await;
    world.crash().await;
    world.settle().await;
}

async fn a_poison_chunk_ends_after_three_crashes_by_default(world: &mut World) {
    plain_job(world, 7, 1).await;
    for expected in [(JobStatus::Pending, 1), (JobStatus::Pending, 2), (JobStatus::Failed, 3)] {
        die_holding(world).await;
        let found = chunk(world, 7, 1).await;
        assert_eq!((found.status, found.crashes), expected);
    }
    assert_eq!(world.store().claim_pending(7).await.unwrap(), None);
    assert_eq!(world.store().get_stats(7).await.unwrap().failed, 1);
}

async fn a_budget_of_one_crash_allows_no_second_try(world: &mut World) {
    job_with(world, 7, crashes(1), [NewChunk::new(1)]).await;
    die_holding(world).await;
    assert_eq!(world.status(7, 1).await, JobStatus::Failed);
}

async fn a_job_says_how_many_crashes_end_its_chunks(world: &mut World) {
    job_with(world, 7, crashes(5), [NewChunk::new(1)]).await;
    for _ in 0..4 {
        die_holding(world).await;
        assert_eq!(world.status(7, 1).await, JobStatus::Pending);
    }
    die_holding(world).await;
    assert_eq!(world.status(7, 1).await, JobStatus::Failed);
}

async fn crashes_and_failures_are_counted_apart(world: &mut World) {
    job_with(world, 7, at_once(3), [NewChunk::new(1)]).await;
    for _ in 0..2 {
        assert!(fail_next(world).await);
        die_holding(world).await;
    }
    let found = claim(world.store(), 7).await;
    assert_eq!((found.fails, found.crashes, found.attempt()), (2, 2, 5));
    assert_eq!(world.store().fail(&found.fence().unwrap(), "no".into()).await.unwrap(), None);
}

async fn a_crash_waits_for_nothing(world: &mut World) {
    plain_job(world, 7, 1).await;
    die_holding(world).await;
    assert_eq!(world.store().get_stats(7).await.unwrap().delayed, 0);
    assert_eq!(claim(world.store(), 7).await.attempt(), 2);
}

async fn a_crash_costs_each_chunk_that_was_held_and_no_other(world: &mut World) {
    plain_job(world, 7, 4).await;
    let held = world.store().claim_pending_batch(7, 3).await.unwrap();
    world.store().complete(&held[0].fence().unwrap(), Vec::new()).await.unwrap();
    world.crash().await;
    world.settle().await;
    for (id, expected) in [(1, 0), (2, 1), (3, 1), (4, 0)] {
        assert_eq!(chunk(world, 7, id).await.crashes, expected);
    }
    assert_eq!(world.status(7, 1).await, JobStatus::Done);
    assert_eq!(ids(&world.store().claim_pending_batch(7, 10).await.unwrap()), [2, 3, 4]);
}

async fn a_crash_costs_what_was_marked_processing_too(world: &mut World) {
    plain_job(world, 7, 1).await;
    world.store().mark_status(7, 1, JobStatus::Processing, None).await.unwrap();
    world.crash().await;
    world.settle().await;
    let found = chunk(world, 7, 1).await;
    assert_eq!((found.status, found.crashes), (JobStatus::Pending, 1));
}

async fn a_chunk_that_is_not_held_costs_no_crash(world: &mut World) {
    plain_job(world, 7, 1).await;
    for _ in 0..5 {
        let held = fence(world.store(), 7).await;
        world.store().release(&held).await.unwrap();
        world.crash().await;
    }
    assert_eq!(claim(world.store(), 7).await.crashes, 0);
}

async fn a_poison_chunk_lets_the_others_go_on(world: &mut World) {
    job_with(world, 7, crashes(2), (1..=3).map(NewChunk::new)).await;
    for _ in 0..2 {
        assert_eq!(fence(world.store(), 7).await.chunk(), 1);
        world.crash().await;
    }
    assert_eq!(ids(&world.store().claim_pending_batch(7, 10).await.unwrap()), [2, 3]);
}
