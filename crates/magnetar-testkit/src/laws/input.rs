//! Bad input is a typed error that names the thing, and changes nothing.

use std::fmt::Debug;

use magnetar_core::{
    Claim, Error, ErrorKind, Fence, Filter, JobRef,
    JobStatus::{Done, Pending, Processing},
    JobUpdate, Lane, NewChunk, Op, Timestamp, Until, limits,
};

use super::{
    shape::{NONE, abroad, behind, chain, changes_nothing, depend, mark, picture, take},
    support::{SECOND, chunk, fence, ids, job_of, kind, plain_job},
};
use crate::{
    harness::World,
    law::{Law, laws},
};

pub(super) mod closed;
pub(super) mod hostile;
pub(super) mod policy;
pub(super) mod size;

pub(super) const LAWS: &[Law] = laws![
    chunk_id_beyond_the_largest_is_refused_by_every_op,
    chunk_id_beyond_the_largest_is_not_found_by_reads,
    largest_chunk_id_works_everywhere,
    chunk_id_of_zero_works,
    numbering_beyond_the_largest_id_is_refused,
    job_ids_of_every_sign_work,
    id_twice_in_one_insert_is_refused,
    chunk_behind_itself_is_not_put_in,
    circle_within_one_insert_is_not_put_in,
    missing_things_are_named,
    fence_of_another_job_ends_nothing,
    fence_of_a_chunk_beyond_the_largest_is_not_found,
    claim_over_no_lanes_takes_nothing,
    claim_over_too_many_lanes_is_refused,
    claim_over_the_most_lanes_works,
    claim_of_too_many_chunks_is_refused,
    prune_of_no_chunks_is_refused_and_so_is_one_of_too_many,
    too_many_dependencies_are_refused,
    group_of_too_many_ops_is_refused,
    group_of_too_many_ops_undoes_no_other,
    submit_of_too_many_groups_is_refused,
    instant_beyond_all_time_never_comes,
    instant_of_the_beginning_is_past,
];

/// Holds that a call was refused in this way, by a message that names all these.
fn names<T: Debug>(result: Result<T, Error>, refusal: ErrorKind, parts: &[&str]) {
    let error = result.expect_err("a refusal was due");
    assert_eq!(error.kind(), refusal, "{error}");
    for part in parts {
        assert!(error.to_string().contains(part), "{error:?} does not name {part}");
    }
}

fn insert(chunks: impl IntoIterator<Item = NewChunk>) -> Op {
    Op::Insert { job: JobRef::Id(7), chunks: chunks.into_iter().collect::<Vec<_>>().into() }
}

async fn chunk_id_beyond_the_largest_is_refused_by_every_op(world: &mut World) {
    plain_job(world, 7, 2).await;
    let held = fence(world.store(), 7).await;
    let before = picture(world).await;
    for id in [limits::ID_MAX + 1, u64::MAX] {
        for op in [
            insert([NewChunk::new(5), NewChunk::new(id)]),
            insert([behind(5, [id])]),
            insert([abroad(5, [(7, id)])]),
            Op::Mark { job: 7, update: JobUpdate { chunk_id: id, status: Done, checksum: None, error: None } },
            Op::Depend { job: 7, chunk: id, on: vec![(7, 2)] },
            Op::Depend { job: 7, chunk: 2, on: vec![(7, id)] },
            Op::Reopen { job: 7, chunks: vec![id] },
            Op::Park { fence: held, until: Until::Ended(vec![(7, id)]) },
            Op::Prune { job: 7, ended_before: world.now(), after: Some(id), limit: 1 },
        ] {
            names(world.store().apply(vec![op]).await, ErrorKind::Invalid, &[&id.to_string()]);
        }
    }
    assert_eq!(picture(world).await, before);
}

async fn chunk_id_beyond_the_largest_is_not_found_by_reads(world: &mut World) {
    plain_job(world, 7, 2).await;
    for id in [limits::ID_MAX, limits::ID_MAX + 1, u64::MAX] {
        assert_eq!(world.store().get_chunk(7, id).await.unwrap(), None);
        assert_eq!(world.store().get_dependencies(7, id).await.unwrap(), NONE);
        assert_eq!(world.store().ids(7, Filter::All, Some(id), 10).await.unwrap().items, NONE);
        assert_eq!(world.store().chunks(7, Filter::Status(Pending), Some(id), 10).await.unwrap().items, []);
    }
}

async fn largest_chunk_id_works_everywhere(world: &mut World) {
    let id = limits::ID_MAX;
    job_of(world, 7, [behind(id, [id - 1]), NewChunk::new(id - 1), NewChunk::new(1)]).await;
    assert_eq!(depend(world, 7, 1, vec![(7, id)]).await, None);
    for next in [id - 1, id, 1] {
        assert_eq!(take(world, 7, 10).await, [next]);
        mark(world, 7, next, Done).await;
    }
    assert_eq!(world.store().get_dependencies(7, id).await.unwrap(), [id - 1]);
    assert_eq!(ids(&world.store().get_by_status(7, Done).await.unwrap()), [1, id - 1, id]);
    assert_eq!(world.store().reopen(7, vec![id]).await.unwrap().len(), 2);
    let held = fence(world.store(), 7).await;
    world.store().complete(&held, b"r".to_vec()).await.unwrap();
    assert_eq!(chunk(world, 7, id).await.result.as_deref(), Some(b"r".as_slice()));
    mark(world, 7, 1, Done).await;
    assert_eq!(world.store().prune(7, world.now().after(SECOND)).await.unwrap(), 3);
}

async fn chunk_id_of_zero_works(world: &mut World) {
    job_of(world, 0, [NewChunk::new(1), behind(0, [1])]).await;
    assert_eq!(take(world, 0, 10).await, [1]);
    mark(world, 0, 1, Done).await;
    assert_eq!(take(world, 0, 10).await, [0]);
    mark(world, 0, 0, Done).await;
    let page = world.store().ids(0, Filter::All, None, 1).await.unwrap();
    assert_eq!((page.items, page.next), (vec![0], Some(0)));
    assert_eq!(world.store().reopen(0, vec![0]).await.unwrap(), [(0, 0)]);
}

async fn numbering_beyond_the_largest_id_is_refused(world: &mut World) {
    job_of(world, 7, [NewChunk::new(limits::ID_MAX)]).await;
    changes_nothing(world, vec![insert([NewChunk::new(1), NewChunk::numbered()])], ErrorKind::Exhausted).await;
}

async fn job_ids_of_every_sign_work(world: &mut World) {
    let jobs = [i64::MIN, i64::MIN + 1, -1, 0, 1, i64::MAX];
    for job in jobs {
        job_of(world, job, chain(2)).await;
    }
    for job in jobs {
        let first = world.store().claim_pending(job).await.unwrap().unwrap();
        assert_eq!((first.job_id, first.chunk, first.fence().unwrap().job()), (job, 1, job));
        world.store().complete(&first.fence().unwrap(), Vec::new()).await.unwrap();
        assert_eq!((take(world, job, 5).await, world.status(job, 1).await), (vec![2], Done));
    }
    world.store().delete_job(i64::MIN).await.unwrap();
    assert_eq!(world.store().jobs().await.unwrap().iter().map(|job| job.id).collect::<Vec<_>>(), jobs[1..]);
}

async fn id_twice_in_one_insert_is_refused(world: &mut World) {
    plain_job(world, 7, 1).await;
    let before = picture(world).await;
    let twice = vec![NewChunk::new(41), NewChunk::new(42), NewChunk::new(43), NewChunk::new(42)];
    names(world.store().insert(7, twice).await, ErrorKind::Invalid, &["42"]);
    assert_eq!(picture(world).await, before);
}

async fn chunk_behind_itself_is_not_put_in(world: &mut World) {
    plain_job(world, 7, 1).await;
    let before = picture(world).await;
    names(world.store().insert(7, vec![NewChunk::new(2), behind(33, [2, 33])]).await, ErrorKind::Invalid, &["33"]);
    assert_eq!(kind(world.store().insert(7, vec![abroad(33, [(7, 33)])]).await), ErrorKind::Cycle);
    assert_eq!(picture(world).await, before);
}

async fn circle_within_one_insert_is_not_put_in(world: &mut World) {
    plain_job(world, 7, 1).await;
    let circle = || [behind(2, [4, 1]), behind(3, [2]), behind(4, [3]), NewChunk::new(5)];
    changes_nothing(world, vec![insert(circle())], ErrorKind::Cycle).await;
    let abroad = [abroad(2, [(7, 3)]), behind(3, [2])];
    changes_nothing(world, vec![insert(abroad)], ErrorKind::Cycle).await;
}

async fn missing_things_are_named(world: &mut World) {
    plain_job(world, 7, 1).await;
    let store = world.store();
    names(store.insert(77, vec![]).await, ErrorKind::NotFound, &["77"]);
    names(store.insert(7, vec![behind(2, [4242])]).await, ErrorKind::NotFound, &["4242"]);
    names(store.add_dependency(7, 1, vec![4242]).await, ErrorKind::NotFound, &["4242", "7"]);
    names(store.mark_status(7, 4242, Done, None).await, ErrorKind::NotFound, &["4242", "7"]);
    names(store.reopen(7, vec![4242]).await, ErrorKind::NotFound, &["4242", "7"]);
}

async fn fence_of_another_job_ends_nothing(world: &mut World) {
    for job in [7, 8] {
        plain_job(world, job, 2).await;
    }
    plain_job(world, 9, 0).await;
    let held = fence(world.store(), 7).await;
    mark(world, 8, 1, Processing).await;
    let before = picture(world).await;
    for (job, refusal) in [(8, ErrorKind::FenceLost), (9, ErrorKind::NotFound), (10, ErrorKind::NotFound)] {
        let other = Fence::new(job, held.chunk(), held.token());
        assert_eq!(kind(world.store().complete(&other, Vec::new()).await), refusal, "{other}");
        assert_eq!(kind(world.store().fail(&other, "e".into()).await), refusal, "{other}");
        assert_eq!(kind(world.store().release(&other).await), refusal, "{other}");
    }
    assert_eq!(picture(world).await, before);
}

async fn fence_of_a_chunk_beyond_the_largest_is_not_found(world: &mut World) {
    plain_job(world, 7, 1).await;
    let held = fence(world.store(), 7).await;
    for id in [limits::ID_MAX, limits::ID_MAX + 1, u64::MAX] {
        let beyond = Fence::new(7, id, held.token());
        assert_eq!(kind(world.store().complete(&beyond, Vec::new()).await), ErrorKind::NotFound);
        assert_eq!(kind(world.store().check(&beyond).await), ErrorKind::NotFound);
    }
}

async fn claim_over_no_lanes_takes_nothing(world: &mut World) {
    plain_job(world, 7, 1).await;
    assert_eq!(world.store().claim(Vec::new(), 10).await.unwrap(), []);
}

async fn claim_over_too_many_lanes_is_refused(world: &mut World) {
    plain_job(world, 7, 1).await;
    let lanes = vec![Lane::of(7); limits::CLAIM_LANES_MAX + 1];
    names(world.store().claim(lanes, 1).await, ErrorKind::TooLarge, &["1025", "1024"]);
    assert_eq!(world.status(7, 1).await, Pending);
}

async fn claim_over_the_most_lanes_works(world: &mut World) {
    job_of(world, 7, [NewChunk::new(1).lane("1023"), NewChunk::new(2).lane("0"), NewChunk::new(3)]).await;
    let lanes = (0..limits::CLAIM_LANES_MAX).map(|lane| Lane::named(7, lane.to_string())).collect();
    assert_eq!(ids(&world.store().claim(lanes, 10).await.unwrap()), [2, 1]);
}

async fn claim_of_too_many_chunks_is_refused(world: &mut World) {
    plain_job(world, 7, 1).await;
    for limit in [limits::CLAIM_CHUNKS_MAX + 1, usize::MAX] {
        names(world.store().claim_pending_batch(7, limit).await, ErrorKind::TooLarge, &[&limit.to_string(), "10000"]);
    }
    assert_eq!(kind(world.store().claim_pending_batch(7, 0).await), ErrorKind::Invalid);
    assert_eq!(take(world, 7, limits::CLAIM_CHUNKS_MAX).await, [1]);
}

async fn prune_of_no_chunks_is_refused_and_so_is_one_of_too_many(world: &mut World) {
    plain_job(world, 7, 1).await;
    mark(world, 7, 1, Done).await;
    let prune = |limit| vec![Op::Prune { job: 7, ended_before: world.now().after(SECOND), after: None, limit }];
    changes_nothing(world, prune(0), ErrorKind::Invalid).await;
    changes_nothing(world, prune(limits::PRUNE_CHUNKS_MAX + 1), ErrorKind::TooLarge).await;
    world.store().apply(prune(limits::PRUNE_CHUNKS_MAX)).await.unwrap();
    assert_eq!(world.store().get_chunk(7, 1).await.unwrap(), None);
}

async fn too_many_dependencies_are_refused(world: &mut World) {
    plain_job(world, 7, 2).await;
    let before = picture(world).await;
    let many = vec![2; limits::DEPENDENCIES_MAX + 1];
    names(world.store().add_dependency(7, 1, many.clone()).await, ErrorKind::TooLarge, &["1000001", "1000000"]);
    names(world.store().insert(7, vec![behind(3, many)]).await, ErrorKind::TooLarge, &["1000001", "3"]);
    assert_eq!(picture(world).await, before);
}

async fn group_of_too_many_ops_is_refused(world: &mut World) {
    plain_job(world, 7, 1).await;
    let group = |ops: usize| [vec![Op::Pause { job: 7 }], vec![Op::Reap; ops - 1]].concat();
    changes_nothing(world, group(limits::GROUP_OPS_MAX + 1), ErrorKind::TooLarge).await;
    assert_eq!(world.store().apply(group(limits::GROUP_OPS_MAX)).await.unwrap().len(), limits::GROUP_OPS_MAX);
    assert!(world.store().job(7).await.unwrap().unwrap().paused);
}

async fn group_of_too_many_ops_undoes_no_other(world: &mut World) {
    plain_job(world, 7, 2).await;
    let claim = Op::Claim(Claim { lanes: vec![Lane::of(7)], limit: 1 });
    let groups = vec![vec![claim.clone()], vec![claim; limits::GROUP_OPS_MAX + 1], vec![insert([NewChunk::new(u64::MAX)])]];
    let verdicts = world.store().submit(groups).await.unwrap();
    assert_eq!(verdicts.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, false, false]);
    assert_eq!(world.store().get_stats(7).await.unwrap().processing, 1);
}

async fn submit_of_too_many_groups_is_refused(world: &mut World) {
    plain_job(world, 7, 1).await;
    let mut groups = vec![Vec::new(); limits::SUBMIT_GROUPS_MAX + 1];
    groups[0] = vec![Op::Pause { job: 7 }];
    let before = picture(world).await;
    names(world.store().submit(groups.clone()).await, ErrorKind::TooLarge, &["100001", "100000"]);
    assert_eq!(picture(world).await, before);
    groups.pop();
    assert_eq!(world.store().submit(groups).await.unwrap().len(), limits::SUBMIT_GROUPS_MAX);
}

async fn instant_beyond_all_time_never_comes(world: &mut World) {
    let never = Timestamp::from_millis(u64::MAX);
    job_of(world, 7, [NewChunk::new(1).not_before(never), NewChunk::new(2), NewChunk::new(3)]).await;
    let parked = fence(world.store(), 7).await;
    world.store().park(&parked, Until::At(never)).await.unwrap();
    world.advance(1_000_000 * SECOND);
    world.settle().await;
    assert_eq!((take(world, 7, 10).await, world.store().get_stats(7).await.unwrap().delayed), (vec![3], 2));
    mark(world, 7, 3, Done).await;
    assert_eq!(world.store().prune(7, never).await.unwrap(), 1);
}

async fn instant_of_the_beginning_is_past(world: &mut World) {
    let beginning = Timestamp::from_millis(0);
    job_of(world, 7, [NewChunk::new(1).not_before(beginning), NewChunk::new(2)]).await;
    mark(world, 7, 2, Done).await;
    assert_eq!((world.store().prune(7, beginning).await.unwrap(), take(world, 7, 10).await), (0, vec![1]));
}
