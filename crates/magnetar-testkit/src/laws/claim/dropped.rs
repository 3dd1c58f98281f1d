//! Claims whose caller went away.

use futures_lite::future::poll_once;
use magnetar_core::{JobState, JobStatus, Lane};

use crate::{
    harness::World,
    law::{Law, laws},
    laws::support::{chunk, fence, plain_job},
};

pub(in crate::laws) const LAWS: &[Law] = laws![
    a_dropped_claim_gives_its_chunk_back,
    a_dropped_batch_gives_all_its_chunks_back,
    many_dropped_claims_keep_no_chunk,
    a_dropped_claim_costs_no_budget,
    a_dropped_complete_and_claim_gives_the_next_chunk_back,
    a_claim_that_was_never_polled_takes_nothing,
];

/// Claims until `count` chunks are held. Each claim is a round trip, in which what was dropped has time to come back.
async fn claim_in_time(world: &World, count: usize) -> Vec<JobState> {
    let mut held = Vec::new();
    for _ in 0..10_000 {
        held.extend(world.store().claim_pending_batch(7, count - held.len()).await.unwrap());
        if held.len() == count {
            held.sort_by_key(|chunk| chunk.chunk);
            return held;
        }
    }
    panic!("only {} of {count} chunks came back", held.len());
}

/// Begins a claim of `limit` chunks and drops it. What a store answers at once was received, and is given back.
async fn drop_claim(world: &World, limit: usize) {
    if let Some(answer) = poll_once(world.store().claim_pending_batch(7, limit)).await {
        for chunk in answer.unwrap() {
            world.store().release(&chunk.fence().unwrap()).await.unwrap();
        }
    }
}

async fn a_dropped_claim_gives_its_chunk_back(world: &mut World) {
    plain_job(world, 7, 1).await;
    drop_claim(world, 1).await;
    assert_eq!(claim_in_time(world, 1).await[0].chunk, 1);
}

async fn a_dropped_batch_gives_all_its_chunks_back(world: &mut World) {
    plain_job(world, 7, 100).await;
    drop_claim(world, 100).await;
    let chunks: Vec<_> = claim_in_time(world, 100).await.iter().map(|chunk| chunk.chunk).collect();
    assert_eq!(chunks, (1..=100).collect::<Vec<_>>());
}

async fn many_dropped_claims_keep_no_chunk(world: &mut World) {
    plain_job(world, 7, 20).await;
    for limit in 1..=50 {
        drop_claim(world, limit).await;
    }
    claim_in_time(world, 20).await;
    assert_eq!(world.store().get_stats(7).await.unwrap().processing, 20);
}

async fn a_dropped_claim_costs_no_budget(world: &mut World) {
    plain_job(world, 7, 1).await;
    for _ in 0..10 {
        drop_claim(world, 1).await;
    }
    let held = claim_in_time(world, 1).await;
    assert_eq!((held[0].fails, held[0].crashes, held[0].attempt()), (0, 0, 1));
}

async fn a_dropped_complete_and_claim_gives_the_next_chunk_back(world: &mut World) {
    plain_job(world, 7, 2).await;
    let first = fence(world.store(), 7).await;
    if let Some(answer) = poll_once(world.store().complete_and_claim(&first, Vec::new(), vec![Lane::of(7)], 1)).await {
        world.store().release(&answer.unwrap()[0].fence().unwrap()).await.unwrap();
    }
    assert_eq!(claim_in_time(world, 1).await[0].chunk, 2);
    assert_ne!(chunk(world, 7, 1).await.status, JobStatus::Pending);
}

async fn a_claim_that_was_never_polled_takes_nothing(world: &mut World) {
    plain_job(world, 7, 1).await;
    drop(world.store().claim_pending(7));
    assert_eq!(fence(world.store(), 7).await.chunk(), 1);
}
