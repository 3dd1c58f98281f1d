//! Calls under a breaker: one attempt, or several.

use std::sync::Arc;

use magnetar_resilience::{
    ByClass, CircuitBreaker, CircuitBreakerConfig, CircuitState, Error, ErrorClass, ResilienceError, Verdict,
};

use crate::support::{Counter, Log, failing, poll_once, touchy, transient};

#[tokio::test(start_paused = true)]
async fn d03_admission_is_asked_before_each_attempt() {
    let (breaker, run) = (CircuitBreaker::new(touchy()), Counter::default());
    let op = || {
        run.add();
        failing()
    };
    assert_eq!(breaker.execute(op).await, Err(transient()), "the last real error, not that the breaker is open");
    assert_eq!(run.get(), 1);
}

#[tokio::test(start_paused = true)]
async fn d04_each_attempt_counts() {
    let (breaker, run) = (CircuitBreaker::new_default(), Counter::default());
    let op = || {
        run.add();
        failing()
    };
    assert_eq!(breaker.execute(op).await, Err(ResilienceError::MaxRetriesExceeded(3)));
    assert_eq!(breaker.state(), CircuitState::Closed);
    assert_eq!(breaker.execute(op).await, Err(transient()));
    assert_eq!(run.get(), 5, "the second call opened it in its midst");
    assert_eq!(breaker.execute(op).await, Err(ResilienceError::CircuitOpen));
    assert_eq!(run.get(), 5);
}

#[tokio::test(start_paused = true)]
async fn d08_retries_end_with_their_number_and_the_cause_is_kept() {
    let log = Log::default();
    let config = CircuitBreakerConfig { failure_threshold: 100, ..Default::default() };
    let breaker = CircuitBreaker::builder().config(config).observer(Arc::new(log.clone())).build().unwrap();
    assert_eq!(breaker.execute(failing).await, Err(ResilienceError::MaxRetriesExceeded(3)));
    assert_eq!(log.count("Exhausted { name: \"breaker\", cause: Inner(Transient(\"reset by peer\")"), 1, "{:?}", log.lines());
    let whole = breaker.run(&ByClass, failing).await.unwrap_err();
    assert_eq!(whole, Error::Exhausted { attempts: 4, last: Box::new(Error::Inner(transient())) });

    let foreign = |result: &Result<(), std::io::Error>| match result {
        Ok(()) => Verdict::Success,
        Err(_) => Verdict::failure(ErrorClass::Transient),
    };
    let whole = breaker.run(&foreign, || async { Err(std::io::Error::other("a type that knows no class")) }).await;
    assert_eq!(whole.unwrap_err().into_inner().unwrap().to_string(), "a type that knows no class");
}

#[test]
fn d09_state_is_read_without_waiting() {
    let breaker = CircuitBreaker::new_default();
    assert_eq!(breaker.state(), CircuitState::Closed);
    assert_eq!(poll_once(&mut Box::pin(breaker.get_state())), std::task::Poll::Ready(CircuitState::Closed));
    assert_eq!(poll_once(&mut Box::pin(breaker.reset())), std::task::Poll::Ready(()));
}
