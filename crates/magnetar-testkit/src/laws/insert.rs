//! Putting chunks in: what they are then, and that an insert happens wholly or not at all.

use std::time::Duration;

use magnetar_core::{ErrorKind, Extra, JobRef, JobSpec, JobStatus, NewChunk, Op};

use super::support::{SECOND, chunk, claim, ids, job_of, kind, plain_job};
use crate::{
    harness::World,
    law::{Law, laws},
};

pub(super) mod again;
pub(super) mod checksum;
pub(super) mod job;
pub(super) mod numbered;
pub(super) mod reopen;
pub(super) mod stream;

pub(super) const LAWS: &[Law] = laws![
    insert_makes_every_chunk_pending,
    a_chunk_comes_back_as_it_was_put_in,
    a_chunk_remembers_when_it_was_put_in_and_when_it_ended,
    the_largest_id_works_and_a_larger_one_is_refused,
    an_insert_into_an_unknown_job_is_not_found,
    an_empty_insert_changes_nothing,
    a_refused_insert_leaves_nothing,
    a_refused_insert_leaves_no_job_either,
    a_refused_insert_changes_no_chunk_that_was_there,
    a_chunk_that_no_store_takes_is_refused,
    inserted_chunks_survive_a_crash,
];

async fn insert_makes_every_chunk_pending(world: &mut World) {
    world.given_plain(7, 3).await;
    for chunk in 1..=3 {
        assert_eq!(world.status(7, chunk).await, JobStatus::Pending);
    }
    let stats = world.store().get_stats(7).await.unwrap();
    assert_eq!((stats.total_chunks, stats.pending), (3, 3));
}

async fn a_chunk_comes_back_as_it_was_put_in(world: &mut World) {
    let extra = serde_json::json!({ "run": ["make", "it"], "deep": { "ö": null } });
    let extra = Extra::new(extra.as_object().unwrap());
    let mut new = NewChunk::new(5).payload([0, 255, 10]).checksum("sum").priority(-3).lane("gpu").max_fails(9).key("k");
    new.timeout = Some(Duration::from_millis(1500));
    new.extra = extra.clone();
    job_of(world, 7, [new]).await;
    let found = chunk(world, 7, 5).await;
    assert_eq!((found.job_id, found.chunk, found.priority, found.lane.as_str()), (7, 5, -3, "gpu"));
    assert_eq!((found.payload, found.max_fails, found.key.as_deref()), (vec![0, 255, 10], Some(9), Some("k")));
    assert_eq!((found.timeout, found.extra), (Some(Duration::from_millis(1500)), extra));
    assert_eq!((found.error, found.result, found.fails, found.crashes), (None, None, 0, 0));
}

async fn a_chunk_remembers_when_it_was_put_in_and_when_it_ended(world: &mut World) {
    let begin = world.now();
    plain_job(world, 7, 1).await;
    let held = claim(world.store(), 7).await;
    world.advance(SECOND);
    world.store().complete(&held.fence().unwrap(), Vec::new()).await.unwrap();
    let found = chunk(world, 7, 1).await;
    assert_eq!((held.created_at, held.ended_at), (begin, None));
    assert_eq!((found.created_at, found.ended_at), (begin, Some(begin.after(SECOND))));
}

async fn the_largest_id_works_and_a_larger_one_is_refused(world: &mut World) {
    let largest = i64::MAX.unsigned_abs();
    job_of(world, i64::MIN, [NewChunk::new(largest)]).await;
    assert_eq!(claim(world.store(), i64::MIN).await.chunk, largest);
    let beyond = world.store().insert(i64::MIN, vec![NewChunk::new(largest + 1)]).await;
    assert_eq!(kind(beyond), ErrorKind::Invalid);
}

async fn an_insert_into_an_unknown_job_is_not_found(world: &mut World) {
    assert_eq!(kind(world.store().insert(7, vec![NewChunk::new(1)]).await), ErrorKind::NotFound);
    assert!(world.store().job(7).await.unwrap().is_none());
}

async fn an_empty_insert_changes_nothing(world: &mut World) {
    plain_job(world, 7, 2).await;
    let report = world.store().insert(7, Vec::new()).await.unwrap();
    assert_eq!((report.added, report.updated, report.unchanged, report.absent), (0, 0, 0, 2));
}

async fn a_refused_insert_leaves_nothing(world: &mut World) {
    plain_job(world, 7, 1).await;
    let chunks = vec![NewChunk::new(2), NewChunk::new(3).depends_on([99])];
    assert_eq!(kind(world.store().insert(7, chunks).await), ErrorKind::NotFound);
    let stats = world.store().get_stats(7).await.unwrap();
    assert_eq!((stats.total_chunks, stats.pending, stats.blocked), (1, 1, 0));
    assert!(world.store().get_chunk(7, 2).await.unwrap().is_none());
    assert_eq!(ids(&world.store().claim_pending_batch(7, 10).await.unwrap()), [1]);
}

async fn a_refused_insert_leaves_no_job_either(world: &mut World) {
    let job = JobRef::Id(7);
    let ensure = Op::EnsureJob { job: job.clone(), spec: JobSpec { name: Some("night".into()), ..JobSpec::default() } };
    let insert = Op::Insert { job, chunks: vec![NewChunk::new(3).depends_on([99])].into() };
    assert_eq!(kind(world.store().apply(vec![ensure, insert]).await), ErrorKind::NotFound);
    assert!(world.store().job(7).await.unwrap().is_none());
    assert!(world.store().job_by_name("night").await.unwrap().is_none());
}

async fn a_refused_insert_changes_no_chunk_that_was_there(world: &mut World) {
    job_of(world, 7, [NewChunk::new(1).checksum("old").priority(1)]).await;
    let chunks = vec![NewChunk::new(1).checksum("new").priority(2), NewChunk::new(2).depends_on([99])];
    assert_eq!(kind(world.store().insert(7, chunks).await), ErrorKind::NotFound);
    let found = chunk(world, 7, 1).await;
    assert_eq!((found.checksum.as_str(), found.priority), ("old", 1));
}

async fn a_chunk_that_no_store_takes_is_refused(world: &mut World) {
    plain_job(world, 7, 1).await;
    for (new, expected) in [
        (NewChunk::new(2).depends_on([2]), ErrorKind::Invalid),
        (NewChunk::new(2).max_fails(0), ErrorKind::Invalid),
        (NewChunk::new(2).lane("a\0b"), ErrorKind::Invalid),
        (NewChunk::new(2).payload(vec![0; 1024 * 1024 + 1]), ErrorKind::TooLarge),
        (NewChunk::new(2).checksum("s".repeat(1025)), ErrorKind::TooLarge),
    ] {
        assert_eq!(kind(world.store().insert(7, vec![NewChunk::new(3), new]).await), expected);
    }
    assert_eq!(world.store().get_stats(7).await.unwrap().total_chunks, 1);
}

async fn inserted_chunks_survive_a_crash(world: &mut World) {
    job_of(world, 7, [NewChunk::new(1).payload("p"), NewChunk::new(2).depends_on([1])]).await;
    world.crash().await;
    let stats = world.store().get_stats(7).await.unwrap();
    assert_eq!((stats.total_chunks, stats.pending, stats.blocked), (2, 2, 1));
    assert_eq!(chunk(world, 7, 1).await.payload, b"p");
}
