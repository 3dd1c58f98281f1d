//! The end of a pool.

use std::time::Duration;

use magnetar_resilience::ResilienceError;
use tokio::time::{Instant, sleep};

use crate::{
    lab::{Lab, Script, settle},
    support::{SECOND, poll_once},
};

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
    let start = Instant::now();
    assert!(closing.await.unwrap());
    assert_eq!(start.elapsed(), Duration::ZERO, "it is woken, and does not look only at its deadline");
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
