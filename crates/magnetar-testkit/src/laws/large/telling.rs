//! A wide end is told to its children bit by bit, and nobody ever sees half of it.

use magnetar_core::{
    ErrorKind, JobStats,
    JobStatus::{Done, Failed, Pending, Processing, Skipped},
    NewChunk, OnFailure, Timestamp,
};

use super::take_all;
use crate::{
    harness::World,
    law::{Law, laws},
    laws::{
        shape::{NONE, abroad, depend, fan_out, job_that, mark, take},
        support::{fence, job_of, kind, plain_job},
    },
};

pub(in crate::laws) const LAWS: &[Law] = laws![
    good_end_holds_at_once_for_a_mark_of_the_last_child,
    bad_end_holds_at_once_for_a_mark_of_the_last_child,
    bad_end_holds_at_once_for_a_dependency_of_the_last_child,
    redrive_holds_at_once_for_a_mark_of_the_last_child,
    end_that_is_taken_back_at_once_releases_no_child,
    end_that_is_taken_back_and_given_again_releases_each_child_once,
    end_in_the_opposite_way_at_once_leaves_no_child_behind,
    wide_root_is_not_pruned_while_its_end_is_told,
    chunk_put_in_while_an_end_is_told_counts_it_once,
    crash_while_an_end_is_told_loses_no_child,
    close_while_an_end_is_told_loses_no_child,
    job_deleted_while_an_end_is_told_starts_empty_again,
    held_children_are_counted_at_once,
    @many end_is_seen_whole_by_another_handle,
    @many another_handle_claims_every_child_once,
];

/// Many times what is told in one go.
const WIDE: u64 = 20_000;

async fn given(world: &World, on_failure: OnFailure) {
    job_that(world, 7, on_failure, fan_out(WIDE)).await;
}

async fn stats(world: &World) -> JobStats {
    world.store().get_stats(7).await.unwrap()
}

async fn good_end_holds_at_once_for_a_mark_of_the_last_child(world: &mut World) {
    given(world, OnFailure::Skip).await;
    mark(world, 7, 1, Done).await;
    mark(world, 7, WIDE + 1, Processing).await;
    mark(world, 7, WIDE, Done).await;
    let stats = stats(world).await;
    assert_eq!((stats.processing, stats.done, stats.ready()), (1, 2, WIDE - 2));
}

async fn bad_end_holds_at_once_for_a_mark_of_the_last_child(world: &mut World) {
    given(world, OnFailure::Skip).await;
    mark(world, 7, 1, Failed).await;
    assert_eq!(kind(world.store().mark_status(7, WIDE + 1, Done, None).await), ErrorKind::NotAllowed);
    mark(world, 7, WIDE + 1, Skipped).await;
    assert_eq!(stats(world).await.skipped, WIDE);
}

async fn bad_end_holds_at_once_for_a_dependency_of_the_last_child(world: &mut World) {
    given(world, OnFailure::Skip).await;
    plain_job(world, 8, 1).await;
    mark(world, 7, 1, Failed).await;
    assert_eq!(depend(world, 7, WIDE + 1, vec![(8, 1)]).await, Some(ErrorKind::NotAllowed));
    assert_eq!(world.status(7, WIDE + 1).await, Skipped);
}

async fn redrive_holds_at_once_for_a_mark_of_the_last_child(world: &mut World) {
    given(world, OnFailure::Skip).await;
    mark(world, 7, 1, Failed).await;
    mark(world, 7, 1, Pending).await;
    assert_eq!(kind(world.store().mark_status(7, WIDE + 1, Done, None).await), ErrorKind::Blocked);
    let stats = stats(world).await;
    assert_eq!((stats.pending, stats.blocked), (WIDE + 1, WIDE));
}

async fn end_that_is_taken_back_at_once_releases_no_child(world: &mut World) {
    given(world, OnFailure::Skip).await;
    mark(world, 7, 1, Done).await;
    assert_eq!(world.store().reopen(7, vec![1]).await.unwrap(), [(7, 1)]);
    assert_eq!(take(world, 7, 10).await, [1]);
    assert_eq!(stats(world).await.blocked, WIDE);
}

async fn end_that_is_taken_back_and_given_again_releases_each_child_once(world: &mut World) {
    given(world, OnFailure::Skip).await;
    for _ in 0..3 {
        mark(world, 7, 1, Done).await;
        world.store().reopen(7, vec![1]).await.unwrap();
    }
    mark(world, 7, 1, Done).await;
    assert!(take_all(world, 7).await.into_iter().eq(2..=WIDE + 1));
}

async fn end_in_the_opposite_way_at_once_leaves_no_child_behind(world: &mut World) {
    given(world, OnFailure::Skip).await;
    mark(world, 7, 1, Failed).await;
    mark(world, 7, 1, Pending).await;
    mark(world, 7, 1, Done).await;
    let done = stats(world).await;
    assert_eq!((done.ready(), done.skipped, done.done), (WIDE, 0, 1));
    world.store().reopen(7, vec![1]).await.unwrap();
    mark(world, 7, 1, Failed).await;
    assert_eq!(stats(world).await.skipped, WIDE);
}

async fn wide_root_is_not_pruned_while_its_end_is_told(world: &mut World) {
    given(world, OnFailure::Skip).await;
    mark(world, 7, 1, Done).await;
    assert_eq!(world.store().prune(7, Timestamp::from_millis(u64::MAX)).await.unwrap(), 0);
    assert_eq!((world.status(7, 1).await, stats(world).await.ready()), (Done, WIDE));
}

async fn chunk_put_in_while_an_end_is_told_counts_it_once(world: &mut World) {
    given(world, OnFailure::Skip).await;
    mark(world, 7, 1, Done).await;
    let last = WIDE + 1;
    job_of(world, 7, [NewChunk::new(last + 1).depends_on([1, last]), NewChunk::new(last).checksum("new")]).await;
    mark(world, 7, last, Done).await;
    mark(world, 7, last + 1, Processing).await;
    assert_eq!(stats(world).await.ready(), WIDE - 1);
}

async fn crash_while_an_end_is_told_loses_no_child(world: &mut World) {
    given(world, OnFailure::Skip).await;
    mark(world, 7, 1, Done).await;
    world.crash().await;
    let after = stats(world).await;
    assert_eq!((after.done, after.ready(), after.blocked), (1, WIDE, 0));
    world.store().reopen(7, vec![1]).await.unwrap();
    mark(world, 7, 1, Failed).await;
    world.crash().await;
    assert_eq!(stats(world).await.skipped, WIDE);
}

async fn close_while_an_end_is_told_loses_no_child(world: &mut World) {
    given(world, OnFailure::Skip).await;
    mark(world, 7, 1, Failed).await;
    world.reopen().await;
    assert_eq!(stats(world).await.skipped, WIDE);
    mark(world, 7, 1, Pending).await;
    world.drop_and_reopen().await;
    assert_eq!(take_all(world, 7).await, [1]);
}

async fn job_deleted_while_an_end_is_told_starts_empty_again(world: &mut World) {
    plain_job(world, 8, 1).await;
    job_of(world, 7, (1..=20_000).map(|id| abroad(id, [(8, 1)]))).await;
    mark(world, 8, 1, Failed).await;
    world.store().delete_job(7).await.unwrap();
    job_of(world, 7, (19_999..=20_000).map(NewChunk::new)).await;
    assert_eq!((take(world, 7, 10).await, stats(world).await.total_chunks), (vec![19_999, 20_000], 2));
    mark(world, 8, 1, Pending).await;
    assert_eq!(stats(world).await.processing, 2);
}

async fn held_children_are_counted_at_once(world: &mut World) {
    given(world, OnFailure::Hold).await;
    mark(world, 7, 1, Failed).await;
    let held = stats(world).await;
    assert_eq!((held.held, held.blocked, held.is_stalled()), (WIDE, WIDE, true));
    mark(world, 7, 1, Pending).await;
    let freed = stats(world).await;
    assert_eq!((freed.held, freed.blocked, freed.is_stalled()), (0, WIDE, false));
    assert_eq!(take(world, 7, 10).await, [1]);
    assert_eq!(take(world, 7, 10).await, NONE);
}

async fn end_is_seen_whole_by_another_handle(world: &mut World) {
    given(world, OnFailure::Skip).await;
    let another = world.another().await;
    mark(world, 7, 1, Done).await;
    let seen = another.get_stats(7).await.unwrap();
    assert_eq!((seen.done, seen.ready(), seen.blocked), (1, WIDE, 0));
    world.store().reopen(7, vec![1]).await.unwrap();
    mark(world, 7, 1, Failed).await;
    assert_eq!(another.get_stats(7).await.unwrap().skipped, WIDE);
}

async fn another_handle_claims_every_child_once(world: &mut World) {
    given(world, OnFailure::Skip).await;
    let another = world.another().await;
    let root = fence(world.store(), 7).await;
    world.store().complete(&root, Vec::new()).await.unwrap();
    let mut seen = Vec::new();
    for _ in 0..1000 {
        let batch = another.claim_pending_batch(7, 10_000).await.unwrap();
        if batch.is_empty() {
            break;
        }
        seen.extend(batch.iter().map(|chunk| chunk.chunk));
    }
    seen.sort_unstable();
    assert!(seen.into_iter().eq(2..=WIDE + 1));
}
