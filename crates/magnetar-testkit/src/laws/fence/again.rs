//! A write that was accepted is answered "already applied" when it comes again, and happens once.

use std::time::Duration;

use magnetar_core::{ErrorKind, Fence, JobStatus, NewChunk, Until};

use crate::{
    harness::World,
    law::{Law, laws},
    laws::support::{SECOND, chunk, fence, job_of, kind, plain_job},
};

pub(in crate::laws) const LAWS: &[Law] = laws![
    complete_again_is_already_applied,
    complete_again_keeps_the_first_result,
    complete_again_is_already_applied_after_a_crash,
    fail_again_is_already_applied_and_counts_once,
    fail_again_is_already_applied_while_the_next_attempt_runs,
    release_again_is_already_applied,
    park_again_is_already_applied,
    what_a_fence_did_before_another_ended_the_chunk_is_lost,
    result_bytes_are_kept_as_they_are,
    a_result_beyond_the_limit_is_refused_and_the_claim_goes_on,
];

async fn complete_again_is_already_applied(world: &mut World) {
    plain_job(world, 7, 1).await;
    let held = fence(world.store(), 7).await;
    world.store().complete(&held, Vec::new()).await.unwrap();
    for _ in 0..3 {
        assert_eq!(kind(world.store().complete(&held, Vec::new()).await), ErrorKind::AlreadyApplied);
    }
    assert_eq!(world.store().get_stats(7).await.unwrap().done, 1);
}

async fn complete_again_keeps_the_first_result(world: &mut World) {
    plain_job(world, 7, 1).await;
    let held = fence(world.store(), 7).await;
    world.store().complete(&held, b"first".to_vec()).await.unwrap();
    let first = chunk(world, 7, 1).await;
    world.advance(SECOND);
    assert_eq!(kind(world.store().complete(&held, b"second".to_vec()).await), ErrorKind::AlreadyApplied);
    assert_eq!(chunk(world, 7, 1).await, first);
}

async fn complete_again_is_already_applied_after_a_crash(world: &mut World) {
    plain_job(world, 7, 1).await;
    let held = fence(world.store(), 7).await;
    world.store().complete(&held, b"first".to_vec()).await.unwrap();
    world.crash().await;
    assert_eq!(kind(world.store().complete(&held, b"second".to_vec()).await), ErrorKind::AlreadyApplied);
    assert_eq!(chunk(world, 7, 1).await.result.as_deref(), Some(b"first".as_slice()));
}

async fn fail_again_is_already_applied_and_counts_once(world: &mut World) {
    plain_job(world, 7, 1).await;
    let held = fence(world.store(), 7).await;
    world.store().fail(&held, "first".into()).await.unwrap();
    assert_eq!(kind(world.store().fail(&held, "second".into()).await), ErrorKind::AlreadyApplied);
    let found = chunk(world, 7, 1).await;
    assert_eq!((found.fails, found.error.as_deref()), (1, Some("first")));
}

async fn fail_again_is_already_applied_while_the_next_attempt_runs(world: &mut World) {
    plain_job(world, 7, 1).await;
    let first = fence(world.store(), 7).await;
    world.store().fail(&first, "first".into()).await.unwrap();
    world.advance(SECOND);
    let second = fence(world.store(), 7).await;
    assert_eq!(kind(world.store().fail(&first, "late".into()).await), ErrorKind::AlreadyApplied);
    assert_eq!(world.store().fail(&second, "second".into()).await.unwrap(), Some(world.now().after(2 * SECOND)));
}

async fn release_again_is_already_applied(world: &mut World) {
    plain_job(world, 7, 1).await;
    let held = fence(world.store(), 7).await;
    world.store().release(&held).await.unwrap();
    assert_eq!(kind(world.store().release(&held).await), ErrorKind::AlreadyApplied);
    let next = fence(world.store(), 7).await;
    assert_eq!(kind(world.store().release(&held).await), ErrorKind::AlreadyApplied);
    world.store().check(&next).await.unwrap();
}

async fn park_again_is_already_applied(world: &mut World) {
    plain_job(world, 7, 1).await;
    let held = fence(world.store(), 7).await;
    let until = |seconds| Until::At(world.now().after(Duration::from_secs(seconds)));
    world.store().park(&held, until(10)).await.unwrap();
    assert_eq!(kind(world.store().park(&held, until(1_000)).await), ErrorKind::AlreadyApplied);
    assert_eq!(chunk(world, 7, 1).await.not_before, Some(world.now().after(Duration::from_secs(10))));
}

async fn what_a_fence_did_before_another_ended_the_chunk_is_lost(world: &mut World) {
    job_of(world, 7, (1..=3).map(NewChunk::new)).await;
    let held: Vec<Fence> =
        world.store().claim_pending_batch(7, 3).await.unwrap().iter().map(|one| one.fence().unwrap()).collect();
    world.store().fail(&held[0], "no".into()).await.unwrap();
    world.store().release(&held[1]).await.unwrap();
    world.store().park(&held[2], Until::At(world.now())).await.unwrap();
    world.advance(SECOND);
    world.settle().await;
    for next in world.store().claim_pending_batch(7, 3).await.unwrap() {
        world.store().complete(&next.fence().unwrap(), Vec::new()).await.unwrap();
    }
    assert_eq!(world.store().get_stats(7).await.unwrap().done, 3);
    assert_eq!(kind(world.store().fail(&held[0], "no".into()).await), ErrorKind::FenceLost);
    assert_eq!(kind(world.store().release(&held[1]).await), ErrorKind::FenceLost);
    assert_eq!(kind(world.store().park(&held[2], Until::At(world.now())).await), ErrorKind::FenceLost);
}

async fn result_bytes_are_kept_as_they_are(world: &mut World) {
    plain_job(world, 7, 3).await;
    for result in [(0..=255).collect::<Vec<u8>>(), vec![0], vec![7; 1024 * 1024]] {
        let held = fence(world.store(), 7).await;
        world.store().complete(&held, result.clone()).await.unwrap();
        assert_eq!(chunk(world, 7, held.chunk()).await.result, Some(result));
    }
}

async fn a_result_beyond_the_limit_is_refused_and_the_claim_goes_on(world: &mut World) {
    plain_job(world, 7, 1).await;
    let held = fence(world.store(), 7).await;
    assert_eq!(kind(world.store().complete(&held, vec![7; 1024 * 1024 + 1]).await), ErrorKind::TooLarge);
    assert_eq!(world.status(7, 1).await, JobStatus::Processing);
    world.store().complete(&held, Vec::new()).await.unwrap();
}
