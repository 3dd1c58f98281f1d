//! "Once more": what an insert makes of chunks that are there already.

use std::time::Duration;

use magnetar_core::{Extra, InsertReport, JobStatus, Lane, NewChunk};

use crate::{
    harness::World,
    law::{Law, laws},
    laws::support::{chunk, claim, ids, job_of, plain_job},
};

pub(in crate::laws) const LAWS: &[Law] = laws![
    a_new_id_is_added_beside_the_old_ones,
    inserting_the_same_again_changes_nothing,
    a_pending_chunk_takes_the_new_definition,
    a_pending_chunk_that_takes_a_new_priority_is_claimed_by_it,
    a_pending_chunk_that_takes_a_new_lane_leaves_the_old_one,
    a_blocked_chunk_takes_the_new_definition,
    a_pending_chunk_keeps_its_key_and_its_delay,
    a_pending_chunk_keeps_old_dependencies_and_takes_new_ones,
    a_chunk_that_runs_with_another_checksum_is_a_conflict_and_untouched,
    a_chunk_that_runs_with_the_same_checksum_is_unchanged,
    a_chunk_that_ended_is_never_touched,
    what_is_absent_stays,
    the_report_counts_each_chunk_once,
    inserting_again_survives_a_crash_as_one,
];

async fn again(world: &World, chunks: impl IntoIterator<Item = NewChunk>) -> InsertReport {
    world.store().insert(7, chunks.into_iter().collect()).await.unwrap()
}

fn counts(report: &InsertReport) -> (u64, u64, u64, u64, u64) {
    (report.added, report.updated, report.unchanged, report.ended, report.absent)
}

async fn a_new_id_is_added_beside_the_old_ones(world: &mut World) {
    plain_job(world, 7, 2).await;
    let report = again(world, [NewChunk::new(3)]).await;
    assert_eq!(counts(&report), (1, 0, 0, 0, 2));
    assert_eq!(ids(&world.store().claim_pending_batch(7, 10).await.unwrap()), [1, 2, 3]);
}

async fn inserting_the_same_again_changes_nothing(world: &mut World) {
    let chunks = || [NewChunk::new(1).checksum("a").payload("p"), NewChunk::new(2).depends_on([1]).priority(4)];
    job_of(world, 7, chunks()).await;
    let before = (chunk(world, 7, 1).await, chunk(world, 7, 2).await);
    assert_eq!(counts(&again(world, chunks()).await), (0, 0, 2, 0, 0));
    assert_eq!((chunk(world, 7, 1).await, chunk(world, 7, 2).await), before);
}

async fn a_pending_chunk_takes_the_new_definition(world: &mut World) {
    let first = NewChunk::new(1).checksum("a").payload("p").timeout(Duration::from_secs(5)).max_fails(2);
    job_of(world, 7, [first]).await;
    let extra = serde_json::json!({ "run": "x" });
    let mut second = NewChunk::new(1).checksum("b").payload("q").timeout(Duration::from_secs(6)).max_fails(4);
    second.extra = Extra::new(extra.as_object().unwrap());
    assert_eq!(counts(&again(world, [second.clone()]).await), (0, 1, 0, 0, 0));
    let found = chunk(world, 7, 1).await;
    assert_eq!((found.checksum.as_str(), found.payload, found.extra), ("b", second.payload, second.extra));
    assert_eq!((found.timeout, found.max_fails), (second.timeout, second.max_fails));
}

async fn a_pending_chunk_that_takes_a_new_priority_is_claimed_by_it(world: &mut World) {
    plain_job(world, 7, 3).await;
    again(world, [NewChunk::new(3).priority(1), NewChunk::new(1).priority(-1)]).await;
    assert_eq!(ids(&world.store().claim_pending_batch(7, 10).await.unwrap()), [3, 2, 1]);
}

async fn a_pending_chunk_that_takes_a_new_lane_leaves_the_old_one(world: &mut World) {
    plain_job(world, 7, 1).await;
    again(world, [NewChunk::new(1).lane("gpu")]).await;
    assert_eq!(world.store().claim_pending(7).await.unwrap(), None);
    let lane = Lane::named(7, "gpu");
    assert_eq!(ids(&world.store().claim(vec![lane], 10).await.unwrap()), [1]);
}

async fn a_blocked_chunk_takes_the_new_definition(world: &mut World) {
    job_of(world, 7, [NewChunk::new(1), NewChunk::new(2).depends_on([1])]).await;
    again(world, [NewChunk::new(2).depends_on([1]).payload("new").checksum("b")]).await;
    let found = chunk(world, 7, 2).await;
    assert_eq!((found.payload, found.checksum.as_str(), found.unmet), (b"new".to_vec(), "b", 1));
    assert_eq!(ids(&world.store().claim_pending_batch(7, 10).await.unwrap()), [1]);
}

async fn a_pending_chunk_keeps_its_key_and_its_delay(world: &mut World) {
    let at = world.now().after(Duration::from_mins(1));
    job_of(world, 7, [NewChunk::new(1).key("k").not_before(at)]).await;
    again(world, [NewChunk::new(1).payload("new").not_before(at.after(Duration::from_mins(1)))]).await;
    let found = chunk(world, 7, 1).await;
    assert_eq!((found.payload, found.key.as_deref(), found.not_before), (b"new".to_vec(), Some("k"), Some(at)));
    assert_eq!(world.store().claim_pending(7).await.unwrap(), None);
}

async fn a_pending_chunk_keeps_old_dependencies_and_takes_new_ones(world: &mut World) {
    job_of(world, 7, [NewChunk::new(1), NewChunk::new(2), NewChunk::new(3).depends_on([1])]).await;
    again(world, [NewChunk::new(3).depends_on([2])]).await;
    assert_eq!(world.store().get_dependencies(7, 3).await.unwrap(), [1, 2]);
    world.store().mark_status(7, 2, JobStatus::Done, None).await.unwrap();
    assert_eq!(chunk(world, 7, 3).await.unmet, 1);
    assert_eq!(ids(&world.store().claim_pending_batch(7, 10).await.unwrap()), [1]);
}

async fn a_chunk_that_runs_with_another_checksum_is_a_conflict_and_untouched(world: &mut World) {
    job_of(world, 7, [NewChunk::new(1).checksum("a").payload("p")]).await;
    let held = claim(world.store(), 7).await;
    let report = again(world, [NewChunk::new(1).checksum("b").payload("q")]).await;
    assert_eq!((counts(&report), report.conflicts), ((0, 0, 0, 0, 0), vec![1]));
    assert_eq!(chunk(world, 7, 1).await, held);
    world.store().complete(&held.fence().unwrap(), Vec::new()).await.unwrap();
}

async fn a_chunk_that_runs_with_the_same_checksum_is_unchanged(world: &mut World) {
    job_of(world, 7, [NewChunk::new(1).checksum("a").payload("p")]).await;
    let held = claim(world.store(), 7).await;
    for new in [NewChunk::new(1).checksum("a").payload("q"), NewChunk::new(1).payload("q")] {
        let report = again(world, [new]).await;
        assert_eq!((counts(&report), report.conflicts), ((0, 0, 1, 0, 0), vec![]));
    }
    assert_eq!(chunk(world, 7, 1).await, held);
}

async fn a_chunk_that_ended_is_never_touched(world: &mut World) {
    use JobStatus::{Cancelled, Done, Failed, Skipped};
    plain_job(world, 7, 3).await;
    again(world, [NewChunk::new(4).depends_on([2])]).await;
    for (chunk, status) in [(1, Done), (2, Failed), (3, Cancelled)] {
        world.store().mark_status(7, chunk, status, None).await.unwrap();
    }
    let report = again(world, (1..=4).map(|id| NewChunk::new(id).checksum("new").payload("new"))).await;
    assert_eq!((counts(&report), report.conflicts), ((0, 0, 0, 4, 0), vec![]));
    for (id, status) in [(1, Done), (2, Failed), (3, Cancelled), (4, Skipped)] {
        let found = chunk(world, 7, id).await;
        assert_eq!((found.status, found.checksum.as_str(), found.payload), (status, "", vec![]));
    }
}

async fn what_is_absent_stays(world: &mut World) {
    plain_job(world, 7, 3).await;
    assert_eq!(counts(&again(world, [NewChunk::new(2)]).await), (0, 0, 1, 0, 2));
    assert_eq!(world.store().get_stats(7).await.unwrap().pending, 3);
}

async fn the_report_counts_each_chunk_once(world: &mut World) {
    job_of(world, 7, (1..=5).map(|id| NewChunk::new(id).checksum("a"))).await;
    claim(world.store(), 7).await;
    world.store().mark_status(7, 2, JobStatus::Done, None).await.unwrap();
    let new = [(1, "b"), (2, "b"), (3, "b"), (4, "a"), (6, "a")].map(|(id, sum)| NewChunk::new(id).checksum(sum));
    let report = again(world, new).await;
    assert_eq!((counts(&report), report.conflicts), ((1, 1, 1, 1, 1), vec![1]));
    assert!(report.ids.is_empty());
}

async fn inserting_again_survives_a_crash_as_one(world: &mut World) {
    plain_job(world, 7, 2).await;
    again(world, [NewChunk::new(1).checksum("b"), NewChunk::new(3)]).await;
    world.crash().await;
    assert_eq!(chunk(world, 7, 1).await.checksum, "b");
    assert_eq!(ids(&world.store().claim_pending_batch(7, 10).await.unwrap()), [1, 2, 3]);
}
