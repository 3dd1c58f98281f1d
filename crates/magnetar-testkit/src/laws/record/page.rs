//! Listings of records, page by page, in the order of their bytes.

use magnetar_core::{ErrorKind, Expect, limits};

use crate::{
    harness::World,
    law::{Law, laws},
    laws::{shape::SPACE, support::kind},
};

pub(in crate::laws) const LAWS: &[Law] = laws![
    records_are_listed_in_the_order_of_their_bytes,
    records_are_listed_by_their_prefix,
    prefix_of_the_largest_bytes_lists_what_begins_so,
    pages_of_records_cover_each_once,
    page_behind_a_key_that_is_not_there_goes_on_after_it,
    page_behind_a_key_before_the_prefix_begins_with_the_prefix,
    page_behind_a_key_after_the_prefix_is_empty,
    removed_record_is_not_listed,
    records_of_an_unknown_space_are_none,
    page_of_no_records_is_refused_and_so_is_one_of_too_many,
];

/// Keys of the bytes that a wrong order or a wrong upper bound trips over, sorted.
const KEYS: [&[u8]; 14] = [
    b"",
    b"\x00",
    b"\x00\x00",
    b"\x00\xff",
    b"a",
    b"a\x00",
    b"a\xff",
    b"a\xff\xff",
    b"b",
    b"\x7f",
    b"\x80",
    b"\xff",
    b"\xff\xff",
    b"\xff\xff\x00",
];

/// Writes all of `KEYS`, in another order.
async fn given(world: &World) {
    for at in 0..KEYS.len() {
        let key = KEYS[at * 5 % KEYS.len()];
        world.store().put_record(SPACE, key, Some(key.to_vec()), Expect::Absent).await.unwrap();
    }
    world.store().put_record("lawsuit", b"a", Some(Vec::new()), Expect::Absent).await.unwrap();
}

/// The keys that are listed under a prefix, in pages of `limit`.
async fn list(world: &World, prefix: &[u8], limit: usize) -> Vec<Vec<u8>> {
    let (mut keys, mut after) = (Vec::new(), None);
    for _ in 0..KEYS.len() + 2 {
        let page = world.store().records(SPACE, prefix, after, limit).await.unwrap();
        assert!(page.items.len() <= limit && page.items.iter().all(|record| record.key == record.value));
        keys.extend(page.items.into_iter().map(|record| record.key));
        match page.next {
            Some(next) => after = Some(next),
            None => return keys,
        }
    }
    panic!("the pages of {limit} under {prefix:?} do not end");
}

async fn after(world: &World, prefix: &[u8], after: &[u8]) -> Vec<Vec<u8>> {
    let page = world.store().records(SPACE, prefix, Some(after.to_vec()), 100).await.unwrap();
    page.items.into_iter().map(|record| record.key).collect()
}

async fn records_are_listed_in_the_order_of_their_bytes(world: &mut World) {
    given(world).await;
    assert_eq!(list(world, b"", 100).await, KEYS);
}

async fn records_are_listed_by_their_prefix(world: &mut World) {
    given(world).await;
    for prefix in [b"".as_slice(), b"\x00", b"a", b"a\x00", b"a\xff", b"b", b"c", b"\x7f", b"a\x00\x00"] {
        let expected: Vec<&[u8]> = KEYS.into_iter().filter(|key| key.starts_with(prefix)).collect();
        assert_eq!(list(world, prefix, 100).await, expected, "{prefix:?}");
    }
}

async fn prefix_of_the_largest_bytes_lists_what_begins_so(world: &mut World) {
    given(world).await;
    assert_eq!(list(world, b"\xff", 100).await, [b"\xff".as_slice(), b"\xff\xff", b"\xff\xff\x00"]);
    assert_eq!(list(world, b"\xff\xff", 100).await, [b"\xff\xff".as_slice(), b"\xff\xff\x00"]);
    assert_eq!(list(world, b"\xff\xff\xff", 100).await, Vec::<Vec<u8>>::new());
}

async fn pages_of_records_cover_each_once(world: &mut World) {
    given(world).await;
    for limit in 1..=KEYS.len() + 1 {
        assert_eq!(list(world, b"", limit).await, KEYS, "pages of {limit}");
        assert_eq!(list(world, b"a", limit).await, KEYS[4..8], "pages of {limit}");
        assert_eq!(list(world, b"\xff", limit).await, KEYS[11..], "pages of {limit}");
    }
}

async fn page_behind_a_key_that_is_not_there_goes_on_after_it(world: &mut World) {
    given(world).await;
    assert_eq!(after(world, b"", b"a\x01").await, KEYS[6..]);
    assert_eq!(after(world, b"a", b"a\x01").await, KEYS[6..8]);
}

async fn page_behind_a_key_before_the_prefix_begins_with_the_prefix(world: &mut World) {
    given(world).await;
    for before in [b"".as_slice(), b"\x00", b"Z"] {
        assert_eq!(after(world, b"a", before).await, KEYS[4..8], "behind {before:?}");
    }
}

async fn page_behind_a_key_after_the_prefix_is_empty(world: &mut World) {
    given(world).await;
    for behind in [b"a\xff\xff".as_slice(), b"a\xff\xff\xff", b"b", b"\xff\xff\xff"] {
        assert!(after(world, b"a", behind).await.is_empty(), "behind {behind:?}");
    }
}

async fn removed_record_is_not_listed(world: &mut World) {
    given(world).await;
    for key in [b"".as_slice(), b"a", b"\xff\xff"] {
        world.store().put_record(SPACE, key, None, Expect::Any).await.unwrap();
    }
    let left: Vec<&[u8]> = KEYS.into_iter().filter(|key| ![b"".as_slice(), b"a", b"\xff\xff"].contains(key)).collect();
    assert_eq!(list(world, b"", 3).await, left);
}

async fn records_of_an_unknown_space_are_none(world: &mut World) {
    given(world).await;
    let page = world.store().records("law", b"", None, 10).await.unwrap();
    assert_eq!((page.items, page.next), (vec![], None));
}

async fn page_of_no_records_is_refused_and_so_is_one_of_too_many(world: &mut World) {
    assert_eq!(kind(world.store().records(SPACE, b"", None, 0).await), ErrorKind::Invalid);
    assert_eq!(kind(world.store().records(SPACE, b"", None, limits::PAGE_ROWS_MAX + 1).await), ErrorKind::TooLarge);
    world.store().records(SPACE, b"", None, limits::PAGE_ROWS_MAX).await.unwrap();
}
