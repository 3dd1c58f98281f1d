//! Objects go up and come down whole, through the whole stack.

use std::time::Duration;

use crate::{
    fault::Fault,
    rig::{Rig, Wants, object},
};

/// The least that S3 takes for a part that is not the last.
const PART: usize = 5 << 20;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn object_comes_back_as_it_was_put() {
    let rig = Rig::start().await;
    let stack = rig.stack(Wants::default());
    for length in [0, 1, 100_000] {
        let object = object(length);
        let put = stack.store.put("small", &object).await.unwrap();
        let (fetched, tag) = stack.store.get("small").await.unwrap();
        assert!(fetched == object, "{length} bytes");
        assert_eq!(tag, put);
    }
    assert_eq!(rig.proxy.requests(), 6);
    assert_eq!(rig.proxy.tally().accepted, 1, "one after another they need one socket");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn object_in_parts_comes_back_as_it_was_put() {
    let rig = Rig::start().await;
    let stack = rig.stack(Wants { max_size: 3, ..Wants::default() });
    let object = object(2 * PART + 7);
    let put = stack.store.put_in_parts("large", &object, PART).await.unwrap();
    let (fetched, tag) = stack.store.get("large").await.unwrap();
    assert!(fetched == object);
    assert_eq!(tag, put);
    assert!(tag.ends_with("-3\""), "{tag}");
    let tally = rig.proxy.tally();
    assert_eq!(tally.requests.len(), 1 + 3 + 1 + 1);
    assert!(tally.peak <= 3, "{tally:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t22_object_in_parts_survives_faults_of_every_request() {
    let rig = Rig::start().await;
    let stack = rig.stack(Wants::default());
    rig.proxy.once("?uploads", Fault::slow_down(""));
    rig.proxy.once("?uploads", Fault::error("429 Too Many Requests", "TooManyRequests"));
    rig.proxy.once("partNumber=1&", Fault::Reset);
    rig.proxy.once("partNumber=1&", Fault::error("500 Internal Server Error", "InternalError"));
    rig.proxy.once("partNumber=1&", Fault::Late(Duration::from_millis(50)));
    rig.proxy.once("partNumber=2&", Fault::Truncated(20));
    rig.proxy.once("partNumber=2&", Fault::error("400 Bad Request", "RequestTimeout"));
    rig.proxy.once("POST /photos/large?uploadId=", Fault::error("200 OK", "InternalError"));
    rig.proxy.once("POST /photos/large?uploadId=", Fault::error("200 OK", "SlowDown"));
    let object = object(PART + 7);
    // The faults are not to open the breaker: how it behaves is the matter of other tests.
    stack.breaker.force_closed();
    let put = stack.store.put_in_parts("large", &object, PART).await.unwrap();

    rig.proxy.once("GET ", Fault::Truncated(300_000));
    let (fetched, tag) = stack.store.get("large").await.unwrap();
    assert!(fetched == object);
    assert_eq!(tag, put);
    let tally = rig.proxy.tally();
    assert_eq!(tally.requests.len(), (1 + 2 + 1 + 1) + 9, "each failure costs one request: {tally:?}");
    assert!(tally.peak <= 4, "{tally:?}");
    assert_eq!(stack.pool.snapshot().active, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t08_hang_ends_with_the_attempt_and_the_next_one_succeeds() {
    let rig = Rig::start().await;
    let stack = rig.stack(Wants { attempt_timeout: Duration::from_secs(1), ..Wants::default() });
    let object = object(1000);
    for _ in 0..2 {
        rig.proxy.once("PUT ", Fault::BlackHole);
        stack.store.put("small", &object).await.unwrap();
    }
    assert!(rig.proxy.requests() >= 4);
    assert!(stack.pool.snapshot().closed.discarded >= 2, "half an exchange is on the wire");
    assert!(stack.store.get("small").await.unwrap().0 == object);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn upload_in_parts_that_fails_is_aborted() {
    let rig = Rig::start().await;
    let stack = rig.stack(Wants::default());
    rig.proxy.once("partNumber=1&", Fault::error("403 Forbidden", "AccessDenied"));
    let failed = stack.store.put_in_parts("large", &object(1000), 1000).await.unwrap_err();
    assert_eq!(failed.into_inner().unwrap().code(), Some("AccessDenied"));
    let requests = rig.proxy.tally().requests;
    assert_eq!(requests.len(), 3, "{requests:?}");
    assert!(requests[2].starts_with("DELETE "), "{requests:?}");
    let gone = stack.store.get("large").await.unwrap_err().into_inner().unwrap();
    assert_eq!((gone.code(), gone.status()), (Some("NoSuchKey"), Some(404)));
}
