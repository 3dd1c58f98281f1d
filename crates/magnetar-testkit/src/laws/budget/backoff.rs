//! The waits between a failure and the next attempt.

use std::time::Duration;

use magnetar_core::{Backoff, JobOptions, NewChunk, RetryPolicy, Timestamp};

use crate::{
    harness::World,
    law::{Law, laws},
    laws::support::{MILLI, SECOND, chunk, claim, fence, job_with, plain_job, still},
};

pub(in crate::laws) const LAWS: &[Law] = laws![
    waits_double_with_each_failure,
    linear_waits_grow_by_the_first,
    fixed_waits_stay_the_same,
    no_wait_is_longer_than_the_longest,
    jitter_moves_a_wait_within_its_share,
    a_failed_chunk_waits_until_its_time,
    a_wait_survives_a_crash,
    a_wait_of_zero_is_over_at_once,
    others_go_on_while_one_waits,
];

/// How long a chunk waits after each of its first failures under this policy, in milliseconds.
async fn waits(world: &World, retry: RetryPolicy, failures: usize) -> Vec<u128> {
    let retry = RetryPolicy { max_fails: 100, ..retry };
    job_with(world, 7, JobOptions { retry, ..JobOptions::default() }, [NewChunk::new(1)]).await;
    let mut waits = Vec::new();
    for _ in 0..failures {
        let held = fence(world.store(), 7).await;
        let due = world.store().fail(&held, "no".into()).await.unwrap().unwrap();
        waits.push(due.since(world.now()).as_millis());
        world.set_clock(due);
    }
    waits
}

async fn waits_double_with_each_failure(world: &mut World) {
    assert_eq!(waits(world, still(), 8).await, [1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000]);
}

async fn linear_waits_grow_by_the_first(world: &mut World) {
    let retry = RetryPolicy { backoff: Backoff::Linear, first_wait: Duration::from_millis(250), ..still() };
    assert_eq!(waits(world, retry, 4).await, [250, 500, 750, 1_000]);
}

async fn fixed_waits_stay_the_same(world: &mut World) {
    let retry = RetryPolicy { backoff: Backoff::Fixed, first_wait: 3 * SECOND, ..still() };
    assert_eq!(waits(world, retry, 4).await, [3_000; 4]);
}

async fn no_wait_is_longer_than_the_longest(world: &mut World) {
    let retry = RetryPolicy { longest_wait: 5 * SECOND, ..still() };
    assert_eq!(waits(world, retry, 5).await, [1_000, 2_000, 4_000, 5_000, 5_000]);
}

async fn jitter_moves_a_wait_within_its_share(world: &mut World) {
    let retry = RetryPolicy { jitter: 0.5, backoff: Backoff::Fixed, ..still() };
    let waits = waits(world, retry, 50).await;
    assert!(waits.iter().all(|wait| (500..=1_500).contains(wait)), "{waits:?}");
    assert!(waits.iter().any(|wait| *wait < 1_000) && waits.iter().any(|wait| *wait > 1_000), "{waits:?}");
}

/// Fails the only chunk of a plain job, and says when it is due again.
async fn failed_once(world: &World) -> Timestamp {
    plain_job(world, 7, 1).await;
    let held = fence(world.store(), 7).await;
    world.store().fail(&held, "no".into()).await.unwrap().unwrap()
}

async fn a_failed_chunk_waits_until_its_time(world: &mut World) {
    let due = failed_once(world).await;
    assert_eq!((due, chunk(world, 7, 1).await.not_before), (world.now().after(SECOND), Some(due)));
    let stats = world.store().get_stats(7).await.unwrap();
    assert_eq!((stats.pending, stats.delayed, stats.ready()), (1, 1, 0));
    world.advance(Duration::from_millis(999));
    assert_eq!(world.store().claim_pending(7).await.unwrap(), None);
    world.advance(MILLI);
    assert_eq!(claim(world.store(), 7).await.attempt(), 2);
}

async fn a_wait_survives_a_crash(world: &mut World) {
    let retry = RetryPolicy { first_wait: Duration::from_mins(10), longest_wait: Duration::from_mins(10), ..still() };
    job_with(world, 7, JobOptions { retry, ..JobOptions::default() }, [NewChunk::new(1)]).await;
    let held = fence(world.store(), 7).await;
    let due = world.store().fail(&held, "no".into()).await.unwrap().unwrap();
    world.crash().await;
    assert_eq!(chunk(world, 7, 1).await.not_before, Some(due));
    assert_eq!(world.store().claim_pending(7).await.unwrap(), None);
    world.set_clock(due);
    assert_eq!(claim(world.store(), 7).await.chunk, 1);
}

async fn a_wait_of_zero_is_over_at_once(world: &mut World) {
    let retry = RetryPolicy { first_wait: Duration::ZERO, ..still() };
    assert_eq!(waits(world, retry, 3).await, [0, 0, 0]);
    assert_eq!(claim(world.store(), 7).await.attempt(), 4);
}

async fn others_go_on_while_one_waits(world: &mut World) {
    plain_job(world, 7, 2).await;
    let held = fence(world.store(), 7).await;
    world.store().fail(&held, "no".into()).await.unwrap();
    assert_eq!(claim(world.store(), 7).await.chunk, 2);
    assert_eq!(world.store().claim_pending(7).await.unwrap(), None);
    world.advance(SECOND);
    assert_eq!(claim(world.store(), 7).await.chunk, 1);
}
