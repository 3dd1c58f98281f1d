//! What a pool counts and tells, and that it loses nothing.

use std::sync::Arc;

use magnetar_resilience::{ConnectionPool, Event, PoolConfig, PoolStats};
use tokio::time::sleep;

use super::MILLI;
use crate::{
    lab::{Conn, Lab, Script, assert_whole, settle},
    support::{Counter, Log, SECOND, poll_once},
};

#[tokio::test(start_paused = true)]
async fn t29_filler_never_passes_the_size() {
    let lab = Lab::default();
    let config = PoolConfig { max_size: 2, min_idle: 2, idle_timeout: Some(SECOND), max_lifetime: None, acquire_timeout: SECOND };
    let pool = lab.builder(2).config(config).build().unwrap();
    lab.book().create = Script::Takes(50 * MILLI);
    // One lent, one idle, and the filler wants two idle: in every phase of its ticks.
    for round in 0..40 {
        let guard = pool.acquire().await.unwrap();
        sleep(MILLI * (round * 13)).await;
        let stats = pool.snapshot();
        assert!(stats.total + stats.dialling + stats.closing <= 2, "{stats:?}");
        drop(guard);
    }
    assert!(lab.book().most <= 2);
    assert_whole(&pool, &lab).await;
}

#[tokio::test(start_paused = true)]
async fn t29_what_is_not_idle_is_held_by_somebody() {
    let lab = Lab::default();
    let pool = lab.pool(5);
    let held = |stats: PoolStats| stats.active + stats.dialling + stats.closing;
    let mut guards = Vec::new();
    for lent in 1..=5 {
        guards.push(pool.acquire().await.unwrap());
        assert_eq!(held(pool.snapshot()), lent);
    }
    lab.book().close = Script::Takes(SECOND);
    guards.pop().unwrap().discard();
    assert_eq!((held(pool.snapshot()), pool.snapshot().closing), (5, 1), "a place that is being closed is not free");
    sleep(2 * SECOND).await;
    assert_eq!(held(pool.snapshot()), 4);
    lab.book().create = Script::Takes(SECOND);
    let mut dials = Box::pin(pool.acquire());
    assert!(poll_once(&mut dials).is_pending());
    assert_eq!((held(pool.snapshot()), pool.snapshot().dialling), (5, 1));
    assert!(!dials.await.unwrap().healthy || held(pool.snapshot()) == 4);
    drop(guards);
    assert_eq!(held(pool.snapshot()), 0);
    assert_whole(&pool, &lab).await;
}

#[tokio::test(start_paused = true)]
async fn t38_d19_stats_are_one_moment_and_utilization_is_what_is_lent() {
    let lab = Lab::default();
    let pool = lab.pool(4);
    let mut guards = vec![pool.acquire().await.unwrap(), pool.acquire().await.unwrap(), pool.acquire().await.unwrap()];
    guards.pop();
    let stats = pool.stats().await;
    assert_eq!((stats.idle, stats.active, stats.total, stats.max_size, stats.created), (1, 2, 3, 4, 3));
    assert!((stats.utilization() - 50.0).abs() < 1e-9);
    guards.clear();
    assert!(pool.stats().await.utilization().abs() < 1e-9, "a pool full of idle connections is not in use");
}

#[tokio::test(start_paused = true)]
async fn t39_pool_tells_what_it_does_outside_of_its_lock() {
    let lab = Lab::default();
    let log = Log::default();
    let slot = Arc::new(std::sync::OnceLock::<ConnectionPool<Conn>>::new());
    let (asked, slot_of_observer) = (Counter::default(), Arc::clone(&slot));
    let counts = asked.clone();
    let asks = move |_: &Event<'_>| {
        slot_of_observer.get().unwrap().snapshot();
        counts.add();
        panic!("inside of an observer");
    };
    let pool = lab.builder(1).observer(Arc::new(asks)).observer(Arc::new(log.clone())).build().unwrap();
    slot.set(pool.clone()).unwrap();
    lab.book().creates.push_back(Script::Fails(0));
    assert!(pool.acquire().await.is_err());
    pool.acquire().await.unwrap().discard();
    for part in [
        "DialFailed { pool: \"pool\", cause: ConnectionCreation",
        "Created",
        "Acquired",
        "Closed { pool: \"pool\", reason: Discarded",
    ] {
        assert_eq!(log.count(part), 1, "{part}: {:?}", log.lines());
    }
    assert_eq!(asked.get(), 4);
}

#[test]
fn t28_many_tasks_with_random_aborts_lose_nothing() {
    for threads in [2, 16] {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(threads).enable_all().build().unwrap();
        runtime.block_on(many_tasks_with_random_aborts());
    }
}

async fn many_tasks_with_random_aborts() {
    let lab = Lab::default();
    lab.book().create = Script::After(2);
    let pool = lab.pool(8);
    let tasks: Vec<_> = (0..10_000_usize)
        .map(|number| {
            let pool = pool.clone();
            tokio::spawn(async move {
                let Ok(mut guard) = pool.acquire().await else { return };
                for _ in 0..number % 3 {
                    tokio::task::yield_now().await;
                }
                match number % 11 {
                    0 => guard.mark_dirty(),
                    1 => guard.discard(),
                    2 => pool.release(guard).await,
                    3 => panic!("with a connection in hand"),
                    _ => {}
                }
            })
        })
        .collect();
    for task in tasks.iter().step_by(3) {
        task.abort();
        tokio::task::yield_now().await;
    }
    for task in tasks {
        let _ended = task.await;
    }
    for _ in 0..1000 {
        sleep(MILLI).await;
        let stats = pool.snapshot();
        if (stats.active, stats.dialling, stats.closing, stats.waiters) == (0, 0, 0, 0) {
            break;
        }
    }
    assert_whole(&pool, &lab).await;
}

#[tokio::test(start_paused = true)]
async fn t38_wait_that_is_told_is_the_one_that_was() {
    let lab = Lab::default();
    let log = Log::default();
    let pool = lab.builder(1).check_after(SECOND).observer(Arc::new(log.clone())).build().unwrap();
    lab.book().create = Script::Takes(3 * SECOND);
    let guard = pool.acquire().await.unwrap();
    assert_eq!(log.count("Acquired { pool: \"pool\", waited: 3s }"), 1, "of a dial: {:?}", log.lines());
    let waits = tokio::spawn({
        let pool = pool.clone();
        async move { drop(pool.acquire().await) }
    });
    settle().await;
    sleep(2 * SECOND).await;
    drop(guard);
    waits.await.unwrap();
    assert_eq!(log.count("Acquired { pool: \"pool\", waited: 2s }"), 1, "of a wait: {:?}", log.lines());
    sleep(SECOND).await;
    lab.book().check = Script::Takes(4 * SECOND);
    drop(pool.acquire().await.unwrap());
    assert_eq!(log.count("Acquired { pool: \"pool\", waited: 4s }"), 1, "of a check: {:?}", log.lines());
    drop(pool.acquire().await.unwrap());
    assert_eq!(log.count("Acquired { pool: \"pool\", waited: 0ns }"), 1, "of none: {:?}", log.lines());
}
