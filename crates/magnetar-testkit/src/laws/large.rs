//! Jobs of a hundred thousand chunks keep the same promises, also where one end is told to all of them.

use std::collections::BTreeSet;

use magnetar_core::{
    ErrorKind, Filter,
    JobStatus::{Done, Failed, Pending, Processing, Skipped},
    JobUpdate, Lane, NewChunk, Op, limits,
};

use super::{
    shape::{NONE, abroad, behind, chain, fan_out, mark, ready, take},
    support::{chunk, fence, ids, job_of, kind, plain_job},
};
use crate::{
    harness::World,
    law::{Law, laws},
};

pub(super) mod telling;

pub(super) const LAWS: &[Law] = laws![
    long_chain_goes_in_at_once_and_runs_in_order,
    long_chain_is_skipped_to_its_end_and_comes_back,
    long_chain_is_reopened_to_its_end,
    circle_over_a_long_chain_is_refused,
    wide_fan_out_is_released_by_its_root,
    wide_fan_out_is_never_seen_half_released,
    wide_fan_out_is_skipped_with_its_root_and_comes_back,
    wide_fan_out_over_two_jobs_is_released,
    wide_fan_in_is_released_by_its_last_parent,
    wide_fan_in_is_skipped_by_any_parent,
    late_dependency_on_many_parents_counts_them_all,
    large_job_is_gone_at_once_when_it_is_deleted,
    large_job_can_be_deleted_and_made_again_over_and_over,
    deletion_outlives_a_crash,
    pages_over_a_large_job_cover_each_chunk_once,
    pages_over_one_status_cover_each_chunk_once,
    largest_batch_hands_out_each_chunk_once,
];

const LARGE: u64 = 100_000;
const BATCH: usize = limits::CLAIM_CHUNKS_MAX;

fn done(chunk_id: u64) -> JobUpdate {
    JobUpdate { chunk_id, status: Done, checksum: None, error: None }
}

/// Marks all these chunks as Done in batches; panics where one is refused.
async fn mark_all(world: &World, job: i64, chunks: impl IntoIterator<Item = u64>) {
    let updates: Vec<JobUpdate> = chunks.into_iter().map(done).collect();
    for batch in updates.chunks(BATCH) {
        let verdicts = world.store().apply_batch_updates(job, batch).await.unwrap();
        assert_eq!((verdicts.len(), verdicts.iter().find(|verdict| verdict.is_err())), (batch.len(), None));
    }
}

/// Claims until nothing is left. While ends are being told a claim may take less than there is, but never nothing.
pub(super) async fn take_all(world: &World, job: i64) -> Vec<u64> {
    let mut all = Vec::new();
    for _ in 0..1000 {
        let batch = take(world, job, BATCH).await;
        if batch.is_empty() {
            all.sort_unstable();
            return all;
        }
        all.extend(batch);
    }
    panic!("a claim always finds something, {} chunks until now", all.len());
}

async fn long_chain_goes_in_at_once_and_runs_in_order(world: &mut World) {
    job_of(world, 7, chain(LARGE)).await;
    let mut next = fence(world.store(), 7).await;
    for id in 1..=300 {
        assert_eq!(next.chunk(), id);
        let claimed = world.store().complete_and_claim(&next, Vec::new(), vec![Lane::of(7)], 2).await.unwrap();
        assert_eq!(ids(&claimed), [id + 1]);
        next = claimed[0].fence().unwrap();
    }
    let stats = world.store().get_stats(7).await.unwrap();
    assert_eq!((stats.total_chunks, stats.done, stats.processing, stats.blocked), (LARGE, 300, 1, LARGE - 301));
}

async fn long_chain_is_skipped_to_its_end_and_comes_back(world: &mut World) {
    job_of(world, 7, chain(LARGE)).await;
    mark(world, 7, 1, Failed).await;
    let stats = world.store().get_stats(7).await.unwrap();
    assert_eq!((stats.failed, stats.skipped, stats.pending), (1, LARGE - 1, 0));
    assert_eq!((world.status(7, LARGE).await, take(world, 7, 1).await), (Skipped, vec![]));
    mark(world, 7, 1, Pending).await;
    let stats = world.store().get_stats(7).await.unwrap();
    assert_eq!((stats.pending, stats.blocked, stats.skipped), (LARGE, LARGE - 1, 0));
    assert_eq!((world.status(7, LARGE).await, take(world, 7, 2).await), (Pending, vec![1]));
}

async fn long_chain_is_reopened_to_its_end(world: &mut World) {
    job_of(world, 7, chain(20_000)).await;
    for batch in (1..=20_000).collect::<Vec<_>>().chunks(100) {
        let ends = batch.iter().map(|chunk| Op::Mark { job: 7, update: done(*chunk) }).collect();
        world.store().apply(ends).await.unwrap();
    }
    assert!(world.store().get_stats(7).await.unwrap().is_complete());
    assert_eq!(world.store().reopen(7, vec![1]).await.unwrap().len(), 20_000);
    let stats = world.store().get_stats(7).await.unwrap();
    assert_eq!((stats.pending, stats.blocked, ready(world, 7).await), (20_000, 19_999, vec![1]));
}

async fn circle_over_a_long_chain_is_refused(world: &mut World) {
    job_of(world, 7, chain(LARGE)).await;
    assert_eq!(kind(world.store().add_dependency(7, 1, vec![LARGE]).await), ErrorKind::Cycle);
    assert_eq!((chunk(world, 7, 1).await.unmet, take(world, 7, 1).await), (0, vec![1]));
}

async fn wide_fan_out_is_released_by_its_root(world: &mut World) {
    job_of(world, 7, fan_out(LARGE)).await;
    assert_eq!(take(world, 7, BATCH).await, [1]);
    mark(world, 7, 1, Done).await;
    assert!(take_all(world, 7).await.into_iter().eq(2..=LARGE + 1));
}

async fn wide_fan_out_is_never_seen_half_released(world: &mut World) {
    job_of(world, 7, fan_out(LARGE)).await;
    mark(world, 7, 1, Done).await;
    let stats = world.store().get_stats(7).await.unwrap();
    assert_eq!((stats.done, stats.blocked, stats.ready()), (1, 0, LARGE));
    world.store().reopen(7, vec![1]).await.unwrap();
    let stats = world.store().get_stats(7).await.unwrap();
    assert_eq!((stats.done, stats.blocked, stats.ready()), (0, LARGE, 1));
    assert_eq!(ready(world, 7).await, [1]);
}

async fn wide_fan_out_is_skipped_with_its_root_and_comes_back(world: &mut World) {
    job_of(world, 7, fan_out(LARGE)).await;
    mark(world, 7, 1, Failed).await;
    assert_eq!((world.store().get_stats(7).await.unwrap().skipped, take(world, 7, 1).await), (LARGE, vec![]));
    mark(world, 7, 1, Pending).await;
    let stats = world.store().get_stats(7).await.unwrap();
    assert_eq!((stats.skipped, stats.blocked, take(world, 7, BATCH).await), (0, LARGE, vec![1]));
}

async fn wide_fan_out_over_two_jobs_is_released(world: &mut World) {
    plain_job(world, 8, 1).await;
    job_of(world, 7, (1..=20_000).map(|id| abroad(id, [(8, 1)]))).await;
    assert_eq!(take(world, 7, 1).await, NONE);
    mark(world, 8, 1, Done).await;
    assert!(take_all(world, 7).await.into_iter().eq(1..=20_000));
}

async fn wide_fan_in_is_released_by_its_last_parent(world: &mut World) {
    job_of(world, 7, (1..=LARGE).map(NewChunk::new).chain([behind(LARGE + 1, 1..=LARGE)])).await;
    mark_all(world, 7, 1..LARGE).await;
    assert_eq!((ready(world, 7).await, chunk(world, 7, LARGE + 1).await.unmet), (vec![LARGE], 1));
    mark(world, 7, LARGE, Done).await;
    assert_eq!(take(world, 7, 1).await, [LARGE + 1]);
}

async fn wide_fan_in_is_skipped_by_any_parent(world: &mut World) {
    job_of(world, 7, (1..=LARGE).map(NewChunk::new).chain([behind(LARGE + 1, 1..=LARGE)])).await;
    mark(world, 7, LARGE / 2, Failed).await;
    assert_eq!(world.status(7, LARGE + 1).await, Skipped);
    mark(world, 7, LARGE / 2, Pending).await;
    let child = chunk(world, 7, LARGE + 1).await;
    assert_eq!((child.status, child.unmet, child.bad), (Pending, LARGE, 0));
}

async fn late_dependency_on_many_parents_counts_them_all(world: &mut World) {
    plain_job(world, 7, 20_001).await;
    world.store().add_dependency(7, 20_001, (1..=20_000).collect()).await.unwrap();
    assert_eq!(world.store().get_dependencies(7, 20_001).await.unwrap().len(), 20_000);
    mark_all(world, 7, 1..=20_000).await;
    assert_eq!(take(world, 7, 1).await, [20_001]);
}

async fn large_job_is_gone_at_once_when_it_is_deleted(world: &mut World) {
    job_of(world, 7, fan_out(LARGE)).await;
    let running = fence(world.store(), 7).await;
    world.store().delete_job(7).await.unwrap();
    assert_eq!(kind(world.store().complete(&running, Vec::new()).await), ErrorKind::NotFound);
    assert_eq!((world.store().jobs().await.unwrap(), world.store().get_chunk(7, 5).await.unwrap()), (vec![], None));
    plain_job(world, 7, 2).await;
    let stats = world.store().get_stats(7).await.unwrap();
    assert_eq!((stats.total_chunks, stats.pending, stats.processing), (2, 2, 0));
    assert_eq!((ready(world, 7).await, take(world, 7, 10).await), (vec![1, 2], vec![1, 2]));
}

async fn large_job_can_be_deleted_and_made_again_over_and_over(world: &mut World) {
    for _ in 0..5 {
        plain_job(world, 7, 10_000).await;
        take(world, 7, 5000).await;
        world.store().delete_job(7).await.unwrap();
    }
    plain_job(world, 7, 3).await;
    assert_eq!(take(world, 7, 10).await, [1, 2, 3]);
}

async fn deletion_outlives_a_crash(world: &mut World) {
    job_of(world, 7, fan_out(20_000)).await;
    fence(world.store(), 7).await;
    world.store().delete_job(7).await.unwrap();
    world.crash().await;
    assert_eq!((world.store().job(7).await.unwrap(), take(world, 7, 1).await), (None, vec![]));
    plain_job(world, 7, 1).await;
    world.settle().await;
    assert_eq!((world.store().get_stats(7).await.unwrap().total_chunks, take(world, 7, 10).await), (1, vec![1]));
}

async fn pages_over_a_large_job_cover_each_chunk_once(world: &mut World) {
    let all: Vec<u64> = (1..=25_000).map(|id| id * 3).collect();
    job_of(world, 7, all.iter().rev().map(|id| NewChunk::new(*id))).await;
    for limit in [1777, limits::PAGE_ROWS_MAX] {
        let (mut seen, mut listed, mut after) = (Vec::new(), Vec::new(), None);
        for _ in 0..=all.len() / limit + 1 {
            let page = world.store().chunks(7, Filter::All, after, limit).await.unwrap();
            listed.extend(world.store().ids(7, Filter::All, after, limit).await.unwrap().items);
            assert!(page.items.len() <= limit);
            seen.extend(ids(&page.items));
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        assert_eq!(after, None, "the pages of {limit} come to an end");
        assert!(seen == all && listed == all, "pages of {limit}");
    }
}

async fn pages_over_one_status_cover_each_chunk_once(world: &mut World) {
    plain_job(world, 7, 25_000).await;
    mark_all(world, 7, (1..=25_000).filter(|id| id % 2 == 0)).await;
    take(world, 7, 500).await;
    let mut seen = BTreeSet::new();
    for (status, count) in [(Pending, 12_000), (Processing, 500), (Done, 12_500), (Failed, 0)] {
        let chunks = world.store().get_by_status(7, status).await.unwrap();
        assert!(chunks.is_sorted_by_key(|chunk| chunk.chunk) && chunks.iter().all(|chunk| chunk.status == status));
        assert_eq!(chunks.len(), count, "{status}");
        seen.extend(ids(&chunks));
    }
    assert_eq!(seen.len(), 25_000);
}

async fn largest_batch_hands_out_each_chunk_once(world: &mut World) {
    plain_job(world, 7, 25_000).await;
    let mut seen = Vec::new();
    for _ in 0..3 {
        seen.extend(take(world, 7, BATCH).await);
    }
    assert_eq!(seen, (1..=25_000).collect::<Vec<_>>());
}
