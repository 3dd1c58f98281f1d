//! What a pool lends, makes, checks and closes.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use magnetar_resilience::{
    AcquireError, ConnectionFactory, ConnectionPool, Event, ManualClock, Phase, PoolConfig, PoolStats, Pooled, ResilienceError,
};
use tokio::time::{Instant, sleep};

use crate::{
    lab::{Conn, Lab, Script, assert_whole, settle},
    support::{Counter, Log, SECOND, Stopped, poll_once},
};

const MILLI: Duration = Duration::from_millis(1);

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
async fn t30_dial_goes_on_for_the_next_when_its_caller_leaves() {
    let lab = Lab::default();
    let pool = lab.pool(2);
    lab.book().create = Script::Takes(SECOND);
    assert!(matches!(
        pool.acquire_within(SECOND / 2).await,
        Err(AcquireError::Timeout { phase: Phase::Dial, after, last_dial: None }) if after == SECOND / 2
    ));
    sleep(SECOND).await;
    assert_eq!((pool.snapshot().idle, lab.book().dials), (1, 1));
    assert_eq!(pool.acquire().await.unwrap().id, 1);
}

#[tokio::test(start_paused = true)]
async fn t30_callers_who_time_out_make_no_storm_of_dials() {
    let lab = Lab::default();
    let pool = lab.builder(4).dial_timeout(2 * SECOND).build().unwrap();
    lab.book().create = Script::Hangs;
    // A thousand callers who give up after 50 ms, for ten seconds.
    for _ in 0..200 {
        let calls: Vec<_> = (0..5).map(|_| pool.clone()).collect();
        let calls = calls.into_iter().map(|pool| tokio::spawn(async move { pool.acquire_within(50 * MILLI).await.is_err() }));
        for call in calls.collect::<Vec<_>>() {
            assert!(call.await.unwrap());
        }
    }
    assert!(lab.book().dials <= 4 * 6, "{} dials", lab.book().dials);
    sleep(3 * SECOND).await;
    assert_whole(&pool, &lab).await;
}

#[tokio::test(start_paused = true)]
async fn t30_hung_dial_of_one_who_left_does_not_hold_up_the_next() {
    let lab = Lab::default();
    let pool = lab.builder(2).dial_timeout(30 * SECOND).build().unwrap();
    lab.book().creates.push_back(Script::Hangs);
    assert!(pool.acquire_within(SECOND).await.is_err());
    assert_eq!(pool.acquire_within(SECOND).await.unwrap().id, 1, "there is room for another dial");
}

#[tokio::test(start_paused = true)]
async fn t30_panic_of_the_factory_frees_its_place_and_is_told() {
    let lab = Lab::default();
    let pool = lab.pool(1);
    for _ in 0..3 {
        lab.book().creates.push_back(Script::Panics(1));
        let error = pool.acquire().await.unwrap_err();
        assert!(matches!(&error, ResilienceError::ConnectionCreation(why) if why.contains("panicked")), "{error}");
    }
    assert_whole(&pool, &lab).await;
}

#[test]
fn t30_end_of_the_runtime_frees_the_places_of_its_dials() {
    let lab = Lab::default();
    let pool = lab.pool(1);
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let first = runtime();
    lab.book().creates.push_back(Script::Hangs);
    assert!(first.block_on(pool.acquire_within(MILLI)).is_err());
    assert_eq!(pool.snapshot().dialling, 1);
    drop(first);
    assert_eq!(pool.snapshot().dialling, 0);
    assert_eq!(runtime().block_on(pool.acquire()).unwrap().id, 1);
}

#[tokio::test(start_paused = true)]
async fn t31_d16_one_deadline_covers_waiting_checking_and_dialling() {
    let lab = Lab::default();
    let builder = lab.builder(1).check_after(Duration::ZERO).check_timeout(60 * SECOND);
    let pool = builder.dial_timeout(60 * SECOND).build().unwrap();
    let start = Instant::now();
    let phase = async || match pool.acquire_within(3 * SECOND).await {
        Err(AcquireError::Timeout { phase, .. }) => phase,
        other => panic!("{other:?}"),
    };
    let guard = pool.acquire().await.unwrap();
    assert_eq!(phase().await, Phase::Wait);
    drop(guard);
    lab.book().check = Script::Hangs;
    assert_eq!(phase().await, Phase::Check);
    settle().await;
    lab.book().create = Script::Hangs;
    assert_eq!(phase().await, Phase::Dial);
    assert_eq!(start.elapsed().as_secs(), 9);
}

#[tokio::test(start_paused = true)]
async fn t31_time_out_tells_how_the_last_dial_failed() {
    let lab = Lab::default();
    let pool = lab.builder(1).dial_timeout(2 * SECOND).build().unwrap();
    lab.book().create = Script::Hangs;
    let (patient, hasty) = (pool.acquire(), async {
        sleep(SECOND).await;
        pool.acquire_within(2 * SECOND).await
    });
    let (patient, hasty) = tokio::join!(patient, hasty);
    let dialled = ResilienceError::ConnectionCreation("it took longer than 2s".to_owned());
    assert_eq!(patient.unwrap_err(), dialled);
    let Err(AcquireError::Timeout { last_dial, .. }) = hasty else { panic!("{hasty:?}") };
    assert_eq!(last_dial, Some(dialled));
}

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
async fn t33_guard_that_is_dirty_or_dropped_in_a_panic_is_closed() {
    let lab = Lab::default();
    let pool = lab.pool(1);
    let mut guard = pool.acquire().await.unwrap();
    guard.mark_dirty();
    drop(guard);
    let mut guard = pool.acquire().await.unwrap();
    assert_eq!(guard.id, 2, "the dirty one is gone");
    guard.mark_dirty();
    guard.mark_clean();
    drop(guard);
    let guard = pool.acquire().await.unwrap();
    assert_eq!(guard.id, 2);
    let panicked = tokio::spawn(async move {
        let _guard = guard;
        panic!("with a connection in hand");
    });
    assert!(panicked.await.is_err());
    assert_eq!(pool.acquire().await.unwrap().id, 3);
    settle().await;
    assert_eq!((lab.book().farewells, pool.snapshot().closed.discarded), (2, 2));
}

#[test]
fn t33_guard_that_is_dropped_without_a_runtime_is_no_loss() {
    let lab = Lab::default();
    let pool = lab.pool(2);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let [kept, discarded] = runtime.block_on(async { [pool.acquire().await.unwrap(), pool.acquire().await.unwrap()] });
    drop(runtime);
    drop(kept);
    discarded.discard();
    let stats = pool.snapshot();
    assert_eq!((stats.idle, stats.active, stats.closing), (1, 0, 0));
    assert_eq!(lab.book().live.len(), 1, "there was nobody to say goodbye, so it was dropped");
    drop(pool);
    assert!(lab.book().live.is_empty());
}

#[tokio::test(start_paused = true)]
async fn t33_connection_whose_check_was_cut_off_is_closed() {
    let lab = Lab::default();
    let pool = lab.pool(1);
    drop(pool.acquire().await.unwrap());
    sleep(SECOND).await;
    lab.book().check = Script::Hangs;
    let mut checks = Box::pin(pool.acquire());
    assert!(poll_once(&mut checks).is_pending());
    drop(checks);
    settle().await;
    assert_eq!(lab.ended(), (1, 0), "half a question may be on the wire");
    let mut checks = Box::pin(pool.release(pool.acquire().await.unwrap()));
    assert!(poll_once(&mut checks).is_pending());
    drop(checks);
    settle().await;
    assert_eq!((lab.ended(), pool.snapshot().closed.discarded), ((2, 0), 2));
}

#[tokio::test(start_paused = true)]
async fn t33_discarded_and_detached_connections_leave() {
    let lab = Lab::default();
    let pool = lab.pool(1);
    let own = pool.acquire().await.unwrap().detach();
    pool.acquire().await.unwrap().discard();
    let guard = pool.acquire().await.unwrap();
    assert_eq!((own.id, guard.id), (1, 3));
    let stats = pool.snapshot();
    assert_eq!((stats.created, stats.closed.discarded, stats.total), (3, 1, 1));
}

#[tokio::test(start_paused = true)]
async fn t34_only_what_was_idle_for_long_is_checked() {
    let lab = Lab::default();
    let pool = lab.pool(1);
    for (idle, checks) in [(0, 0), (499, 0), (500, 1), (100, 1), (5000, 2)] {
        drop(pool.acquire().await.unwrap());
        sleep(MILLI * idle).await;
        drop(pool.acquire().await.unwrap());
        assert_eq!(lab.book().checks, checks, "after {idle} ms");
    }
}

#[tokio::test(start_paused = true)]
async fn t34_failed_check_clears_what_was_idle_since_before_it() {
    let lab = Lab::default();
    let pool = lab.pool(4);
    let mut guards = Vec::new();
    for _ in 0..4 {
        guards.push(pool.acquire().await.unwrap());
    }
    guards.truncate(3);
    let lent = guards.swap_remove(0);
    drop(guards);
    sleep(SECOND).await;
    lab.book().check = Script::Fails(0);
    assert_eq!(pool.acquire().await.unwrap().id, 5, "no other idle one was tried");
    settle().await;
    assert_eq!((lab.book().checks, pool.snapshot().closed.unhealthy), (1, 3));
    assert_eq!(lab.book().live, BTreeSet::from([lent.id, 5]));
}

#[tokio::test(start_paused = true)]
async fn t34_d15_hung_check_stops_nobody_else() {
    let lab = Lab::default();
    let pool = lab.pool(2);
    drop((pool.acquire().await.unwrap(), pool.acquire().await.unwrap()));
    sleep(SECOND).await;
    lab.book().check = Script::Hangs;
    let hung = tokio::spawn({
        let pool = pool.clone();
        async move { pool.acquire().await }
    });
    settle().await;
    lab.book().check = Script::Well;
    let start = Instant::now();
    let guard = pool.acquire().await.unwrap();
    assert_eq!(pool.snapshot().active, 2);
    drop(guard);
    assert_eq!(start.elapsed(), Duration::ZERO);
    // The check is given up, and another connection found, within the same acquire.
    hung.await.unwrap().unwrap();
    assert_eq!(start.elapsed().as_secs(), 5);
}

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
async fn t37_close_sends_away_who_waits_and_awaits_what_is_lent() {
    let lab = Lab::default();
    let pool = lab.pool(2);
    let [idle, lent] = [pool.acquire().await.unwrap(), pool.acquire().await.unwrap()];
    let waiter = tokio::spawn({
        let pool = pool.clone();
        async move { pool.acquire().await }
    });
    settle().await;
    let closing = tokio::spawn({
        let pool = pool.clone();
        async move { pool.close(10 * SECOND).await }
    });
    settle().await;
    assert_eq!(waiter.await.unwrap().unwrap_err(), ResilienceError::Closed);
    assert_eq!(pool.acquire().await.unwrap_err(), ResilienceError::Closed);
    drop(idle);
    sleep(SECOND).await;
    assert!(!closing.is_finished());
    drop(lent);
    assert!(closing.await.unwrap());
    assert!(pool.close(SECOND).await, "closing once more is nothing new");
    assert_eq!(lab.ended(), (2, 0));
}

#[tokio::test(start_paused = true)]
async fn t37_close_gives_up_at_its_deadline_and_the_rest_closes_later() {
    let lab = Lab::default();
    let pool = lab.pool(1);
    let lent = pool.acquire().await.unwrap();
    assert!(!pool.close(SECOND).await);
    drop(lent);
    settle().await;
    assert_eq!(lab.book().farewells, 1);
    assert!(pool.close(Duration::ZERO).await);
}

#[tokio::test(start_paused = true)]
async fn t37_last_handle_closes_what_is_idle_and_guards_outlive_it() {
    let lab = Lab::default();
    let pool = lab.pool(2);
    let other = pool.clone();
    let lent = pool.acquire().await.unwrap();
    drop(pool.acquire().await.unwrap());
    drop(pool);
    settle().await;
    assert_eq!(lab.book().farewells, 0);
    drop(other);
    settle().await;
    assert_eq!(lab.book().farewells, 1);
    assert_eq!(lent.id, 1);
    drop(lent);
    settle().await;
    assert_eq!(lab.ended(), (2, 0));
}

#[tokio::test(start_paused = true)]
async fn t37_dial_that_ends_after_the_close_is_closed_too() {
    let lab = Lab::default();
    let pool = lab.pool(1);
    lab.book().create = Script::Takes(SECOND);
    let mut dials = Box::pin(pool.acquire());
    assert!(poll_once(&mut dials).is_pending());
    settle().await;
    assert!(pool.close(10 * SECOND).await, "it awaits the dial");
    assert_eq!(dials.await.unwrap_err(), ResilienceError::Closed);
    assert_eq!(lab.ended(), (1, 0));
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

#[tokio::test(start_paused = true)]
async fn d12_early_return_gives_the_connection_back() {
    async fn uses(pool: &ConnectionPool<Conn>) -> Result<(), ResilienceError> {
        let connection = pool.acquire().await?;
        let failed: Result<(), _> = Err(ResilienceError::Transient("reset".to_owned()));
        failed?;
        pool.release(connection).await;
        Ok(())
    }
    let lab = Lab::default();
    let pool = lab.pool(2);
    for _ in 0..10 {
        assert!(uses(&pool).await.is_err());
    }
    assert_whole(&pool, &lab).await;
}

#[tokio::test(start_paused = true)]
async fn d14_connection_of_another_pool_goes_back_to_that() {
    let (lab, other_lab) = (Lab::default(), Lab::default());
    let (pool, other) = (lab.pool(1), other_lab.pool(1));
    let foreign = other.acquire().await.unwrap();
    pool.release(foreign).await;
    assert_eq!((pool.snapshot().total, pool.snapshot().active), (0, 0));
    assert_eq!((other.snapshot().idle, other.snapshot().active), (1, 0));
    assert_whole(&pool, &lab).await;
    assert_whole(&other, &other_lab).await;
}

#[tokio::test(start_paused = true)]
async fn wait_at_a_full_pool_ends_with_the_timeout_of_the_config() {
    let lab = Lab::default();
    let pool = lab.pool(1);
    let _guard: Pooled<Conn> = pool.acquire().await.unwrap();
    assert_eq!(pool.acquire().await.unwrap_err(), ResilienceError::Timeout(10 * SECOND));
}

#[tokio::test(start_paused = true)]
async fn unhealthy_connection_is_not_lent_again() {
    let lab = Lab::default();
    let pool = lab.pool(1);
    let mut guard = pool.acquire().await.unwrap();
    guard.healthy = false;
    pool.release(guard).await;
    assert_eq!(lab.book().farewells, 1, "release awaits the farewell");
    assert_eq!(pool.acquire().await.unwrap().id, 2);
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

/// The plain constructors take every kind of `Arc`.
#[tokio::test]
async fn factory_may_be_shared_in_any_way() {
    let factory = Arc::new(Lab::default());
    let erased: Arc<dyn ConnectionFactory<Conn>> = Arc::clone(&factory) as _;
    let pools = [
        ConnectionPool::new(Arc::clone(&factory), PoolConfig::default()),
        ConnectionPool::new_default(factory),
        ConnectionPool::new_default(erased),
    ];
    for pool in pools {
        assert!(pool.acquire().await.is_ok());
    }
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

#[tokio::test(start_paused = true)]
async fn factory_that_always_fails_tells_each_caller_at_once() {
    let lab = Lab::default();
    lab.book().create = Script::Fails(1);
    let pool = lab.pool(2);
    let calls: Vec<_> = (0..20).map(|_| pool.clone()).map(|pool| tokio::spawn(async move { pool.acquire().await })).collect();
    let start = Instant::now();
    for call in calls {
        assert_eq!(call.await.unwrap().unwrap_err(), ResilienceError::ConnectionCreation("refused".to_owned()));
    }
    assert_eq!((start.elapsed(), lab.book().dials), (Duration::ZERO, 20));
    assert_eq!(pool.snapshot().dial_failures, 20);
    assert_whole(&pool, &lab).await;
}
