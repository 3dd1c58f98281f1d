//! How connections are made, for whom, and what happens when none can be.

use std::{sync::Arc, time::Duration};

use magnetar_resilience::{AcquireError, ConnectionFactory, ConnectionPool, Phase, PoolConfig, ResilienceError};
use tokio::time::{Instant, sleep};

use super::MILLI;
use crate::{
    lab::{Conn, Lab, Script, assert_whole, settle},
    support::SECOND,
};

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
    lab.book().create = Script::Well;
    let _guard = pool.acquire().await.unwrap();
    let again = pool.acquire_within(SECOND).await;
    assert!(matches!(again, Err(AcquireError::Timeout { last_dial: None, .. })), "one succeeded since: {again:?}");
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
