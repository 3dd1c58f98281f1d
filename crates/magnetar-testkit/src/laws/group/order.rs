//! Each op of a group sees what the ops before it did.

use magnetar_core::{
    ErrorKind, Expect, JobRef, JobSpec,
    JobStatus::{Done, Pending, Processing},
    NewChunk, Op, Reply, Until,
};

use super::{claim_op, insert, mark_op, put};
use crate::{
    harness::World,
    law::{Law, laws},
    laws::{
        shape::{SPACE, behind, chain, changes_nothing, mark, take},
        support::{fence, ids, job_of, plain_job},
    },
};

pub(in crate::laws) const LAWS: &[Law] = laws![
    insert_by_name_finds_the_job_made_before_it,
    claim_sees_the_child_that_the_completion_before_it_released,
    claim_sees_what_was_put_in_before_it,
    two_claims_of_one_group_take_different_chunks,
    claim_takes_what_was_released_before_it_under_a_new_fence,
    dependency_holds_a_claim_behind_it,
    pause_and_resume_hold_for_the_claims_behind_them,
    job_deleted_and_made_anew_in_one_group_is_fresh,
    chain_can_be_marked_in_one_group,
    chain_of_a_thousand_can_be_marked_in_one_group,
    parked_chunk_wakes_within_the_group,
    record_sees_the_write_before_it,
    record_is_written_once_where_two_expect_none,
    dependency_sees_the_chunk_put_in_before_it,
];

fn claimed(reply: &Reply) -> Vec<u64> {
    match reply {
        Reply::Claimed(chunks) => ids(chunks),
        other => panic!("{other:?} answers no claim"),
    }
}

async fn insert_by_name_finds_the_job_made_before_it(world: &mut World) {
    let job = JobRef::Name("nightly".into());
    let ensure = Op::EnsureJob { job: job.clone(), spec: JobSpec::default() };
    let add = Op::Insert { job, chunks: vec![NewChunk::new(1), NewChunk::numbered()].into() };
    let replies = world.store().apply(vec![ensure, add]).await.unwrap();
    let Reply::Job { id, created: true } = replies[0] else { panic!("{replies:?}") };
    assert_eq!(world.store().job_by_name("nightly").await.unwrap().unwrap().id, id);
    assert_eq!(world.store().get_stats(id).await.unwrap().total_chunks, 2);
}

async fn claim_sees_the_child_that_the_completion_before_it_released(world: &mut World) {
    job_of(world, 7, chain(2)).await;
    let fence = fence(world.store(), 7).await;
    let complete = Op::Complete { fence, result: Vec::new(), checksum: None };
    let replies = world.store().apply(vec![claim_op(7, 1), complete, claim_op(7, 5)]).await.unwrap();
    assert_eq!((claimed(&replies[0]), claimed(&replies[2])), (vec![], vec![2]));
}

async fn claim_sees_what_was_put_in_before_it(world: &mut World) {
    plain_job(world, 7, 0).await;
    let group = vec![insert(7, vec![behind(1, [2]), NewChunk::new(2), NewChunk::new(3)]), claim_op(7, 5)];
    assert_eq!(claimed(&world.store().apply(group).await.unwrap()[1]), [2, 3]);
}

async fn two_claims_of_one_group_take_different_chunks(world: &mut World) {
    plain_job(world, 7, 3).await;
    let replies = world.store().apply(vec![claim_op(7, 2), claim_op(7, 2), claim_op(7, 2)]).await.unwrap();
    assert_eq!(replies.iter().map(claimed).collect::<Vec<_>>(), [vec![1, 2], vec![3], vec![]]);
}

async fn claim_takes_what_was_released_before_it_under_a_new_fence(world: &mut World) {
    plain_job(world, 7, 1).await;
    let old = fence(world.store(), 7).await;
    let replies = world.store().apply(vec![Op::Release { fence: old }, claim_op(7, 1)]).await.unwrap();
    let Reply::Claimed(chunks) = &replies[1] else { panic!("{replies:?}") };
    let new = chunks[0].fence().unwrap();
    assert!(new.token() > old.token());
    world.store().complete(&new, Vec::new()).await.unwrap();
}

async fn dependency_holds_a_claim_behind_it(world: &mut World) {
    plain_job(world, 7, 2).await;
    let replies = world.store().apply(vec![Op::Depend { job: 7, chunk: 1, on: vec![(7, 2)] }, claim_op(7, 5)]).await.unwrap();
    assert_eq!(claimed(&replies[1]), [2]);
}

async fn pause_and_resume_hold_for_the_claims_behind_them(world: &mut World) {
    plain_job(world, 7, 2).await;
    let group = vec![claim_op(7, 1), Op::Pause { job: 7 }, claim_op(7, 1), Op::Resume { job: 7 }, claim_op(7, 1)];
    let replies = world.store().apply(group).await.unwrap();
    assert_eq!((claimed(&replies[0]), claimed(&replies[2]), claimed(&replies[4])), (vec![1], vec![], vec![2]));
}

async fn job_deleted_and_made_anew_in_one_group_is_fresh(world: &mut World) {
    job_of(world, 7, chain(3)).await;
    let old = fence(world.store(), 7).await;
    let ensure = Op::EnsureJob { job: JobRef::Id(7), spec: JobSpec::default() };
    let group = vec![Op::DeleteJob { job: 7 }, ensure, insert(7, vec![NewChunk::new(1)]), claim_op(7, 5)];
    let replies = world.store().apply(group).await.unwrap();
    assert_eq!((&replies[1], claimed(&replies[3])), (&Reply::Job { id: 7, created: true }, vec![1]));
    let stats = world.store().get_stats(7).await.unwrap();
    assert_eq!((stats.total_chunks, stats.processing), (1, 1));
    assert!(world.store().check(&old).await.is_err());
}

async fn chain_can_be_marked_in_one_group(world: &mut World) {
    job_of(world, 7, chain(4)).await;
    let group = vec![mark_op(7, 1, Done), mark_op(7, 2, Processing), mark_op(7, 2, Done), mark_op(7, 3, Done)];
    world.store().apply(group).await.unwrap();
    assert_eq!((world.status(7, 3).await, world.status(7, 4).await), (Done, Pending));
    changes_nothing(world, vec![mark_op(7, 4, Processing), mark_op(7, 3, Pending)], ErrorKind::NotAllowed).await;
}

async fn chain_of_a_thousand_can_be_marked_in_one_group(world: &mut World) {
    job_of(world, 7, chain(1000)).await;
    world.store().apply((1..=1000).map(|chunk| mark_op(7, chunk, Done)).collect()).await.unwrap();
    assert!(world.store().get_stats(7).await.unwrap().is_complete());
}

async fn parked_chunk_wakes_within_the_group(world: &mut World) {
    plain_job(world, 7, 2).await;
    let fence = fence(world.store(), 7).await;
    mark(world, 7, 2, Processing).await;
    let park = Op::Park { fence, until: Until::Ended(vec![(7, 2)]) };
    let replies = world.store().apply(vec![park, claim_op(7, 1), mark_op(7, 2, Done), claim_op(7, 1)]).await.unwrap();
    assert_eq!((claimed(&replies[1]), claimed(&replies[3])), (vec![], vec![1]));
}

async fn record_sees_the_write_before_it(world: &mut World) {
    let remove = Op::PutRecord { space: SPACE.to_owned(), key: b"k".to_vec(), value: None, expect: Expect::Any };
    let group = vec![put(b"k", b"1", Expect::Absent), remove, put(b"k", b"2", Expect::Absent), put(b"k", b"3", Expect::Any)];
    let replies = world.store().apply(group).await.unwrap();
    let versions: Vec<u64> =
        replies.iter().filter_map(|reply| if let Reply::Version(version) = reply { *version } else { None }).collect();
    assert!(versions.len() == 3 && versions.is_sorted_by(|a, b| a < b), "{versions:?}");
    let record = world.store().get_record(SPACE, b"k").await.unwrap().unwrap();
    assert_eq!((record.value, record.version), (b"3".to_vec(), versions[2]));
}

async fn record_is_written_once_where_two_expect_none(world: &mut World) {
    changes_nothing(world, vec![put(b"k", b"1", Expect::Absent), put(b"k", b"2", Expect::Absent)], ErrorKind::Conflict).await;
}

async fn dependency_sees_the_chunk_put_in_before_it(world: &mut World) {
    plain_job(world, 7, 1).await;
    let group = vec![insert(7, vec![NewChunk::new(2)]), Op::Depend { job: 7, chunk: 1, on: vec![(7, 2)] }];
    world.store().apply(group).await.unwrap();
    assert_eq!(take(world, 7, 5).await, [2]);
    changes_nothing(
        world,
        vec![insert(7, vec![behind(3, [1])]), Op::Depend { job: 7, chunk: 1, on: vec![(7, 3)] }],
        ErrorKind::Cycle,
    )
    .await;
}
