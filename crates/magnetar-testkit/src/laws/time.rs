//! Time: what is due later, and a clock that is not to be trusted.

use std::time::Duration;

use magnetar_core::{ErrorKind, Fence, JobOptions, JobStatus, NewChunk, RetryPolicy, Timestamp, Until};

use super::support::{MILLI, SECOND, chunk, claim, fence, ids, job_of, job_with, plain_job, still};
use crate::{
    harness::World,
    law::{Law, laws},
};

pub(super) mod sessions;
pub(super) mod timeouts;

pub(super) const LAWS: &[Law] = laws![
    a_delayed_chunk_is_handed_out_at_its_time_and_not_before,
    a_delayed_chunk_is_counted_as_delayed,
    a_delay_that_is_over_already_is_none,
    delayed_chunks_come_due_in_the_order_of_their_times,
    what_is_due_is_claimed_in_the_order_of_ids,
    a_delayed_chunk_that_is_blocked_waits_for_both,
    a_delay_survives_a_crash,
    a_parked_chunk_comes_back_at_its_time,
    a_parked_chunk_comes_back_when_others_have_ended,
    a_delay_far_in_the_future_never_overflows,
    a_clock_that_goes_back_takes_no_claim_away,
    a_due_chunk_stays_due_when_the_clock_goes_back_a_little,
    a_jumping_clock_completes_no_chunk_twice,
];

const HOUR: Duration = Duration::from_hours(1);

async fn a_delayed_chunk_is_handed_out_at_its_time_and_not_before(world: &mut World) {
    let at = world.now().after(20 * SECOND);
    job_of(world, 7, [NewChunk::new(1).not_before(at)]).await;
    assert_eq!(world.store().claim_pending(7).await.unwrap(), None);
    world.advance(Duration::from_millis(19_999));
    assert_eq!(world.store().claim_pending(7).await.unwrap(), None);
    world.advance(MILLI);
    assert_eq!(claim(world.store(), 7).await.chunk, 1);
}

async fn a_delayed_chunk_is_counted_as_delayed(world: &mut World) {
    let at = world.now().after(20 * SECOND);
    job_of(world, 7, [NewChunk::new(1).not_before(at), NewChunk::new(2)]).await;
    let stats = world.store().get_stats(7).await.unwrap();
    assert_eq!((stats.pending, stats.delayed, stats.ready()), (2, 1, 1));
    assert_eq!(chunk(world, 7, 1).await.not_before, Some(at));
    world.advance(20 * SECOND);
    world.settle().await;
    let stats = world.store().get_stats(7).await.unwrap();
    assert_eq!((stats.pending, stats.delayed, stats.ready()), (2, 0, 2));
}

async fn a_delay_that_is_over_already_is_none(world: &mut World) {
    job_of(world, 7, [NewChunk::new(1).not_before(world.now()), NewChunk::new(2).not_before(Timestamp::from_millis(1))]).await;
    assert_eq!(world.store().get_stats(7).await.unwrap().delayed, 0);
    assert_eq!(ids(&world.store().claim_pending_batch(7, 10).await.unwrap()), [1, 2]);
}

async fn delayed_chunks_come_due_in_the_order_of_their_times(world: &mut World) {
    let due = |seconds| world.now().after(Duration::from_secs(seconds));
    let chunks = [(1, 15), (2, 5), (3, 20), (4, 10)].map(|(id, seconds)| NewChunk::new(id).not_before(due(seconds)));
    job_of(world, 7, chunks).await;
    for expected in [2, 4, 1, 3] {
        world.advance(5 * SECOND);
        assert_eq!(ids(&world.store().claim_pending_batch(7, 10).await.unwrap()), [expected]);
    }
}

async fn what_is_due_is_claimed_in_the_order_of_ids(world: &mut World) {
    let due = |seconds| world.now().after(Duration::from_secs(seconds));
    let chunks = [(1, 15), (2, 5), (3, 10)].map(|(id, seconds)| NewChunk::new(id).not_before(due(seconds)));
    job_of(world, 7, chunks.into_iter().chain([NewChunk::new(4)])).await;
    world.advance(20 * SECOND);
    world.settle().await;
    assert_eq!(ids(&world.store().claim_pending_batch(7, 10).await.unwrap()), [1, 2, 3, 4]);
}

async fn a_delayed_chunk_that_is_blocked_waits_for_both(world: &mut World) {
    let at = world.now().after(20 * SECOND);
    job_of(world, 7, [NewChunk::new(1), NewChunk::new(2).depends_on([1]).not_before(at)]).await;
    let stats = world.store().get_stats(7).await.unwrap();
    assert_eq!((stats.blocked, stats.delayed), (1, 0));
    world.store().mark_status(7, 1, JobStatus::Done, None).await.unwrap();
    let stats = world.store().get_stats(7).await.unwrap();
    assert_eq!((stats.blocked, stats.delayed), (0, 1));
    assert_eq!(world.store().claim_pending(7).await.unwrap(), None);
    world.advance(20 * SECOND);
    assert_eq!(claim(world.store(), 7).await.chunk, 2);
}

async fn a_delay_survives_a_crash(world: &mut World) {
    let at = world.now().after(HOUR);
    job_of(world, 7, [NewChunk::new(1).not_before(at)]).await;
    world.crash().await;
    assert_eq!(world.store().claim_pending(7).await.unwrap(), None);
    world.set_clock(at);
    assert_eq!(claim(world.store(), 7).await.chunk, 1);
}

async fn a_parked_chunk_comes_back_at_its_time(world: &mut World) {
    plain_job(world, 7, 1).await;
    let held = fence(world.store(), 7).await;
    world.store().park(&held, Until::At(world.now().after(20 * SECOND))).await.unwrap();
    assert_eq!(world.store().get_stats(7).await.unwrap().delayed, 1);
    world.advance(Duration::from_millis(19_999));
    assert_eq!(world.store().claim_pending(7).await.unwrap(), None);
    world.advance(MILLI);
    assert_eq!(claim(world.store(), 7).await.attempt(), 1);
}

async fn a_parked_chunk_comes_back_when_others_have_ended(world: &mut World) {
    plain_job(world, 7, 3).await;
    let held = fence(world.store(), 7).await;
    world.store().park(&held, Until::Ended(vec![(7, 2), (7, 3)])).await.unwrap();
    assert_eq!(ids(&world.store().claim_pending_batch(7, 10).await.unwrap()), [2, 3]);
    world.store().mark_status(7, 2, JobStatus::Done, None).await.unwrap();
    assert_eq!(world.store().claim_pending(7).await.unwrap(), None);
    world.store().mark_failed(7, 3, "ended all the same".into()).await.unwrap();
    assert_eq!(claim(world.store(), 7).await.chunk, 1);
}

async fn a_delay_far_in_the_future_never_overflows(world: &mut World) {
    let far = Timestamp::from_millis(i64::MAX.unsigned_abs());
    job_of(world, 7, [NewChunk::new(1).not_before(far), NewChunk::new(2).timeout(Duration::from_secs(u64::from(u32::MAX)))])
        .await;
    assert_eq!(ids(&world.store().claim_pending_batch(7, 10).await.unwrap()), [2]);
    assert_eq!(chunk(world, 7, 1).await.not_before, Some(far));
    world.store().mark_status(7, 1, JobStatus::Done, None).await.unwrap();
}

async fn a_clock_that_goes_back_takes_no_claim_away(world: &mut World) {
    plain_job(world, 7, 1).await;
    let held = fence(world.store(), 7).await;
    for hours in [1, 24, 24 * 365] {
        world.set_clock(before(world.now(), hours * HOUR));
        world.settle().await;
        world.store().check(&held).await.unwrap();
        assert_eq!(world.store().claim_pending(7).await.unwrap(), None);
    }
    world.store().complete(&held, Vec::new()).await.unwrap();
}

async fn a_due_chunk_stays_due_when_the_clock_goes_back_a_little(world: &mut World) {
    let at = world.now().after(20 * SECOND);
    job_of(world, 7, [NewChunk::new(1).not_before(at)]).await;
    world.advance(30 * SECOND);
    world.settle().await;
    world.set_clock(at.after(SECOND));
    assert_eq!(claim(world.store(), 7).await.chunk, 1);
}

async fn a_jumping_clock_completes_no_chunk_twice(world: &mut World) {
    let retry = RetryPolicy { max_fails: 1_000, max_crashes: 1_000, first_wait: Duration::ZERO, ..still() };
    let chunks = (1..=5).map(|id| NewChunk::new(id).timeout(60 * SECOND));
    job_with(world, 7, JobOptions { retry, ..JobOptions::default() }, chunks).await;
    let begin = world.now();
    let mut held: Vec<Fence> = Vec::new();
    let mut done = Vec::new();
    for round in 0..60_u64 {
        held.extend(world.store().claim_pending(7).await.unwrap().map(|chunk| chunk.fence().unwrap()));
        // 7919 is prime to 86400, so this visits instants all over a day before and after the beginning.
        let shift = Duration::from_secs(round * 7_919 % 86_400);
        world.set_clock(if round % 2 == 0 { begin.after(shift) } else { before(begin, shift) });
        world.settle().await;
        if round % 6 == 5 {
            for fence in held.drain(..) {
                match world.store().complete(&fence, Vec::new()).await {
                    Ok(()) => done.push(fence.chunk()),
                    Err(error) => assert_eq!(error.kind(), ErrorKind::FenceLost),
                }
            }
        }
    }
    let count = done.len();
    done.sort_unstable();
    done.dedup();
    assert_eq!(done.len(), count, "a chunk was completed twice");
    assert_eq!(world.store().get_stats(7).await.unwrap().done, count as u64);
}

fn before(instant: Timestamp, by: Duration) -> Timestamp {
    Timestamp::from_millis(instant.as_millis() - u64::try_from(by.as_millis()).unwrap())
}
