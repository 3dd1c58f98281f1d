//! Finishing a chunk and taking the next in one go.

use magnetar_core::{ErrorKind, JobStatus, Lane, NewChunk};

use crate::{
    harness::World,
    law::{Law, laws},
    laws::support::{chunk, fence, ids, job_of, kind, plain_job},
};

pub(in crate::laws) const LAWS: &[Law] = laws![
    complete_and_claim_ends_one_chunk_and_takes_the_next,
    complete_and_claim_takes_what_the_completion_freed,
    complete_and_claim_takes_nothing_under_a_lost_fence,
    complete_and_claim_at_the_end_takes_nothing,
    complete_and_claim_works_a_whole_job_off,
];

async fn complete_and_claim_ends_one_chunk_and_takes_the_next(world: &mut World) {
    plain_job(world, 7, 4).await;
    let first = fence(world.store(), 7).await;
    let next = world.store().complete_and_claim(&first, b"out".to_vec(), vec![Lane::of(7)], 2).await.unwrap();
    assert_eq!(ids(&next), [2, 3]);
    assert!(next.iter().all(|chunk| chunk.fence().unwrap().token() > first.token()));
    let done = chunk(world, 7, 1).await;
    assert_eq!((done.status, done.result.as_deref()), (JobStatus::Done, Some(b"out".as_slice())));
}

async fn complete_and_claim_takes_what_the_completion_freed(world: &mut World) {
    job_of(world, 7, [NewChunk::new(1), NewChunk::new(2).depends_on([1])]).await;
    let first = fence(world.store(), 7).await;
    let next = world.store().complete_and_claim(&first, Vec::new(), vec![Lane::of(7)], 1).await.unwrap();
    assert_eq!(ids(&next), [2]);
}

async fn complete_and_claim_takes_nothing_under_a_lost_fence(world: &mut World) {
    plain_job(world, 7, 2).await;
    let old = fence(world.store(), 7).await;
    world.store().release(&old).await.unwrap();
    let again = world.store().complete_and_claim(&old, Vec::new(), vec![Lane::of(7)], 10).await;
    assert_eq!(kind(again), ErrorKind::FenceLost);
    assert_eq!(world.store().get_stats(7).await.unwrap().pending, 2);
    let new = fence(world.store(), 7).await;
    world.store().complete(&new, Vec::new()).await.unwrap();
    let again = world.store().complete_and_claim(&new, Vec::new(), vec![Lane::of(7)], 10).await;
    assert_eq!(kind(again), ErrorKind::AlreadyApplied);
    assert_eq!(world.status(7, 2).await, JobStatus::Pending);
}

async fn complete_and_claim_at_the_end_takes_nothing(world: &mut World) {
    plain_job(world, 7, 1).await;
    let last = fence(world.store(), 7).await;
    assert_eq!(world.store().complete_and_claim(&last, Vec::new(), vec![Lane::of(7)], 1).await.unwrap(), []);
    assert!(world.store().get_stats(7).await.unwrap().is_complete());
}

async fn complete_and_claim_works_a_whole_job_off(world: &mut World) {
    plain_job(world, 7, 100).await;
    let mut held = world.store().claim_pending(7).await.unwrap();
    let mut seen = Vec::new();
    while let Some(chunk) = held {
        assert!(seen.len() < 100, "more chunks than there are: {seen:?}");
        seen.push(chunk.chunk);
        let fence = chunk.fence().unwrap();
        held = world.store().complete_and_claim(&fence, Vec::new(), vec![Lane::of(7)], 1).await.unwrap().pop();
    }
    assert_eq!(seen, (1..=100).collect::<Vec<_>>());
    assert!(world.store().get_stats(7).await.unwrap().is_complete());
}
