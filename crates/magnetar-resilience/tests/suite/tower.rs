//! The layers, around services that do what a test says.

use std::{
    convert::Infallible,
    future,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use magnetar_resilience::{
    Backoff, ByClass, CircuitBreaker, CircuitState, Error, ErrorClass, Jitter, Phase, RateLimiter, Rejection, ResilienceError,
    Retry, RetryBudget, Verdict,
    tower::{CircuitBreakerLayer, RateLimitLayer, RetryLayer},
};
use tokio::time::{Instant, sleep};
use tower_layer::Layer;
use tower_service::Service;

use crate::support::{Counter, Outcome, SECOND, poll_once, polls, touchy, transient};

/// A service that counts, and answers as a function of the request and of how often it was called says.
#[derive(Clone)]
struct Scripted<F> {
    calls: Counter,
    answer: F,
}

impl<F> Scripted<F> {
    fn new(answer: F) -> Self {
        Self { calls: Counter::default(), answer }
    }
}

impl<F, Fut, T, E> Service<u32> for Scripted<F>
where
    F: Fn(u32, usize) -> Fut,
    Fut: Future<Output = Result<T, E>>,
{
    type Response = T;
    type Error = E;
    type Future = Fut;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), E>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: u32) -> Fut {
        (self.answer)(request, self.calls.add())
    }
}

async fn call<S: Service<u32>>(service: &mut S, request: u32) -> Result<S::Response, S::Error> {
    future::poll_fn(|context| service.poll_ready(context)).await?;
    service.call(request).await
}

fn breaker() -> Arc<CircuitBreaker> {
    Arc::new(CircuitBreaker::new(touchy()))
}

#[tokio::test(start_paused = true)]
async fn breaker_layer_opens_and_probes() {
    let breaker = breaker();
    let scripted = Scripted::new(|request, call| async move { if call == 0 { Err(transient()) } else { Ok(request) } });
    let mut service = CircuitBreakerLayer::new(Arc::clone(&breaker)).layer(scripted.clone());
    assert_eq!(call(&mut service, 1).await, Err(Error::Inner(transient())));
    assert!(matches!(call(&mut service, 2).await, Err(Error::Rejected(Rejection::CircuitOpen { .. }))));
    assert_eq!(scripted.calls.get(), 1);
    sleep(SECOND).await;
    assert_eq!(call(&mut service.clone(), 3).await, Ok(3));
    assert_eq!(breaker.state(), CircuitState::Closed);
}

#[tokio::test(start_paused = true)]
async fn t01_service_that_was_made_ready_and_dropped_keeps_no_place() {
    let breaker = breaker();
    breaker.try_acquire().unwrap().failure();
    sleep(SECOND).await;
    let mut service = CircuitBreakerLayer::new(Arc::clone(&breaker)).layer(Scripted::new(|_, _| future::pending::<Outcome>()));
    let mut context = Context::from_waker(Waker::noop());
    for _ in 0..3 {
        assert!(service.poll_ready(&mut context).is_ready());
        assert!(matches!(breaker.state(), CircuitState::Open { .. }));
    }
    let mut probe = Box::pin(service.call(1));
    assert!(poll_once(&mut probe).is_pending());
    assert_eq!(breaker.state(), CircuitState::HalfOpen { in_flight: 1, successes: 0 });
    drop(probe);
    assert_eq!(breaker.state(), CircuitState::HalfOpen { in_flight: 0, successes: 0 });
}

#[tokio::test(start_paused = true)]
async fn t09_panic_of_a_service_is_a_failure() {
    let breaker = breaker();
    let panics = Scripted::new(|_, _| async {
        polls(1).await;
        panic!("inside of the service");
        #[expect(unreachable_code, reason = "it says what the type is")]
        Ok::<(), ResilienceError>(())
    });
    let mut service = CircuitBreakerLayer::new(Arc::clone(&breaker)).layer(panics);
    let mut request = Box::pin(service.call(1));
    assert!(poll_once(&mut request).is_pending());
    assert!(catch_unwind(AssertUnwindSafe(|| poll_once(&mut request))).is_err());
    assert!(matches!(breaker.state(), CircuitState::Open { .. }), "counted before the future is dropped");
}

#[tokio::test(start_paused = true)]
async fn classifier_judges_answers_of_foreign_types() {
    let breaker = breaker();
    let judge = |result: &Result<u16, Infallible>| match result {
        Ok(status) if *status >= 500 => Verdict::failure(ErrorClass::Transient),
        _ => Verdict::Success,
    };
    let scripted = Scripted::new(|_, _| async { Ok::<u16, Infallible>(503) });
    let mut service = CircuitBreakerLayer::with_classifier(Arc::clone(&breaker), judge).layer(scripted);
    assert_eq!(call(&mut service, 1).await, Ok(503));
    assert!(matches!(breaker.state(), CircuitState::Open { .. }));
}

#[tokio::test(start_paused = true)]
async fn limiter_layer_waits_in_the_future() {
    let limiter = RateLimiter::builder(1, SECOND).burst(1).build().unwrap();
    let scripted = Scripted::new(|request, _| async move { Ok::<u32, Infallible>(request) });
    let mut service = RateLimitLayer::new(limiter.clone()).layer(scripted.clone());
    let start = Instant::now();
    assert_eq!(call(&mut service, 1).await, Ok(1));
    let mut context = Context::from_waker(Waker::noop());
    assert!(service.poll_ready(&mut context).is_ready(), "being ready takes no token");
    let mut left: Pin<Box<_>> = Box::pin(service.call(2));
    assert!(poll_once(&mut left).is_pending());
    drop(left);
    assert_eq!((call(&mut service, 3).await, start.elapsed().as_secs()), (Ok(3), 1));
    assert_eq!(scripted.calls.get(), 2);
    let mut never = RateLimitLayer::new(RateLimiter::per_second(0)).layer(scripted);
    assert_eq!(call(&mut never, 4).await, Err(Error::Rejected(Rejection::RateLimited { retry_after: None })));
}

fn retry(max_retries: usize) -> Retry {
    Retry::builder(Backoff::fixed(SECOND).jitter(Jitter::None)).max_retries(max_retries).build().unwrap()
}

#[tokio::test(start_paused = true)]
async fn retry_layer_tries_again() {
    let start = Instant::now();
    let scripted = Scripted::new(|request, call| async move { if call < 2 { Err(transient()) } else { Ok(request) } });
    let mut service = RetryLayer::new(Arc::new(retry(2))).layer(scripted.clone());
    assert_eq!((call(&mut service, 7).await, scripted.calls.get()), (Ok(7), 3));
    assert_eq!(start.elapsed().as_secs(), 2);

    let scripted = Scripted::new(|_, _| async { Err::<(), _>(transient()) });
    let mut service = RetryLayer::new(Arc::new(retry(2))).layer(scripted.clone());
    let exhausted = Error::Exhausted { attempts: 3, last: Box::new(Error::Inner(transient())) };
    assert_eq!((call(&mut service, 7).await, scripted.calls.get()), (Err(exhausted), 3));

    let scripted = Scripted::new(|_, _| async { Err::<(), _>(ResilienceError::Permanent("no".to_owned())) });
    let mut service = RetryLayer::new(Arc::new(retry(2))).layer(scripted.clone());
    assert!(call(&mut service, 7).await.is_err());
    assert_eq!(scripted.calls.get(), 1);
}

#[tokio::test(start_paused = true)]
async fn retry_layer_keeps_attempts_deadline_and_budget() {
    let budget = RetryBudget::builder().min_per_second(0).capacity(5).build().unwrap();
    let builder = Retry::builder(Backoff::fixed(SECOND).jitter(Jitter::None)).attempt_timeout(SECOND).deadline(4 * SECOND);
    let retry = Arc::new(builder.budget(Arc::clone(&budget)).build().unwrap());
    let start = Instant::now();
    let mut service = RetryLayer::new(Arc::clone(&retry)).layer(Scripted::new(|_, _| future::pending::<Outcome>()));
    assert_eq!(call(&mut service, 1).await, Err(Error::Timeout { phase: Phase::Attempt, after: SECOND }));
    assert_eq!(start.elapsed().as_secs(), 3, "an attempt, a wait, an attempt; the next wait would pass the deadline");
    assert_eq!(budget.balance(), 4);

    let mut service = RetryLayer::new(retry).layer(Scripted::new(|_, _| async { Err::<(), _>(transient()) }));
    let mut request = Box::pin(service.call(1));
    assert!(poll_once(&mut request).is_pending());
    assert_eq!(budget.balance(), 3);
    drop(request);
    assert_eq!(budget.balance(), 4, "who leaves in the wait gives it back");
}

#[tokio::test(start_paused = true)]
async fn t17_only_the_first_attempt_pays_in() {
    let budget = RetryBudget::builder().ratio(1.0).min_per_second(0).capacity(5).build().unwrap();
    let builder = Retry::builder(Backoff::fixed(SECOND)).max_retries(2).budget(Arc::clone(&budget));
    let retry = Arc::new(builder.build().unwrap());
    let scripted = Scripted::new(|request, call| async move { if call % 3 < 2 { Err(transient()) } else { Ok(request) } });
    assert_eq!(call(&mut RetryLayer::new(Arc::clone(&retry)).layer(scripted), 7).await, Ok(7));
    assert_eq!(budget.balance(), 3, "it was full, and two retries were made");
    let run = Counter::default();
    let op = || future::ready(if run.add() < 2 { Err(transient()) } else { Ok(7) });
    assert_eq!(retry.run(&ByClass, op).await, Ok(7));
    assert_eq!(budget.balance(), 2, "one paid in, and two were made");
}

#[tokio::test(start_paused = true)]
async fn layers_stack_and_their_errors_flatten() {
    let breaker = breaker();
    let scripted = Scripted::new(|_, _| async { Err::<(), _>(transient()) });
    let limited = RateLimitLayer::new(RateLimiter::per_second(100)).layer(scripted.clone());
    let broken = CircuitBreakerLayer::new(Arc::clone(&breaker)).layer(limited);
    let retry = Retry::builder(Backoff::fixed(SECOND / 2).jitter(Jitter::None)).build().unwrap();
    let mut service = RetryLayer::new(Arc::new(retry)).layer(broken);
    let error = call(&mut service, 1).await.unwrap_err().flatten().flatten();
    assert_eq!((error, scripted.calls.get()), (Error::Inner(transient()), 1), "the last real error");
    let error = call(&mut service, 1).await.unwrap_err().flatten().flatten();
    assert!(matches!(error, Error::Rejected(Rejection::CircuitOpen { .. })), "{error:?}");
    sleep(SECOND).await;
    assert!(call(&mut service, 1).await.is_err());
    assert_eq!(scripted.calls.get(), 2);
}

/// Is ready once, and then never again.
#[derive(Clone)]
struct ReadyOnce(Scripted<fn(u32, usize) -> future::Ready<Outcome>>, Counter);

impl Service<u32> for ReadyOnce {
    type Response = ();
    type Error = ResilienceError;
    type Future = future::Ready<Outcome>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Outcome> {
        if self.1.add() == 0 { Poll::Ready(Ok(())) } else { Poll::Pending }
    }

    fn call(&mut self, request: u32) -> Self::Future {
        self.0.call(request)
    }
}

#[tokio::test(start_paused = true)]
async fn t18_service_that_is_never_ready_again_passes_no_deadline() {
    let budget = RetryBudget::builder().min_per_second(0).capacity(5).build().unwrap();
    let retry = Retry::builder(Backoff::fixed(SECOND).jitter(Jitter::None)).deadline(4 * SECOND).budget(Arc::clone(&budget));
    let service = ReadyOnce(Scripted::new(|_, _| future::ready(Err(transient()))), Counter::default());
    let mut service = RetryLayer::new(Arc::new(retry.build().unwrap())).layer(service);
    let start = Instant::now();
    let ended = tokio::time::timeout(60 * SECOND, call(&mut service, 1)).await.unwrap();
    assert_eq!((ended, start.elapsed()), (Err(Error::Inner(transient())), 4 * SECOND));
    assert_eq!(budget.balance(), 5, "no retry was made");
}
