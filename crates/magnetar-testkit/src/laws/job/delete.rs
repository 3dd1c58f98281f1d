//! Deleting a job: gone at once, refused only while another job's open chunk waits for one of its own.

use magnetar_core::{
    ErrorKind, JobOptions, JobRef, JobSpec, JobStats,
    JobStatus::{Cancelled, Done, Failed, Pending, Processing, Skipped},
    NewChunk, OnFailure, Op, RetryPolicy, Until,
};

use crate::{
    harness::World,
    law::{Law, laws},
    laws::{
        shape::{NONE, abroad, behind, chain, changes_nothing, job_that, mark, ready, take},
        support::{SECOND, chunk, fence, job_of, kind, plain_job},
    },
};

pub(in crate::laws) const LAWS: &[Law] = laws![
    deleted_job_reads_as_unknown,
    deleting_a_job_leaves_the_others_alone,
    deletion_of_an_unknown_job_is_not_found,
    every_fence_of_a_deleted_job_is_not_found,
    job_made_again_starts_fresh,
    chunk_of_a_job_made_again_starts_fresh,
    old_timers_and_leases_do_not_touch_the_job_made_again,
    job_is_not_deleted_while_an_open_chunk_of_another_waits_for_it,
    job_is_not_deleted_while_a_held_chunk_of_another_waits_for_it,
    job_can_be_deleted_once_the_chunk_that_waited_has_ended,
    job_can_be_deleted_once_the_job_that_waited_is_deleted,
    deleting_a_job_that_waits_lets_the_others_end,
    job_whose_chunks_wait_for_each_other_can_be_deleted,
    job_deleted_stays_deleted_over_an_orderly_close,
];

async fn deleted_job_reads_as_unknown(world: &mut World) {
    job_of(world, 7, chain(3)).await;
    mark(world, 7, 1, Done).await;
    mark(world, 7, 2, Processing).await;
    world.store().delete_job(7).await.unwrap();
    assert_eq!(world.store().get_stats(7).await.unwrap(), JobStats::new(7));
    assert_eq!((world.store().jobs().await.unwrap(), world.store().job(7).await.unwrap()), (vec![], None));
    for status in [Pending, Processing, Done] {
        assert_eq!(world.store().get_by_status(7, status).await.unwrap(), []);
    }
    assert_eq!((ready(world, 7).await, take(world, 7, 1).await), (vec![], vec![]));
    assert_eq!(world.store().get_dependencies(7, 2).await.unwrap(), NONE);
    assert_eq!(kind(world.store().mark_status(7, 3, Done, None).await), ErrorKind::NotFound);
}

async fn deleting_a_job_leaves_the_others_alone(world: &mut World) {
    for job in [6, 7, 8] {
        job_of(world, job, chain(3)).await;
    }
    let held = fence(world.store(), 8).await;
    world.store().delete_job(7).await.unwrap();
    world.store().complete(&held, Vec::new()).await.unwrap();
    assert_eq!((take(world, 6, 5).await, take(world, 8, 5).await), (vec![1], vec![2]));
}

async fn deletion_of_an_unknown_job_is_not_found(world: &mut World) {
    plain_job(world, 7, 1).await;
    changes_nothing(world, vec![Op::DeleteJob { job: 8 }], ErrorKind::NotFound).await;
    world.store().delete_job(7).await.unwrap();
    changes_nothing(world, vec![Op::DeleteJob { job: 7 }], ErrorKind::NotFound).await;
}

async fn every_fence_of_a_deleted_job_is_not_found(world: &mut World) {
    plain_job(world, 7, 1).await;
    let fence = fence(world.store(), 7).await;
    world.store().delete_job(7).await.unwrap();
    for op in [
        Op::Complete { fence, result: Vec::new(), checksum: None },
        Op::Fail { fence, error: "e".into() },
        Op::Release { fence },
        Op::Check { fence },
        Op::Park { fence, until: Until::At(world.now()) },
    ] {
        changes_nothing(world, vec![op], ErrorKind::NotFound).await;
    }
}

async fn job_made_again_starts_fresh(world: &mut World) {
    let options = JobOptions { retry: RetryPolicy { max_fails: 9, ..RetryPolicy::default() }, on_failure: OnFailure::Hold };
    let spec = JobSpec { name: Some("old".into()), kind: "old".into(), options: Some(options) };
    world.store().ensure_job(JobRef::Id(7), spec).await.unwrap();
    world.store().pause(7).await.unwrap();
    world.store().delete_job(7).await.unwrap();
    world.advance(SECOND);
    world.store().ensure_job(JobRef::Id(7), JobSpec::default()).await.unwrap();
    let job = world.store().job(7).await.unwrap().unwrap();
    assert_eq!((job.name, job.kind.as_str(), job.options, job.paused), (None, "", JobOptions::default(), false));
    assert_eq!((job.created_at, job.stats), (world.now(), JobStats::new(7)));
}

async fn chunk_of_a_job_made_again_starts_fresh(world: &mut World) {
    job_of(world, 7, [NewChunk::new(1).key("k").checksum("c").payload("p"), behind(2, [1])]).await;
    let held = fence(world.store(), 7).await;
    world.store().fail(&held, "e".into()).await.unwrap();
    world.store().delete_job(7).await.unwrap();
    job_of(world, 7, [NewChunk::new(2), NewChunk::new(1)]).await;
    let first = chunk(world, 7, 1).await;
    assert_eq!((first.attempt(), first.error, first.key, first.not_before), (1, None, None, None));
    assert_eq!((first.checksum.as_str(), first.payload.len()), ("", 0));
    assert_eq!((world.store().get_dependencies(7, 2).await.unwrap(), take(world, 7, 5).await), (vec![], vec![1, 2]));
    let report = world.store().insert(7, vec![NewChunk::new(5).key("k")]).await.unwrap();
    assert_eq!(report.added, 1, "the key is free again");
}

async fn old_timers_and_leases_do_not_touch_the_job_made_again(world: &mut World) {
    let later = world.now().after(5 * SECOND);
    job_of(world, 7, [NewChunk::new(1).timeout(5 * SECOND), NewChunk::new(2).not_before(later)]).await;
    fence(world.store(), 7).await;
    world.store().delete_job(7).await.unwrap();
    job_of(world, 7, [NewChunk::new(1), NewChunk::new(2).not_before(later.after(60 * SECOND))]).await;
    let held = fence(world.store(), 7).await;
    world.advance(10 * SECOND);
    world.settle().await;
    world.store().check(&held).await.unwrap();
    let stats = world.store().get_stats(7).await.unwrap();
    assert_eq!((stats.processing, stats.delayed, take(world, 7, 5).await), (1, 1, vec![]));
}

async fn job_is_not_deleted_while_an_open_chunk_of_another_waits_for_it(world: &mut World) {
    plain_job(world, 7, 3).await;
    job_of(world, 8, [abroad(4, [(7, 2)])]).await;
    let error = world.store().delete_job(7).await.unwrap_err();
    assert!(error.is_conflict(), "{error}");
    for part in ["7", "8", "2", "4"] {
        assert!(error.to_string().contains(part), "{error} does not name {part}");
    }
    changes_nothing(world, vec![Op::DeleteJob { job: 7 }], ErrorKind::Conflict).await;
    assert_eq!(take(world, 7, 5).await, [1, 2, 3]);
}

async fn job_is_not_deleted_while_a_held_chunk_of_another_waits_for_it(world: &mut World) {
    plain_job(world, 7, 1).await;
    job_that(world, 8, OnFailure::Hold, [abroad(1, [(7, 1)])]).await;
    mark(world, 7, 1, Failed).await;
    changes_nothing(world, vec![Op::DeleteJob { job: 7 }], ErrorKind::Conflict).await;
}

async fn job_can_be_deleted_once_the_chunk_that_waited_has_ended(world: &mut World) {
    for (job, parent, child) in [(7, Done, Done), (8, Done, Cancelled), (9, Failed, Skipped)] {
        plain_job(world, job, 1).await;
        job_of(world, 100 + job, [abroad(1, [(job, 1)]), NewChunk::new(2)]).await;
        mark(world, job, 1, parent).await;
        if child != Skipped {
            mark(world, 100 + job, 1, child).await;
        }
        world.store().delete_job(job).await.unwrap();
        assert_eq!((world.status(100 + job, 1).await, take(world, 100 + job, 5).await), (child, vec![2]));
    }
}

async fn job_can_be_deleted_once_the_job_that_waited_is_deleted(world: &mut World) {
    plain_job(world, 7, 1).await;
    job_of(world, 8, [abroad(1, [(7, 1)])]).await;
    world.store().delete_job(8).await.unwrap();
    world.store().delete_job(7).await.unwrap();
    assert_eq!(world.store().jobs().await.unwrap(), []);
}

async fn deleting_a_job_that_waits_lets_the_others_end(world: &mut World) {
    plain_job(world, 7, 2).await;
    job_of(world, 8, [abroad(1, [(7, 1), (7, 2)])]).await;
    world.store().delete_job(8).await.unwrap();
    plain_job(world, 8, 1).await;
    mark(world, 7, 1, Done).await;
    mark(world, 7, 2, Failed).await;
    assert_eq!((world.status(8, 1).await, take(world, 8, 5).await), (Pending, vec![1]));
    assert_eq!(world.store().reopen(7, vec![1]).await.unwrap(), [(7, 1)]);
}

async fn job_whose_chunks_wait_for_each_other_can_be_deleted(world: &mut World) {
    plain_job(world, 8, 1).await;
    job_of(world, 7, chain(5).chain([abroad(6, [(8, 1)])])).await;
    world.store().delete_job(7).await.unwrap();
    mark(world, 8, 1, Done).await;
    assert_eq!(world.store().jobs().await.unwrap().len(), 1);
}

async fn job_deleted_stays_deleted_over_an_orderly_close(world: &mut World) {
    plain_job(world, 7, 2000).await;
    fence(world.store(), 7).await;
    world.store().delete_job(7).await.unwrap();
    world.reopen().await;
    assert_eq!((world.store().jobs().await.unwrap(), take(world, 7, 1).await), (vec![], vec![]));
    plain_job(world, 7, 2).await;
    assert_eq!(take(world, 7, 10).await, [1, 2]);
}
