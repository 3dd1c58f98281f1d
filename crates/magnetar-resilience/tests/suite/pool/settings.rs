//! Settings and clocks that cannot be meant.

use std::{sync::Arc, time::Duration};

use magnetar_resilience::{ConnectionPool, ManualClock, PoolConfig, ResilienceError};

use crate::{
    lab::{Lab, assert_whole, settle},
    support::{SECOND, Stopped, poll_once},
};

#[tokio::test]
async fn under_a_clock_that_stands_still_only_who_waits_for_time_waits() {
    let lab = Lab::default();
    let pool = lab.builder(1).clock(Arc::new(ManualClock::new())).build().unwrap();
    let guard = pool.acquire().await.unwrap();
    let mut waits = Box::pin(pool.acquire());
    assert!(poll_once(&mut waits).is_pending());
    drop(guard);
    drop(waits.await.unwrap());
    assert_whole(&pool, &lab).await;
    // A clock whose sleeps end at once ends every wait at once, that for a dial too.
    let pool = lab.builder(1).clock(Arc::new(Stopped)).build().unwrap();
    assert_eq!(pool.acquire().await.unwrap_err(), ResilienceError::Timeout(10 * SECOND));
    settle().await;
    drop(pool.acquire().await.unwrap());
}

#[tokio::test(start_paused = true)]
async fn sizes_and_times_that_cannot_be_meant() {
    let refused = |change: fn(&mut PoolConfig)| {
        let mut config = PoolConfig::default();
        change(&mut config);
        Lab::default().builder(1).config(config).build().unwrap_err().setting()
    };
    assert_eq!(refused(|config| config.max_size = 0), "max_size");
    assert_eq!(refused(|config| config.min_idle = 11), "min_idle");
    assert_eq!(refused(|config| config.idle_timeout = Some(Duration::ZERO)), "idle_timeout");
    assert_eq!(refused(|config| config.max_lifetime = Some(Duration::ZERO)), "max_lifetime");
    assert_eq!(refused(|config| config.acquire_timeout = Duration::ZERO), "acquire_timeout");
    let builder = || Lab::default().builder(1);
    assert_eq!(builder().dial_timeout(Duration::ZERO).build().unwrap_err().setting(), "dial_timeout");
    assert_eq!(builder().check_timeout(Duration::ZERO).build().unwrap_err().setting(), "check_timeout");
    assert_eq!(builder().close_timeout(Duration::ZERO).build().unwrap_err().setting(), "close_timeout");

    let zero = PoolConfig {
        max_size: 0,
        min_idle: usize::MAX,
        idle_timeout: Some(Duration::ZERO),
        max_lifetime: Some(Duration::ZERO),
        acquire_timeout: SECOND,
    };
    let pool = ConnectionPool::new(Arc::new(Lab::default()), zero);
    for _ in 0..3 {
        let guard = pool.acquire().await.unwrap();
        assert!(pool.snapshot().total == 1 && pool.snapshot().max_size == 1);
        drop(guard);
    }
    let huge = PoolConfig {
        max_size: usize::MAX,
        min_idle: 0,
        idle_timeout: Some(Duration::MAX),
        max_lifetime: Some(Duration::MAX),
        acquire_timeout: Duration::MAX,
    };
    let pool = ConnectionPool::new(Arc::new(Lab::default()), huge);
    drop(pool.acquire().await.unwrap());
    assert_eq!(pool.acquire().await.unwrap().id, 1);
    let none = PoolConfig { acquire_timeout: Duration::ZERO, ..PoolConfig::default() };
    let pool = ConnectionPool::new(Arc::new(Lab::default()), none);
    assert_eq!(pool.acquire().await.unwrap_err(), ResilienceError::Timeout(Duration::ZERO));
}
