//! Budgets: how many failures and crashes a chunk is given, each counted apart.

use std::time::Duration;

use magnetar_core::{JobOptions, JobRef, JobSpec, JobStatus, NewChunk, RetryPolicy, Until};

use super::support::{chunk, claim, fence, ids, job_with, plain_job, still};
use crate::{
    harness::World,
    law::{Law, laws},
};

pub(super) mod backoff;
pub(super) mod crashes;

pub(super) const LAWS: &[Law] = laws![
    three_failures_end_a_chunk_by_default,
    a_job_says_how_many_failures_end_its_chunks,
    a_chunks_own_budget_goes_before_its_jobs,
    a_budget_of_one_allows_no_second_try,
    the_last_failure_is_the_error_that_stands,
    an_error_text_beyond_the_limit_is_cut_and_not_refused,
    a_release_costs_no_budget,
    a_park_costs_no_budget,
    an_orderly_close_costs_no_budget,
    failures_survive_a_crash,
    a_chunk_that_failed_for_good_is_not_handed_out,
    one_chunks_failures_cost_no_other_chunk,
];

/// A policy of this many failures, with no wait in between.
pub(super) fn at_once(max_fails: u32) -> JobOptions {
    JobOptions { retry: RetryPolicy { max_fails, first_wait: Duration::ZERO, ..still() }, ..JobOptions::default() }
}

/// Claims a chunk of job 7 and fails it; says whether it is tried again.
pub(super) async fn fail_next(world: &World) -> bool {
    let held = fence(world.store(), 7).await;
    world.store().fail(&held, "no".into()).await.unwrap().is_some()
}

async fn three_failures_end_a_chunk_by_default(world: &mut World) {
    world.store().ensure_job(JobRef::Id(7), JobSpec::default()).await.unwrap();
    world.store().insert(7, vec![NewChunk::new(1)]).await.unwrap();
    for retried in [true, true, false] {
        assert_eq!(fail_next(world).await, retried);
        world.advance(Duration::from_secs(10));
    }
    let found = chunk(world, 7, 1).await;
    assert_eq!((found.status, found.fails, found.crashes), (JobStatus::Failed, 3, 0));
    assert_eq!(world.store().get_stats(7).await.unwrap().failed, 1);
}

async fn a_job_says_how_many_failures_end_its_chunks(world: &mut World) {
    job_with(world, 7, at_once(5), [NewChunk::new(1)]).await;
    for retried in [true, true, true, true, false] {
        assert_eq!(fail_next(world).await, retried);
    }
    assert_eq!(world.status(7, 1).await, JobStatus::Failed);
}

async fn a_chunks_own_budget_goes_before_its_jobs(world: &mut World) {
    job_with(world, 7, at_once(3), [NewChunk::new(1).max_fails(2), NewChunk::new(2).max_fails(4)]).await;
    for retried in [true, false, true, true, true, false] {
        assert_eq!(fail_next(world).await, retried);
    }
    assert_eq!((chunk(world, 7, 1).await.fails, chunk(world, 7, 2).await.fails), (2, 4));
}

async fn a_budget_of_one_allows_no_second_try(world: &mut World) {
    job_with(world, 7, at_once(1), [NewChunk::new(1)]).await;
    assert!(!fail_next(world).await);
    let found = chunk(world, 7, 1).await;
    assert_eq!((found.status, found.ended_at), (JobStatus::Failed, Some(world.now())));
}

async fn the_last_failure_is_the_error_that_stands(world: &mut World) {
    job_with(world, 7, at_once(2), [NewChunk::new(1)]).await;
    for error in ["first", "second"] {
        let held = fence(world.store(), 7).await;
        world.store().fail(&held, error.into()).await.unwrap();
        assert_eq!(chunk(world, 7, 1).await.error.as_deref(), Some(error));
    }
}

async fn an_error_text_beyond_the_limit_is_cut_and_not_refused(world: &mut World) {
    job_with(world, 7, at_once(2), [NewChunk::new(1), NewChunk::new(2)]).await;
    let long = format!("a{}", "é".repeat(20_000));
    let held = fence(world.store(), 7).await;
    world.store().fail(&held, long.clone()).await.unwrap();
    world.store().mark_failed(7, 2, long.clone()).await.unwrap();
    for id in [1, 2] {
        let error = chunk(world, 7, id).await.error.unwrap();
        assert!((1_000..=16 * 1024).contains(&error.len()), "{} bytes", error.len());
        assert!(error.starts_with("aééé"));
    }
}

async fn a_release_costs_no_budget(world: &mut World) {
    job_with(world, 7, at_once(1), [NewChunk::new(1)]).await;
    for _ in 0..10 {
        let held = claim(world.store(), 7).await;
        assert_eq!((held.attempt(), held.fails, held.crashes), (1, 0, 0));
        world.store().release(&held.fence().unwrap()).await.unwrap();
    }
}

async fn a_park_costs_no_budget(world: &mut World) {
    job_with(world, 7, at_once(1), [NewChunk::new(1)]).await;
    for _ in 0..10 {
        let held = claim(world.store(), 7).await;
        assert_eq!((held.attempt(), held.fails, held.crashes), (1, 0, 0));
        world.store().park(&held.fence().unwrap(), Until::At(world.now().after(Duration::from_secs(1)))).await.unwrap();
        world.advance(Duration::from_secs(1));
    }
}

async fn an_orderly_close_costs_no_budget(world: &mut World) {
    plain_job(world, 7, 3).await;
    for _ in 0..5 {
        assert_eq!(ids(&world.store().claim_pending_batch(7, 2).await.unwrap()), [1, 2]);
        world.reopen().await;
    }
    let held = world.store().claim_pending_batch(7, 3).await.unwrap();
    assert_eq!(ids(&held), [1, 2, 3]);
    assert!(held.iter().all(|chunk| (chunk.attempt(), chunk.crashes) == (1, 0)));
}

async fn failures_survive_a_crash(world: &mut World) {
    job_with(world, 7, at_once(3), [NewChunk::new(1)]).await;
    fail_next(world).await;
    fail_next(world).await;
    world.crash().await;
    assert_eq!(chunk(world, 7, 1).await.fails, 2);
    assert!(!fail_next(world).await);
}

async fn a_chunk_that_failed_for_good_is_not_handed_out(world: &mut World) {
    job_with(world, 7, at_once(1), [NewChunk::new(1)]).await;
    fail_next(world).await;
    world.advance(Duration::from_hours(24));
    world.settle().await;
    assert_eq!(world.store().claim_pending(7).await.unwrap(), None);
    assert_eq!(world.status(7, 1).await, JobStatus::Failed);
}

async fn one_chunks_failures_cost_no_other_chunk(world: &mut World) {
    job_with(world, 7, at_once(2), [NewChunk::new(1), NewChunk::new(2)]).await;
    assert_eq!((fail_next(world).await, fail_next(world).await), (true, false));
    let second = claim(world.store(), 7).await;
    assert_eq!((second.chunk, second.fails, second.error), (2, 0, None));
}
