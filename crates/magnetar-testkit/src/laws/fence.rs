//! Fences: once a claim is over, whatever ended it, nothing can be written under it.

use std::time::Duration;

use magnetar_core::{Error, ErrorKind, Expect, Fence, JobOptions, JobStatus, NewChunk, Op, Token, Until};

use super::support::{SECOND, chunk, fence, job_of, job_with, kind, plain_job, still};
use crate::{
    harness::World,
    law::{Law, laws},
};

pub(super) mod again;
pub(super) mod group;

pub(super) const LAWS: &[Law] = laws![
    a_fence_that_holds_is_accepted,
    a_fence_is_lost_when_the_attempt_times_out,
    a_fence_is_lost_when_its_session_dies,
    a_fence_stays_lost_when_another_claims_the_chunk,
    a_fence_is_lost_once_it_was_released,
    a_fence_is_lost_once_it_was_parked,
    a_fence_is_lost_once_it_has_failed,
    a_fence_is_lost_once_it_has_completed,
    a_fence_is_lost_when_its_owner_cancels_the_chunk,
    a_fence_is_lost_when_its_handle_is_closed,
    a_fence_of_another_chunk_is_lost,
    a_fence_with_a_token_never_handed_out_is_lost,
    a_fence_of_what_is_not_there_is_not_found,
    a_fence_of_a_deleted_job_is_not_found,
    a_fence_from_before_a_deletion_is_lost_in_the_job_made_anew,
    a_completed_fence_from_before_a_deletion_is_lost_too,
    @many a_fence_holds_at_any_handle,
];

/// Everything that can be written under a fence, and what it was answered.
pub(super) async fn writes(world: &World, fence: &Fence) -> [(&'static str, Result<(), Error>); 6] {
    let store = world.store();
    let record = Op::PutRecord { space: "law".into(), key: b"k".to_vec(), value: Some(Vec::new()), expect: Expect::Any };
    [
        ("check", store.check(fence).await),
        ("complete", store.complete(fence, b"stale".to_vec()).await),
        ("fail", store.fail(fence, "stale".into()).await.map(drop)),
        ("release", store.release(fence).await),
        ("park", store.park(fence, Until::At(world.now().after(SECOND))).await),
        ("check and record", store.apply(vec![Op::Check { fence: *fence }, record]).await.map(drop)),
    ]
}

/// Asserts that every write under a fence is refused so, but those named, and that none of them changed a chunk.
pub(super) async fn assert_refused(world: &World, fence: &Fence, expected: ErrorKind, but: &[(&str, ErrorKind)]) {
    let before = world.store().get_chunk(fence.job(), fence.chunk()).await.unwrap();
    for (name, result) in writes(world, fence).await {
        let expected = but.iter().find(|(other, _)| *other == name).map_or(expected, |(_, kind)| *kind);
        assert_eq!(result.map_err(|error| error.kind()), Err(expected), "{name}");
    }
    assert_eq!(world.store().get_chunk(fence.job(), fence.chunk()).await.unwrap(), before);
    assert_eq!(world.store().get_record("law", b"k").await.unwrap(), None);
}

async fn assert_lost(world: &World, fence: &Fence) {
    assert_refused(world, fence, ErrorKind::FenceLost, &[]).await;
}

async fn a_fence_that_holds_is_accepted(world: &mut World) {
    plain_job(world, 7, 5).await;
    let held: Vec<_> = world.store().claim_pending_batch(7, 5).await.unwrap().iter().map(|one| one.fence().unwrap()).collect();
    for fence in &held {
        world.store().check(fence).await.unwrap();
        world.store().check(fence).await.unwrap();
    }
    world.store().complete(&held[0], Vec::new()).await.unwrap();
    world.store().fail(&held[1], "no".into()).await.unwrap();
    world.store().release(&held[2]).await.unwrap();
    world.store().park(&held[3], Until::At(world.now().after(SECOND))).await.unwrap();
    let stats = world.store().get_stats(7).await.unwrap();
    assert_eq!((stats.done, stats.pending, stats.delayed, stats.processing), (1, 3, 2, 1));
}

async fn a_fence_is_lost_when_the_attempt_times_out(world: &mut World) {
    job_of(world, 7, [NewChunk::new(1).timeout(Duration::from_secs(5))]).await;
    let old = fence(world.store(), 7).await;
    world.advance(Duration::from_secs(6));
    world.settle().await;
    assert_lost(world, &old).await;
}

async fn a_fence_is_lost_when_its_session_dies(world: &mut World) {
    plain_job(world, 7, 1).await;
    let old = fence(world.store(), 7).await;
    world.crash().await;
    world.settle().await;
    assert_lost(world, &old).await;
}

async fn a_fence_stays_lost_when_another_claims_the_chunk(world: &mut World) {
    plain_job(world, 7, 1).await;
    let old = fence(world.store(), 7).await;
    world.crash().await;
    let new = fence(world.store(), 7).await;
    assert_lost(world, &old).await;
    world.store().complete(&new, b"new".to_vec()).await.unwrap();
    assert_lost(world, &old).await;
    assert_eq!(chunk(world, 7, 1).await.result.as_deref(), Some(b"new".as_slice()));
}

async fn a_fence_is_lost_once_it_was_released(world: &mut World) {
    plain_job(world, 7, 1).await;
    let old = fence(world.store(), 7).await;
    world.store().release(&old).await.unwrap();
    assert_refused(world, &old, ErrorKind::FenceLost, &[("release", ErrorKind::AlreadyApplied)]).await;
    let new = fence(world.store(), 7).await;
    assert_refused(world, &old, ErrorKind::FenceLost, &[("release", ErrorKind::AlreadyApplied)]).await;
    world.store().complete(&new, Vec::new()).await.unwrap();
    assert_lost(world, &old).await;
}

async fn a_fence_is_lost_once_it_was_parked(world: &mut World) {
    plain_job(world, 7, 1).await;
    let old = fence(world.store(), 7).await;
    world.store().park(&old, Until::At(world.now().after(SECOND))).await.unwrap();
    assert_refused(world, &old, ErrorKind::FenceLost, &[("park", ErrorKind::AlreadyApplied)]).await;
}

async fn a_fence_is_lost_once_it_has_failed(world: &mut World) {
    let options = JobOptions { retry: still(), ..JobOptions::default() };
    for (job, budget) in [(7, 1), (8, 2)] {
        job_with(world, job, options, [NewChunk::new(1).max_fails(budget)]).await;
        let old = fence(world.store(), job).await;
        world.store().fail(&old, "no".into()).await.unwrap();
        assert_refused(world, &old, ErrorKind::FenceLost, &[("fail", ErrorKind::AlreadyApplied)]).await;
    }
}

async fn a_fence_is_lost_once_it_has_completed(world: &mut World) {
    plain_job(world, 7, 1).await;
    let old = fence(world.store(), 7).await;
    world.store().complete(&old, Vec::new()).await.unwrap();
    assert_refused(world, &old, ErrorKind::FenceLost, &[("complete", ErrorKind::AlreadyApplied)]).await;
}

async fn a_fence_is_lost_when_its_owner_cancels_the_chunk(world: &mut World) {
    plain_job(world, 7, 1).await;
    let old = fence(world.store(), 7).await;
    world.store().mark_status(7, 1, JobStatus::Cancelled, None).await.unwrap();
    assert_lost(world, &old).await;
}

async fn a_fence_is_lost_when_its_handle_is_closed(world: &mut World) {
    plain_job(world, 7, 1).await;
    let old = fence(world.store(), 7).await;
    world.reopen().await;
    assert_eq!(kind(world.store().complete(&old, Vec::new()).await), ErrorKind::FenceLost);
    assert_eq!(kind(world.store().check(&old).await), ErrorKind::FenceLost);
    assert_eq!(world.status(7, 1).await, JobStatus::Pending);
}

async fn a_fence_of_another_chunk_is_lost(world: &mut World) {
    plain_job(world, 7, 3).await;
    plain_job(world, 8, 3).await;
    let held = fence(world.store(), 7).await;
    fence(world.store(), 8).await;
    for (job, chunk) in [(7, 2), (8, 1), (8, 2)] {
        assert_lost(world, &Fence::new(job, chunk, held.token())).await;
    }
    world.store().check(&held).await.unwrap();
}

async fn a_fence_with_a_token_never_handed_out_is_lost(world: &mut World) {
    plain_job(world, 7, 1).await;
    let held = fence(world.store(), 7).await;
    let own = held.token().get();
    for token in [1, own - 1, own + 1, i64::MAX.unsigned_abs()].into_iter().filter(|token| *token != own).filter_map(Token::new) {
        assert_lost(world, &Fence::new(7, 1, token)).await;
    }
    world.store().complete(&held, Vec::new()).await.unwrap();
}

async fn a_fence_of_what_is_not_there_is_not_found(world: &mut World) {
    plain_job(world, 7, 1).await;
    let held = fence(world.store(), 7).await;
    assert_refused(world, &Fence::new(8, 1, held.token()), ErrorKind::NotFound, &[]).await;
    assert_refused(world, &Fence::new(7, 2, held.token()), ErrorKind::NotFound, &[]).await;
}

async fn a_fence_of_a_deleted_job_is_not_found(world: &mut World) {
    plain_job(world, 7, 2).await;
    let done = fence(world.store(), 7).await;
    world.store().complete(&done, Vec::new()).await.unwrap();
    let held = fence(world.store(), 7).await;
    world.store().delete_job(7).await.unwrap();
    for old in [done, held] {
        assert_refused(world, &old, ErrorKind::NotFound, &[]).await;
    }
}

async fn a_fence_from_before_a_deletion_is_lost_in_the_job_made_anew(world: &mut World) {
    plain_job(world, 7, 1).await;
    let old = fence(world.store(), 7).await;
    world.store().delete_job(7).await.unwrap();
    plain_job(world, 7, 1).await;
    assert_lost(world, &old).await;
    let new = fence(world.store(), 7).await;
    assert_lost(world, &old).await;
    world.store().complete(&new, b"new".to_vec()).await.unwrap();
    assert_lost(world, &old).await;
}

async fn a_completed_fence_from_before_a_deletion_is_lost_too(world: &mut World) {
    plain_job(world, 7, 1).await;
    let old = fence(world.store(), 7).await;
    world.store().complete(&old, Vec::new()).await.unwrap();
    world.store().delete_job(7).await.unwrap();
    plain_job(world, 7, 1).await;
    assert_lost(world, &old).await;
}

async fn a_fence_holds_at_any_handle(world: &mut World) {
    plain_job(world, 7, 1).await;
    let other = world.another().await;
    let held = fence(&other, 7).await;
    world.store().check(&held).await.unwrap();
    world.store().complete(&held, b"out".to_vec()).await.unwrap();
    assert_eq!(kind(other.complete(&held, Vec::new()).await), ErrorKind::AlreadyApplied);
}
