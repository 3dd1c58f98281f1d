//! Doing ended chunks once more, with what depends on them.

use std::time::Duration;

use magnetar_core::{ErrorKind, JobOptions, JobStatus, NewChunk, RetryPolicy};

use crate::{
    harness::World,
    law::{Law, laws},
    laws::support::{chunk, fence, ids, job_of, job_with, kind, plain_job, still},
};

pub(in crate::laws) const LAWS: &[Law] = laws![
    a_reopened_chunk_is_claimed_once_more,
    reopening_takes_the_finished_descendants_along,
    reopening_blocks_pending_descendants_again,
    reopening_is_refused_while_a_descendant_runs,
    an_open_chunk_cannot_be_reopened,
    every_ended_chunk_can_be_reopened,
    a_reopened_chunk_has_fresh_budgets,
    reopening_what_is_not_there_is_not_found,
    a_fence_from_before_a_reopening_is_lost,
];

async fn finish(world: &World, chunks: impl IntoIterator<Item = u64>) {
    for chunk in chunks {
        world.store().mark_status(7, chunk, JobStatus::Done, None).await.unwrap();
    }
}

async fn reopen(world: &World, chunks: &[u64]) -> Vec<u64> {
    let mut reopened = world.store().reopen(7, chunks.to_vec()).await.unwrap();
    reopened.sort_unstable();
    assert!(reopened.iter().all(|(job, _)| *job == 7));
    reopened.into_iter().map(|(_, chunk)| chunk).collect()
}

/// 1 <- 2 <- 3, and 4 apart.
async fn chain(world: &World) {
    let chunks = [NewChunk::new(1), NewChunk::new(2).depends_on([1]), NewChunk::new(3).depends_on([2]), NewChunk::new(4)];
    job_of(world, 7, chunks).await;
}

async fn a_reopened_chunk_is_claimed_once_more(world: &mut World) {
    plain_job(world, 7, 2).await;
    finish(world, 1..=2).await;
    assert_eq!(reopen(world, &[2]).await, [2]);
    assert_eq!(ids(&world.store().claim_pending_batch(7, 10).await.unwrap()), [2]);
    assert_eq!(world.status(7, 1).await, JobStatus::Done);
}

async fn reopening_takes_the_finished_descendants_along(world: &mut World) {
    chain(world).await;
    finish(world, 1..=4).await;
    assert_eq!(reopen(world, &[1]).await, [1, 2, 3]);
    let stats = world.store().get_stats(7).await.unwrap();
    assert_eq!((stats.pending, stats.blocked, stats.done), (3, 2, 1));
    for expected in 1..=3 {
        assert_eq!(ids(&world.store().claim_pending_batch(7, 10).await.unwrap()), [expected]);
        finish(world, [expected]).await;
    }
}

async fn reopening_blocks_pending_descendants_again(world: &mut World) {
    chain(world).await;
    finish(world, [1]).await;
    assert_eq!(reopen(world, &[1]).await, [1]);
    assert_eq!((chunk(world, 7, 2).await.unmet, chunk(world, 7, 3).await.unmet), (1, 1));
    assert_eq!(ids(&world.store().claim_pending_batch(7, 10).await.unwrap()), [1, 4]);
}

async fn reopening_is_refused_while_a_descendant_runs(world: &mut World) {
    chain(world).await;
    finish(world, [1, 2]).await;
    let running = fence(world.store(), 7).await;
    assert_eq!(running.chunk(), 3);
    assert_eq!(kind(world.store().reopen(7, vec![1]).await), ErrorKind::NotAllowed);
    assert_eq!((world.status(7, 1).await, world.status(7, 2).await), (JobStatus::Done, JobStatus::Done));
    world.store().complete(&running, Vec::new()).await.unwrap();
}

async fn an_open_chunk_cannot_be_reopened(world: &mut World) {
    plain_job(world, 7, 3).await;
    finish(world, [3]).await;
    fence(world.store(), 7).await;
    for open in [1, 2] {
        assert_eq!(kind(world.store().reopen(7, vec![3, open]).await), ErrorKind::NotAllowed);
    }
    assert_eq!(world.status(7, 3).await, JobStatus::Done);
}

async fn every_ended_chunk_can_be_reopened(world: &mut World) {
    use JobStatus::{Cancelled, Done, Failed};
    plain_job(world, 7, 3).await;
    for (chunk, status) in [(1, Done), (2, Failed), (3, Cancelled)] {
        world.store().mark_status(7, chunk, status, None).await.unwrap();
    }
    assert_eq!(reopen(world, &[3, 1, 2]).await, [1, 2, 3]);
    assert_eq!(ids(&world.store().claim_pending_batch(7, 10).await.unwrap()), [1, 2, 3]);
}

async fn a_reopened_chunk_has_fresh_budgets(world: &mut World) {
    let retry = RetryPolicy { max_fails: 2, first_wait: Duration::ZERO, ..still() };
    job_with(world, 7, JobOptions { retry, ..JobOptions::default() }, [NewChunk::new(1)]).await;
    for _ in 0..2 {
        let fence = fence(world.store(), 7).await;
        world.store().fail(&fence, "no".into()).await.unwrap();
    }
    assert_eq!(world.status(7, 1).await, JobStatus::Failed);
    reopen(world, &[1]).await;
    assert_eq!(chunk(world, 7, 1).await.fails, 0);
    let fence = fence(world.store(), 7).await;
    assert!(world.store().fail(&fence, "no".into()).await.unwrap().is_some());
}

async fn reopening_what_is_not_there_is_not_found(world: &mut World) {
    plain_job(world, 7, 1).await;
    finish(world, [1]).await;
    assert_eq!(kind(world.store().reopen(7, vec![1, 2]).await), ErrorKind::NotFound);
    assert_eq!(kind(world.store().reopen(8, vec![1]).await), ErrorKind::NotFound);
    assert_eq!(world.status(7, 1).await, JobStatus::Done);
}

async fn a_fence_from_before_a_reopening_is_lost(world: &mut World) {
    plain_job(world, 7, 1).await;
    let old = fence(world.store(), 7).await;
    world.store().complete(&old, b"first".to_vec()).await.unwrap();
    reopen(world, &[1]).await;
    let new = fence(world.store(), 7).await;
    assert!(new.token() > old.token());
    assert_eq!(kind(world.store().fail(&old, "late".into()).await), ErrorKind::FenceLost);
    world.store().complete(&new, b"second".to_vec()).await.unwrap();
    assert_eq!(chunk(world, 7, 1).await.result.as_deref(), Some(b"second".as_slice()));
}
