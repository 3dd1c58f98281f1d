//! What the service sees of us while it is not well, and after.

use std::{sync::Arc, time::Duration};

use magnetar_resilience::{CircuitState, Classify, Error, ErrorClass, Rejection, RetryBudget};
use tokio::task::JoinSet;

use crate::{
    fault::Fault,
    rig::{COOLDOWN, Rig, Stack, Wants, object},
    store::Failed,
};

/// So many fetches at a time; how each ended.
fn fetches(stack: &Stack, count: usize) -> JoinSet<Result<(), Failed>> {
    let mut set = JoinSet::new();
    for _ in 0..count {
        let store = Arc::clone(&stack.store);
        set.spawn(async move { store.get("small").await.map(drop) });
    }
    set
}

fn is_refused(ended: &Result<(), Failed>) -> bool {
    matches!(ended, Err(Error::Rejected(Rejection::CircuitOpen { .. })))
}

/// Fails until the breaker is open.
async fn open(stack: &Stack) {
    for _ in 0..100 {
        if matches!(stack.breaker.state(), CircuitState::Open { .. }) {
            return;
        }
        assert!(stack.store.get("small").await.is_err());
    }
    panic!("it never opened: {:?}", stack.breaker);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t03_outage_is_left_alone_probed_within_the_quota_and_recovered_from() {
    let rig = Rig::start().await;
    let stack = rig.stack(Wants::default());
    let object = object(5000);
    let tag = stack.store.put("small", &object).await.unwrap();

    rig.proxy.always(Fault::error("503 Service Unavailable", "ServiceUnavailable"));
    let ended = fetches(&stack, 16).join_all().await;
    assert!(ended.iter().all(Result::is_err));
    open(&stack).await;

    let before = rig.proxy.requests();
    let ended = fetches(&stack, 200).join_all().await;
    assert!(ended.iter().all(is_refused), "{ended:?}");
    assert_eq!(rig.proxy.requests(), before, "an open breaker lets no request through");

    // A first cycle of probes, which fail. They are held, so that all who come meanwhile meet a half-open breaker.
    for fails in [true, false] {
        let before = rig.proxy.requests();
        rig.proxy.let_go(false);
        rig.proxy.always(Fault::Held);
        stack.clock.advance(COOLDOWN);
        let mut probes = fetches(&stack, 30);
        for _ in 0..28 {
            let ended = probes.join_next().await.unwrap().unwrap();
            assert!(is_refused(&ended), "{ended:?}");
        }
        rig.proxy.until(|tally| tally.requests.len() >= before + 2).await;
        assert_eq!(rig.proxy.requests(), before + 2, "no more probes than it needs");
        assert_eq!(stack.breaker.state(), CircuitState::HalfOpen { in_flight: 2, successes: 0 });
        if fails {
            rig.proxy.refuse().await;
            assert!(probes.join_all().await.iter().all(Result::is_err));
            assert!(matches!(stack.breaker.state(), CircuitState::Open { .. }));
            rig.proxy.accept().await;
            assert_eq!(rig.proxy.requests(), before + 2, "what fails while probing is not tried again");
        } else {
            rig.proxy.let_go(true);
            assert!(probes.join_all().await.iter().all(Result::is_ok));
        }
    }

    assert_eq!(stack.breaker.state(), CircuitState::Closed);
    rig.proxy.always(Fault::None);
    assert!(fetches(&stack, 16).join_all().await.iter().all(Result::is_ok));
    let (fetched, fetched_tag) = stack.store.get("small").await.unwrap();
    assert!(fetched == object && fetched_tag == tag);
    assert!(rig.proxy.tally().peak <= 4, "{:?}", rig.proxy.tally());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t17_outage_is_multiplied_by_no_more_than_the_budget() {
    let rig = Rig::start().await;
    let budget = RetryBudget::builder().ratio(0.1).min_per_second(0).capacity(5).build().unwrap();
    let stack = rig.stack(Wants { failure_threshold: usize::MAX, budget: Some(Arc::clone(&budget)), ..Wants::default() });
    rig.proxy.always(Fault::slow_down(""));
    for _ in 0..10 {
        assert!(fetches(&stack, 20).join_all().await.iter().all(Result::is_err));
    }
    let requests = rig.proxy.requests();
    assert!(requests <= 200 + 20 + 5, "{requests} requests for 200 operations");
    assert!(requests >= 200 + 20, "and as many as the budget allows: {requests}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t20_sdk_does_not_retry_by_itself() {
    let rig = Rig::start().await;
    let client = rig.factory().client().unwrap();
    let faults = [
        Fault::slow_down(""),
        Fault::error("500 Internal Server Error", "InternalError"),
        Fault::error("400 Bad Request", "RequestTimeout"),
        Fault::Reset,
        Fault::Truncated(20),
    ];
    for (number, fault) in (1..).zip(faults) {
        rig.proxy.always(fault);
        assert!(client.head_object().bucket("photos").key("small").send().await.is_err());
        assert_eq!(rig.proxy.requests(), number);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t15_wait_that_the_service_asks_for_is_kept() {
    let rig = Rig::start().await;
    let stack = rig.stack(Wants::default());
    // Longer than the stack may take: so nothing is tried again, where a backoff of a few milliseconds would have been.
    rig.proxy.always(Fault::slow_down("retry-after: 31\r\n"));
    let failed = stack.store.get("small").await.unwrap_err();
    assert_eq!((failed.class(), failed.retry_after()), (ErrorClass::Throttled, Some(Duration::from_secs(31))));
    assert_eq!(rig.proxy.requests(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t11_permanent_answers_are_not_repeated_and_open_nothing() {
    let rig = Rig::start().await;
    let stack = rig.stack(Wants { failure_threshold: 1, ..Wants::default() });
    for _ in 0..10 {
        assert_eq!(stack.store.get("nothing").await.unwrap_err().class(), ErrorClass::Permanent);
    }
    assert_eq!((rig.proxy.requests(), stack.breaker.state()), (10, CircuitState::Closed));
}
