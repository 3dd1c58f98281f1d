//! What a stack does, and in which order.

use std::{future, sync::Arc, time::Duration};

use magnetar_resilience::{
    Backoff, ByClass, CircuitBreaker, CircuitState, Error, Jitter, Phase, Policy, RateLimiter, Rejection, ResilienceError, Retry,
    RetryBudget, RetryBuilder, RetryStop,
};
use tokio::time::{Instant, sleep};

use crate::{
    lab::{Lab, Script, assert_whole, settle},
    support::{Counter, Log, Outcome, SECOND, failing, touchy, transient},
};

fn steady() -> RetryBuilder {
    Retry::builder(Backoff::fixed(SECOND).jitter(Jitter::None))
}

fn breaker() -> Arc<CircuitBreaker> {
    Arc::new(CircuitBreaker::new(touchy()))
}

#[tokio::test(start_paused = true)]
async fn stack_of_nothing_is_the_operation() {
    let policy = Policy::builder().build().unwrap();
    assert_eq!(policy.execute(|| async { Ok(1) }).await, Ok(1));
    assert_eq!(policy.execute(failing).await, Err(transient()), "without a retry an error is returned as it is");
    assert_eq!(policy.run(&ByClass, failing).await, Err(Error::Inner(transient())));
}

#[tokio::test(start_paused = true)]
async fn open_breaker_costs_neither_token_nor_connection() {
    let lab = Lab::default();
    let (breaker, limiter) = (breaker(), RateLimiter::builder(1, SECOND).build().unwrap());
    breaker.force_open();
    let builder = Policy::builder().breaker(breaker).limiter(limiter.clone()).pool(lab.pool(1)).retry(steady());
    let policy = builder.build().unwrap();
    assert_eq!(policy.execute(|_| async { Ok(()) }).await, Err(ResilienceError::CircuitOpen));
    assert_eq!(lab.book().dials, 0);
    assert!(limiter.try_acquire().is_ok());
}

#[tokio::test(start_paused = true)]
async fn each_attempt_takes_a_token_and_counts() {
    let limiter = RateLimiter::builder(10, SECOND).build().unwrap();
    let breaker = Arc::new(CircuitBreaker::new_default());
    let policy = Policy::builder().retry(steady().max_retries(2)).breaker(Arc::clone(&breaker)).limiter(limiter.clone()).build();
    let start = Instant::now();
    assert_eq!(policy.unwrap().execute(failing).await, Err(ResilienceError::MaxRetriesExceeded(2)));
    assert_eq!((start.elapsed().as_secs(), breaker.snapshot().failures), (2, 3));
}

#[tokio::test(start_paused = true)]
async fn t10_d18_full_pool_and_spent_limiter_say_nothing_about_the_service() {
    let lab = Lab::default();
    let pool = lab.builder(1).max_waiters(1).build().unwrap();
    let breaker = breaker();
    let builder = Policy::builder().retry(steady()).total_timeout(3 * SECOND).breaker(Arc::clone(&breaker));
    let policy = Arc::new(builder.clone().pool(pool.clone()).build().unwrap());
    let _lent = pool.acquire().await.unwrap();
    let start = Instant::now();
    let waits = tokio::spawn({
        let policy = Arc::clone(&policy);
        async move { policy.run(&ByClass, |_| async { Ok::<_, ResilienceError>(()) }).await }
    });
    settle().await;
    let exhausted = policy.run(&ByClass, |_| async { Ok::<_, ResilienceError>(()) }).await;
    assert_eq!(exhausted, Err(Error::Rejected(Rejection::PoolExhausted { waiters: 1 })));
    assert_eq!(waits.await.unwrap(), Err(Error::Timeout { phase: Phase::Wait, after: 3 * SECOND }));
    assert_eq!(start.elapsed(), 3 * SECOND, "the pool itself would wait for ten");

    let limiter = RateLimiter::builder(1, Duration::from_hours(1)).initial(0).build().unwrap();
    let refused = builder.limiter(limiter).build().unwrap().run(&ByClass, || async { Ok::<_, ResilienceError>(()) }).await;
    assert_eq!(refused, Err(Error::Timeout { phase: Phase::Limiter, after: 3 * SECOND }));
    assert_eq!((breaker.state(), breaker.snapshot().failures), (CircuitState::Closed, 0));
}

#[tokio::test(start_paused = true)]
async fn connection_that_cannot_be_made_counts_and_is_retried() {
    let lab = Lab::default();
    lab.book().creates.extend([Script::Fails(1), Script::Hangs]);
    let pool = lab.builder(2).dial_timeout(2 * SECOND).build().unwrap();
    let breaker = Arc::new(CircuitBreaker::new_default());
    let policy = Policy::builder().retry(steady()).breaker(Arc::clone(&breaker)).pool(pool).build().unwrap();
    let id = policy.execute(|connection| async move { Ok(connection.id) }).await;
    assert_eq!((id, breaker.snapshot().failures), (Ok(1), 2));

    lab.book().create = Script::Fails(0);
    let lost = policy.execute(|connection| async move {
        connection.discard();
        failing().await
    });
    assert_eq!(lost.await, Err(ResilienceError::MaxRetriesExceeded(3)));
    assert_eq!(breaker.snapshot().failures, 2 + 4, "one of the operation, and three of dials");
}

#[tokio::test(start_paused = true)]
async fn probe_holds_no_place_while_it_waits_for_a_connection() {
    let lab = Lab::default();
    let pool = lab.pool(1);
    let breaker = breaker();
    let policy = Arc::new(Policy::builder().breaker(Arc::clone(&breaker)).pool(pool.clone()).build().unwrap());
    let lent = pool.acquire().await.unwrap();
    breaker.try_acquire().unwrap().failure();
    sleep(SECOND).await;
    let waits = tokio::spawn({
        let policy = Arc::clone(&policy);
        async move { policy.execute(|_| async { Ok(()) }).await }
    });
    settle().await;
    assert_eq!(pool.snapshot().waiters, 1);
    assert!(matches!(breaker.state(), CircuitState::Open { .. }), "it is no probe yet");
    breaker.try_acquire().unwrap().success();
    drop(lent);
    assert_eq!(waits.await.unwrap(), Ok(()));
}

#[tokio::test(start_paused = true)]
async fn t33_connection_of_an_attempt_that_was_cut_off_is_closed() {
    let lab = Lab::default();
    let pool = lab.pool(1);
    let policy = Policy::builder().attempt_timeout(SECOND).pool(pool.clone()).build().unwrap();
    let hung = policy.execute(|connection| async move {
        future::pending::<()>().await;
        drop(connection);
        Ok(())
    });
    assert_eq!(hung.await, Err(ResilienceError::Timeout(SECOND)));
    settle().await;
    assert_eq!(lab.ended(), (1, 0), "half an exchange may be on the wire");

    let well = policy.execute(|connection| async move {
        sleep(SECOND / 2).await;
        let _used = connection.healthy;
        Ok(())
    });
    assert_eq!(well.await, Ok(()));
    assert_eq!((pool.snapshot().idle, lab.ended()), (1, (1, 1)), "one that ended gave it back");
    let failed: Outcome = policy.execute(|_connection| failing()).await;
    assert_eq!((failed, pool.snapshot().idle), (Err(transient()), 1));
    assert_whole(&pool, &lab).await;
}

#[tokio::test(start_paused = true)]
async fn deadline_covers_every_wait_and_attempt() {
    let lab = Lab::default();
    lab.book().create = Script::Takes(SECOND);
    let limiter = RateLimiter::builder(1, SECOND).burst(1).initial(0).build().unwrap();
    let builder = Policy::builder().total_timeout(5 * SECOND).attempt_timeout(2 * SECOND).retry(steady().max_retries(9));
    let policy = builder.limiter(limiter).pool(lab.pool(1)).build().unwrap();
    let start = Instant::now();
    let ended = policy.run(&ByClass, |connection| async move {
        future::pending::<()>().await;
        drop(connection);
        Ok::<_, ResilienceError>(())
    });
    // The token 1 s, the dial 1 s, the attempt 2 s; and the next wait would pass the deadline.
    assert_eq!(ended.await, Err(Error::Timeout { phase: Phase::Attempt, after: 2 * SECOND }));
    assert_eq!(start.elapsed().as_secs(), 4);
}

#[tokio::test(start_paused = true)]
async fn t17_outage_is_not_multiplied() {
    let log = Log::default();
    let budget = RetryBudget::builder().ratio(0.1).min_per_second(0).capacity(5).build().unwrap();
    let retry = Retry::builder(Backoff::fixed(Duration::from_millis(10))).budget(budget).observer(Arc::new(log.clone()));
    let policy = Arc::new(Policy::builder().retry(retry).build().unwrap());
    let run = Counter::default();
    for _ in 0..300 {
        let op = || {
            run.add();
            failing()
        };
        assert!(policy.execute(op).await.is_err());
    }
    assert!(run.get() <= 300 + 30 + 5, "{} calls of the service for 300", run.get());
    assert!(log.count(&format!("why: {:?}", RetryStop::Budget)) > 250);
}

#[tokio::test(start_paused = true)]
async fn stack_can_be_sent_between_threads() {
    fn sendable<T: Send>(value: T) -> T {
        value
    }
    let lab = Lab::default();
    let pool = lab.pool(1);
    let policy =
        Policy::builder().retry(steady()).breaker(breaker()).limiter(RateLimiter::per_second(1)).pool(pool.clone()).build();
    let policy = policy.unwrap();
    sendable(policy.execute(|connection| async move { Ok(connection.id) })).await.unwrap();
    let breaker = breaker();
    sendable(breaker.execute(|| async { Ok(()) })).await.unwrap();
    sendable(breaker.call(|| async { Ok(()) })).await.unwrap();
    sendable(pool.acquire()).await.unwrap();
    sendable(RateLimiter::per_second(1).execute(|| async { Ok(()) })).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn refusal_of_an_open_breaker_is_told_and_counted() {
    let log = Log::default();
    let breaker = Arc::new(CircuitBreaker::builder().config(touchy()).observer(Arc::new(log.clone())).build().unwrap());
    let policy = Policy::builder().breaker(Arc::clone(&breaker)).retry(steady()).build().unwrap();
    assert_eq!(policy.execute(failing).await, Err(transient()));
    for _ in 0..3 {
        assert_eq!(policy.execute(failing).await, Err(ResilienceError::CircuitOpen));
    }
    assert_eq!((breaker.snapshot().rejected, log.count("outcome: Rejected")), (3, 3));
}

#[tokio::test(start_paused = true)]
async fn t10_local_refusal_moves_no_breaker() {
    let lab = Lab::default();
    let pool = lab.builder(1).max_waiters(0).build().unwrap();
    let breaker = breaker();
    let policy = Policy::builder().breaker(Arc::clone(&breaker)).pool(pool.clone()).build().unwrap();
    let _lent = pool.acquire().await.unwrap();
    breaker.try_acquire().unwrap().failure();
    sleep(SECOND).await;
    assert_eq!(policy.execute(|_| async { Ok(()) }).await, Err(ResilienceError::PoolExhausted));
    assert_eq!(breaker.state(), CircuitState::Open { retry_after: Duration::ZERO }, "nobody probed");
    assert_eq!(breaker.snapshot().ignored, 0);
}
