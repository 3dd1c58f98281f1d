//! When a connection is checked, and what a check that fails means for the others.

use std::{collections::BTreeSet, time::Duration};

use magnetar_resilience::{AcquireError, Phase};
use tokio::time::{Instant, sleep};

use super::MILLI;
use crate::{
    lab::{Lab, Script, settle},
    support::SECOND,
};

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
async fn t34_failed_check_spares_what_came_back_meanwhile() {
    let lab = Lab::default();
    let pool = lab.pool(2);
    let [stale, lent] = [pool.acquire().await.unwrap(), pool.acquire().await.unwrap()];
    drop(stale);
    sleep(SECOND).await;
    lab.book().check = Script::Hangs;
    let checks = tokio::spawn({
        let pool = pool.clone();
        async move { pool.acquire().await.map(|guard| guard.id) }
    });
    settle().await;
    sleep(SECOND).await;
    lab.book().check = Script::Well;
    let spared = lent.id;
    drop(lent);
    assert_eq!(checks.await.unwrap(), Ok(spared));
    assert_eq!((lab.book().dials, pool.snapshot().closed.unhealthy), (2, 1));
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

#[tokio::test(start_paused = true)]
async fn t34_check_cut_off_by_a_hasty_caller_says_nothing_of_the_others() {
    let lab = Lab::default();
    let pool = lab.pool(4);
    let guards = [pool.acquire().await.unwrap(), pool.acquire().await.unwrap(), pool.acquire().await.unwrap()];
    drop(guards);
    sleep(SECOND).await;
    lab.book().check = Script::Takes(10 * MILLI);
    let hasty = pool.acquire_within(MILLI).await.unwrap_err();
    assert_eq!(hasty, AcquireError::Timeout { phase: Phase::Check, after: MILLI, last_dial: None });
    settle().await;
    assert_eq!((pool.snapshot().idle, lab.ended()), (2, (1, 2)), "only the one in the midst of its check is closed");
    // One that is too slow for the pool itself is unhealthy, and so may be the others.
    lab.book().check = Script::Hangs;
    drop(pool.acquire().await.unwrap());
    assert_eq!(pool.snapshot().closed.unhealthy, 2);
}
