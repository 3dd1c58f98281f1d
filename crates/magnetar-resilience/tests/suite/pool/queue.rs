//! Who waits, in which order and for how long.

use std::{sync::Arc, time::Duration};

use magnetar_resilience::{AcquireError, Pooled, ResilienceError};
use tokio::time::{Instant, sleep};

use crate::{
    lab::{Conn, Lab, Script, assert_whole, settle},
    support::SECOND,
};

#[tokio::test(start_paused = true)]
async fn t32_d18_waiters_are_bounded() {
    let lab = Lab::default();
    let pool = lab.builder(1).max_waiters(2).build().unwrap();
    let guard = pool.acquire().await.unwrap();
    let waiters: Vec<_> = (0..2).map(|_| pool.clone()).map(|pool| tokio::spawn(async move { pool.acquire().await })).collect();
    settle().await;
    assert_eq!(pool.snapshot().waiters, 2);
    let start = Instant::now();
    assert_eq!(pool.acquire().await.unwrap_err(), ResilienceError::PoolExhausted);
    assert_eq!(pool.acquire_within(SECOND).await.unwrap_err(), AcquireError::Exhausted { waiters: 2 });
    assert_eq!(start.elapsed(), Duration::ZERO);
    drop(guard);
    for waiter in waiters {
        waiter.await.unwrap().unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn t36_the_one_used_last_is_lent_first() {
    let lab = Lab::default();
    let pool = lab.pool(3);
    let [first, second, third] = [pool.acquire().await.unwrap(), pool.acquire().await.unwrap(), pool.acquire().await.unwrap()];
    drop(second);
    drop(third);
    drop(first);
    let order =
        [pool.acquire().await.unwrap(), pool.acquire().await.unwrap(), pool.acquire().await.unwrap()].map(|guard| guard.id);
    assert_eq!(order, [1, 3, 2]);
}

#[tokio::test(start_paused = true)]
async fn t36_who_waits_longest_is_served_first() {
    let lab = Lab::default();
    let pool = lab.pool(1);
    let guard = pool.acquire().await.unwrap();
    let order = Arc::new(std::sync::Mutex::new(Vec::new()));
    let mut tasks = Vec::new();
    for number in 0..100 {
        let (pool, order) = (pool.clone(), Arc::clone(&order));
        tasks.push(tokio::spawn(async move {
            let guard = pool.acquire().await.unwrap();
            order.lock().unwrap().push(number);
            tokio::task::yield_now().await;
            drop(guard);
        }));
        settle().await;
    }
    drop(guard);
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(*order.lock().unwrap(), (0..100).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn wait_at_a_full_pool_ends_with_the_timeout_of_the_config() {
    let lab = Lab::default();
    let pool = lab.pool(1);
    let _guard: Pooled<Conn> = pool.acquire().await.unwrap();
    assert_eq!(pool.acquire().await.unwrap_err(), ResilienceError::Timeout(10 * SECOND));
}

#[tokio::test(start_paused = true)]
async fn t32_who_has_room_to_dial_is_no_waiter_too_many() {
    for max_waiters in [0, 1] {
        let lab = Lab::default();
        lab.book().create = Script::Takes(SECOND);
        let pool = lab.builder(3).max_waiters(max_waiters).build().unwrap();
        let calls: Vec<_> = (0..3 + max_waiters + 2)
            .map(|_| pool.clone())
            .map(|pool| {
                tokio::spawn(async move {
                    let guard = pool.acquire().await?;
                    sleep(SECOND).await;
                    drop(guard);
                    Ok::<_, ResilienceError>(())
                })
            })
            .collect();
        let mut refused = 0;
        for call in calls {
            match call.await.unwrap() {
                Ok(()) => {}
                Err(error) => {
                    assert_eq!(error, ResilienceError::PoolExhausted);
                    refused += 1;
                }
            }
        }
        assert_eq!((refused, lab.book().dials), (2, 3), "{max_waiters} waiters beside three who dial");
        assert_whole(&pool, &lab).await;
    }
}

#[tokio::test(start_paused = true)]
async fn huge_pool_is_entered_by_a_crowd() {
    let lab = Lab::default();
    lab.book().create = Script::Takes(SECOND);
    let pool = lab.pool(usize::MAX);
    let crowd: Vec<_> = (0..10_000).map(|_| pool.clone()).map(|pool| tokio::spawn(async move { pool.acquire().await })).collect();
    let mut guards = Vec::new();
    for one in crowd {
        guards.push(one.await.unwrap().unwrap());
    }
    assert_eq!((pool.snapshot().active, lab.book().dials), (10_000, 10_000));
}
