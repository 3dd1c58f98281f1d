//! What is written together with a fence happens with it or not at all.

use magnetar_core::{ErrorKind, Expect, Fence, JobStatus, Op, Record, Rejection};

use crate::{
    harness::World,
    law::{Law, laws},
    laws::support::{chunk, fence, kind, plain_job},
};

pub(in crate::laws) const LAWS: &[Law] = laws![
    a_check_lets_a_record_through_while_the_claim_is_in_force,
    a_check_stops_a_record_once_the_claim_is_lost,
    a_check_behind_a_record_stops_it_too,
    a_result_and_a_record_are_written_together,
    a_refused_record_keeps_the_chunk_from_ending,
    a_repeated_group_is_already_applied_and_writes_no_record,
    a_group_is_refused_by_its_first_op_that_is,
    a_refused_group_does_not_undo_the_others,
    an_empty_group_is_applied,
];

fn record(value: &str, expect: Expect) -> Op {
    Op::PutRecord { space: "journal".into(), key: b"7:1".to_vec(), value: Some(value.into()), expect }
}

async fn read(world: &World) -> Option<Record> {
    world.store().get_record("journal", b"7:1").await.unwrap()
}

fn complete(fence: Fence) -> Op {
    Op::Complete { fence, result: b"out".to_vec(), checksum: None }
}

async fn a_check_lets_a_record_through_while_the_claim_is_in_force(world: &mut World) {
    plain_job(world, 7, 1).await;
    let fence = fence(world.store(), 7).await;
    for value in ["one", "two"] {
        world.store().apply(vec![Op::Check { fence }, record(value, Expect::Any)]).await.unwrap();
        assert_eq!(read(world).await.unwrap().value, value.as_bytes());
    }
    world.store().complete(&fence, Vec::new()).await.unwrap();
}

async fn a_check_stops_a_record_once_the_claim_is_lost(world: &mut World) {
    plain_job(world, 7, 1).await;
    let fence = fence(world.store(), 7).await;
    world.store().release(&fence).await.unwrap();
    let refused = world.store().apply(vec![Op::Check { fence }, record("late", Expect::Any)]).await;
    assert_eq!((kind(refused), read(world).await), (ErrorKind::FenceLost, None));
}

async fn a_check_behind_a_record_stops_it_too(world: &mut World) {
    plain_job(world, 7, 1).await;
    let fence = fence(world.store(), 7).await;
    world.store().release(&fence).await.unwrap();
    let refused = world.store().apply(vec![record("late", Expect::Any), Op::Check { fence }]).await;
    assert_eq!((kind(refused), read(world).await), (ErrorKind::FenceLost, None));
}

async fn a_result_and_a_record_are_written_together(world: &mut World) {
    plain_job(world, 7, 1).await;
    let fence = fence(world.store(), 7).await;
    world.store().apply(vec![complete(fence), record("done", Expect::Absent)]).await.unwrap();
    world.crash().await;
    assert_eq!(read(world).await.unwrap().value, b"done");
    assert_eq!(chunk(world, 7, 1).await.result.as_deref(), Some(b"out".as_slice()));
}

async fn a_refused_record_keeps_the_chunk_from_ending(world: &mut World) {
    plain_job(world, 7, 1).await;
    let fence = fence(world.store(), 7).await;
    world.store().put_record("journal", b"7:1", Some(b"first".to_vec()), Expect::Any).await.unwrap();
    let refused = world.store().apply(vec![complete(fence), record("second", Expect::Absent)]).await;
    assert_eq!(kind(refused), ErrorKind::Conflict);
    assert_eq!((world.status(7, 1).await, read(world).await.unwrap().value), (JobStatus::Processing, b"first".to_vec()));
    world.store().complete(&fence, Vec::new()).await.unwrap();
}

async fn a_repeated_group_is_already_applied_and_writes_no_record(world: &mut World) {
    plain_job(world, 7, 1).await;
    let fence = fence(world.store(), 7).await;
    world.store().apply(vec![complete(fence), record("once", Expect::Any)]).await.unwrap();
    let first = read(world).await;
    let again = world.store().apply(vec![complete(fence), record("twice", Expect::Any)]).await;
    assert_eq!((kind(again), read(world).await), (ErrorKind::AlreadyApplied, first));
}

async fn a_group_is_refused_by_its_first_op_that_is(world: &mut World) {
    plain_job(world, 7, 1).await;
    let fence = fence(world.store(), 7).await;
    let stale = Fence::new(7, 2, fence.token());
    world.store().put_record("journal", b"7:1", Some(b"first".to_vec()), Expect::Any).await.unwrap();
    let not_found = world.store().apply(vec![complete(stale), record("x", Expect::Absent)]).await;
    let conflict = world.store().apply(vec![record("x", Expect::Absent), complete(stale)]).await;
    assert_eq!((kind(not_found), kind(conflict)), (ErrorKind::NotFound, ErrorKind::Conflict));
    world.store().check(&fence).await.unwrap();
}

async fn a_refused_group_does_not_undo_the_others(world: &mut World) {
    plain_job(world, 7, 3).await;
    let held: Vec<_> = world.store().claim_pending_batch(7, 3).await.unwrap().iter().map(|one| one.fence().unwrap()).collect();
    world.store().release(&held[1]).await.unwrap();
    let outcomes = world.store().submit(held.iter().map(|fence| vec![complete(*fence)]).collect()).await.unwrap();
    let kinds: Vec<_> = outcomes.iter().map(|outcome| outcome.as_ref().map(drop).map_err(Rejection::kind)).collect();
    assert_eq!(kinds, [Ok(()), Err(ErrorKind::FenceLost), Ok(())]);
    let stats = world.store().get_stats(7).await.unwrap();
    assert_eq!((stats.done, stats.pending), (2, 1));
}

async fn an_empty_group_is_applied(world: &mut World) {
    assert_eq!(world.store().apply(Vec::new()).await.unwrap(), []);
    assert_eq!(world.store().submit(Vec::new()).await.unwrap(), []);
}
