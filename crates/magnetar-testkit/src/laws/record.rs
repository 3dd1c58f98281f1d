//! Records: small values beside the jobs, written under a version that never comes back.

use magnetar_core::{ErrorKind, Expect, Op, Record};

use super::{
    shape::{SPACE, changes_nothing},
    support::{fence, kind, plain_job},
};
use crate::{
    harness::World,
    law::{Law, laws},
};

pub(super) mod page;

pub(super) const LAWS: &[Law] = laws![
    record_is_read_as_it_was_written,
    record_that_is_not_there_is_none,
    empty_value_is_not_an_absent_record,
    empty_key_is_a_key,
    any_expectation_writes_over_whatever_stands_there,
    absent_expectation_writes_once,
    version_expectation_writes_over_that_version_only,
    record_is_removed_under_its_version_only,
    removing_what_is_not_there_is_no_error,
    versions_grow_over_all_records,
    version_does_not_come_back_after_a_removal,
    refused_write_tells_what_stands_there,
    spaces_are_apart,
    records_are_apart_from_jobs,
    record_survives_an_orderly_close,
    record_survives_a_crash,
    versions_grow_over_a_crash,
    journal_goes_on_only_while_the_claim_holds,
    @many one_of_two_handles_wins_a_version,
];

/// Writes a record under `SPACE`, or removes it: its version.
async fn put(world: &World, key: &[u8], value: Option<&[u8]>, expect: Expect) -> Option<u64> {
    world.store().put_record(SPACE, key, value.map(<[u8]>::to_vec), expect).await.unwrap()
}

fn put_op(key: &[u8], value: Option<&[u8]>, expect: Expect) -> Vec<Op> {
    vec![Op::PutRecord { space: SPACE.to_owned(), key: key.to_vec(), value: value.map(<[u8]>::to_vec), expect }]
}

async fn get(world: &World, key: &[u8]) -> Option<Record> {
    world.store().get_record(SPACE, key).await.unwrap()
}

async fn record_is_read_as_it_was_written(world: &mut World) {
    let value: Vec<u8> = (0..=255).collect();
    let version = put(world, b"k\0\xff", Some(&value), Expect::Absent).await.unwrap();
    assert_eq!(get(world, b"k\0\xff").await, Some(Record { key: b"k\0\xff".to_vec(), value, version }));
}

async fn record_that_is_not_there_is_none(world: &mut World) {
    put(world, b"k", Some(b"v"), Expect::Any).await;
    for key in [b"".as_slice(), b"k\0", b"K", b"kk"] {
        assert_eq!(get(world, key).await, None, "{key:?}");
    }
}

async fn empty_value_is_not_an_absent_record(world: &mut World) {
    put(world, b"k", Some(b""), Expect::Absent).await;
    assert_eq!(get(world, b"k").await.unwrap().value, b"");
    changes_nothing(world, put_op(b"k", Some(b""), Expect::Absent), ErrorKind::Conflict).await;
}

async fn empty_key_is_a_key(world: &mut World) {
    put(world, b"", Some(b"v"), Expect::Absent).await;
    assert_eq!(get(world, b"").await.unwrap().value, b"v");
    assert_eq!(world.store().records(SPACE, b"", None, 10).await.unwrap().items.len(), 1);
    assert_eq!(put(world, b"", None, Expect::Any).await, None);
    assert_eq!(get(world, b"").await, None);
}

async fn any_expectation_writes_over_whatever_stands_there(world: &mut World) {
    for value in [b"1", b"2", b"3"] {
        put(world, b"k", Some(value), Expect::Any).await;
        assert_eq!(get(world, b"k").await.unwrap().value, value);
    }
}

async fn absent_expectation_writes_once(world: &mut World) {
    put(world, b"k", Some(b"1"), Expect::Absent).await;
    changes_nothing(world, put_op(b"k", Some(b"2"), Expect::Absent), ErrorKind::Conflict).await;
    changes_nothing(world, put_op(b"k", None, Expect::Absent), ErrorKind::Conflict).await;
}

async fn version_expectation_writes_over_that_version_only(world: &mut World) {
    let first = put(world, b"k", Some(b"1"), Expect::Absent).await.unwrap();
    let second = put(world, b"k", Some(b"2"), Expect::Version(first)).await.unwrap();
    for stale in [first, second + 1, 0, u64::MAX] {
        changes_nothing(world, put_op(b"k", Some(b"3"), Expect::Version(stale)), ErrorKind::Conflict).await;
    }
    changes_nothing(world, put_op(b"other", Some(b"3"), Expect::Version(second)), ErrorKind::Conflict).await;
    put(world, b"k", Some(b"3"), Expect::Version(second)).await;
    assert_eq!(get(world, b"k").await.unwrap().value, b"3");
}

async fn record_is_removed_under_its_version_only(world: &mut World) {
    let first = put(world, b"k", Some(b"1"), Expect::Absent).await.unwrap();
    let second = put(world, b"k", Some(b"2"), Expect::Any).await.unwrap();
    changes_nothing(world, put_op(b"k", None, Expect::Version(first)), ErrorKind::Conflict).await;
    assert_eq!(put(world, b"k", None, Expect::Version(second)).await, None);
    assert_eq!(get(world, b"k").await, None);
    changes_nothing(world, put_op(b"k", None, Expect::Version(second)), ErrorKind::Conflict).await;
}

async fn removing_what_is_not_there_is_no_error(world: &mut World) {
    assert_eq!(put(world, b"k", None, Expect::Any).await, None);
    assert_eq!(get(world, b"k").await, None);
}

async fn versions_grow_over_all_records(world: &mut World) {
    let mut last = 0;
    for at in 0..50_u8 {
        let space = if at % 2 == 0 { SPACE } else { "other" };
        let version = world.store().put_record(space, &[at % 5], Some(vec![at]), Expect::Any).await.unwrap().unwrap();
        assert!(version > last, "{version} after {last}");
        last = version;
    }
}

async fn version_does_not_come_back_after_a_removal(world: &mut World) {
    let mut old = Vec::new();
    for _ in 0..5 {
        old.push(put(world, b"k", Some(b"same"), Expect::Absent).await.unwrap());
        put(world, b"k", None, Expect::Any).await;
    }
    let last = put(world, b"k", Some(b"same"), Expect::Absent).await.unwrap();
    assert!(old.is_sorted_by(|a, b| a < b) && old.iter().all(|version| *version < last), "{old:?}, {last}");
    for stale in old {
        changes_nothing(world, put_op(b"k", Some(b"lost"), Expect::Version(stale)), ErrorKind::Conflict).await;
    }
}

async fn refused_write_tells_what_stands_there(world: &mut World) {
    let version = put(world, b"cursor", Some(b"1"), Expect::Absent).await.unwrap();
    let error = world.store().put_record(SPACE, b"cursor", None, Expect::Absent).await.unwrap_err();
    assert!(error.is_conflict() && !error.is_transient());
    for part in ["cursor", SPACE, &version.to_string()] {
        assert!(error.to_string().contains(part), "{error} does not name {part}");
    }
}

async fn spaces_are_apart(world: &mut World) {
    for (space, key, value) in [("a", b"bc".as_slice(), b"1"), ("ab", b"c", b"2"), ("abc", b"", b"3"), ("A", b"bc", b"4")] {
        world.store().put_record(space, key, Some(value.to_vec()), Expect::Absent).await.unwrap();
    }
    for (space, key, value) in [("a", b"bc".as_slice(), b"1"), ("ab", b"c", b"2"), ("abc", b"", b"3"), ("A", b"bc", b"4")] {
        let page = world.store().records(space, b"", None, 10).await.unwrap();
        assert_eq!(page.items.iter().map(|record| &record.value).collect::<Vec<_>>(), [value], "space {space}");
        assert_eq!(world.store().get_record(space, key).await.unwrap().unwrap().value, value);
    }
    world.store().put_record("a", b"bc", None, Expect::Any).await.unwrap();
    assert!(world.store().get_record("ab", b"c").await.unwrap().is_some());
}

async fn records_are_apart_from_jobs(world: &mut World) {
    plain_job(world, 7, 1).await;
    put(world, b"7", Some(b"v"), Expect::Absent).await;
    world.store().delete_job(7).await.unwrap();
    assert_eq!(get(world, b"7").await.unwrap().value, b"v");
    assert!(world.store().jobs().await.unwrap().is_empty());
}

async fn record_survives_an_orderly_close(world: &mut World) {
    put(world, b"gone", Some(b"1"), Expect::Absent).await;
    put(world, b"gone", None, Expect::Any).await;
    let version = put(world, b"k", Some(b"v"), Expect::Absent).await.unwrap();
    world.reopen().await;
    assert_eq!(get(world, b"k").await, Some(Record { key: b"k".to_vec(), value: b"v".to_vec(), version }));
    assert_eq!(get(world, b"gone").await, None);
}

async fn record_survives_a_crash(world: &mut World) {
    let version = put(world, b"k", Some(b"v"), Expect::Absent).await.unwrap();
    world.crash().await;
    assert_eq!(get(world, b"k").await.unwrap().version, version);
}

async fn versions_grow_over_a_crash(world: &mut World) {
    let old = put(world, b"k", Some(b"1"), Expect::Absent).await.unwrap();
    put(world, b"k", None, Expect::Any).await;
    world.crash().await;
    let new = put(world, b"k", Some(b"1"), Expect::Absent).await.unwrap();
    world.reopen().await;
    let newest = put(world, b"k", Some(b"2"), Expect::Version(new)).await.unwrap();
    assert!(old < new && new < newest, "{old}, {new}, {newest}");
}

async fn journal_goes_on_only_while_the_claim_holds(world: &mut World) {
    plain_job(world, 7, 1).await;
    let fence = fence(world.store(), 7).await;
    let entry = |key: &[u8]| [vec![Op::Check { fence }], put_op(key, Some(b"step"), Expect::Absent)].concat();
    world.store().apply(entry(b"1")).await.unwrap();
    world.store().apply(entry(b"2")).await.unwrap();
    world.store().release(&fence).await.unwrap();
    changes_nothing(world, entry(b"3"), ErrorKind::FenceLost).await;
    assert_eq!(world.store().records(SPACE, b"", None, 10).await.unwrap().items.len(), 2);
}

async fn one_of_two_handles_wins_a_version(world: &mut World) {
    let another = world.another().await;
    let version = put(world, b"k", Some(b"0"), Expect::Absent).await.unwrap();
    let next = another.put_record(SPACE, b"k", Some(b"1".to_vec()), Expect::Version(version)).await.unwrap().unwrap();
    let late = world.store().put_record(SPACE, b"k", Some(b"2".to_vec()), Expect::Version(version)).await;
    assert_eq!(kind(late), ErrorKind::Conflict);
    assert!(next > version);
    assert_eq!(get(world, b"k").await.unwrap().value, b"1");
}
