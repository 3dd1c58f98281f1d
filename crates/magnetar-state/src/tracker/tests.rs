use std::collections::BTreeSet;

use bson::doc;
use futures_lite::future::block_on;
use proptest::prelude::*;

use super::*;
use crate::MemoryStore;

fn token(number: u64) -> Document {
    doc! { "n": i64::try_from(number).unwrap() }
}

fn tracker() -> Tracker {
    Tracker::new("orders").unwrap()
}

#[test]
fn only_the_contiguous_watermark_comes_out() {
    let mut tracker = tracker();
    let [first, second, third] = [1, 2, 3].map(|number| tracker.receive(token(number)).unwrap());
    assert_eq!(tracker.flush_ok(second).unwrap(), None);
    let flushed = tracker.flush_ok(first).unwrap().unwrap();
    assert_eq!((flushed.number(), flushed.token(), flushed.collection()), (2, &token(2), "orders"));
    assert_eq!(tracker.flush_ok(third).unwrap().unwrap().token(), &token(3));
    assert_eq!(tracker.pending(), 0);
}

#[test]
fn batch_that_is_dropped_holds_back_all_after_it() {
    let mut tracker = tracker();
    drop(tracker.receive(token(1)).unwrap());
    for number in 2..10 {
        let batch = tracker.receive(token(number)).unwrap();
        assert_eq!(tracker.flush_ok(batch).unwrap(), None);
    }
    assert_eq!(tracker.pending(), 9);
}

#[test]
fn batch_of_another_tracker_is_refused() {
    let (mut one, mut other) = (tracker(), tracker());
    let batch = one.receive(token(1)).unwrap();
    other.receive(token(1)).map(drop).unwrap();
    assert!(matches!(other.flush_ok(batch), Err(StateError::Invalid { .. })));
    assert_eq!((one.pending(), other.pending()), (1, 1));
}

#[test]
fn stuck_batch_ends_the_receiving() {
    let mut tracker = tracker();
    for number in 0..limits::PENDING_MAX as u64 {
        drop(tracker.receive(token(number)).unwrap());
    }
    let error = tracker.receive(token(0)).unwrap_err();
    assert!(error.is_transient() && error.to_string().contains("batch 1"), "{error}");
}

#[test]
fn token_that_no_store_takes_is_refused_when_it_is_received() {
    let mut tracker = tracker();
    let error = tracker.receive(doc! { "a": "x".repeat(limits::TOKEN_BYTES_MAX) }).unwrap_err();
    assert!(matches!(error, StateError::TooLarge { .. }));
    assert_eq!(tracker.receive(token(1)).unwrap().number(), 1);
}

#[test]
fn tracker_comes_with_the_token_to_go_on_from() {
    block_on(async {
        let store = MemoryStore::new();
        let (mut tracker, start) = Tracker::resume(&store, "orders").await.unwrap();
        assert_eq!(start, None);
        let batch = tracker.receive(token(1)).unwrap();
        let flushed = tracker.flush_ok(batch).unwrap().unwrap();
        save_flushed(&store, &flushed, Guard::default(), None).await.unwrap();
        let (tracker, start) = Tracker::resume(&store, "orders").await.unwrap();
        assert_eq!((tracker.collection(), start), ("orders", Some(token(1))));
    });
}

proptest! {
    #[test]
    fn no_token_comes_out_before_all_up_to_it_is_flushed(order in Just((1..=40_u64).collect::<Vec<_>>()).prop_shuffle()) {
        let mut tracker = tracker();
        let mut pending: Vec<_> = (1..=40).map(|number| Some(tracker.receive(token(number)).unwrap())).collect();
        let (mut done, mut last) = (BTreeSet::new(), 0);
        for number in order {
            done.insert(number);
            let batch = pending[usize::try_from(number - 1).unwrap()].take().unwrap();
            let watermark = (1..=40).take_while(|number| done.contains(number)).count() as u64;
            let flushed = tracker.flush_ok(batch).unwrap();
            prop_assert_eq!(flushed.as_ref().map(Flushed::number), (watermark > last).then_some(watermark));
            if let Some(flushed) = flushed {
                prop_assert_eq!(flushed.token(), &token(watermark));
            }
            last = watermark;
        }
        prop_assert_eq!(last, 40);
    }
}
