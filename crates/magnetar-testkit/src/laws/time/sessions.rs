//! Sessions: a live one keeps what it holds, a dead one gives it up.

use std::sync::Arc;

use magnetar_core::{ErrorKind, JobStatus, JobStore, NewChunk};

use crate::{
    harness::World,
    law::{Law, laws},
    laws::support::{SECOND, chunk, claim, fence, ids, job_of, kind, plain_job, reap},
};

pub(in crate::laws) const LAWS: &[Law] = laws![
    a_session_renews_itself_and_keeps_its_claims,
    resume_pending_lists_what_a_dead_session_held,
    @many what_a_dead_session_held_is_claimed_by_another,
    @many a_dead_session_gives_up_all_its_chunks,
    @many a_dead_session_costs_each_chunk_a_crash,
    @many a_fence_of_a_dead_session_is_lost,
    @many a_live_session_keeps_its_claims_while_another_dies,
    @many a_live_session_is_never_taken_from,
    @many resume_pending_leaves_out_what_a_live_session_holds,
    @many a_handle_that_closes_gives_its_chunks_to_the_other,
    @many two_handles_never_hold_one_chunk,
];

/// Lets time pass in steps shorter than a session's life, with the upkeep of every live handle at each.
async fn pass(world: &World, seconds: u32, others: &[&Arc<dyn JobStore>]) {
    for _ in 0..seconds.div_ceil(9) {
        world.advance(9 * SECOND);
        for other in others {
            reap(other).await;
        }
        world.settle().await;
    }
}

async fn a_session_renews_itself_and_keeps_its_claims(world: &mut World) {
    plain_job(world, 7, 1).await;
    let held = fence(world.store(), 7).await;
    pass(world, 120, &[]).await;
    world.store().check(&held).await.unwrap();
    assert_eq!(world.store().claim_pending(7).await.unwrap(), None);
    world.store().complete(&held, Vec::new()).await.unwrap();
    assert_eq!(chunk(world, 7, 1).await.crashes, 0);
}

async fn resume_pending_lists_what_a_dead_session_held(world: &mut World) {
    let at = world.now().after(3_600 * SECOND);
    let rest = [NewChunk::new(3).depends_on([2]), NewChunk::new(4).not_before(at), NewChunk::new(5).lane("gpu")];
    job_of(world, 7, [NewChunk::new(1), NewChunk::new(2)].into_iter().chain(rest)).await;
    fence(world.store(), 7).await;
    world.crash().await;
    let pending = world.store().resume_pending(7).await.unwrap();
    assert_eq!(ids(&pending), [1, 2, 3, 4, 5]);
    assert_eq!(pending[0].crashes, 1);
    let held = fence(world.store(), 7).await;
    assert_eq!(ids(&world.store().resume_pending(7).await.unwrap()), [2, 3, 4, 5]);
    world.store().complete(&held, Vec::new()).await.unwrap();
}

async fn what_a_dead_session_held_is_claimed_by_another(world: &mut World) {
    plain_job(world, 7, 1).await;
    let other = world.another().await;
    let old = fence(&other, 7).await;
    world.kill(other).await;
    pass(world, 36, &[]).await;
    let new = claim(world.store(), 7).await;
    assert!(new.fence().unwrap().token() > old.token());
    assert_eq!((new.chunk, new.attempt()), (1, 2));
}

async fn a_dead_session_gives_up_all_its_chunks(world: &mut World) {
    plain_job(world, 7, 50).await;
    plain_job(world, 8, 50).await;
    let other = world.another().await;
    for job in [7, 8] {
        assert_eq!(other.claim_pending_batch(job, 40).await.unwrap().len(), 40);
    }
    world.kill(other).await;
    pass(world, 36, &[]).await;
    for job in [7, 8] {
        assert_eq!(ids(&world.store().claim_pending_batch(job, 50).await.unwrap()), (1..=50).collect::<Vec<_>>());
    }
}

async fn a_dead_session_costs_each_chunk_a_crash(world: &mut World) {
    plain_job(world, 7, 2).await;
    for expected in [JobStatus::Pending, JobStatus::Pending, JobStatus::Failed] {
        let other = world.another().await;
        assert_eq!(fence(&other, 7).await.chunk(), 1);
        world.kill(other).await;
        pass(world, 36, &[]).await;
        assert_eq!(world.status(7, 1).await, expected);
    }
    assert_eq!((chunk(world, 7, 1).await.crashes, chunk(world, 7, 2).await.crashes), (3, 0));
}

async fn a_fence_of_a_dead_session_is_lost(world: &mut World) {
    plain_job(world, 7, 1).await;
    let other = world.another().await;
    let old = fence(&other, 7).await;
    world.kill(other).await;
    pass(world, 36, &[]).await;
    assert_eq!(kind(world.store().complete(&old, Vec::new()).await), ErrorKind::FenceLost);
    let new = fence(world.store(), 7).await;
    assert_eq!(kind(world.store().complete(&old, Vec::new()).await), ErrorKind::FenceLost);
    world.store().complete(&new, Vec::new()).await.unwrap();
}

async fn a_live_session_keeps_its_claims_while_another_dies(world: &mut World) {
    plain_job(world, 7, 2).await;
    let other = world.another().await;
    let mine = fence(world.store(), 7).await;
    fence(&other, 7).await;
    world.kill(other).await;
    pass(world, 36, &[]).await;
    world.store().complete(&mine, Vec::new()).await.unwrap();
    assert_eq!((chunk(world, 7, 1).await.crashes, chunk(world, 7, 2).await.crashes), (0, 1));
}

async fn a_live_session_is_never_taken_from(world: &mut World) {
    plain_job(world, 7, 2).await;
    let other = world.another().await;
    let (mine, theirs) = (fence(world.store(), 7).await, fence(&other, 7).await);
    for _ in 0..4 {
        pass(world, 30, &[&other]).await;
        assert_eq!(world.store().claim_pending(7).await.unwrap(), None);
        assert_eq!(other.claim_pending(7).await.unwrap(), None);
    }
    world.store().complete(&mine, Vec::new()).await.unwrap();
    other.complete(&theirs, Vec::new()).await.unwrap();
}

async fn resume_pending_leaves_out_what_a_live_session_holds(world: &mut World) {
    plain_job(world, 7, 3).await;
    let other = world.another().await;
    let theirs = fence(&other, 7).await;
    assert_eq!(ids(&world.store().resume_pending(7).await.unwrap()), [2, 3]);
    other.complete(&theirs, Vec::new()).await.unwrap();
}

async fn a_handle_that_closes_gives_its_chunks_to_the_other(world: &mut World) {
    plain_job(world, 7, 3).await;
    let other = world.another().await;
    let theirs = fence(&other, 7).await;
    other.close().await.unwrap();
    let mine = world.store().claim_pending_batch(7, 3).await.unwrap();
    assert_eq!(ids(&mine), [1, 2, 3]);
    assert_eq!((mine[0].crashes, mine[0].attempt()), (0, 1));
    assert_eq!(kind(world.store().complete(&theirs, Vec::new()).await), ErrorKind::FenceLost);
}

async fn two_handles_never_hold_one_chunk(world: &mut World) {
    plain_job(world, 7, 200).await;
    let other = world.another().await;
    let mut claimed = Vec::new();
    for round in 0..100 {
        let store = if round % 3 == 0 { &other } else { world.store() };
        claimed.extend(ids(&store.claim_pending_batch(7, 1 + round % 5).await.unwrap()));
    }
    claimed.sort_unstable();
    assert_eq!(claimed, (1..=200).collect::<Vec<_>>());
}
