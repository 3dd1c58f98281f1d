//! What a limiter lets through, in which order, and what it costs.

use std::{
    sync::{Arc, Mutex},
    task::Poll,
    time::Duration,
};

use magnetar_resilience::{Error, ManualClock, RateLimiter, Rejection, ResilienceError};
use tokio::time::Instant;

use crate::{
    lab::settle,
    support::{Counter, Log, SECOND, Stopped, poll_once},
};

const MILLI: Duration = Duration::from_millis(1);

fn manual(builder: impl FnOnce(Arc<ManualClock>) -> RateLimiter) -> (RateLimiter, ManualClock) {
    let clock = ManualClock::new();
    (builder(Arc::new(clock.clone())), clock)
}

fn burst_now(limiter: &RateLimiter) -> usize {
    (0..100_000).take_while(|_| limiter.try_acquire().is_ok()).count()
}

#[tokio::test(start_paused = true)]
async fn t23_d21_clones_share_one_bucket() {
    let limiter = RateLimiter::per_second(10);
    let start = Instant::now();
    let calls: Vec<_> =
        (0..200).map(|_| limiter.clone()).map(|limiter| tokio::spawn(async move { limiter.acquire().await })).collect();
    for call in calls {
        call.await.unwrap().unwrap();
    }
    assert_eq!(start.elapsed().as_secs(), 19, "ten at once, and the others a tenth of a second apart");
}

#[tokio::test(start_paused = true)]
async fn t23_who_comes_first_is_served_first_at_few_polls() {
    let limiter = RateLimiter::builder(500, SECOND).burst(1).build().unwrap();
    let (polls, order) = (Counter::default(), Arc::new(Mutex::new(Vec::new())));
    let mut tasks = Vec::new();
    for number in 0..500 {
        let (limiter, polls, order) = (limiter.clone(), polls.clone(), Arc::clone(&order));
        tasks.push(tokio::spawn(async move {
            let mut acquire = Box::pin(limiter.acquire());
            let counted = std::future::poll_fn(|context| {
                polls.add();
                acquire.as_mut().poll(context)
            });
            counted.await.unwrap();
            order.lock().unwrap().push(number);
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(*order.lock().unwrap(), (0..500).collect::<Vec<_>>());
    assert!(polls.get() <= 4 * 500, "{} polls for 500 grants", polls.get());
}

#[tokio::test(start_paused = true)]
async fn t24_only_the_first_of_the_queue_takes_a_token() {
    let limiter = RateLimiter::builder(1, SECOND).burst(1).initial(0).build().unwrap();
    let mut waiters: Vec<_> = (0..10).map(|_| Box::pin(limiter.acquire())).collect();
    for waiter in &mut waiters {
        assert!(poll_once(waiter).is_pending());
    }
    // All but the last leave: it gets the very next token, not the tenth.
    let last = waiters.pop().unwrap();
    drop(waiters);
    let start = Instant::now();
    last.await.unwrap();
    assert!(start.elapsed() <= SECOND + MILLI, "{:?}", start.elapsed());
}

#[tokio::test(start_paused = true)]
async fn t23_nobody_passes_those_who_wait() {
    let limiter = RateLimiter::builder(1, SECOND).burst(1).initial(0).build().unwrap();
    let waiter = tokio::spawn({
        let limiter = limiter.clone();
        async move { limiter.acquire().await }
    });
    settle().await;
    tokio::time::advance(SECOND).await;
    assert_eq!(limiter.try_acquire(), Err(ResilienceError::RateLimitExceeded), "the token is another's");
    assert!(poll_once(&mut Box::pin(limiter.acquire())).is_pending());
    waiter.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn t25_rates_beyond_the_tick_of_timers_are_reached() {
    for rate in [1_000_u32, 5_000, 10_000, 50_000] {
        let limiter = RateLimiter::builder(rate as usize, SECOND).burst(1).build().unwrap();
        // One after another.
        let start = Instant::now();
        for _ in 0..rate {
            limiter.acquire().await.unwrap();
        }
        let alone = start.elapsed();
        assert!(alone + 7 * MILLI >= SECOND && alone <= SECOND + 10 * MILLI, "{rate}/s took {alone:?}");
        // And all at once.
        let start = Instant::now();
        let calls = (0..rate / 10).map(|_| limiter.clone()).map(|limiter| tokio::spawn(async move { limiter.acquire().await }));
        for call in calls.collect::<Vec<_>>() {
            call.await.unwrap().unwrap();
        }
        let together = start.elapsed();
        assert!(together + 7 * MILLI >= SECOND / 10 && together <= SECOND / 10 + 10 * MILLI, "{rate}/s took {together:?}");
    }
}

#[test]
fn t26_burst_and_start_are_what_is_told() {
    let (limiter, clock) = manual(|clock| RateLimiter::builder(10, SECOND).clock(clock).build().unwrap());
    assert_eq!(burst_now(&limiter), 10);
    clock.advance(999 * MILLI);
    assert_eq!(burst_now(&limiter), 9, "19 = 2 n - 1 within one period, as the documentation says");

    let (limiter, clock) = manual(|clock| RateLimiter::builder(10, SECOND).burst(3).initial(1).clock(clock).build().unwrap());
    assert_eq!(burst_now(&limiter), 1);
    clock.advance(SECOND);
    assert_eq!(burst_now(&limiter), 3, "no more than the burst is saved up");
    clock.advance(SECOND / 10);
    assert_eq!(burst_now(&limiter), 1);
}

#[tokio::test(start_paused = true)]
async fn t26_who_comes_after_an_idle_time_finds_the_burst_and_no_more() {
    let limiter = RateLimiter::builder(1000, SECOND).burst(2).build().unwrap();
    for _ in 0..3 {
        let at_once = (0..10).take_while(|_| poll_once(&mut Box::pin(limiter.acquire())).is_ready()).count();
        assert_eq!(at_once, 2, "nobody's timer was late");
        tokio::time::advance(SECOND).await;
    }
}

#[tokio::test(start_paused = true)]
async fn t26_weight_above_the_burst_is_refused_at_once() {
    let limiter = RateLimiter::builder(10, SECOND).burst(5).build().unwrap();
    let never = Err(Rejection::RateLimited { retry_after: None });
    assert_eq!(limiter.acquire_many(6).await, never);
    assert_eq!(limiter.try_acquire_many(6), never);
    assert_eq!(limiter.acquire_many(usize::MAX).await, never);
    limiter.acquire_many(5).await.unwrap();
    assert_eq!(limiter.try_acquire_many(2), Err(Rejection::RateLimited { retry_after: Some(SECOND / 5) }));
    assert_eq!(limiter.try_acquire_many(0), Ok(()), "what weighs nothing passes");
    let mut waits = Box::pin(limiter.acquire_many(5));
    assert!(poll_once(&mut waits).is_pending());
    assert_eq!(limiter.try_acquire_many(0), Ok(()), "and needs no place in the queue");
    assert_eq!(poll_once(&mut Box::pin(limiter.acquire_many(0))), Poll::Ready(Ok(())));
    drop(waits);
    let start = Instant::now();
    limiter.acquire_many(5).await.unwrap();
    assert_eq!(start.elapsed(), SECOND / 2);
}

#[tokio::test(start_paused = true)]
async fn t27_waits_follow_paused_time() {
    let limiter = RateLimiter::per_hour(1);
    limiter.acquire().await.unwrap();
    let start = Instant::now();
    limiter.acquire().await.unwrap();
    assert_eq!(start.elapsed(), Duration::from_hours(1));
}

#[tokio::test(start_paused = true)]
async fn d22_try_execute_never_waits() {
    let limiter = RateLimiter::per_minute(1);
    let run = Counter::default();
    let op = || async {
        run.add();
        Ok(())
    };
    let start = Instant::now();
    assert_eq!(limiter.try_execute(op).await, Ok(()));
    assert_eq!(limiter.try_execute(op).await, Err(ResilienceError::RateLimitExceeded));
    assert_eq!((start.elapsed(), run.get()), (Duration::ZERO, 1));
    assert_eq!(limiter.execute(op).await, Ok(()));
    assert_eq!((start.elapsed().as_secs(), run.get()), (60, 2));
    assert_eq!(limiter.run(|| async { Err::<(), _>(5) }).await, Err(Error::Inner(5)));
}

#[tokio::test]
async fn rate_of_zero_refuses_and_huge_ones_let_through() {
    for limiter in [RateLimiter::per_second(0), RateLimiter::new(0, Duration::ZERO)] {
        assert_eq!(limiter.acquire().await, Err(ResilienceError::RateLimitExceeded));
        assert_eq!(limiter.try_acquire(), Err(ResilienceError::RateLimitExceeded));
        assert_eq!(limiter.execute(|| async { Ok(1) }).await, Err(ResilienceError::RateLimitExceeded));
    }
    for limiter in [RateLimiter::per_second(usize::MAX), RateLimiter::new(usize::MAX, Duration::MAX)] {
        for _ in 0..1000 {
            limiter.acquire().await.unwrap();
        }
    }
    let limiter = RateLimiter::new(1, Duration::MAX);
    limiter.try_acquire().unwrap();
    assert!(limiter.try_acquire().is_err());
    // No period is as good as no limit, but its burst is one.
    let limiter = RateLimiter::new(1, Duration::ZERO);
    limiter.acquire().await.unwrap();
    limiter.acquire().await.unwrap();
}

#[test]
fn settings_that_cannot_be_meant_are_refused() {
    let builder = || RateLimiter::builder(10, SECOND);
    assert_eq!(RateLimiter::builder(0, SECOND).build().unwrap_err().setting(), "n");
    assert_eq!(RateLimiter::builder(1, Duration::ZERO).build().unwrap_err().setting(), "period");
    assert_eq!(builder().burst(0).build().unwrap_err().setting(), "burst");
    assert_eq!(builder().initial(11).build().unwrap_err().setting(), "initial");
    assert_eq!(builder().burst(2).initial(3).build().unwrap_err().setting(), "initial");
    assert!(RateLimiter::builder(usize::MAX, Duration::MAX).burst(usize::MAX).initial(0).build().is_ok());
}

#[tokio::test(start_paused = true)]
async fn waiters_are_bounded_and_refusals_told() {
    let log = Log::default();
    let limiter = RateLimiter::builder(1, SECOND).initial(0).max_waiters(1).observer(Arc::new(log.clone())).build().unwrap();
    let mut waiter = Box::pin(limiter.acquire());
    assert!(poll_once(&mut waiter).is_pending());
    assert_eq!(limiter.acquire().await, Err(ResilienceError::RateLimitExceeded));
    assert_eq!(log.count("RateLimited { limiter: \"limiter\" }"), 1);
    waiter.await.unwrap();
    limiter.acquire().await.unwrap();
}

#[tokio::test]
async fn clock_that_stands_still_stops_no_thread() {
    let limiter = RateLimiter::builder(1, SECOND).clock(Arc::new(Stopped)).build().unwrap();
    limiter.acquire().await.unwrap();
    let waiting = tokio::spawn({
        let limiter = limiter.clone();
        async move { limiter.acquire().await }
    });
    settle().await;
    assert!(!waiting.is_finished() && limiter.try_acquire().is_err());
    waiting.abort();
    assert!(waiting.await.unwrap_err().is_cancelled());
    assert_eq!(limiter.waiters(), 0);
}

#[cfg(feature = "governor")]
mod governor {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn d23_rate_is_the_number_of_a_period() {
        let limiter = RateLimiter::builder(100, SECOND).governor().build().unwrap();
        assert_eq!(burst_now(&limiter), 100);
        tokio::time::advance(SECOND / 2).await;
        assert_eq!(burst_now(&limiter), 50, "a hundred a second, not one");
        let start = Instant::now();
        for _ in 0..100 {
            limiter.acquire().await.unwrap();
        }
        let waited = start.elapsed();
        assert!(waited + 20 * MILLI >= SECOND && waited <= SECOND + 20 * MILLI, "under paused time: {waited:?}");
    }

    #[test]
    fn what_governor_cannot_hold_is_refused() {
        let builder = |n, period| RateLimiter::builder(n, period).governor();
        assert_eq!(builder(10, SECOND).burst(usize::MAX).build().unwrap_err().setting(), "burst");
        assert_eq!(builder(10, SECOND).initial(0).build().unwrap_err().setting(), "initial");
        assert_eq!(builder(1, Duration::MAX).build().unwrap_err().setting(), "period");
        let limiter = builder(10, SECOND).build().unwrap();
        assert!(limiter.try_acquire_many(11).is_err() && limiter.try_acquire_many(10).is_ok());
    }
}
