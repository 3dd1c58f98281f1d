//! Marks of chunks that somebody else holds, and of claims that were taken back.

use std::{sync::Arc, time::Duration};

use magnetar_core::{
    ErrorKind, JobOptions,
    JobStatus::{Cancelled, Done, Failed, Pending, Processing},
    JobStore, NewChunk, RetryPolicy,
};

use super::mark;
use crate::{
    harness::World,
    law::{Law, laws},
    laws::support::{chunk, claim, fence, ids, job_with, kind, plain_job, reap},
};

pub(in crate::laws) const LAWS: &[Law] = laws![
    a_claim_that_timed_out_is_marked_in_vain,
    a_lost_claim_stays_lost_for_marks,
    a_lost_claim_can_be_marked_once_it_is_claimed_anew,
    a_chunk_that_was_given_back_can_be_marked,
    a_new_handle_can_mark_what_a_dead_one_held,
    @many what_another_live_session_holds_bears_no_mark,
    @many marking_processing_what_another_holds_is_refused,
    @many a_claim_that_another_has_now_is_marked_in_vain,
    @many a_lost_claim_stays_lost_when_another_has_ended_the_chunk,
    @many what_another_gave_back_can_be_marked,
    @many what_a_dead_session_held_can_be_marked,
    @many two_handles_each_mark_their_own,
];

const LIMIT: Duration = Duration::from_secs(5);

/// A job of chunks that may run 5 s each, and are ready at once when they come back.
async fn hasty(world: &World, job: i64, count: u64) {
    let retry = RetryPolicy { first_wait: Duration::ZERO, max_fails: 10, ..RetryPolicy::default() };
    let chunks = (1..=count).map(|id| NewChunk::new(id).timeout(LIMIT));
    job_with(world, job, JobOptions { retry, ..JobOptions::default() }, chunks).await;
}

/// Lets what is claimed now run out of its time.
async fn time_out(world: &World) {
    world.advance(LIMIT + Duration::from_secs(1));
    world.settle().await;
}

async fn a_claim_that_timed_out_is_marked_in_vain(world: &mut World) {
    hasty(world, 7, 4).await;
    world.store().claim_pending_batch(7, 4).await.unwrap();
    time_out(world).await;
    for (id, status) in [(1, Done), (2, Failed), (3, Cancelled)] {
        assert_eq!(kind(mark(world.store(), 7, id, status).await), ErrorKind::FenceLost, "{status}");
    }
    assert_eq!(kind(world.store().mark_failed(7, 4, "no".into()).await), ErrorKind::FenceLost);
    let stats = world.store().get_stats(7).await.unwrap();
    assert_eq!((stats.pending, stats.processing), (4, 0));
}

async fn a_lost_claim_stays_lost_for_marks(world: &mut World) {
    hasty(world, 7, 1).await;
    fence(world.store(), 7).await;
    time_out(world).await;
    for status in [Done, Done, Failed, Cancelled, Done] {
        assert_eq!(kind(mark(world.store(), 7, 1, status).await), ErrorKind::FenceLost);
    }
    assert_eq!(world.status(7, 1).await, Pending);
}

async fn a_lost_claim_can_be_marked_once_it_is_claimed_anew(world: &mut World) {
    hasty(world, 7, 1).await;
    fence(world.store(), 7).await;
    time_out(world).await;
    assert_eq!(kind(mark(world.store(), 7, 1, Done).await), ErrorKind::FenceLost);
    claim(world.store(), 7).await;
    assert!(mark(world.store(), 7, 1, Done).await.unwrap().0);
    assert_eq!(world.status(7, 1).await, Done);
}

async fn a_chunk_that_was_given_back_can_be_marked(world: &mut World) {
    plain_job(world, 7, 3).await;
    let held = world.store().claim_pending_batch(7, 3).await.unwrap();
    world.store().release(&held[0].fence().unwrap()).await.unwrap();
    world.store().fail(&held[1].fence().unwrap(), "no".into()).await.unwrap();
    mark(world.store(), 7, 3, Pending).await.unwrap();
    for id in 1..=3 {
        assert!(mark(world.store(), 7, id, Done).await.unwrap().0);
    }
    assert!(world.store().get_stats(7).await.unwrap().is_complete());
}

async fn a_new_handle_can_mark_what_a_dead_one_held(world: &mut World) {
    plain_job(world, 7, 2).await;
    world.store().claim_pending_batch(7, 2).await.unwrap();
    world.crash().await;
    world.settle().await;
    assert!(mark(world.store(), 7, 1, Done).await.unwrap().0);
    assert!(mark(world.store(), 7, 2, Processing).await.unwrap().0);
    assert_eq!(chunk(world, 7, 2).await.crashes, 1);
}

/// Another handle, which holds chunk 1 of job 7.
async fn holder(world: &World) -> Arc<dyn JobStore> {
    let other = world.another().await;
    assert_eq!(fence(&other, 7).await.chunk(), 1);
    other
}

async fn what_another_live_session_holds_bears_no_mark(world: &mut World) {
    plain_job(world, 7, 1).await;
    let other = holder(world).await;
    let before = chunk(world, 7, 1).await;
    for status in [Pending, Done, Failed, Cancelled] {
        assert_eq!(kind(mark(world.store(), 7, 1, status).await), ErrorKind::Conflict, "{status}");
    }
    assert_eq!(kind(world.store().mark_failed(7, 1, "no".into()).await), ErrorKind::Conflict);
    assert_eq!(chunk(world, 7, 1).await, before);
    mark(&other, 7, 1, Done).await.unwrap();
}

async fn marking_processing_what_another_holds_is_refused(world: &mut World) {
    plain_job(world, 7, 1).await;
    let other = holder(world).await;
    let before = chunk(world, 7, 1).await;
    // An answer without an error would look like a claim that was won.
    assert_eq!(kind(mark(world.store(), 7, 1, Processing).await), ErrorKind::Conflict);
    assert_eq!(chunk(world, 7, 1).await, before);
    assert_eq!(kind(mark(world.store(), 7, 1, Done).await), ErrorKind::Conflict);
    mark(&other, 7, 1, Done).await.unwrap();
}

async fn a_claim_that_another_has_now_is_marked_in_vain(world: &mut World) {
    hasty(world, 7, 1).await;
    let other = world.another().await;
    fence(world.store(), 7).await;
    time_out(world).await;
    let theirs = fence(&other, 7).await;
    for status in [Done, Failed, Cancelled] {
        assert_eq!(kind(mark(world.store(), 7, 1, status).await), ErrorKind::FenceLost, "{status}");
    }
    other.complete(&theirs, Vec::new()).await.unwrap();
}

async fn a_lost_claim_stays_lost_when_another_has_ended_the_chunk(world: &mut World) {
    hasty(world, 7, 1).await;
    let other = world.another().await;
    fence(world.store(), 7).await;
    time_out(world).await;
    fence(&other, 7).await;
    mark(&other, 7, 1, Failed).await.unwrap();
    for status in [Done, Cancelled] {
        assert_eq!(kind(mark(world.store(), 7, 1, status).await), ErrorKind::FenceLost);
    }
    assert_eq!(world.status(7, 1).await, Failed);
}

async fn what_another_gave_back_can_be_marked(world: &mut World) {
    plain_job(world, 7, 1).await;
    let other = holder(world).await;
    mark(&other, 7, 1, Pending).await.unwrap();
    assert!(mark(world.store(), 7, 1, Done).await.unwrap().0);
}

async fn what_a_dead_session_held_can_be_marked(world: &mut World) {
    plain_job(world, 7, 1).await;
    let other = holder(world).await;
    world.kill(other).await;
    for _ in 0..5 {
        world.advance(Duration::from_secs(9));
        world.settle().await;
    }
    assert!(mark(world.store(), 7, 1, Done).await.unwrap().0);
}

async fn two_handles_each_mark_their_own(world: &mut World) {
    plain_job(world, 7, 4).await;
    let other = world.another().await;
    let mine = ids(&world.store().claim_pending_batch(7, 2).await.unwrap());
    let theirs = ids(&other.claim_pending_batch(7, 2).await.unwrap());
    assert_eq!((mine.as_slice(), theirs.as_slice()), ([1, 2].as_slice(), [3, 4].as_slice()));
    for (mine, theirs) in mine.into_iter().zip(theirs) {
        assert_eq!(kind(mark(world.store(), 7, theirs, Done).await), ErrorKind::Conflict);
        assert_eq!(kind(mark(&other, 7, mine, Done).await), ErrorKind::Conflict);
        assert!(mark(world.store(), 7, mine, Done).await.unwrap().0);
        assert!(mark(&other, 7, theirs, Failed).await.unwrap().0);
    }
    reap(&other).await;
    let stats = world.store().get_stats(7).await.unwrap();
    assert_eq!((stats.done, stats.failed), (2, 2));
}
