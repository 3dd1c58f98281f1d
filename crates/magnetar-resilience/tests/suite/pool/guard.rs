//! How what was lent comes back, or does not.

use std::sync::{
    Arc, OnceLock,
    atomic::{AtomicUsize, Ordering},
};

use async_trait::async_trait;
use magnetar_resilience::{ConnectionFactory, ConnectionPool, Pooled, ResilienceError};
use tokio::time::sleep;

use crate::{
    lab::{Conn, Lab, Script, assert_whole, settle},
    support::{SECOND, poll_once},
};

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

/// A connection that looks at its pool when it ends.
struct Watching(Arc<OnceLock<ConnectionPool<Watching>>>, Arc<AtomicUsize>);

struct Watchers(Arc<OnceLock<ConnectionPool<Watching>>>, Arc<AtomicUsize>);

impl Drop for Watching {
    fn drop(&mut self) {
        let stats = self.0.get().unwrap().snapshot();
        self.1.store(stats.closing, Ordering::SeqCst);
    }
}

#[async_trait]
impl ConnectionFactory<Watching> for Watchers {
    async fn create(&self) -> Result<Watching, ResilienceError> {
        Ok(Watching(Arc::clone(&self.0), Arc::clone(&self.1)))
    }

    async fn is_healthy(&self, _: &Watching) -> bool {
        true
    }
}

#[test]
fn t33_place_is_free_only_after_the_connection_has_ended() {
    let (slot, seen) = (Arc::new(OnceLock::new()), Arc::new(AtomicUsize::new(0)));
    let pool = ConnectionPool::new_default(Arc::new(Watchers(Arc::clone(&slot), Arc::clone(&seen))));
    assert!(slot.set(pool.clone()).is_ok());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let [one, two] = runtime.block_on(async { [pool.acquire().await.unwrap(), pool.acquire().await.unwrap()] });
    let check = |guard: Pooled<Watching>| {
        seen.store(usize::MAX, Ordering::SeqCst);
        guard.discard();
        seen.load(Ordering::SeqCst)
    };
    drop(runtime.handle().enter());
    assert_eq!(check(one), 1, "without a runtime to say goodbye in");
    // In a runtime that has ended.
    let handle = runtime.handle().clone();
    drop(runtime);
    let _entered = handle.enter();
    assert_eq!(check(two), 1, "its task was never begun");
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
async fn unhealthy_connection_is_not_lent_again() {
    let lab = Lab::default();
    let pool = lab.pool(1);
    let mut guard = pool.acquire().await.unwrap();
    guard.healthy = false;
    pool.release(guard).await;
    assert_eq!(lab.book().farewells, 1, "release awaits the farewell");
    assert_eq!(pool.acquire().await.unwrap().id, 2);
}
