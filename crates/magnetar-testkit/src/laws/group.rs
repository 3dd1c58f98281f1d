//! A group happens wholly or not at all, in its order, whatever becomes of the groups beside it.

use std::sync::Arc;

use magnetar_core::{
    Claim, ErrorKind, Expect, JobRef, JobSpec,
    JobStatus::{self, Done, Failed, Pending, Processing},
    JobUpdate, Lane, NewChunk, Op, Rejection, Reply, Until,
};

use super::{
    shape::{NONE, SPACE, behind, chain, changes_nothing, mark, picture, ready, refused, take},
    support::{SECOND, chunk, fence, ids, job_of, kind, plain_job},
};
use crate::{
    harness::World,
    law::{Law, laws},
};

pub(super) mod order;

pub(super) const LAWS: &[Law] = laws![
    every_op_is_undone_by_a_refused_op_behind_it,
    new_job_goes_with_its_refused_chunks,
    claim_goes_back_with_its_refused_group,
    claim_of_a_refused_group_costs_no_budget,
    completion_goes_with_its_refused_record,
    failure_goes_with_its_refused_record,
    deletion_goes_with_its_refused_record,
    released_children_go_back_with_their_refused_group,
    two_ends_of_one_chunk_refuse_each_other,
    repeated_completion_with_a_record_is_already_applied,
    claim_that_takes_nothing_refuses_nothing,
    refused_group_undoes_no_other_of_its_submit,
    verdicts_stand_in_the_order_of_the_groups,
    every_op_has_its_reply,
    empty_groups_are_fine,
];

pub(super) fn insert(job: i64, chunks: Vec<NewChunk>) -> Op {
    Op::Insert { job: JobRef::Id(job), chunks: Arc::from(chunks) }
}

pub(super) fn claim_op(job: i64, limit: usize) -> Op {
    Op::Claim(Claim { lanes: vec![Lane::of(job)], limit })
}

pub(super) fn mark_op(job: i64, chunk_id: u64, status: JobStatus) -> Op {
    Op::Mark { job, update: JobUpdate { chunk_id, status, checksum: None, error: None } }
}

pub(super) fn put(key: &[u8], value: &[u8], expect: Expect) -> Op {
    Op::PutRecord { space: SPACE.to_owned(), key: key.to_vec(), value: Some(value.to_vec()), expect }
}

async fn every_op_is_undone_by_a_refused_op_behind_it(world: &mut World) {
    job_of(world, 7, [1, 2, 3].map(NewChunk::new).into_iter().chain([behind(4, [1]), behind(5, [3]), NewChunk::new(6)])).await;
    world.store().put_record(SPACE, b"k", Some(b"old".to_vec()), Expect::Absent).await.unwrap();
    let fence = fence(world.store(), 7).await;
    mark(world, 7, 2, Failed).await;
    mark(world, 7, 3, Done).await;
    world.advance(SECOND);
    let renamed = JobSpec { name: Some("later".into()), ..JobSpec::default() };
    for op in [
        Op::EnsureJob { job: JobRef::Id(7), spec: renamed },
        Op::EnsureJob { job: JobRef::Name("new".into()), spec: JobSpec::default() },
        insert(7, vec![NewChunk::new(9), NewChunk::new(6).checksum("new").priority(5)]),
        claim_op(7, 10),
        Op::Complete { fence, result: b"r".to_vec(), checksum: Some("c".into()) },
        Op::Fail { fence, error: "e".into() },
        Op::Release { fence },
        Op::Park { fence, until: Until::At(world.now().after(SECOND)) },
        Op::Park { fence, until: Until::Ended(vec![(7, 6)]) },
        mark_op(7, 1, Failed),
        mark_op(7, 2, Pending),
        mark_op(7, 5, Processing),
        mark_op(7, 6, Done),
        Op::Depend { job: 7, chunk: 6, on: vec![(7, 5)] },
        Op::Depend { job: 7, chunk: 6, on: vec![(7, 2)] },
        Op::Reopen { job: 7, chunks: vec![2, 3] },
        Op::Pause { job: 7 },
        Op::DeleteJob { job: 7 },
        put(b"k", b"new", Expect::Any),
        Op::PutRecord { space: SPACE.to_owned(), key: b"k".to_vec(), value: None, expect: Expect::Any },
        Op::Prune { job: 7, ended_before: world.now(), after: None, limit: 10 },
    ] {
        changes_nothing(world, vec![op, refused()], ErrorKind::Conflict).await;
    }
    world.store().complete(&fence, Vec::new()).await.unwrap();
}

async fn new_job_goes_with_its_refused_chunks(world: &mut World) {
    for job in [JobRef::Id(5), JobRef::Name("five".into())] {
        let group = vec![
            Op::EnsureJob { job: job.clone(), spec: JobSpec::default() },
            Op::Insert { job, chunks: Arc::from([NewChunk::new(1), behind(2, [3])]) },
        ];
        assert_eq!(kind(world.store().apply(group).await), ErrorKind::NotFound);
    }
    assert_eq!((world.store().jobs().await.unwrap(), world.store().job_by_name("five").await.unwrap()), (vec![], None));
}

async fn claim_goes_back_with_its_refused_group(world: &mut World) {
    plain_job(world, 7, 3).await;
    changes_nothing(world, vec![claim_op(7, 2), mark_op(7, 99, Done)], ErrorKind::NotFound).await;
    assert_eq!(take(world, 7, 10).await, [1, 2, 3]);
}

async fn claim_of_a_refused_group_costs_no_budget(world: &mut World) {
    plain_job(world, 7, 1).await;
    for _ in 0..10 {
        assert_eq!(kind(world.store().apply(vec![claim_op(7, 1), refused()]).await), ErrorKind::Conflict);
    }
    let chunk = chunk(world, 7, 1).await;
    assert_eq!((chunk.status, chunk.attempt(), chunk.fence()), (Pending, 1, None));
}

async fn completion_goes_with_its_refused_record(world: &mut World) {
    job_of(world, 7, chain(2)).await;
    let fence = fence(world.store(), 7).await;
    let complete = Op::Complete { fence, result: b"r".to_vec(), checksum: None };
    changes_nothing(world, vec![complete, put(b"k", b"v", Expect::Version(5))], ErrorKind::Conflict).await;
    world.store().complete(&fence, b"r".to_vec()).await.unwrap();
}

async fn failure_goes_with_its_refused_record(world: &mut World) {
    job_of(world, 7, [NewChunk::new(1).max_fails(1), behind(2, [1])]).await;
    let fence = fence(world.store(), 7).await;
    changes_nothing(world, vec![Op::Fail { fence, error: "e".into() }, refused()], ErrorKind::Conflict).await;
    assert_eq!(world.store().fail(&fence, "e".into()).await.unwrap(), None);
}

async fn deletion_goes_with_its_refused_record(world: &mut World) {
    plain_job(world, 7, 2).await;
    let held = fence(world.store(), 7).await;
    let group = vec![Op::DeleteJob { job: 7 }, refused()];
    assert_eq!(kind(world.store().apply(group).await), ErrorKind::Conflict);
    world.store().complete(&held, Vec::new()).await.unwrap();
    assert_eq!((take(world, 7, 10).await, world.status(7, 1).await), (vec![2], Done));
}

async fn released_children_go_back_with_their_refused_group(world: &mut World) {
    job_of(world, 7, chain(3)).await;
    let group = vec![mark_op(7, 1, Done), mark_op(7, 2, Done), claim_op(7, 1), refused()];
    changes_nothing(world, group, ErrorKind::Conflict).await;
    assert_eq!(ready(world, 7).await, [1]);
}

async fn two_ends_of_one_chunk_refuse_each_other(world: &mut World) {
    plain_job(world, 7, 1).await;
    let fence = fence(world.store(), 7).await;
    let complete = || Op::Complete { fence, result: Vec::new(), checksum: None };
    let fail = || Op::Fail { fence, error: "e".into() };
    changes_nothing(world, vec![complete(), complete()], ErrorKind::AlreadyApplied).await;
    changes_nothing(world, vec![complete(), fail()], ErrorKind::FenceLost).await;
    changes_nothing(world, vec![fail(), complete()], ErrorKind::FenceLost).await;
    changes_nothing(world, vec![Op::Release { fence }, Op::Check { fence }], ErrorKind::FenceLost).await;
    world.store().complete(&fence, Vec::new()).await.unwrap();
}

async fn repeated_completion_with_a_record_is_already_applied(world: &mut World) {
    plain_job(world, 7, 1).await;
    let fence = fence(world.store(), 7).await;
    let group = || vec![Op::Complete { fence, result: b"r".to_vec(), checksum: None }, put(b"k", b"v", Expect::Any)];
    world.store().apply(group()).await.unwrap();
    for _ in 0..3 {
        changes_nothing(world, group(), ErrorKind::AlreadyApplied).await;
    }
    let mut turned = group();
    turned.reverse();
    changes_nothing(world, turned, ErrorKind::AlreadyApplied).await;
}

async fn claim_that_takes_nothing_refuses_nothing(world: &mut World) {
    let replies = world.store().apply(vec![claim_op(99, 1), put(b"k", b"v", Expect::Absent)]).await.unwrap();
    assert_eq!(replies[0], Reply::Claimed(Vec::new()));
    assert!(world.store().get_record(SPACE, b"k").await.unwrap().is_some());
}

async fn refused_group_undoes_no_other_of_its_submit(world: &mut World) {
    plain_job(world, 7, 4).await;
    let groups = vec![
        vec![mark_op(7, 1, Done), put(b"1", b"", Expect::Absent)],
        vec![mark_op(7, 2, Done), refused()],
        vec![mark_op(7, 3, Failed)],
        vec![mark_op(7, 99, Done)],
        vec![mark_op(7, 4, Done)],
    ];
    let verdicts: Vec<bool> = world.store().submit(groups).await.unwrap().iter().map(Result::is_ok).collect();
    assert_eq!(verdicts, [true, false, true, false, true]);
    let mut statuses = Vec::new();
    for chunk in 1..=4 {
        statuses.push(world.status(7, chunk).await);
    }
    assert_eq!(statuses, [Done, Pending, Failed, Done]);
}

async fn verdicts_stand_in_the_order_of_the_groups(world: &mut World) {
    plain_job(world, 7, 1000).await;
    let groups = (0..500).map(|at| vec![mark_op(7, if at % 7 == 0 { 5000 + at } else { 1000 - at }, Done)]).collect();
    for (at, verdict) in (0..).zip(world.store().submit(groups).await.unwrap()) {
        match verdict {
            Ok(_) => assert_ne!(at % 7, 0),
            Err(rejection) => assert_eq!(rejection, Rejection::ChunkNotFound { job: 7, chunk: 5000 + at }),
        }
    }
}

async fn every_op_has_its_reply(world: &mut World) {
    let later = world.now().after(SECOND);
    let group = vec![
        Op::EnsureJob { job: JobRef::Id(7), spec: JobSpec::default() },
        insert(7, vec![NewChunk::new(1), NewChunk::new(2).not_before(later)]),
        claim_op(7, 5),
        put(b"k", b"v", Expect::Absent),
        Op::Depend { job: 7, chunk: 2, on: vec![(7, 1)] },
        mark_op(7, 1, Processing),
        Op::Pause { job: 7 },
        mark_op(7, 1, Done),
        Op::Reopen { job: 7, chunks: vec![1] },
        Op::Prune { job: 7, ended_before: later, after: None, limit: 10 },
        Op::PutRecord { space: SPACE.to_owned(), key: b"k".to_vec(), value: None, expect: Expect::Any },
        Op::DeleteJob { job: 7 },
        Op::Reap,
    ];
    let replies = world.store().apply(group).await.unwrap();
    assert_eq!(replies.len(), 13);
    assert_eq!(replies[0], Reply::Job { id: 7, created: true });
    assert!(matches!(&replies[1], Reply::Inserted(report) if report.added == 2));
    assert!(matches!(&replies[2], Reply::Claimed(chunks) if ids(chunks) == [1]));
    assert!(matches!(replies[3], Reply::Version(Some(_))));
    assert_eq!(replies[4], Reply::Applied);
    assert!(matches!(replies[5], Reply::Marked { changed: false, .. }));
    assert_eq!(replies[6], Reply::Applied);
    assert!(matches!(replies[7], Reply::Marked { changed: true, .. }));
    assert_eq!(replies[8], Reply::Reopened(vec![(7, 1)]));
    assert!(matches!(replies[9], Reply::Pruned(pruned) if pruned.removed == 0));
    assert_eq!((&replies[10], &replies[11]), (&Reply::Version(None), &Reply::Applied));
    assert!(matches!(replies[12], Reply::Reaped { .. }));
}

async fn empty_groups_are_fine(world: &mut World) {
    let before = picture(world).await;
    assert_eq!(world.store().submit(Vec::new()).await.unwrap(), []);
    assert_eq!(world.store().submit(vec![Vec::new(), Vec::new()]).await.unwrap(), [Ok(Vec::new()), Ok(Vec::new())]);
    assert_eq!((picture(world).await, take(world, 7, 1).await), (before, NONE.to_vec()));
}
