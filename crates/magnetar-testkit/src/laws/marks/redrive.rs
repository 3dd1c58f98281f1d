//! Marking a chunk that ended badly as Pending: another chance, with fresh budgets.

use std::time::Duration;

use magnetar_core::{
    ErrorKind, JobOptions,
    JobStatus::{Cancelled, Done, Failed, Pending, Skipped},
    NewChunk, RetryPolicy,
};

use super::mark;
use crate::{
    harness::World,
    law::{Law, laws},
    laws::support::{chunk, claim, fence, ids, job_of, job_with, kind, plain_job},
};

pub(in crate::laws) const LAWS: &[Law] = laws![
    a_failed_or_cancelled_chunk_marked_pending_is_claimed_again,
    a_redriven_chunk_has_fresh_budgets,
    a_redriven_chunk_waits_for_no_time,
    a_redrive_brings_back_what_was_skipped_because_of_it,
    a_skipped_chunk_redriven_by_hand_is_held_and_not_skipped_again,
    a_redriven_skipped_chunk_runs_once_its_dependency_is_done,
    a_fence_from_before_a_redrive_is_lost,
];

async fn a_failed_or_cancelled_chunk_marked_pending_is_claimed_again(world: &mut World) {
    plain_job(world, 7, 2).await;
    for (id, status) in [(1, Failed), (2, Cancelled)] {
        mark(world.store(), 7, id, status).await.unwrap();
        assert_eq!(mark(world.store(), 7, id, Pending).await.unwrap(), (true, None));
        assert_eq!(chunk(world, 7, id).await.ended_at, None);
    }
    assert_eq!(ids(&world.store().claim_pending_batch(7, 10).await.unwrap()), [1, 2]);
}

async fn a_redriven_chunk_has_fresh_budgets(world: &mut World) {
    let retry = RetryPolicy { first_wait: Duration::ZERO, max_fails: 2, max_crashes: 2, ..RetryPolicy::default() };
    job_with(world, 7, JobOptions { retry, ..JobOptions::default() }, [NewChunk::new(1)]).await;
    fence(world.store(), 7).await;
    world.crash().await;
    for _ in 0..2 {
        let held = fence(world.store(), 7).await;
        world.store().fail(&held, "no".into()).await.unwrap();
    }
    let spent = chunk(world, 7, 1).await;
    assert_eq!((spent.status, spent.fails, spent.crashes), (Failed, 2, 1));
    mark(world.store(), 7, 1, Pending).await.unwrap();
    let fresh = claim(world.store(), 7).await;
    assert_eq!((fresh.fails, fresh.crashes, fresh.attempt()), (0, 0, 1));
    assert!(world.store().fail(&fresh.fence().unwrap(), "no".into()).await.unwrap().is_some());
}

async fn a_redriven_chunk_waits_for_no_time(world: &mut World) {
    let at = world.now().after(Duration::from_mins(1));
    job_of(world, 7, [NewChunk::new(1).not_before(at)]).await;
    mark(world.store(), 7, 1, Failed).await.unwrap();
    mark(world.store(), 7, 1, Pending).await.unwrap();
    assert_eq!(claim(world.store(), 7).await.chunk, 1);
}

/// 1 <- 2 <- 3, of which 1 failed.
async fn broken_chain(world: &World) {
    job_of(world, 7, [NewChunk::new(1), NewChunk::new(2).depends_on([1]), NewChunk::new(3).depends_on([2])]).await;
    world.store().mark_failed(7, 1, "no".into()).await.unwrap();
    assert_eq!((world.status(7, 2).await, world.status(7, 3).await), (Skipped, Skipped));
}

async fn a_redrive_brings_back_what_was_skipped_because_of_it(world: &mut World) {
    broken_chain(world).await;
    mark(world.store(), 7, 1, Pending).await.unwrap();
    let stats = world.store().get_stats(7).await.unwrap();
    assert_eq!((stats.pending, stats.blocked, stats.skipped), (3, 2, 0));
    for expected in 1..=3 {
        assert_eq!(ids(&world.store().claim_pending_batch(7, 10).await.unwrap()), [expected]);
        mark(world.store(), 7, expected, Done).await.unwrap();
    }
}

async fn a_skipped_chunk_redriven_by_hand_is_held_and_not_skipped_again(world: &mut World) {
    broken_chain(world).await;
    assert!(mark(world.store(), 7, 2, Pending).await.unwrap().0);
    world.settle().await;
    let found = chunk(world, 7, 2).await;
    assert_eq!((found.status, found.unmet, found.bad), (Pending, 0, 1));
    assert_eq!(world.store().get_stats(7).await.unwrap().held, 1);
    assert_eq!(world.store().claim_pending(7).await.unwrap(), None);
    assert_eq!(kind(mark(world.store(), 7, 2, Done).await), ErrorKind::Blocked);
}

async fn a_redriven_skipped_chunk_runs_once_its_dependency_is_done(world: &mut World) {
    broken_chain(world).await;
    mark(world.store(), 7, 2, Pending).await.unwrap();
    mark(world.store(), 7, 1, Pending).await.unwrap();
    assert_eq!(ids(&world.store().claim_pending_batch(7, 10).await.unwrap()), [1]);
    mark(world.store(), 7, 1, Done).await.unwrap();
    assert_eq!(ids(&world.store().claim_pending_batch(7, 10).await.unwrap()), [2]);
}

async fn a_fence_from_before_a_redrive_is_lost(world: &mut World) {
    plain_job(world, 7, 1).await;
    let old = fence(world.store(), 7).await;
    mark(world.store(), 7, 1, Failed).await.unwrap();
    mark(world.store(), 7, 1, Pending).await.unwrap();
    assert_eq!(kind(world.store().complete(&old, Vec::new()).await), ErrorKind::FenceLost);
    claim(world.store(), 7).await;
    assert_eq!(kind(world.store().complete(&old, Vec::new()).await), ErrorKind::FenceLost);
    assert_eq!(kind(world.store().check(&old).await), ErrorKind::FenceLost);
}
