//! So many operations, by one thread or by several at once.

use std::{
    pin::pin,
    sync::Barrier,
    task::{Context, Poll, Waker},
    thread,
    time::Duration,
};

use criterion::{BenchmarkGroup, BenchmarkId, measurement::WallTime};
use magnetar_bench::now;

/// Measures an operation, by each of so many threads.
pub(crate) fn threads(group: &mut BenchmarkGroup<'_, WallTime>, side: &str, threads: usize, op: impl Fn() + Sync) {
    group.bench_function(BenchmarkId::new(side, format!("{threads} threads")), |bencher| {
        if threads == 1 {
            bencher.iter(&op);
        } else {
            bencher.iter_custom(|count| crowd(threads, count, &op));
        }
    });
}

/// The longest time that one of the threads took for its operations.
fn crowd(threads: usize, count: u64, op: &(impl Fn() + Sync)) -> Duration {
    let start = Barrier::new(threads);
    thread::scope(|scope| {
        let one = || {
            start.wait();
            let begin = now();
            (0..count).for_each(|_| op());
            begin.elapsed()
        };
        let running: Vec<_> = (0..threads).map(|_| scope.spawn(one)).collect();
        running.into_iter().map(|thread| thread.join().unwrap()).max().unwrap_or_default()
    })
}

/// The output of a future that is ready at once.
pub(crate) fn ready<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => unreachable!("nothing here waits"),
    }
}
