//! Tokens grow at every claim of the store, whatever happens in between, and are never used again.

use magnetar_core::{Fence, JobStatus, JobUpdate, Op, Reply, Timestamp};

use crate::{
    harness::World,
    law::{Law, laws},
    laws::support::{fence, plain_job},
};

pub(in crate::laws) const LAWS: &[Law] = laws![
    tokens_grow_from_claim_to_claim,
    tokens_grow_over_the_chunks_of_a_batch,
    tokens_grow_over_the_claims_of_one_chunk,
    tokens_grow_over_jobs,
    tokens_grow_over_a_deletion,
    tokens_grow_over_an_orderly_close,
    tokens_grow_over_a_crash,
    tokens_grow_when_the_clock_goes_back,
    a_mark_that_claims_takes_a_token_of_the_same_count,
    @many tokens_grow_over_handles,
];

fn assert_growing(fences: &[Fence]) {
    let tokens: Vec<_> = fences.iter().map(|fence| fence.token().get()).collect();
    assert!(tokens.is_sorted_by(|a, b| a < b), "{tokens:?}");
    assert!(tokens.iter().all(|token| *token > 0 && i64::try_from(*token).is_ok()), "{tokens:?}");
}

async fn tokens_grow_from_claim_to_claim(world: &mut World) {
    plain_job(world, 7, 10).await;
    let mut fences = Vec::new();
    for _ in 0..10 {
        fences.push(fence(world.store(), 7).await);
    }
    assert_growing(&fences);
}

async fn tokens_grow_over_the_chunks_of_a_batch(world: &mut World) {
    plain_job(world, 7, 20).await;
    let mut fences = Vec::new();
    for _ in 0..2 {
        let batch = world.store().claim_pending_batch(7, 10).await.unwrap();
        fences.extend(batch.iter().map(|chunk| chunk.fence().unwrap()));
    }
    assert_growing(&fences);
}

async fn tokens_grow_over_the_claims_of_one_chunk(world: &mut World) {
    plain_job(world, 7, 1).await;
    let mut fences = Vec::new();
    for _ in 0..5 {
        let fence = fence(world.store(), 7).await;
        world.store().release(&fence).await.unwrap();
        fences.push(fence);
    }
    assert_growing(&fences);
}

async fn tokens_grow_over_jobs(world: &mut World) {
    for job in [9, 7, 8] {
        plain_job(world, job, 2).await;
    }
    let mut fences = Vec::new();
    for job in [7, 9, 8, 9, 8, 7] {
        fences.push(fence(world.store(), job).await);
    }
    assert_growing(&fences);
}

async fn tokens_grow_over_a_deletion(world: &mut World) {
    let mut fences = Vec::new();
    for _ in 0..3 {
        plain_job(world, 7, 1).await;
        fences.push(fence(world.store(), 7).await);
        world.store().delete_job(7).await.unwrap();
    }
    assert_growing(&fences);
}

async fn tokens_grow_over_an_orderly_close(world: &mut World) {
    plain_job(world, 7, 1).await;
    let mut fences = Vec::new();
    for _ in 0..3 {
        fences.push(fence(world.store(), 7).await);
        world.reopen().await;
    }
    assert_growing(&fences);
}

async fn tokens_grow_over_a_crash(world: &mut World) {
    plain_job(world, 7, 6).await;
    let mut fences = Vec::new();
    for _ in 0..3 {
        fences.push(fence(world.store(), 7).await);
        fences.push(fence(world.store(), 7).await);
        world.crash().await;
    }
    assert_growing(&fences);
}

async fn tokens_grow_when_the_clock_goes_back(world: &mut World) {
    plain_job(world, 7, 3).await;
    let mut fences = Vec::new();
    for year in [2030, 2026, 2025] {
        world.set_clock(Timestamp::from_millis((year - 1970) * 365 * 86_400_000));
        world.reopen().await;
        fences.push(fence(world.store(), 7).await);
    }
    assert_growing(&fences);
}

async fn a_mark_that_claims_takes_a_token_of_the_same_count(world: &mut World) {
    plain_job(world, 7, 3).await;
    let before = fence(world.store(), 7).await;
    let update = JobUpdate { chunk_id: 2, status: JobStatus::Processing, checksum: None, error: None };
    let replies = world.store().apply(vec![Op::Mark { job: 7, update }]).await.unwrap();
    let [Reply::Marked { changed: true, fence: Some(marked) }] = replies.as_slice() else { panic!("{replies:?}") };
    assert_eq!((marked.job(), marked.chunk()), (7, 2));
    assert_growing(&[before, *marked, fence(world.store(), 7).await]);
}

async fn tokens_grow_over_handles(world: &mut World) {
    plain_job(world, 7, 6).await;
    let other = world.another().await;
    let mut fences = Vec::new();
    for _ in 0..3 {
        fences.push(fence(world.store(), 7).await);
        fences.push(fence(&other, 7).await);
    }
    assert_growing(&fences);
}
