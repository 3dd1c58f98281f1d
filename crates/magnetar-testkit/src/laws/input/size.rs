//! Limits: exactly at one all is well, one beyond is refused by name, and error texts are cut.

use magnetar_core::{
    ErrorKind, Expect, Extra, JobRef, JobSpec,
    JobStatus::{Done, Failed, Processing},
    JobUpdate, Lane, NewChunk, Op, limits,
};

use super::{insert, names};
use crate::{
    harness::World,
    law::{Law, laws},
    laws::{
        shape::{SPACE, changes_nothing, picture},
        support::{chunk, fence, job_of, kind, plain_job},
    },
};

pub(in crate::laws) const LAWS: &[Law] = laws![
    payload_works_up_to_its_limit,
    extra_works_up_to_its_limit,
    expected_checksum_works_up_to_its_limit,
    key_works_up_to_its_limit,
    lane_works_up_to_its_limit,
    chunk_too_large_keeps_the_others_out,
    result_works_up_to_its_limit,
    recorded_checksum_works_up_to_its_limit,
    name_and_kind_work_up_to_their_limit,
    record_works_up_to_its_limits,
    long_error_is_cut_between_characters,
    error_at_the_limit_is_kept_whole,
];

fn text(bytes: usize) -> String {
    "x".repeat(bytes)
}

/// Holds that a chunk of these goes in where nothing is beyond the limit, comes back as it is, and does not where it is one beyond.
async fn works_up_to(world: &World, max: usize, of: impl Fn(usize) -> NewChunk, what: &str) {
    plain_job(world, 7, 0).await;
    names(
        world.store().insert(7, vec![of(max + 1)]).await,
        ErrorKind::TooLarge,
        &[what, "33", &(max + 1).to_string(), &max.to_string()],
    );
    assert_eq!(world.store().get_chunk(7, 33).await.unwrap(), None);
    world.store().insert(7, vec![of(max)]).await.unwrap();
    let (put, got) = (of(max), chunk(world, 7, 33).await);
    assert!(got.payload == put.payload && got.extra == put.extra && got.expected_checksum == put.checksum && got.key == put.key);
}

async fn payload_works_up_to_its_limit(world: &mut World) {
    works_up_to(world, limits::PAYLOAD_BYTES_MAX, |bytes| NewChunk::new(33).payload(vec![0xff; bytes]), "payload").await;
}

async fn extra_works_up_to_its_limit(world: &mut World) {
    let of = |bytes: usize| {
        let mut chunk = NewChunk::new(33);
        chunk.extra = Extra::new(&[("k".to_owned(), text(bytes - r#"{"k":""}"#.len()).into())].into_iter().collect());
        chunk
    };
    works_up_to(world, limits::EXTRA_BYTES_MAX, of, "extra").await;
}

async fn expected_checksum_works_up_to_its_limit(world: &mut World) {
    works_up_to(world, limits::CHECKSUM_BYTES_MAX, |bytes| NewChunk::new(33).checksum(text(bytes)), "checksum").await;
}

async fn key_works_up_to_its_limit(world: &mut World) {
    works_up_to(world, limits::KEY_BYTES_MAX, |bytes| NewChunk::new(33).key(text(bytes)), "key").await;
}

async fn lane_works_up_to_its_limit(world: &mut World) {
    plain_job(world, 7, 0).await;
    let (lane, longer) = (text(limits::LANE_BYTES_MAX), text(limits::LANE_BYTES_MAX + 1));
    names(world.store().insert(7, vec![NewChunk::new(1).lane(&longer)]).await, ErrorKind::TooLarge, &["lane", "65", "64"]);
    assert_eq!(kind(world.store().claim(vec![Lane::named(7, longer)], 1).await), ErrorKind::TooLarge);
    world.store().insert(7, vec![NewChunk::new(1).lane(&lane)]).await.unwrap();
    assert_eq!(world.store().claim(vec![Lane::named(7, lane)], 1).await.unwrap().len(), 1);
}

async fn chunk_too_large_keeps_the_others_out(world: &mut World) {
    plain_job(world, 7, 1).await;
    let large = NewChunk::new(2).payload(vec![0; limits::PAYLOAD_BYTES_MAX + 1]);
    let before = picture(world).await;
    assert_eq!(kind(world.store().apply(vec![insert([NewChunk::new(3), large])]).await), ErrorKind::TooLarge);
    assert_eq!(picture(world).await, before);
}

async fn result_works_up_to_its_limit(world: &mut World) {
    plain_job(world, 7, 1).await;
    let held = fence(world.store(), 7).await;
    let result = vec![0; limits::RESULT_BYTES_MAX + 1];
    names(world.store().complete(&held, result.clone()).await, ErrorKind::TooLarge, &["result", "1048577", "1048576"]);
    assert_eq!(world.status(7, 1).await, Processing);
    world.store().complete(&held, result[1..].to_vec()).await.unwrap();
    assert!(chunk(world, 7, 1).await.result.is_some_and(|kept| kept == result[1..]));
}

async fn recorded_checksum_works_up_to_its_limit(world: &mut World) {
    job_of(world, 7, [NewChunk::new(1), NewChunk::new(2)]).await;
    let fence = fence(world.store(), 7).await;
    for (bytes, refusal) in [(limits::CHECKSUM_BYTES_MAX + 1, Some(ErrorKind::TooLarge)), (limits::CHECKSUM_BYTES_MAX, None)] {
        let complete = Op::Complete { fence, result: Vec::new(), checksum: Some(text(bytes)) };
        let update = JobUpdate { chunk_id: 2, status: Done, checksum: Some(text(bytes)), error: None };
        for op in [complete, Op::Mark { job: 7, update }] {
            match refusal {
                Some(refusal) => changes_nothing(world, vec![op], refusal).await,
                None => drop(world.store().apply(vec![op]).await.unwrap()),
            }
        }
    }
    assert_eq!((chunk(world, 7, 1).await.checksum, chunk(world, 7, 2).await.checksum), (text(1024), text(1024)));
}

async fn name_and_kind_work_up_to_their_limit(world: &mut World) {
    let (most, more) = (text(limits::NAME_BYTES_MAX), text(limits::NAME_BYTES_MAX + 1));
    let named = |name: &str, kind: &str| JobSpec { name: Some(name.into()), kind: kind.into(), options: None };
    names(world.store().ensure_job(JobRef::Id(7), named(&more, "")).await, ErrorKind::TooLarge, &["name", "513", "512"]);
    names(world.store().ensure_job(JobRef::Id(7), named("a", &more)).await, ErrorKind::TooLarge, &["kind", "513", "512"]);
    assert_eq!(kind(world.store().ensure_job(JobRef::Name(more), JobSpec::default()).await), ErrorKind::TooLarge);
    assert_eq!(world.store().jobs().await.unwrap(), []);
    let id = world.store().ensure_job(JobRef::Name(most.clone()), named(&most, &most)).await.unwrap();
    let job = world.store().job(id).await.unwrap().unwrap();
    assert_eq!((job.name, job.kind), (Some(most.clone()), most));
}

async fn record_works_up_to_its_limits(world: &mut World) {
    let (space, key, value) =
        (text(limits::SPACE_BYTES_MAX), vec![0xff; limits::RECORD_KEY_BYTES_MAX], vec![0; limits::RECORD_BYTES_MAX]);
    let put = |space: &str, key: &[u8], value: &[u8]| Op::PutRecord {
        space: space.to_owned(),
        key: key.to_vec(),
        value: Some(value.to_vec()),
        expect: Expect::Any,
    };
    for (op, what) in [
        (put(&text(space.len() + 1), b"k", b""), "space"),
        (put(SPACE, &vec![0; key.len() + 1], b""), "key"),
        (put(SPACE, b"k", &vec![0; value.len() + 1]), "value"),
    ] {
        names(world.store().apply(vec![op]).await, ErrorKind::TooLarge, &[what]);
    }
    assert_eq!(world.store().records(SPACE, b"", None, 10).await.unwrap().items, []);
    world.store().apply(vec![put(&space, &key, &value)]).await.unwrap();
    let page = world.store().records(&space, &key, None, 10).await.unwrap();
    assert!(page.items.len() == 1 && page.items[0].key == key && page.items[0].value == value);
}

async fn long_error_is_cut_between_characters(world: &mut World) {
    plain_job(world, 7, 8).await;
    for (at, character) in (0_u64..).zip(["x", "é", "☃", "🚀"]) {
        let long = format!("x{}", character.repeat(limits::ERROR_BYTES_MAX));
        let held = fence(world.store(), 7).await;
        world.store().fail(&held, long.clone()).await.unwrap();
        world.store().mark_failed(7, 5 + at, long.clone()).await.unwrap();
        for chunk_id in [1 + at, 5 + at] {
            let kept = chunk(world, 7, chunk_id).await.error.unwrap();
            assert!(long.starts_with(&kept) && kept.len() <= limits::ERROR_BYTES_MAX, "{} bytes", kept.len());
            assert!(kept.len() + character.len() > limits::ERROR_BYTES_MAX, "{} bytes are too few", kept.len());
        }
    }
}

async fn error_at_the_limit_is_kept_whole(world: &mut World) {
    plain_job(world, 7, 1).await;
    let error = text(limits::ERROR_BYTES_MAX);
    world.store().mark_failed(7, 1, error.clone()).await.unwrap();
    let chunk = chunk(world, 7, 1).await;
    assert_eq!((chunk.status, chunk.error.as_deref()), (Failed, Some(error.as_str())));
}
