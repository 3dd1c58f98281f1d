//! A snapshot holds everything but claims, and a restore brings it back under larger tokens.

use std::{sync::Arc, time::Duration};

use magnetar_core::{
    ErrorKind, Expect, JobRef, JobSpec,
    JobStatus::{Cancelled, Done, Failed, Pending, Processing, Skipped},
    NewChunk, OnFailure, Op, Snapshot, Until,
};

use super::{
    shape::{SPACE, abroad, behind, chain, changes_nothing, job_that, mark, picture, ready, take},
    support::{SECOND, chunk, fence, job_of, kind, plain_job},
};
use crate::{
    harness::World,
    law::{Law, laws},
};

pub(super) const LAWS: &[Law] = laws![
    restored_store_shows_what_the_snapshot_saw,
    restored_store_survives_a_crash,
    snapshot_goes_through_json_unchanged,
    snapshot_holds_no_claims,
    fence_from_before_a_restore_is_lost,
    restored_jobs_run_to_their_ends_in_order,
    restored_times_come_due,
    restored_store_numbers_on,
    restore_beside_a_job_of_the_snapshot_is_refused,
    restore_beside_a_name_or_a_record_of_the_snapshot_is_refused,
    restore_beside_other_jobs_leaves_them_alone,
    snapshot_that_no_store_could_hold_is_refused,
    snapshot_of_nothing_restores_nothing,
];

/// Jobs in which everything occurs that a snapshot holds.
async fn given_everything(world: &World) {
    let store = world.store();
    job_that(world, 1, OnFailure::Skip, chain(4).chain([behind(9, [1]).key("nine")])).await;
    mark(world, 1, 1, Done).await;
    store.mark_failed(1, 2, "broke".to_owned()).await.unwrap();
    mark(world, 1, 9, Cancelled).await;
    job_that(world, 2, OnFailure::Hold, [NewChunk::new(1), behind(2, [1]), abroad(3, [(1, 1), (1, 2)])]).await;
    mark(world, 2, 1, Failed).await;
    let rich = NewChunk::new(7).payload(vec![0, 159, 255]).checksum("expected").priority(-3).lane("slow").max_fails(9);
    let rich = rich.not_before(world.now().after(SECOND)).timeout(Duration::from_mins(1)).key("k\u{fc}");
    job_that(world, 3, OnFailure::Run, [rich, NewChunk::new(8).payload("text"), behind(11, [8])]).await;
    store.pause(3).await.unwrap();
    let spec = JobSpec { kind: "backfill".to_owned(), ..JobSpec::default() };
    let named = store.ensure_job(JobRef::Name("named".to_owned()), spec).await.unwrap();
    store.insert(named, vec![NewChunk::numbered(), NewChunk::numbered(), NewChunk::numbered()]).await.unwrap();
    let parked = fence(store, named).await;
    store.park(&parked, Until::Ended(vec![(3, 8), (named, 3)])).await.unwrap();
    let failing = fence(store, named).await;
    store.fail(&failing, "not yet".to_owned()).await.unwrap();
    let done = fence(store, named).await;
    store.complete(&done, vec![200, 1]).await.unwrap();
    store.put_record(SPACE, b"a", Some(b"1".to_vec()), Expect::Any).await.unwrap();
    store.put_record(SPACE, &[0, 255], Some(vec![255]), Expect::Any).await.unwrap();
}

async fn snapshot(world: &World) -> Snapshot {
    world.store().snapshot().await.unwrap()
}

/// Removes every job and the records of the space `laws`.
async fn clear(world: &World) {
    let store = world.store();
    // Jobs that wait for others go first.
    for job in store.jobs().await.unwrap().iter().rev() {
        store.delete_job(job.id).await.unwrap();
    }
    for record in store.records(SPACE, b"", None, 1000).await.unwrap().items {
        store.put_record(SPACE, &record.key, None, Expect::Any).await.unwrap();
    }
    world.settle().await;
}

async fn restored_store_shows_what_the_snapshot_saw(world: &mut World) {
    given_everything(world).await;
    let (before, taken) = (picture(world).await, snapshot(world).await);
    let statuses: Vec<_> = taken.jobs.iter().flat_map(|job| job.chunks.iter().map(|chunk| chunk.status)).collect();
    for status in [Pending, Done, Failed, Skipped, Cancelled] {
        assert!(statuses.contains(&status), "{status} does not occur");
    }
    clear(world).await;
    assert_eq!(world.store().restore(taken.clone()).await.unwrap(), taken.counts());
    assert_eq!(picture(world).await, before);
    let again = snapshot(world).await;
    assert_eq!((again.jobs, again.records), (taken.jobs, taken.records));
}

async fn restored_store_survives_a_crash(world: &mut World) {
    given_everything(world).await;
    let (before, taken) = (picture(world).await, snapshot(world).await);
    clear(world).await;
    world.store().restore(taken).await.unwrap();
    world.crash().await;
    let after = picture(world).await;
    // The clock has moved on, and with it what was delayed.
    assert_eq!(after.chunks(), before.chunks());
}

async fn snapshot_goes_through_json_unchanged(world: &mut World) {
    given_everything(world).await;
    let taken = snapshot(world).await;
    let json = serde_json::to_string(&taken).unwrap();
    assert_eq!(serde_json::from_str::<Snapshot>(&json).unwrap(), taken);
    assert!(json.contains(r#""payload":{"hex":"009fff"}"#) && json.contains(r#""payload":"text""#), "{json}");
}

async fn snapshot_holds_no_claims(world: &mut World) {
    plain_job(world, 7, 3).await;
    assert_eq!(take(world, 7, 2).await, [1, 2]);
    let taken = snapshot(world).await;
    assert!(taken.jobs[0].chunks.iter().all(|chunk| chunk.status == Pending && chunk.crashes == 0));
    assert_eq!(chunk(world, 7, 1).await.status, Processing, "a snapshot takes nothing back");
    clear(world).await;
    world.store().restore(taken).await.unwrap();
    assert_eq!(take(world, 7, 9).await, [1, 2, 3]);
}

async fn fence_from_before_a_restore_is_lost(world: &mut World) {
    plain_job(world, 7, 2).await;
    let before = fence(world.store(), 7).await;
    let taken = snapshot(world).await;
    // What is claimed behind the snapshot's back is of a time that the restored store knows nothing of.
    let behind = fence(world.store(), 7).await;
    clear(world).await;
    world.store().restore(taken).await.unwrap();
    let (first, second) = (fence(world.store(), 7).await, fence(world.store(), 7).await);
    assert!(first.token() > behind.token().max(before.token()), "{first:?} after {behind:?}");
    for old in [before, behind] {
        assert_eq!(kind(world.store().complete(&old, Vec::new()).await), ErrorKind::FenceLost);
    }
    world.store().complete(&second, Vec::new()).await.unwrap();
}

async fn restored_jobs_run_to_their_ends_in_order(world: &mut World) {
    job_of(world, 1, chain(3)).await;
    job_of(world, 2, [abroad(1, [(1, 3)]), NewChunk::new(2)]).await;
    let parked = {
        mark(world, 2, 2, Processing).await;
        chunk(world, 2, 2).await.fence().unwrap()
    };
    world.store().park(&parked, Until::Ended(vec![(1, 2)])).await.unwrap();
    mark(world, 1, 1, Done).await;
    let taken = snapshot(world).await;
    clear(world).await;
    world.store().restore(taken).await.unwrap();
    assert_eq!((ready(world, 1).await, ready(world, 2).await), (vec![2], vec![]));
    mark(world, 1, 2, Done).await;
    assert_eq!((ready(world, 1).await, ready(world, 2).await), (vec![3], vec![2]));
    mark(world, 1, 3, Done).await;
    assert_eq!(take(world, 2, 9).await, [1, 2]);
}

async fn restored_times_come_due(world: &mut World) {
    job_of(world, 7, [NewChunk::new(1).not_before(world.now().after(SECOND * 5))]).await;
    let taken = snapshot(world).await;
    clear(world).await;
    world.store().restore(taken).await.unwrap();
    assert_eq!(take(world, 7, 9).await, [0; 0]);
    world.advance(SECOND * 5);
    assert_eq!(take(world, 7, 9).await, [1]);
}

async fn restored_store_numbers_on(world: &mut World) {
    given_everything(world).await;
    let store = Arc::clone(world.store());
    let named = store.job_by_name("named").await.unwrap().unwrap().id;
    let version = store.put_record(SPACE, b"b", Some(Vec::new()), Expect::Any).await.unwrap();
    let taken = snapshot(world).await;
    clear(world).await;
    store.restore(taken).await.unwrap();
    assert_eq!(store.insert(named, vec![NewChunk::numbered()]).await.unwrap().ids, [4]);
    assert!(store.ensure_job(JobRef::Name("next".to_owned()), JobSpec::default()).await.unwrap() > named);
    assert!(store.put_record(SPACE, b"c", Some(Vec::new()), Expect::Any).await.unwrap() > version);
}

async fn restore_beside_a_job_of_the_snapshot_is_refused(world: &mut World) {
    given_everything(world).await;
    let taken = Arc::new(snapshot(world).await);
    changes_nothing(world, vec![Op::Restore { snapshot: Arc::clone(&taken) }], ErrorKind::Conflict).await;
}

async fn restore_beside_a_name_or_a_record_of_the_snapshot_is_refused(world: &mut World) {
    let store = Arc::clone(world.store());
    store.ensure_job(JobRef::Name("taken".to_owned()), JobSpec::default()).await.unwrap();
    let named = Arc::new(snapshot(world).await);
    clear(world).await;
    let spec = JobSpec { name: Some("taken".to_owned()), ..JobSpec::default() };
    store.ensure_job(JobRef::Id(99), spec).await.unwrap();
    changes_nothing(world, vec![Op::Restore { snapshot: named }], ErrorKind::Conflict).await;
    clear(world).await;
    store.put_record(SPACE, b"a", Some(b"1".to_vec()), Expect::Any).await.unwrap();
    let recorded = Arc::new(snapshot(world).await);
    changes_nothing(world, vec![Op::Restore { snapshot: recorded }], ErrorKind::Conflict).await;
}

async fn restore_beside_other_jobs_leaves_them_alone(world: &mut World) {
    plain_job(world, 7, 2).await;
    let taken = snapshot(world).await;
    clear(world).await;
    plain_job(world, 8, 2).await;
    let held = fence(world.store(), 8).await;
    world.store().restore(taken).await.unwrap();
    world.store().complete(&held, Vec::new()).await.unwrap();
    assert_eq!((take(world, 7, 9).await, take(world, 8, 9).await), (vec![1, 2], vec![2]));
}

/// Makes of a snapshot one that no store could have given.
type Harm = fn(&mut Snapshot);

async fn snapshot_that_no_store_could_hold_is_refused(world: &mut World) {
    job_of(world, 7, chain(3)).await;
    let sound = snapshot(world).await;
    clear(world).await;
    let harms: [(&str, Harm); 9] = [
        ("a job twice", |of| of.jobs.push(of.jobs[0].clone())),
        ("a chunk twice", |of| of.jobs[0].chunks[1].id = 1),
        ("a parent that is not there", |of| of.jobs[0].chunks[1].depends_on[0].1 = 77),
        ("a parent twice", |of| of.jobs[0].chunks[1].depends_on.push((7, 1))),
        ("a circle", |of| of.jobs[0].chunks[0].depends_on = vec![(7, 3)]),
        ("a claim", |of| of.jobs[0].chunks[0].status = Processing),
        ("a key twice", |of| of.jobs[0].chunks.iter_mut().for_each(|chunk| chunk.key = Some("k".to_owned()))),
        ("a lane with a NUL", |of| of.jobs[0].chunks[0].lane.push('\0')),
        ("a token beyond all", |of| of.last_token = u64::MAX),
    ];
    for (what, harm) in harms {
        let mut harmed = sound.clone();
        harm(&mut harmed);
        let error = world.store().restore(harmed).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid, "{what}: {error}");
        assert_eq!(world.store().jobs().await.unwrap(), [], "{what}");
    }
    world.store().restore(sound).await.unwrap();
    assert_eq!(ready(world, 7).await, [1]);
}

async fn snapshot_of_nothing_restores_nothing(world: &mut World) {
    let taken = snapshot(world).await;
    assert!(taken.jobs.is_empty() && taken.records.is_empty(), "{taken:?}");
    assert_eq!(world.store().restore(taken).await.unwrap(), magnetar_core::Restored::default());
}
