//! A connection that is lent and comes back: by one, by a crowd with a connection for each, and by a crowd that has to wait.

use std::{convert::Infallible, sync::Arc, time::Duration};

use async_trait::async_trait;
use criterion::{BenchmarkGroup, BenchmarkId, Criterion, measurement::WallTime};
use deadpool::managed::{Manager, Metrics, RecycleResult};
use magnetar_bench::{crowd::Crowd, scaled};
use magnetar_resilience::{ConnectionFactory, ConnectionPool, PoolConfig, ResilienceError};

/// Tasks, and connections for them.
const CROWDS: [(u64, u32); 3] = [(1, 1), (16, 16), (16, 4)];

struct Units;

#[async_trait]
impl ConnectionFactory<u64> for Units {
    async fn create(&self) -> Result<u64, ResilienceError> {
        Ok(1)
    }

    async fn is_healthy(&self, _: &u64) -> bool {
        true
    }
}

impl Manager for Units {
    type Type = u64;
    type Error = Infallible;

    async fn create(&self) -> Result<u64, Infallible> {
        Ok(1)
    }

    async fn recycle(&self, _: &mut u64, _: &Metrics) -> RecycleResult<Infallible> {
        Ok(())
    }
}

impl bb8::ManageConnection for Units {
    type Connection = u64;
    type Error = Infallible;

    async fn connect(&self) -> Result<u64, Infallible> {
        Ok(1)
    }

    async fn is_valid(&self, _: &mut u64) -> Result<(), Infallible> {
        Ok(())
    }

    fn has_broken(&self, _: &mut u64) -> bool {
        false
    }
}

/// Measures so many uses, shared out among the tasks.
fn bench<P, F>(group: &mut BenchmarkGroup<'_, WallTime>, side: &str, (tasks, places): (u64, u32), pool: P, uses: fn(P, u64) -> F)
where
    P: Clone,
    F: Future<Output = ()> + Send + 'static,
{
    let crowd = Crowd::with_timers();
    group.bench_function(BenchmarkId::new(side, format!("{tasks} tasks {places} places")), |bencher| {
        bencher.iter_custom(|count| {
            let each = count.div_ceil(tasks);
            scaled(crowd.time((0..tasks).map(|_| uses(pool.clone(), each))), each * tasks, count)
        });
    });
}

/// Each pool as it is by default, but for its size.
pub(crate) fn lend(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("pool-lend");
    for crowd in CROWDS {
        let places = crowd.1;
        let config = PoolConfig { max_size: places as usize, min_idle: 0, ..PoolConfig::default() };
        let own = ConnectionPool::new(Arc::new(Units), config);
        bench(&mut group, "own", crowd, own, |pool, count| async move {
            for _ in 0..count {
                drop(pool.acquire().await.unwrap());
            }
        });
        let deadpool = deadpool::managed::Pool::<Units>::builder(Units).max_size(places as usize).build().unwrap();
        bench(&mut group, "deadpool", crowd, deadpool, |pool, count| async move {
            for _ in 0..count {
                drop(pool.get().await.unwrap());
            }
        });
        let wait = Some(Duration::from_secs(30));
        let deadpool = deadpool::managed::Pool::<Units>::builder(Units).max_size(places as usize).wait_timeout(wait);
        let deadpool = deadpool.create_timeout(wait).recycle_timeout(wait).runtime(deadpool::Runtime::Tokio1).build().unwrap();
        bench(&mut group, "deadpool-timeouts", crowd, deadpool, |pool, count| async move {
            for _ in 0..count {
                drop(pool.get().await.unwrap());
            }
        });
        let bb8 = bb8::Pool::builder().max_size(places).test_on_check_out(false);
        let bb8 = Crowd::with_timers().wait(async { bb8.build_unchecked(Units) });
        bench(&mut group, "bb8", crowd, bb8, |pool, count| async move {
            for _ in 0..count {
                drop(pool.get().await.unwrap());
            }
        });
    }
    group.finish();
}
