//! Marks: what they do to a chunk, without a fence.

use std::{sync::Arc, time::Duration};

use magnetar_core::{
    Error, ErrorKind, Fence, JobOptions, JobRef, JobSpec, JobStatus, JobStore, JobUpdate, NewChunk, OnFailure, Op, Reply,
};

use super::support::{chunk, claim, fence, ids, job_of, kind, plain_job};
use crate::{
    harness::World,
    law::{Law, laws},
};

pub(super) mod batch;
pub(super) mod held;
pub(super) mod redrive;
pub(super) mod table;

pub(super) const LAWS: &[Law] = laws![
    marking_processing_claims_that_chunk,
    marking_processing_hands_out_a_fence_that_holds,
    marking_done_ends_a_pending_chunk,
    marking_failed_ends_a_pending_chunk,
    marking_cancelled_ends_a_pending_chunk,
    marking_pending_releases_the_own_claim_at_no_cost,
    marking_done_ends_the_own_claim,
    a_claimed_chunk_is_worked_off_by_marks_alone,
    marking_what_is_so_already_changes_nothing,
    marking_what_is_so_already_records_nothing,
    a_blocked_chunk_can_only_be_marked_pending,
    a_held_chunk_can_only_be_marked_pending,
    a_delayed_chunk_can_be_marked_which_ends_its_delay,
    mark_failed_ends_the_chunk_whatever_budget_remains,
    mark_failed_keeps_the_error,
    a_mark_frees_what_waits_for_the_chunk,
    a_mark_of_what_is_not_there_is_not_found,
    marks_survive_a_crash,
];

/// Marks a chunk, and says whether that changed anything and which claim it was.
pub(super) async fn mark(
    store: &Arc<dyn JobStore>,
    job: i64,
    chunk_id: u64,
    status: JobStatus,
) -> Result<(bool, Option<Fence>), Error> {
    let update = JobUpdate { chunk_id, status, checksum: None, error: None };
    match store.apply(vec![Op::Mark { job, update }]).await?.pop() {
        Some(Reply::Marked { changed, fence }) => Ok((changed, fence)),
        other => panic!("{other:?}"),
    }
}

async fn marking_processing_claims_that_chunk(world: &mut World) {
    plain_job(world, 7, 3).await;
    world.store().mark_status(7, 2, JobStatus::Processing, None).await.unwrap();
    assert_eq!(world.status(7, 2).await, JobStatus::Processing);
    assert_eq!(ids(&world.store().claim_pending_batch(7, 10).await.unwrap()), [1, 3]);
}

async fn marking_processing_hands_out_a_fence_that_holds(world: &mut World) {
    plain_job(world, 7, 1).await;
    let (changed, fence) = mark(world.store(), 7, 1, JobStatus::Processing).await.unwrap();
    assert!(changed);
    assert_eq!(chunk(world, 7, 1).await.fence(), fence);
    world.store().complete(&fence.unwrap(), b"out".to_vec()).await.unwrap();
    assert_eq!(chunk(world, 7, 1).await.result.as_deref(), Some(b"out".as_slice()));
}

async fn marking_done_ends_a_pending_chunk(world: &mut World) {
    plain_job(world, 7, 2).await;
    world.store().mark_status(7, 1, JobStatus::Done, None).await.unwrap();
    let found = chunk(world, 7, 1).await;
    assert_eq!((found.status, found.ended_at, found.fence()), (JobStatus::Done, Some(world.now()), None));
    assert_eq!(ids(&world.store().claim_pending_batch(7, 10).await.unwrap()), [2]);
}

async fn marking_failed_ends_a_pending_chunk(world: &mut World) {
    plain_job(world, 7, 2).await;
    world.store().mark_status(7, 1, JobStatus::Failed, None).await.unwrap();
    assert_eq!((world.status(7, 1).await, chunk(world, 7, 1).await.error), (JobStatus::Failed, None));
    assert!(world.store().get_stats(7).await.unwrap().has_failures());
    assert_eq!(ids(&world.store().claim_pending_batch(7, 10).await.unwrap()), [2]);
}

async fn marking_cancelled_ends_a_pending_chunk(world: &mut World) {
    plain_job(world, 7, 2).await;
    world.store().mark_status(7, 1, JobStatus::Cancelled, None).await.unwrap();
    assert_eq!(world.store().get_stats(7).await.unwrap().cancelled, 1);
    assert_eq!(ids(&world.store().claim_pending_batch(7, 10).await.unwrap()), [2]);
}

async fn marking_pending_releases_the_own_claim_at_no_cost(world: &mut World) {
    plain_job(world, 7, 1).await;
    let held = fence(world.store(), 7).await;
    world.store().mark_status(7, 1, JobStatus::Pending, None).await.unwrap();
    assert_eq!(kind(world.store().complete(&held, Vec::new()).await), ErrorKind::FenceLost);
    let next = claim(world.store(), 7).await;
    assert_eq!((next.attempt(), next.fails, next.crashes), (1, 0, 0));
    assert!(next.fence().unwrap().token() > held.token());
}

async fn marking_done_ends_the_own_claim(world: &mut World) {
    plain_job(world, 7, 1).await;
    let held = fence(world.store(), 7).await;
    world.store().mark_status(7, 1, JobStatus::Done, Some("sum".into())).await.unwrap();
    assert_eq!(kind(world.store().fail(&held, "late".into()).await), ErrorKind::FenceLost);
    let found = chunk(world, 7, 1).await;
    assert_eq!((found.status, found.checksum.as_str(), found.fails), (JobStatus::Done, "sum", 0));
}

async fn a_claimed_chunk_is_worked_off_by_marks_alone(world: &mut World) {
    plain_job(world, 7, 5).await;
    let mut seen = Vec::new();
    while let Some(chunk) = world.store().claim_pending(7).await.unwrap() {
        world.store().mark_status(7, chunk.chunk, JobStatus::Done, None).await.unwrap();
        seen.push(chunk.chunk);
    }
    assert_eq!(seen, [1, 2, 3, 4, 5]);
    assert!(world.store().get_stats(7).await.unwrap().is_complete());
}

async fn marking_what_is_so_already_changes_nothing(world: &mut World) {
    use JobStatus::{Cancelled, Done, Failed, Pending, Processing};
    plain_job(world, 7, 5).await;
    let chunks = [(1, Pending), (2, Processing), (3, Done), (4, Failed), (5, Cancelled)];
    for (id, status) in chunks {
        mark(world.store(), 7, id, status).await.unwrap();
        let before = chunk(world, 7, id).await;
        world.advance(Duration::from_secs(1));
        let (changed, _) = mark(world.store(), 7, id, status).await.unwrap();
        assert_eq!((changed, chunk(world, 7, id).await), (false, before), "{status}");
    }
}

async fn marking_what_is_so_already_records_nothing(world: &mut World) {
    plain_job(world, 7, 2).await;
    world.store().mark_status(7, 1, JobStatus::Done, Some("first".into())).await.unwrap();
    world.store().mark_status(7, 1, JobStatus::Done, Some("second".into())).await.unwrap();
    world.store().mark_status(7, 2, JobStatus::Pending, Some("never".into())).await.unwrap();
    assert_eq!(chunk(world, 7, 1).await.recorded_checksum.as_deref(), Some("first"));
    assert_eq!(chunk(world, 7, 2).await.recorded_checksum, None);
    world.store().mark_failed(7, 2, "first".into()).await.unwrap();
    world.store().mark_failed(7, 2, "second".into()).await.unwrap();
    assert_eq!(chunk(world, 7, 2).await.error.as_deref(), Some("first"));
}

/// Asserts that a chunk is blocked and bears no mark but Pending.
async fn assert_blocked(world: &World, id: u64) {
    use JobStatus::{Cancelled, Done, Failed, Pending, Processing};
    let before = chunk(world, 7, id).await;
    for status in [Processing, Done, Failed, Cancelled] {
        assert_eq!(kind(mark(world.store(), 7, id, status).await), ErrorKind::Blocked, "{status}");
    }
    assert_eq!(kind(world.store().mark_failed(7, id, "no".into()).await), ErrorKind::Blocked);
    assert_eq!(mark(world.store(), 7, id, Pending).await.unwrap(), (false, None));
    assert_eq!(chunk(world, 7, id).await, before);
}

async fn a_blocked_chunk_can_only_be_marked_pending(world: &mut World) {
    job_of(world, 7, [NewChunk::new(1), NewChunk::new(2).depends_on([1])]).await;
    assert_blocked(world, 2).await;
    fence(world.store(), 7).await;
    assert_blocked(world, 2).await;
}

async fn a_held_chunk_can_only_be_marked_pending(world: &mut World) {
    let options = JobOptions { on_failure: OnFailure::Hold, ..JobOptions::default() };
    world.store().ensure_job(JobRef::Id(7), JobSpec { options: Some(options), ..JobSpec::default() }).await.unwrap();
    world.store().insert(7, vec![NewChunk::new(1), NewChunk::new(2).depends_on([1])]).await.unwrap();
    world.store().mark_failed(7, 1, "no".into()).await.unwrap();
    assert_blocked(world, 2).await;
}

async fn a_delayed_chunk_can_be_marked_which_ends_its_delay(world: &mut World) {
    let at = world.now().after(Duration::from_hours(1));
    job_of(world, 7, (1..=4).map(|id| NewChunk::new(id).not_before(at))).await;
    for (id, status) in [(1, JobStatus::Done), (2, JobStatus::Failed), (3, JobStatus::Cancelled), (4, JobStatus::Processing)] {
        assert!(mark(world.store(), 7, id, status).await.unwrap().0);
        assert_eq!(world.status(7, id).await, status);
    }
    assert_eq!(world.store().get_stats(7).await.unwrap().delayed, 0);
    mark(world.store(), 7, 4, JobStatus::Pending).await.unwrap();
    assert_eq!(claim(world.store(), 7).await.chunk, 4);
}

async fn mark_failed_ends_the_chunk_whatever_budget_remains(world: &mut World) {
    job_of(world, 7, (1..=2).map(|id| NewChunk::new(id).max_fails(100))).await;
    fence(world.store(), 7).await;
    for id in [1, 2] {
        world.store().mark_failed(7, id, "hopeless".into()).await.unwrap();
        assert_eq!(world.status(7, id).await, JobStatus::Failed);
    }
    world.advance(Duration::from_hours(1));
    assert_eq!(world.store().claim_pending(7).await.unwrap(), None);
}

async fn mark_failed_keeps_the_error(world: &mut World) {
    plain_job(world, 7, 1).await;
    world.store().mark_failed(7, 1, "the disk of käthe is full".into()).await.unwrap();
    assert_eq!(chunk(world, 7, 1).await.error.as_deref(), Some("the disk of käthe is full"));
}

async fn a_mark_frees_what_waits_for_the_chunk(world: &mut World) {
    job_of(world, 7, [NewChunk::new(1), NewChunk::new(2).depends_on([1])]).await;
    mark(world.store(), 7, 1, JobStatus::Done).await.unwrap();
    assert_eq!(claim(world.store(), 7).await.chunk, 2);
}

async fn a_mark_of_what_is_not_there_is_not_found(world: &mut World) {
    plain_job(world, 7, 1).await;
    for status in [JobStatus::Pending, JobStatus::Processing, JobStatus::Done] {
        assert_eq!(kind(mark(world.store(), 7, 2, status).await), ErrorKind::NotFound);
        assert_eq!(kind(mark(world.store(), 8, 1, status).await), ErrorKind::NotFound);
    }
    assert_eq!(kind(world.store().mark_failed(7, 2, "no".into()).await), ErrorKind::NotFound);
}

async fn marks_survive_a_crash(world: &mut World) {
    use JobStatus::{Cancelled, Done, Failed};
    plain_job(world, 7, 3).await;
    for (id, status) in [(1, Done), (2, Failed), (3, Cancelled)] {
        world.store().mark_status(7, id, status, Some("sum".into())).await.unwrap();
    }
    world.crash().await;
    for (id, status) in [(1, Done), (2, Failed), (3, Cancelled)] {
        let found = chunk(world, 7, id).await;
        assert_eq!((found.status, found.checksum.as_str()), (status, "sum"));
    }
}
