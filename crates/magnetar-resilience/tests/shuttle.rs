//! Many schedules of the pool's hand-over: no connection and no wake-up is lost between any two threads.
//!
//! The files that hold it are compiled here a second time, with shuttle's mutex where they import `crate::sync`. A wake-up that is
//! lost is a deadlock, which shuttle finds.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(dead_code, reason = "each file is whole, and not all of it is used here")]

#[path = "../src/pool/book.rs"]
mod book;
#[path = "../src/pool/queue.rs"]
mod queue;
#[path = "../src/pool/roster.rs"]
mod roster;
#[path = "../src/pool/wait.rs"]
mod wait;

mod sync {
    pub(crate) use shuttle::sync::{Mutex, MutexGuard};
    pub(crate) use std::sync::PoisonError;
}

use std::time::Duration;

use shuttle::{future::block_on, sync::Arc, thread};

use self::{
    book::Census,
    queue::Step,
    roster::{Entered, Roster},
    wait::Wait,
};

const SCHEDULES: usize = 700;

type Pool = Roster<u32, &'static str>;

/// Borrows a connection: an idle one, or one that is waited for. A dial that is to be started ends at once, and fails where told.
fn acquire(pool: &Pool, dial_fails: bool) -> Result<u32, &'static str> {
    let number = match pool.enter() {
        Entered::Idle { idle, .. } => return Ok(idle.connection),
        Entered::Queued(number) => number,
        Entered::Full { .. } => return Err("full"),
        Entered::Closed => return Err("closed"),
    };
    block_on(async {
        let mut wait = Wait::new(pool, number, |orphan| give(pool, orphan));
        loop {
            match wait.next().await {
                Step::Dial(number) if dial_fails => pool.dial_failed(number, "refused"),
                Step::Dial(number) => {
                    if let Err(refused) = pool.dialled(number, u32::try_from(number).unwrap(), Duration::ZERO) {
                        bury(pool, refused);
                    }
                }
                Step::Lease(connection) => return Ok(connection),
                Step::Failed(error) => return Err(error),
                Step::Closed => return Err("closed"),
            }
        }
    })
}

fn give(pool: &Pool, connection: u32) {
    if let Err(refused) = pool.give(connection, Duration::ZERO) {
        bury(pool, refused);
    }
}

fn bury(pool: &Pool, _connection: u32) {
    pool.retire(0);
    thread::yield_now();
    pool.closed();
}

/// Comes, looks once what there is, and goes.
fn come_and_go(pool: &Pool) {
    match pool.enter() {
        Entered::Idle { idle, .. } => give(pool, idle.connection),
        Entered::Queued(number) => drop(Wait::new(pool, number, |orphan| give(pool, orphan))),
        Entered::Full { .. } | Entered::Closed => {}
    }
}

fn check(max_size: usize, threads: &'static [fn(&Pool)]) {
    shuttle::check_random(
        move || {
            let pool = Arc::new(Pool::new(max_size, 10));
            let threads: Vec<_> = threads
                .iter()
                .map(|work| {
                    let pool = Arc::clone(&pool);
                    thread::spawn(move || work(&pool))
                })
                .collect();
            for thread in threads {
                thread.join().unwrap();
            }
            let Census { idle, active, dialling, closing, waiters, .. } = pool.census();
            assert_eq!((active, dialling, closing, waiters), (0, 0, 0, 0), "something is held by nobody");
            assert!(idle <= max_size);
        },
        SCHEDULES,
    );
}

fn borrow(pool: &Pool) {
    let connection = acquire(pool, false).unwrap();
    thread::yield_now();
    give(pool, connection);
}

fn borrow_and_break(pool: &Pool) {
    let connection = acquire(pool, false).unwrap();
    bury(pool, connection);
}

fn borrow_and_detach(pool: &Pool) {
    acquire(pool, false).unwrap();
    pool.detached();
}

fn dial_in_vain(pool: &Pool) {
    if let Ok(connection) = acquire(pool, true) {
        give(pool, connection);
    }
}

fn close(pool: &Pool) {
    for _connection in pool.close(0) {
        pool.closed();
    }
}

fn borrow_or_be_sent_away(pool: &Pool) {
    match acquire(pool, false) {
        Ok(connection) => give(pool, connection),
        Err(why) => assert_eq!(why, "closed"),
    }
}

#[test]
fn t28_every_borrower_is_served() {
    check(1, &[borrow, borrow, borrow]);
    check(2, &[borrow, borrow, borrow, borrow]);
}

#[test]
fn t28_place_of_a_connection_that_ends_goes_to_who_waits() {
    check(1, &[borrow, borrow_and_break, borrow]);
    check(1, &[borrow, borrow_and_detach, borrow_and_break]);
}

#[test]
fn t28_who_leaves_takes_nothing_along() {
    check(1, &[borrow, come_and_go, borrow]);
    check(1, &[come_and_go, borrow_and_break, come_and_go, borrow]);
}

#[test]
fn t30_dial_that_fails_holds_up_nobody() {
    check(1, &[borrow, dial_in_vain, borrow]);
    check(2, &[dial_in_vain, borrow, come_and_go, borrow]);
}

#[test]
fn t37_close_reaches_everybody() {
    check(1, &[borrow_or_be_sent_away, close, borrow_or_be_sent_away, come_and_go]);
}
