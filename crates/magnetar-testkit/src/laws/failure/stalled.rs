//! A job is stalled when nothing will happen in it any more unless somebody redrives what went bad.

use magnetar_core::{
    JobStatus::{Done, Failed, Pending, Processing, Skipped},
    NewChunk, OnFailure,
};

use crate::{
    harness::World,
    law::{Law, laws},
    laws::{
        shape::{abroad, behind, chain, job_that, mark},
        support::{SECOND, fence, plain_job},
    },
};

pub(in crate::laws) const LAWS: &[Law] = laws![
    job_with_only_held_chunks_open_is_stalled,
    job_is_not_stalled_while_a_chunk_is_ready,
    job_is_not_stalled_while_a_chunk_runs,
    job_is_not_stalled_while_a_chunk_is_delayed,
    job_is_not_stalled_while_it_only_waits_for_another,
    job_that_skips_or_runs_does_not_stall,
    job_that_skips_stalls_when_a_skipped_chunk_is_redriven_by_hand,
    redrive_of_the_bad_parent_ends_the_stall,
];

async fn is_stalled(world: &World, job: i64) -> bool {
    world.store().get_stats(job).await.unwrap().is_stalled()
}

async fn job_with_only_held_chunks_open_is_stalled(world: &mut World) {
    job_that(world, 7, OnFailure::Hold, chain(4)).await;
    mark(world, 7, 1, Done).await;
    assert!(!is_stalled(world, 7).await);
    mark(world, 7, 2, Failed).await;
    assert!(is_stalled(world, 7).await);
}

async fn job_is_not_stalled_while_a_chunk_is_ready(world: &mut World) {
    job_that(world, 7, OnFailure::Hold, chain(2).chain([NewChunk::new(3)])).await;
    mark(world, 7, 1, Failed).await;
    assert!(!is_stalled(world, 7).await);
    mark(world, 7, 3, Failed).await;
    assert!(is_stalled(world, 7).await);
}

async fn job_is_not_stalled_while_a_chunk_runs(world: &mut World) {
    job_that(world, 7, OnFailure::Hold, chain(2).chain([NewChunk::new(3)])).await;
    mark(world, 7, 1, Failed).await;
    let running = fence(world.store(), 7).await;
    assert!(!is_stalled(world, 7).await);
    world.store().complete(&running, Vec::new()).await.unwrap();
    assert!(is_stalled(world, 7).await);
}

async fn job_is_not_stalled_while_a_chunk_is_delayed(world: &mut World) {
    let later = NewChunk::new(3).not_before(world.now().after(60 * SECOND));
    job_that(world, 7, OnFailure::Hold, chain(2).chain([later])).await;
    mark(world, 7, 1, Failed).await;
    assert!(!is_stalled(world, 7).await);
    world.advance(60 * SECOND);
    world.settle().await;
    assert!(!is_stalled(world, 7).await, "what is due is ready");
}

async fn job_is_not_stalled_while_it_only_waits_for_another(world: &mut World) {
    plain_job(world, 8, 1).await;
    job_that(world, 7, OnFailure::Hold, [abroad(1, [(8, 1)])]).await;
    assert!(!is_stalled(world, 7).await);
    mark(world, 8, 1, Failed).await;
    assert!(is_stalled(world, 7).await);
}

async fn job_that_skips_or_runs_does_not_stall(world: &mut World) {
    for (job, on_failure) in [(7, OnFailure::Skip), (8, OnFailure::Run)] {
        job_that(world, job, on_failure, chain(3)).await;
        mark(world, job, 1, Failed).await;
        assert!(!is_stalled(world, job).await, "{on_failure:?}");
    }
}

async fn job_that_skips_stalls_when_a_skipped_chunk_is_redriven_by_hand(world: &mut World) {
    job_that(world, 7, OnFailure::Skip, chain(2)).await;
    mark(world, 7, 1, Failed).await;
    assert_eq!(world.status(7, 2).await, Skipped);
    mark(world, 7, 2, Pending).await;
    assert!(is_stalled(world, 7).await);
}

async fn redrive_of_the_bad_parent_ends_the_stall(world: &mut World) {
    job_that(world, 7, OnFailure::Hold, [NewChunk::new(1), NewChunk::new(2), behind(3, [1, 2])]).await;
    mark(world, 7, 1, Failed).await;
    mark(world, 7, 2, Failed).await;
    assert!(is_stalled(world, 7).await);
    mark(world, 7, 1, Pending).await;
    assert!(!is_stalled(world, 7).await);
    mark(world, 7, 1, Processing).await;
    mark(world, 7, 1, Done).await;
    assert!(is_stalled(world, 7).await, "the other parent is bad still");
}
