//! Futures that are polled k times and then dropped, for every k: nothing is lost.

use std::{
    cell::RefCell,
    future::poll_fn,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    rc::Rc,
    sync::Arc,
    time::Duration,
};

use magnetar_resilience::{
    Backoff, CircuitBreaker, CircuitState, ConnectionPool, Error, ErrorClass, Jitter, Policy, Pooled, RateLimiter,
    ResilienceError, Retry, RetryBudget, Verdict,
};

use crate::{
    lab::{Conn, Lab, Script, assert_whole, settle},
    support::{Counter, SECOND, poll_once, polls, touchy},
};

type Boxed = Pin<Box<dyn Future<Output = ()>>>;

/// Polls a fresh future 0, 1, 2 … times, lets tasks and time go on after each poll, and drops it; until one has ended or panicked.
/// Returns how many polls that took.
async fn poll_and_drop<S>(
    mut setting: impl AsyncFnMut() -> S,
    begin: impl Fn(&S) -> Boxed,
    mut after: impl AsyncFnMut(S),
) -> usize {
    for polls in 0..200 {
        let world = setting().await;
        let mut future = begin(&world);
        let mut is_over = false;
        for _ in 0..polls {
            is_over = catch_unwind(AssertUnwindSafe(|| poll_once(&mut future))).map_or(true, |polled| polled.is_ready());
            if is_over {
                break;
            }
            settle().await;
            tokio::time::advance(Duration::from_millis(100)).await;
        }
        drop(future);
        after(world).await;
        if is_over {
            return polls;
        }
    }
    panic!("it did not end within 200 polls")
}

/// A pool, and what is lent of it meanwhile.
struct World {
    lab: Lab,
    pool: ConnectionPool<Conn>,
    lent: Rc<RefCell<Vec<Pooled<Conn>>>>,
}

/// What an acquire or a release meets.
#[derive(Clone, Copy, Debug, Default)]
struct Scene {
    create: Script,
    check: Script,
    close: Script,
    lent: usize,
    /// What was lent is idle by now, for so long that it is checked.
    is_stale: bool,
}

/// A pool of two places.
async fn world(scene: Scene) -> World {
    let lab = Lab::default();
    let builder = lab.builder(2).check_after(SECOND).check_timeout(SECOND).close_timeout(SECOND).dial_timeout(5 * SECOND);
    let pool = builder.build().unwrap();
    let mut guards = Vec::new();
    for _ in 0..scene.lent {
        guards.push(pool.acquire().await.unwrap());
    }
    if scene.is_stale {
        guards.clear();
        tokio::time::advance(2 * SECOND).await;
    }
    {
        let mut book = lab.book();
        (book.create, book.check, book.close) = (scene.create, scene.check, scene.close);
    }
    World { lab, pool, lent: Rc::new(RefCell::new(guards)) }
}

async fn assert_nothing_lost(world: World) {
    world.lent.borrow_mut().clear();
    // What hangs is given up by the pool itself.
    tokio::time::sleep(20 * SECOND).await;
    assert_whole(&world.pool, &world.lab).await;
}

fn acquire(world: &World) -> Boxed {
    let pool = world.pool.clone();
    Box::pin(async move { drop(pool.acquire_within(2 * SECOND).await) })
}

const SCRIPTS: [Script; 6] = [
    Script::Well,
    Script::After(3),
    Script::Takes(Duration::from_millis(150)),
    Script::Fails(2),
    Script::Panics(2),
    Script::Hangs,
];

#[tokio::test(start_paused = true)]
async fn t28_d11_acquire_that_dials_loses_nothing() {
    for create in SCRIPTS {
        let scene = Scene { create, ..Scene::default() };
        let polls = poll_and_drop(async || world(scene).await, acquire, assert_nothing_lost).await;
        assert!(polls >= 2, "{create:?} took {polls} polls");
    }
}

#[tokio::test(start_paused = true)]
async fn t28_d11_acquire_that_checks_loses_nothing() {
    for check in SCRIPTS {
        for close in [Script::Well, Script::After(2), Script::Panics(1), Script::Hangs] {
            let scene = Scene { create: Script::After(1), check, close, lent: 2, is_stale: true };
            poll_and_drop(async || world(scene).await, acquire, assert_nothing_lost).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn t28_d11_acquire_that_waits_loses_nothing() {
    // A connection comes back between two polls, or its place becomes free.
    for is_discarded in [false, true] {
        for come_back_after in 1..4 {
            let waits = |world: &World| -> Boxed {
                let mut acquire = acquire(world);
                let lent = Rc::clone(&world.lent);
                let mut polls = 0;
                Box::pin(poll_fn(move |context| {
                    polls += 1;
                    let polled = acquire.as_mut().poll(context);
                    if polls == come_back_after
                        && let Some(guard) = lent.borrow_mut().pop()
                    {
                        if is_discarded { guard.discard() } else { drop(guard) }
                    }
                    polled
                }))
            };
            let scene = Scene { create: Script::After(1), close: Script::After(1), lent: 2, ..Scene::default() };
            let polls = poll_and_drop(async || world(scene).await, waits, assert_nothing_lost).await;
            assert!(polls > come_back_after, "{polls}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn t28_d11_release_loses_nothing() {
    for check in SCRIPTS {
        for close in [Script::Well, Script::After(2), Script::Panics(1), Script::Hangs] {
            let release = |world: &World| -> Boxed {
                let guard = world.lent.borrow_mut().pop().unwrap();
                let pool = world.pool.clone();
                Box::pin(async move { pool.release(guard).await })
            };
            let scene = Scene { check, close, lent: 1, ..Scene::default() };
            poll_and_drop(async || world(scene).await, release, assert_nothing_lost).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn t28_close_that_is_left_goes_on() {
    let close = |world: &World| -> Boxed {
        let pool = world.pool.clone();
        Box::pin(async move { assert!(pool.close(60 * SECOND).await) })
    };
    let closed = async |world: World| {
        // Whoever polled it once has closed it.
        let closed = world.pool.acquire().await.is_err();
        drop(world.lent);
        tokio::time::sleep(20 * SECOND).await;
        if closed {
            assert!(world.lab.book().live.is_empty());
        }
    };
    let setting = async || {
        let world = world(Scene { close: Script::Takes(SECOND / 4), lent: 2, ..Scene::default() }).await;
        world.lent.borrow_mut().clear();
        world
    };
    poll_and_drop(setting, close, closed).await;
}

/// A breaker that is ready for its one probe, a limiter, a pool and a budget in one stack.
struct Stack {
    world: World,
    breaker: Arc<CircuitBreaker>,
    budget: Arc<RetryBudget>,
    policy: Arc<Policy<ConnectionPool<Conn>>>,
}

async fn stack() -> Stack {
    let world = world(Scene { create: Script::After(1), ..Scene::default() }).await;
    let breaker = Arc::new(CircuitBreaker::builder().config(touchy()).build().unwrap());
    breaker.try_acquire().unwrap().failure();
    tokio::time::advance(2 * SECOND).await;
    let budget = RetryBudget::builder().min_per_second(0).capacity(5).build().unwrap();
    let retry = Retry::builder(Backoff::fixed(SECOND / 5).jitter(Jitter::None)).budget(Arc::clone(&budget));
    let limiter = RateLimiter::builder(5, SECOND).burst(1).initial(0).build().unwrap();
    let policy = Policy::builder().retry(retry).breaker(Arc::clone(&breaker)).limiter(limiter).pool(world.pool.clone()).build();
    Stack { world, breaker, budget, policy: Arc::new(policy.unwrap()) }
}

#[tokio::test(start_paused = true)]
async fn t28_t01_t17_call_through_the_whole_stack_loses_nothing() {
    let begin = |stack: &Stack| -> Boxed {
        let policy = Arc::clone(&stack.policy);
        Box::pin(async move {
            let attempts = Counter::default();
            let op = |connection: Pooled<Conn>| {
                let attempt = attempts.add();
                async move {
                    polls(2).await;
                    drop(connection);
                    if attempt == 0 { Err(ResilienceError::Permanent("gone".to_owned())) } else { Ok(()) }
                }
            };
            let judge = |result: &Result<(), ResilienceError>| match result {
                Ok(()) => Verdict::Success,
                Err(_) => Verdict::failure(ErrorClass::Unsent),
            };
            let ended = policy.run(&judge, op).await;
            assert!(matches!(ended, Err(Error::Inner(_))), "the probe failed, so no other attempt followed: {ended:?}");
        })
    };
    let whole = async |stack: Stack| {
        if let CircuitState::HalfOpen { in_flight, .. } = stack.breaker.state() {
            assert_eq!(in_flight, 0, "no probe holds a place");
        }
        assert_eq!(stack.budget.balance(), 5, "no retry was made, so none was paid for");
        assert_nothing_lost(stack.world).await;
    };
    let polls = poll_and_drop(stack, begin, whole).await;
    assert!(polls > 4, "{polls}");
}

#[tokio::test(start_paused = true)]
async fn t24_limiter_that_is_left_loses_no_token() {
    let setting = async || {
        let limiter = RateLimiter::builder(1, SECOND).burst(1).initial(0).build().unwrap();
        // Somebody waits before, so that both places of the queue are tried.
        let first = limiter.clone();
        let task = tokio::spawn(async move { first.acquire().await });
        settle().await;
        (limiter, RefCell::new(Some(task)))
    };
    let acquire = |(limiter, _): &(RateLimiter, _)| -> Boxed {
        let limiter = limiter.clone();
        Box::pin(async move { limiter.acquire().await.unwrap() })
    };
    let keeps_its_rate = async |(limiter, task): (RateLimiter, RefCell<Option<tokio::task::JoinHandle<_>>>)| {
        let first: Result<(), ResilienceError> = task.take().unwrap().await.unwrap();
        assert_eq!((first, limiter.waiters()), (Ok(()), 0));
        let start = tokio::time::Instant::now();
        limiter.acquire().await.unwrap();
        assert!(start.elapsed() <= SECOND + Duration::from_millis(2), "a token was lost: {:?}", start.elapsed());
    };
    let polls = poll_and_drop(setting, acquire, keeps_its_rate).await;
    assert!(polls > 10, "two seconds by tenths: {polls}");
}
