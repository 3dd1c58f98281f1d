//! What a pool does by itself: connections that end, and connections that are kept ready.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use magnetar_resilience::PoolConfig;
use tokio::time::{Instant, sleep};

use super::MILLI;
use crate::{
    lab::{Lab, Script, settle},
    support::{Log, SECOND},
};

fn timed(idle_timeout: Option<Duration>, max_lifetime: Option<Duration>, min_idle: usize) -> PoolConfig {
    PoolConfig { max_size: 10, min_idle, idle_timeout, max_lifetime, acquire_timeout: 10 * SECOND }
}

#[tokio::test(start_paused = true)]
async fn t35_d17_reaper_closes_what_is_idle_for_too_long_but_keeps_some() {
    let lab = Lab::default();
    let pool = lab.builder(10).config(timed(Some(10 * SECOND), None, 2)).build().unwrap();
    let mut guards = Vec::new();
    for _ in 0..6 {
        guards.push(pool.acquire().await.unwrap());
    }
    drop(guards);
    sleep(16 * SECOND).await;
    let stats = pool.snapshot();
    assert_eq!((stats.idle, stats.closed.idle, lab.book().farewells), (2, 4, 4), "closed by the factory, not just dropped");
}

#[tokio::test(start_paused = true)]
async fn t35_d13_lifetime_ends_every_connection_also_one_in_use() {
    let lab = Lab::default();
    let pool = lab.builder(10).config(timed(None, Some(10 * SECOND), 0)).build().unwrap();
    let mut ids = BTreeSet::new();
    let start = Instant::now();
    while start.elapsed() < 35 * SECOND {
        let guard = pool.acquire().await.unwrap();
        assert!(guard.age() <= 10 * SECOND, "{:?}", guard.age());
        ids.insert(guard.id);
        sleep(SECOND / 2).await;
        pool.release(guard).await;
    }
    assert_eq!(ids.len(), 4, "each use takes it back with the age it has");
    assert_eq!(pool.snapshot().closed.lifetime, 3);
}

#[tokio::test(start_paused = true)]
async fn t35_old_connection_is_not_lent_and_the_reaper_closes_it() {
    let lab = Lab::default();
    let pool = lab.builder(10).config(timed(None, Some(100 * SECOND), 0)).build().unwrap();
    drop((pool.acquire().await.unwrap(), pool.acquire().await.unwrap()));
    sleep(101 * SECOND).await;
    assert_eq!((pool.acquire().await.unwrap().id, pool.snapshot().closed.lifetime), (3, 2), "before the reaper comes at 120 s");
    sleep(120 * SECOND).await;
    assert_eq!((pool.snapshot().idle, pool.snapshot().closed.lifetime), (0, 3), "nobody asked for it");
}

#[tokio::test(start_paused = true)]
async fn t35_lifetimes_are_spread_and_never_longer_than_told() {
    let lab = Lab::default();
    let log = Log::default();
    let config = PoolConfig { max_size: 200, ..timed(None, Some(1000 * SECOND), 0) };
    let pool = lab.builder(200).config(config).seed(1).observer(Arc::new(log.clone())).build().unwrap();
    let mut guards = Vec::new();
    for _ in 0..200 {
        guards.push(pool.acquire().await.unwrap());
    }
    sleep(974 * SECOND).await;
    let mut closed = Vec::new();
    for _ in 0..27 {
        // A guard that comes back old is closed at once.
        guards.clear();
        closed.push(pool.snapshot().closed.lifetime);
        while pool.snapshot().idle > 0 {
            guards.push(pool.acquire().await.unwrap());
        }
        sleep(SECOND).await;
    }
    assert_eq!((closed[0], closed[26]), (0, 200));
    assert!(closed.windows(2).filter(|pair| pair[0] < pair[1]).count() > 20, "{closed:?}");
}

#[tokio::test(start_paused = true)]
async fn t35_min_idle_is_kept_by_ticks_and_nothing_is_dialled_before_the_first_acquire() {
    let lab = Lab::default();
    let pool = lab.builder(10).config(timed(Some(10 * SECOND), None, 3)).build().unwrap();
    sleep(60 * SECOND).await;
    assert_eq!(lab.book().dials, 0);
    let guard = pool.acquire().await.unwrap();
    assert_eq!(lab.book().dials, 1);
    sleep(6 * SECOND).await;
    assert_eq!((pool.snapshot().idle, lab.book().dials), (3, 4));
    drop(guard);
    sleep(20 * SECOND).await;
    assert_eq!(pool.snapshot().idle, 3);
}

#[tokio::test(start_paused = true)]
async fn t35_filling_asks_one_at_a_time_and_backs_off_while_it_fails() {
    let lab = Lab::default();
    let pool = lab.builder(10).config(timed(Some(60 * SECOND), None, 5)).build().unwrap();
    let _guard = pool.acquire().await.unwrap();
    lab.book().create = Script::Fails(1);
    sleep(90 * SECOND).await;
    let dials = lab.book().dials - 1;
    assert!((15..30).contains(&dials), "{dials} dials in a minute of failures");
    lab.book().create = Script::Takes(SECOND);
    for _ in 0..200 {
        sleep(100 * MILLI).await;
        assert!(pool.snapshot().dialling <= 1);
    }
    assert_eq!(pool.snapshot().idle, 5);
}

#[tokio::test(start_paused = true)]
async fn t35_upkeep_ends_with_the_pool() {
    let lab = Lab::default();
    let pool = lab.builder(2).config(timed(Some(SECOND), None, 1)).build().unwrap();
    drop(pool.acquire().await.unwrap());
    drop(pool);
    settle().await;
    assert!(lab.book().live.is_empty());
    let tasks = tokio::runtime::Handle::current().metrics().num_alive_tasks();
    assert_eq!(tasks, 0, "no task outlives the last handle");
}

#[tokio::test(start_paused = true)]
async fn t35_what_min_idle_keeps_is_lent_and_what_is_more_is_not() {
    let lab = Lab::default();
    let pool = lab.builder(10).config(timed(Some(10 * SECOND), None, 2)).build().unwrap();
    drop((pool.acquire().await.unwrap(), pool.acquire().await.unwrap()));
    sleep(100 * SECOND).await;
    drop((pool.acquire().await.unwrap(), pool.acquire().await.unwrap()));
    assert_eq!((lab.book().dials, pool.snapshot().closed.idle), (2, 0), "kept to be lent");

    // What came back too long ago is not lent, also before the reaper comes.
    let lab = Lab::default();
    let pool = lab.builder(10).config(timed(Some(100 * SECOND), None, 1)).build().unwrap();
    let both = [pool.acquire().await.unwrap(), pool.acquire().await.unwrap()];
    sleep(20 * SECOND).await;
    drop(both);
    sleep(100 * SECOND + MILLI).await;
    assert_eq!(pool.snapshot().idle, 2, "the reaper comes at 150 s");
    drop((pool.acquire().await.unwrap(), pool.acquire().await.unwrap()));
    assert_eq!((lab.book().dials, pool.snapshot().closed.idle), (3, 1));
}

#[tokio::test(start_paused = true)]
async fn t35_panic_of_the_factory_ends_no_upkeep() {
    let lab = Lab::default();
    let pool = lab.builder(10).config(timed(Some(10 * SECOND), None, 2)).build().unwrap();
    lab.book().creates.extend([Script::Well, Script::Panics(1), Script::Panics(1)]);
    drop(pool.acquire().await.unwrap());
    sleep(60 * SECOND).await;
    assert_eq!((pool.snapshot().idle, pool.snapshot().dial_failures), (2, 2));
}
