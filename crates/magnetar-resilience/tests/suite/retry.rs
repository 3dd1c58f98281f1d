//! What is tried again, and when that stops.

use std::{future, sync::Arc, time::Duration};

use magnetar_resilience::{
    Backoff, ByClass, CircuitBreaker, CircuitBreakerConfig, Error, ErrorClass, Idempotency, Jitter, Phase, ResilienceError,
    Retry, RetryBudget, RetryBuilder, Verdict,
};
use tokio::time::Instant;

use crate::support::{Counter, Log, Outcome, SECOND, failing, poll_once, touchy, transient};

/// Three retries, a second apart.
fn steady() -> RetryBuilder {
    Retry::builder(Backoff::fixed(SECOND).jitter(Jitter::None))
}

/// How often a call that always ends like this is tried.
async fn attempts(retry: &Retry, error: ResilienceError) -> usize {
    let run = Counter::default();
    let op = || {
        run.add();
        future::ready(Err::<(), _>(error.clone()))
    };
    assert!(retry.run(&ByClass, op).await.is_err());
    run.get()
}

#[tokio::test(start_paused = true)]
async fn t15_each_class_is_retried_or_not() {
    let retry = steady().build().unwrap();
    let throttled = ResilienceError::Throttled { message: "slow down".to_owned(), retry_after: None };
    let cases = [
        (transient(), 4),
        (throttled, 4),
        (ResilienceError::Timeout(SECOND), 4),
        (ResilienceError::ConnectionCreation("refused".to_owned()), 4),
        (ResilienceError::UnhealthyConnection("gone".to_owned()), 4),
        (ResilienceError::Permanent("no such key".to_owned()), 1),
        (ResilienceError::CircuitOpen, 1),
        (ResilienceError::PoolExhausted, 1),
        (ResilienceError::RateLimitExceeded, 1),
        (ResilienceError::Closed, 1),
        (ResilienceError::foreign(ErrorClass::Transient, "odd"), 4),
        (ResilienceError::foreign(ErrorClass::Permanent, "odd"), 1),
    ];
    for (error, expected) in cases {
        assert_eq!(attempts(&retry, error.clone()).await, expected, "{error}");
        assert_eq!(error.is_transient(), expected == 4, "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn t15_wait_is_the_longer_of_backoff_and_what_the_service_asks() {
    let retry = steady().max_retries(1).build().unwrap();
    for (asked, expected) in [(None, 1), (Some(SECOND / 2), 1), (Some(7 * SECOND), 7)] {
        let start = Instant::now();
        attempts(&retry, ResilienceError::Throttled { message: "slow down".to_owned(), retry_after: asked }).await;
        assert_eq!(start.elapsed().as_secs(), expected, "{asked:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn t16_breaker_that_opens_in_the_midst_ends_it_with_the_last_real_error() {
    let log = Log::default();
    let config = CircuitBreakerConfig { failure_threshold: 3, max_retries: 10, ..touchy() };
    let breaker = Arc::new(CircuitBreaker::builder().config(config).observer(Arc::new(log.clone())).build().unwrap());
    assert_eq!(breaker.execute(failing).await, Err(transient()));
    assert_eq!(log.count("RetryStopped { name: \"breaker\", attempts: 3, why: Rejected"), 1, "{:?}", log.lines());

    // Another caller opens it during the wait.
    breaker.reset_now();
    let waiting = tokio::spawn({
        let breaker = Arc::clone(&breaker);
        async move { breaker.execute(failing).await }
    });
    tokio::task::yield_now().await;
    breaker.force_open();
    assert_eq!(waiting.await.unwrap(), Err(transient()));
}

#[tokio::test(start_paused = true)]
async fn t16_breaker_within_the_operation_ends_it_with_the_last_real_error_too() {
    let breaker = CircuitBreaker::new(CircuitBreakerConfig { cooldown: 60 * SECOND, ..touchy() });
    let ended = steady().build().unwrap().run(&ByClass, || breaker.call(failing)).await;
    assert_eq!(ended, Err(Error::Inner(transient())));
}

#[tokio::test(start_paused = true)]
async fn t17_retries_of_many_callers_stay_within_the_budget() {
    let budget = RetryBudget::builder().ratio(0.2).min_per_second(0).capacity(10).build().unwrap();
    let retry = Arc::new(steady().budget(Arc::clone(&budget)).build().unwrap());
    let run = Counter::default();
    let calls: Vec<_> = (0..1000)
        .map(|_| {
            let (retry, run) = (Arc::clone(&retry), run.clone());
            tokio::spawn(async move {
                let op = || {
                    run.add();
                    failing()
                };
                retry.run(&ByClass, op).await
            })
        })
        .collect();
    let mut whole = 0;
    for call in calls {
        whole += usize::from(call.await.unwrap() == Err(Error::Inner(transient())));
    }
    assert!(run.get() > 1000 && run.get() <= 1000 + 200 + 10, "{} attempts of 1000 calls", run.get());
    assert!(whole > 700, "a spent budget ends a call with its last error: {whole}");
}

#[tokio::test(start_paused = true)]
async fn t17_retry_is_paid_before_the_wait_and_given_back_by_who_leaves() {
    let budget = RetryBudget::builder().min_per_second(0).capacity(5).build().unwrap();
    let retry = steady().budget(Arc::clone(&budget)).build().unwrap();
    let mut call = Box::pin(retry.run(&ByClass, failing));
    assert!(poll_once(&mut call).is_pending());
    assert_eq!(budget.balance(), 4);
    drop(call);
    assert_eq!(budget.balance(), 5);

    // And by who finds the breaker open after the wait.
    let config = CircuitBreakerConfig { failure_threshold: 10, ..touchy() };
    let breaker = CircuitBreaker::builder().config(config).budget(Arc::clone(&budget)).build().unwrap();
    let mut call = Box::pin(breaker.execute(failing));
    assert!(poll_once(&mut call).is_pending());
    assert_eq!(budget.balance(), 4);
    breaker.force_open();
    assert_eq!(call.await, Err(transient()));
    assert_eq!(budget.balance(), 5);
}

#[tokio::test(start_paused = true)]
async fn t18_no_wait_passes_the_deadline() {
    let retry = steady().max_retries(100).deadline(Duration::from_millis(3500)).build().unwrap();
    let start = Instant::now();
    assert_eq!(retry.run(&ByClass, failing).await, Err(Error::Inner(transient())));
    assert_eq!(start.elapsed().as_secs(), 3, "the wait that would pass it is not begun");
}

#[tokio::test(start_paused = true)]
async fn t18_attempt_gets_what_is_left_until_the_deadline() {
    let retry = steady().attempt_timeout(2 * SECOND).deadline(4 * SECOND).build().unwrap();
    let start = Instant::now();
    let ended = retry.run(&ByClass, future::pending::<Outcome>).await;
    assert_eq!(ended, Err(Error::Timeout { phase: Phase::Total, after: 4 * SECOND }));
    assert_eq!(start.elapsed().as_secs(), 4, "two seconds, a wait of one, and the one that is left");
}

#[tokio::test(start_paused = true)]
async fn t20_d24_retries_in_retries_do_not_multiply() {
    let outer = steady().build().unwrap();
    let config = CircuitBreakerConfig { failure_threshold: 1000, ..Default::default() };
    let (inner, run) = (CircuitBreaker::new(config), Counter::default());
    let op = || {
        run.add();
        failing()
    };
    let ended = outer.run(&ByClass, || inner.execute(op)).await;
    assert_eq!(ended, Err(Error::Inner(ResilienceError::MaxRetriesExceeded(3))));
    assert_eq!(run.get(), 4, "4, not 16");
    assert_eq!(inner.snapshot().failures, 4);
}

#[tokio::test(start_paused = true)]
async fn t21_what_may_run_once_is_retried_only_if_it_surely_did_not_run() {
    let retry = steady().idempotency(Idempotency::Once).build().unwrap();
    assert_eq!(attempts(&retry, transient()).await, 1, "it may have been carried out");
    assert_eq!(attempts(&retry, ResilienceError::Timeout(SECOND)).await, 1);
    assert_eq!(attempts(&retry, ResilienceError::ConnectionCreation("refused".to_owned())).await, 4, "never sent");
    let throttled = ResilienceError::Throttled { message: "slow down".to_owned(), retry_after: None };
    assert_eq!(attempts(&retry, throttled).await, 4, "refused");
}

#[tokio::test(start_paused = true)]
async fn t21_each_attempt_makes_its_body_anew() {
    let retry = steady().build().unwrap();
    let source = b"the whole body".to_vec();
    let sent = std::sync::Mutex::new(Vec::new());
    let op = || {
        let mut body = source.clone().into_iter();
        let sent = &sent;
        async move {
            sent.lock().unwrap().push(body.by_ref().collect::<Vec<_>>());
            assert_eq!(body.next(), None);
            failing().await
        }
    };
    assert!(retry.run(&ByClass, op).await.is_err());
    assert_eq!(*sent.lock().unwrap(), vec![source.clone(); 4]);
}

#[tokio::test(start_paused = true)]
async fn t22_answer_that_is_an_error_inside_is_retried_and_returned_as_it_is() {
    let retry = steady().build().unwrap();
    let body = |result: &Result<&str, ResilienceError>| match result {
        Ok(body) if body.contains("<Error>") => Verdict::failure(ErrorClass::Throttled),
        Ok(_) => Verdict::Success,
        Err(error) => Verdict::of(error),
    };
    let run = Counter::default();
    let answers = ["<Error>InternalError</Error>", "<Error>SlowDown</Error>", "<CopyObjectResult/>"];
    let op = || future::ready(Ok(answers[run.add()]));
    assert_eq!(retry.run(&body, op).await, Ok("<CopyObjectResult/>"));
    assert_eq!(run.get(), 3);
    let run = Counter::default();
    let op = || {
        run.add();
        future::ready(Ok("<Error>InternalError</Error>"))
    };
    assert_eq!(retry.run(&body, op).await, Ok("<Error>InternalError</Error>"));
    assert_eq!(run.get(), 4);
}

#[tokio::test(start_paused = true)]
async fn waits_add_up_without_jitter_and_are_shorter_with_it() {
    let config = CircuitBreakerConfig { failure_threshold: 100, ..Default::default() };
    let waited = |jitter: Jitter, seed: u64| {
        let config = config.clone();
        async move {
            let breaker = CircuitBreaker::builder().config(config).jitter(jitter).seed(seed).build().unwrap();
            let start = Instant::now();
            assert!(breaker.execute(failing).await.is_err());
            start.elapsed()
        }
    };
    assert_eq!(waited(Jitter::None, 0).await, Duration::from_millis(100 + 200 + 400));
    let (one, two) = (waited(Jitter::Full, 1).await, waited(Jitter::Full, 2).await);
    assert!(one != two && one < Duration::from_millis(700) && two < Duration::from_millis(700), "{one:?} and {two:?}");
    assert!(waited(Jitter::Equal, 1).await >= Duration::from_millis(350));
}

#[tokio::test(start_paused = true)]
async fn t15_nobody_waits_for_hours_because_a_service_says_so() {
    let retry = steady().build().unwrap();
    for asked in [2 * 3600 * SECOND, Duration::MAX] {
        let start = Instant::now();
        let throttled = ResilienceError::Throttled { message: "come back some day".to_owned(), retry_after: Some(asked) };
        assert_eq!(attempts(&retry, throttled).await, 1, "{asked:?}");
        assert_eq!(start.elapsed(), Duration::ZERO);
    }
}

#[tokio::test(start_paused = true)]
async fn t17_call_that_was_refused_pays_nothing_in() {
    let budget = RetryBudget::builder().ratio(1.0).min_per_second(0).capacity(10).build().unwrap();
    while let Some(retry) = budget.withdraw() {
        retry.spend();
    }
    let breaker = CircuitBreaker::builder().budget(Arc::clone(&budget)).build().unwrap();
    breaker.force_open();
    for _ in 0..10 {
        assert_eq!(breaker.execute(failing).await, Err(ResilienceError::CircuitOpen));
    }
    assert_eq!(budget.balance(), 0, "the service saw no attempt");
    breaker.reset_now();
    assert_eq!(breaker.execute(|| async { Ok(1) }).await, Ok(1));
    assert_eq!(budget.balance(), 1);
}
