//! Timeouts: an attempt that takes too long is taken back as a failure.

use std::time::Duration;

use magnetar_core::{ErrorKind, JobStatus, NewChunk};

use crate::{
    harness::World,
    law::{Law, laws},
    laws::{
        budget::at_once,
        support::{SECOND, chunk, claim, fence, ids, job_of, job_with, kind},
    },
};

pub(in crate::laws) const LAWS: &[Law] = laws![
    an_attempt_within_its_time_completes,
    an_attempt_beyond_its_time_is_taken_back_as_a_failure,
    a_late_complete_is_lost,
    a_timed_out_chunk_waits_as_after_any_failure,
    a_timeout_that_spends_the_budget_ends_the_chunk,
    every_attempt_has_its_full_time,
    a_mark_that_claims_has_a_deadline_too,
    a_chunk_without_a_timeout_has_no_deadline,
    a_timeout_is_found_by_a_claim_that_would_come_back_empty,
    each_chunk_times_out_by_itself,
    a_timeout_passes_while_nobody_has_the_store_open,
];

const LIMIT: Duration = Duration::from_secs(5);
const JUST_WITHIN: Duration = Duration::from_secs(4);

async fn hasty(world: &World, max_fails: u32) {
    job_of(world, 7, [NewChunk::new(1).timeout(LIMIT).max_fails(max_fails)]).await;
}

async fn time_out(world: &World) {
    world.advance(LIMIT + SECOND);
    world.settle().await;
}

async fn an_attempt_within_its_time_completes(world: &mut World) {
    hasty(world, 3).await;
    let held = fence(world.store(), 7).await;
    world.advance(JUST_WITHIN);
    world.settle().await;
    world.store().complete(&held, Vec::new()).await.unwrap();
    assert_eq!(chunk(world, 7, 1).await.fails, 0);
}

async fn an_attempt_beyond_its_time_is_taken_back_as_a_failure(world: &mut World) {
    hasty(world, 3).await;
    fence(world.store(), 7).await;
    time_out(world).await;
    let found = chunk(world, 7, 1).await;
    assert_eq!((found.status, found.fails, found.crashes, found.fence()), (JobStatus::Pending, 1, 0, None));
    assert!(found.error.as_deref().unwrap().starts_with("timed out after"), "{:?}", found.error);
}

async fn a_late_complete_is_lost(world: &mut World) {
    hasty(world, 3).await;
    let held = fence(world.store(), 7).await;
    time_out(world).await;
    assert_eq!(kind(world.store().complete(&held, b"late".to_vec()).await), ErrorKind::FenceLost);
    assert_eq!(kind(world.store().fail(&held, "late".into()).await), ErrorKind::FenceLost);
    let found = chunk(world, 7, 1).await;
    assert_eq!((found.status, found.result, found.fails), (JobStatus::Pending, None, 1));
}

async fn a_timed_out_chunk_waits_as_after_any_failure(world: &mut World) {
    hasty(world, 3).await;
    fence(world.store(), 7).await;
    time_out(world).await;
    assert_eq!(chunk(world, 7, 1).await.not_before, Some(world.now().after(SECOND)));
    assert_eq!(world.store().claim_pending(7).await.unwrap(), None);
    world.advance(SECOND);
    assert_eq!(claim(world.store(), 7).await.attempt(), 2);
}

async fn a_timeout_that_spends_the_budget_ends_the_chunk(world: &mut World) {
    hasty(world, 1).await;
    fence(world.store(), 7).await;
    time_out(world).await;
    let found = chunk(world, 7, 1).await;
    assert_eq!((found.status, found.fails), (JobStatus::Failed, 1));
    assert!(found.error.as_deref().unwrap().starts_with("timed out after"), "{:?}", found.error);
}

async fn every_attempt_has_its_full_time(world: &mut World) {
    hasty(world, 9).await;
    let first = fence(world.store(), 7).await;
    world.advance(JUST_WITHIN);
    world.store().release(&first).await.unwrap();
    let second = claim(world.store(), 7).await;
    assert_eq!(second.lease.unwrap().deadline, Some(world.now().after(LIMIT)));
    world.advance(JUST_WITHIN);
    world.settle().await;
    world.store().complete(&second.fence().unwrap(), Vec::new()).await.unwrap();
}

async fn a_mark_that_claims_has_a_deadline_too(world: &mut World) {
    hasty(world, 3).await;
    world.store().mark_status(7, 1, JobStatus::Processing, None).await.unwrap();
    assert_eq!(chunk(world, 7, 1).await.lease.unwrap().deadline, Some(world.now().after(LIMIT)));
    time_out(world).await;
    assert_eq!(world.status(7, 1).await, JobStatus::Pending);
}

async fn a_chunk_without_a_timeout_has_no_deadline(world: &mut World) {
    job_of(world, 7, [NewChunk::new(1)]).await;
    let held = claim(world.store(), 7).await;
    assert_eq!(held.lease.unwrap().deadline, None);
    for _ in 0..40 {
        world.advance(9 * SECOND);
        world.settle().await;
    }
    world.store().complete(&held.fence().unwrap(), Vec::new()).await.unwrap();
}

async fn a_timeout_is_found_by_a_claim_that_would_come_back_empty(world: &mut World) {
    let options = at_once(5);
    job_with(world, 7, options, [NewChunk::new(1).timeout(LIMIT)]).await;
    let first = fence(world.store(), 7).await;
    world.advance(LIMIT + SECOND);
    let second = claim(world.store(), 7).await;
    assert!(second.fence().unwrap().token() > first.token());
    assert_eq!(second.attempt(), 2);
}

async fn each_chunk_times_out_by_itself(world: &mut World) {
    job_of(world, 7, [(1, 20), (2, 5), (3, 10)].map(|(id, limit)| NewChunk::new(id).timeout(Duration::from_secs(limit)))).await;
    world.store().claim_pending_batch(7, 3).await.unwrap();
    for expected in [vec![1, 3], vec![1], vec![]] {
        world.advance(if expected.is_empty() { 10 * SECOND } else { 6 * SECOND });
        world.settle().await;
        assert_eq!(ids(&world.store().get_by_status(7, JobStatus::Processing).await.unwrap()), expected);
    }
}

async fn a_timeout_passes_while_nobody_has_the_store_open(world: &mut World) {
    hasty(world, 3).await;
    let held = fence(world.store(), 7).await;
    world.crash().await;
    world.settle().await;
    let found = chunk(world, 7, 1).await;
    assert_eq!((found.status, found.attempt()), (JobStatus::Pending, 2));
    assert_eq!(kind(world.store().complete(&held, Vec::new()).await), ErrorKind::FenceLost);
}
