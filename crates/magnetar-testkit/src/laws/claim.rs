//! Claims: the order in which chunks are handed out, and what a worker gets.

use std::time::Duration;

use magnetar_core::{ErrorKind, Extra, JobStatus, Lane, NewChunk};

use super::support::{chunk, claim, fence, ids, job_of, kind, plain_job};
use crate::{
    harness::World,
    law::{Law, laws},
};

pub(super) mod dropped;
pub(super) mod lanes;
pub(super) mod next;
pub(super) mod tokens;
pub(super) mod watch;

pub(super) const LAWS: &[Law] = laws![
    lowest_id_is_claimed_first,
    larger_priority_is_claimed_first,
    extreme_priorities_keep_the_order,
    a_batch_keeps_the_order_and_its_limit,
    a_batch_is_short_when_fewer_are_left,
    a_chunk_is_handed_out_once,
    a_claim_on_an_unknown_job_takes_nothing,
    a_claim_of_no_chunks_is_refused_and_so_is_one_of_too_many,
    a_paused_job_gives_nothing_until_it_is_resumed,
    a_pause_leaves_what_is_claimed_alone,
    a_pause_survives_a_crash,
    a_claim_carries_all_that_the_worker_needs,
    a_second_attempt_has_the_same_idempotency_key,
    a_claimed_chunk_shows_its_lease_to_readers,
    a_claim_moves_the_chunk_between_the_counters,
    a_claim_survives_a_kill,
    no_chunk_is_handed_out_twice_to_eight_threads,
];

async fn lowest_id_is_claimed_first(world: &mut World) {
    job_of(world, 7, [300, 2, 10, 1, 256].map(NewChunk::new)).await;
    for expected in [1, 2, 10, 256, 300] {
        assert_eq!(claim(world.store(), 7).await.chunk, expected);
    }
    assert_eq!(world.store().claim_pending(7).await.unwrap(), None);
}

async fn larger_priority_is_claimed_first(world: &mut World) {
    let chunks = [(1, 0), (2, -5), (3, 5), (4, 0), (5, -6), (6, 5)];
    job_of(world, 7, chunks.map(|(id, priority)| NewChunk::new(id).priority(priority))).await;
    for expected in [3, 6, 1, 4, 2, 5] {
        assert_eq!(claim(world.store(), 7).await.chunk, expected);
    }
}

async fn extreme_priorities_keep_the_order(world: &mut World) {
    let chunks = [(1, i16::MIN), (2, -1), (3, 256), (4, i16::MAX), (5, 255), (6, -256), (7, 0)];
    job_of(world, 7, chunks.map(|(id, priority)| NewChunk::new(id).priority(priority))).await;
    assert_eq!(ids(&world.store().claim_pending_batch(7, 10).await.unwrap()), [4, 3, 5, 7, 2, 6, 1]);
}

async fn a_batch_keeps_the_order_and_its_limit(world: &mut World) {
    job_of(world, 7, (1..=10).map(|id| NewChunk::new(id).priority(i16::from(id > 8)))).await;
    assert_eq!(ids(&world.store().claim_pending_batch(7, 4).await.unwrap()), [9, 10, 1, 2]);
    assert_eq!(ids(&world.store().claim_pending_batch(7, 4).await.unwrap()), [3, 4, 5, 6]);
}

async fn a_batch_is_short_when_fewer_are_left(world: &mut World) {
    plain_job(world, 7, 3).await;
    assert_eq!(ids(&world.store().claim_pending_batch(7, 10_000).await.unwrap()), [1, 2, 3]);
    assert_eq!(world.store().claim_pending_batch(7, 10_000).await.unwrap(), []);
}

async fn a_chunk_is_handed_out_once(world: &mut World) {
    plain_job(world, 7, 1).await;
    claim(world.store(), 7).await;
    assert_eq!(world.store().claim_pending(7).await.unwrap(), None);
    assert_eq!(world.store().claim_pending_batch(7, 10).await.unwrap(), []);
}

async fn a_claim_on_an_unknown_job_takes_nothing(world: &mut World) {
    plain_job(world, 7, 1).await;
    assert_eq!(world.store().claim_pending(8).await.unwrap(), None);
    assert_eq!(world.store().claim_pending_batch(-7, 5).await.unwrap(), []);
    assert_eq!(ids(&world.store().claim(vec![Lane::of(8), Lane::of(7)], 5).await.unwrap()), [1]);
}

async fn a_claim_of_no_chunks_is_refused_and_so_is_one_of_too_many(world: &mut World) {
    plain_job(world, 7, 1).await;
    assert_eq!(kind(world.store().claim_pending_batch(7, 0).await), ErrorKind::Invalid);
    assert_eq!(kind(world.store().claim_pending_batch(7, 10_001).await), ErrorKind::TooLarge);
    assert_eq!(world.status(7, 1).await, JobStatus::Pending);
}

async fn a_paused_job_gives_nothing_until_it_is_resumed(world: &mut World) {
    plain_job(world, 7, 2).await;
    for _ in 0..2 {
        world.store().pause(7).await.unwrap();
        assert!(world.store().job(7).await.unwrap().unwrap().paused);
        assert_eq!(world.store().claim_pending_batch(7, 10).await.unwrap(), []);
    }
    for _ in 0..2 {
        world.store().resume(7).await.unwrap();
        assert!(!world.store().job(7).await.unwrap().unwrap().paused);
    }
    assert_eq!(ids(&world.store().claim_pending_batch(7, 10).await.unwrap()), [1, 2]);
}

async fn a_pause_leaves_what_is_claimed_alone(world: &mut World) {
    plain_job(world, 7, 2).await;
    let held = world.store().claim_pending_batch(7, 2).await.unwrap();
    world.store().pause(7).await.unwrap();
    world.store().complete(&held[0].fence().unwrap(), Vec::new()).await.unwrap();
    world.store().release(&held[1].fence().unwrap()).await.unwrap();
    assert_eq!(world.store().claim_pending(7).await.unwrap(), None);
    world.store().resume(7).await.unwrap();
    assert_eq!(claim(world.store(), 7).await.chunk, 2);
}

async fn a_pause_survives_a_crash(world: &mut World) {
    plain_job(world, 7, 1).await;
    world.store().pause(7).await.unwrap();
    world.crash().await;
    assert_eq!(world.store().claim_pending(7).await.unwrap(), None);
    world.store().resume(7).await.unwrap();
    assert_eq!(claim(world.store(), 7).await.chunk, 1);
}

async fn a_claim_carries_all_that_the_worker_needs(world: &mut World) {
    let extra = serde_json::json!({ "run": "make" });
    let mut new = NewChunk::new(1).payload([0, 159, 255]).checksum("sum").timeout(Duration::from_secs(90));
    new.extra = Extra::new(extra.as_object().unwrap());
    job_of(world, 7, [new.clone(), NewChunk::new(2).key("order-2")]).await;
    let first = claim(world.store(), 7).await;
    assert_eq!((first.job_id, first.chunk, first.status), (7, 1, JobStatus::Processing));
    assert_eq!((first.payload, first.checksum.as_str(), first.extra), (new.payload, "sum", new.extra));
    let lease = first.lease.unwrap();
    assert_eq!((lease.fence.job(), lease.fence.chunk()), (7, 1));
    assert_eq!((lease.claimed_at, lease.deadline), (world.now(), Some(world.now().after(Duration::from_secs(90)))));
    let second = claim(world.store(), 7).await;
    assert_eq!((second.lease.unwrap().deadline, second.idempotency_key().as_str()), (None, "order-2"));
    assert_eq!(second.attempt(), 1);
}

async fn a_second_attempt_has_the_same_idempotency_key(world: &mut World) {
    plain_job(world, 7, 1).await;
    let first = claim(world.store(), 7).await;
    world.store().fail(&first.fence().unwrap(), "no".into()).await.unwrap();
    world.advance(Duration::from_secs(1));
    let second = claim(world.store(), 7).await;
    assert_eq!((first.attempt(), second.attempt()), (1, 2));
    assert_eq!((first.idempotency_key().as_str(), second.idempotency_key().as_str()), ("7:1", "7:1"));
    assert_eq!(second.error.as_deref(), Some("no"));
}

async fn a_claimed_chunk_shows_its_lease_to_readers(world: &mut World) {
    plain_job(world, 7, 1).await;
    assert_eq!(chunk(world, 7, 1).await.fence(), None);
    let held = claim(world.store(), 7).await;
    assert_eq!(chunk(world, 7, 1).await, held);
    assert_eq!(world.store().get_by_status(7, JobStatus::Processing).await.unwrap(), std::slice::from_ref(&held));
    world.store().complete(&held.fence().unwrap(), Vec::new()).await.unwrap();
    assert_eq!(chunk(world, 7, 1).await.fence(), None);
}

async fn a_claim_moves_the_chunk_between_the_counters(world: &mut World) {
    plain_job(world, 7, 3).await;
    world.store().claim_pending_batch(7, 2).await.unwrap();
    let stats = world.store().get_stats(7).await.unwrap();
    assert_eq!((stats.total_chunks, stats.pending, stats.processing, stats.ready()), (3, 1, 2, 1));
    assert_eq!((stats.is_complete(), stats.open()), (false, 3));
}

async fn a_claim_survives_a_kill(world: &mut World) {
    plain_job(world, 7, 1).await;
    let old = fence(world.store(), 7).await;
    world.crash().await;
    let new = claim(world.store(), 7).await;
    assert!(new.fence().unwrap().token() > old.token());
    assert_eq!((new.crashes, new.attempt()), (1, 2));
}

async fn no_chunk_is_handed_out_twice_to_eight_threads(world: &mut World) {
    plain_job(world, 7, 2_000).await;
    let store = world.store();
    let work = |limit: usize| {
        let mut mine = Vec::new();
        loop {
            match futures_lite::future::block_on(store.claim_pending_batch(7, limit)).unwrap() {
                batch if batch.is_empty() => return mine,
                batch => mine.extend(batch),
            }
        }
    };
    let claimed: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (1..=8).map(|limit| scope.spawn(move || work(limit))).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    let mut chunks = ids(&claimed);
    chunks.sort_unstable();
    assert_eq!(chunks, (1..=2_000).collect::<Vec<_>>());
    let mut tokens: Vec<_> = claimed.iter().map(|chunk| chunk.fence().unwrap().token()).collect();
    tokens.sort_unstable();
    assert!(tokens.is_sorted_by(|a, b| a < b), "a token was handed out twice");
}
