//! Listings of a job by status, and what is left to do after a crash.

use magnetar_core::{
    ErrorKind, Filter, JobState,
    JobStatus::{self, Cancelled, Done, Failed, Pending, Processing, Skipped},
    NewChunk, OnFailure, Query, limits,
};

use crate::{
    harness::World,
    law::{Law, laws},
    laws::{
        shape::{behind, chain, job_that, mark, standing, take},
        support::{SECOND, fence, ids, job_of, kind, plain_job, reap},
    },
};

pub(in crate::laws) const LAWS: &[Law] = laws![
    chunks_of_each_status_are_listed_by_id,
    chunk_is_listed_as_it_is_read,
    listed_processing_chunk_shows_its_fence,
    filters_split_the_pending_chunks,
    pages_go_on_behind_a_chunk_that_is_not_there,
    pending_ids_come_in_their_order_whatever_lanes_and_priorities,
    last_page_has_no_next,
    page_of_no_chunks_is_refused_and_so_is_one_of_too_many,
    resume_pending_lists_blocked_and_delayed_chunks_too,
    resume_pending_leaves_out_what_this_handle_holds,
    resume_pending_lists_what_was_held_before_a_crash,
    resume_pending_lists_only_its_own_job,
    resumed_job_runs_to_its_end,
    @many resume_pending_takes_back_what_a_dead_handle_held_only,
];

async fn resumed(world: &World, job: i64) -> Vec<u64> {
    ids(&world.store().resume_pending(job).await.unwrap())
}

async fn chunks_of_each_status_are_listed_by_id(world: &mut World) {
    let chunks = (1..=12).rev().map(NewChunk::new).chain([behind(13, [8]), behind(14, [7])]);
    job_that(world, 7, OnFailure::Skip, chunks).await;
    let expected = [
        (Pending, vec![11, 12]),
        (Processing, vec![1, 9]),
        (Done, vec![2, 10]),
        (Failed, vec![3, 7, 8]),
        (Cancelled, vec![4, 5, 6]),
    ];
    for (status, chunks) in &expected {
        for chunk in chunks.iter().rev() {
            mark(world, 7, *chunk, *status).await;
        }
    }
    for (status, chunks) in expected.into_iter().chain([(Skipped, vec![13, 14])]) {
        assert_eq!(standing(world, 7, status).await, chunks, "{status}");
    }
}

async fn chunk_is_listed_as_it_is_read(world: &mut World) {
    job_that(world, 7, OnFailure::Skip, [NewChunk::new(1).payload("p").checksum("c").key("k"), NewChunk::new(2), behind(3, [2])])
        .await;
    mark(world, 7, 1, Processing).await;
    world.store().mark_failed(7, 2, "e".into()).await.unwrap();
    for status in JobStatus::ALL {
        for listed in world.store().get_by_status(7, status).await.unwrap() {
            assert_eq!(world.store().get_chunk(7, listed.chunk).await.unwrap().as_ref(), Some(&listed));
        }
    }
    assert_eq!(world.store().chunks(7, Filter::All, None, 10).await.unwrap().items.len(), 3);
}

async fn listed_processing_chunk_shows_its_fence(world: &mut World) {
    plain_job(world, 7, 2).await;
    let held = fence(world.store(), 7).await;
    let listed = world.store().get_by_status(7, Processing).await.unwrap();
    assert_eq!(listed.iter().map(JobState::fence).collect::<Vec<_>>(), [Some(held)]);
    assert!(world.store().get_by_status(7, Pending).await.unwrap().iter().all(|chunk| chunk.fence().is_none()));
}

async fn filters_split_the_pending_chunks(world: &mut World) {
    let later = world.now().after(SECOND);
    let chunks = [NewChunk::new(1), behind(2, [1]), NewChunk::new(3), behind(4, [3]), behind(5, [3]).not_before(later)];
    job_that(world, 7, OnFailure::Hold, chunks.into_iter().chain([NewChunk::new(6).not_before(later), behind(7, [4])])).await;
    mark(world, 7, 3, Failed).await;
    for (filter, expected) in [
        (Filter::All, vec![1, 2, 3, 4, 5, 6, 7]),
        (Filter::Status(Pending), vec![1, 2, 4, 5, 6, 7]),
        (Filter::Unblocked, vec![1, 6]),
        (Filter::Held, vec![4, 5]),
    ] {
        assert_eq!(world.store().ids(7, filter, None, 10).await.unwrap().items, expected, "{filter:?}");
        assert_eq!(ids(&world.store().chunks(7, filter, None, 10).await.unwrap().items), expected, "{filter:?}");
    }
}

async fn pages_go_on_behind_a_chunk_that_is_not_there(world: &mut World) {
    job_of(world, 7, [2, 4, 6, i64::MAX.unsigned_abs()].map(NewChunk::new)).await;
    for (after, expected) in [(0, vec![2, 4]), (3, vec![4, 6]), (4, vec![6, i64::MAX.unsigned_abs()]), (u64::MAX, vec![])] {
        assert_eq!(world.store().ids(7, Filter::All, Some(after), 2).await.unwrap().items, expected, "behind {after}");
    }
}

async fn pending_ids_come_in_their_order_whatever_lanes_and_priorities(world: &mut World) {
    // A few lanes and priorities, and more of them than a backend may want to put together.
    for (job, priorities) in [(7, 2), (8, 30)] {
        let chunk = |id: u64| {
            let priority = i16::try_from(id % priorities).unwrap() - 1;
            NewChunk::new(id).lane(["", "cpu", "gpu"][(id % 3) as usize]).priority(priority)
        };
        job_of(world, job, (1..=100).rev().map(chunk)).await;
        mark(world, job, 50, Done).await;
        mark(world, job, 51, Processing).await;
        let pending: Vec<u64> = (1..=100).filter(|id| ![50, 51].contains(id)).collect();
        for filter in [Filter::Status(Pending), Filter::Unblocked] {
            let (mut seen, mut after) = (Vec::new(), None);
            while seen.len() < 1000 {
                let page = world.store().ids(job, filter, after, 7).await.unwrap();
                seen.extend(page.items);
                after = page.next;
                if after.is_none() {
                    break;
                }
            }
            assert_eq!(seen, pending, "{filter:?}");
            assert_eq!(world.store().ids(job, filter, Some(u64::MAX), 7).await.unwrap().items, [0; 0]);
        }
    }
}

async fn last_page_has_no_next(world: &mut World) {
    plain_job(world, 7, 4).await;
    let (mut seen, mut after) = (Vec::new(), None);
    for _ in 0..3 {
        let page = world.store().chunks(7, Filter::Status(Pending), after, 2).await.unwrap();
        seen.extend(ids(&page.items));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!((seen, after), (vec![1, 2, 3, 4], None));
    assert_eq!(world.store().ids(7, Filter::All, None, 5).await.unwrap().next, None);
}

async fn page_of_no_chunks_is_refused_and_so_is_one_of_too_many(world: &mut World) {
    plain_job(world, 7, 1).await;
    for (limit, refusal) in
        [(0, ErrorKind::Invalid), (limits::PAGE_ROWS_MAX + 1, ErrorKind::TooLarge), (usize::MAX, ErrorKind::TooLarge)]
    {
        assert_eq!(kind(world.store().chunks(7, Filter::All, None, limit).await), refusal);
        assert_eq!(kind(world.store().ids(7, Filter::All, None, limit).await), refusal);
        let jobs = world.store().read(Query::Jobs { after: None, limit }).await;
        assert_eq!(kind(jobs), refusal);
    }
    assert_eq!(world.store().chunks(7, Filter::All, None, limits::PAGE_ROWS_MAX).await.unwrap().items.len(), 1);
}

async fn resume_pending_lists_blocked_and_delayed_chunks_too(world: &mut World) {
    let later = world.now().after(60 * SECOND);
    job_of(world, 7, [behind(1, [2]), NewChunk::new(2), NewChunk::new(3).not_before(later), NewChunk::new(4)]).await;
    mark(world, 7, 4, Done).await;
    assert_eq!(resumed(world, 7).await, [1, 2, 3]);
}

async fn resume_pending_leaves_out_what_this_handle_holds(world: &mut World) {
    plain_job(world, 7, 3).await;
    let held = fence(world.store(), 7).await;
    assert_eq!(resumed(world, 7).await, [2, 3]);
    world.store().complete(&held, Vec::new()).await.unwrap();
}

async fn resume_pending_lists_what_was_held_before_a_crash(world: &mut World) {
    job_of(world, 7, chain(2).chain([NewChunk::new(3), NewChunk::new(4)])).await;
    assert_eq!(take(world, 7, 2).await, [1, 3]);
    mark(world, 7, 4, Done).await;
    world.crash().await;
    let all = world.store().resume_pending(7).await.unwrap();
    assert_eq!(all.iter().map(|chunk| (chunk.chunk, chunk.crashes)).collect::<Vec<_>>(), [(1, 1), (2, 0), (3, 1)]);
}

async fn resume_pending_lists_only_its_own_job(world: &mut World) {
    plain_job(world, 7, 2).await;
    plain_job(world, 8, 3).await;
    take(world, 8, 1).await;
    world.crash().await;
    assert_eq!((resumed(world, 7).await, resumed(world, 8).await), (vec![1, 2], vec![1, 2, 3]));
}

async fn resumed_job_runs_to_its_end(world: &mut World) {
    job_of(world, 7, chain(3)).await;
    take(world, 7, 1).await;
    world.crash().await;
    for left in [vec![1, 2, 3], vec![2, 3], vec![3], vec![]] {
        assert_eq!(resumed(world, 7).await, left);
        if let Some(next) = world.store().claim_pending(7).await.unwrap() {
            mark(world, 7, next.chunk, Done).await;
        }
    }
    assert!(world.store().get_stats(7).await.unwrap().is_complete());
}

async fn resume_pending_takes_back_what_a_dead_handle_held_only(world: &mut World) {
    plain_job(world, 7, 4).await;
    let (dead, alive) = (world.another().await, world.another().await);
    let lost = fence(&dead, 7).await;
    let kept = fence(&alive, 7).await;
    let own = fence(world.store(), 7).await;
    world.kill(dead).await;
    for _ in 0..5 {
        world.advance(7 * SECOND);
        reap(&alive).await;
        world.settle().await;
    }
    assert_eq!(resumed(world, 7).await, [1, 4]);
    assert_eq!(kind(world.store().complete(&lost, Vec::new()).await), ErrorKind::FenceLost);
    alive.complete(&kept, Vec::new()).await.unwrap();
    world.store().complete(&own, Vec::new()).await.unwrap();
}
