//! A call that is retried, and does well at once.

use std::{hint::black_box, time::Duration};

use backon::{ExponentialBuilder, Retryable};
use criterion::Criterion;
use magnetar_resilience::{Backoff, ByClass, ResilienceError, Retry};

use crate::crowd::{ready, threads};

async fn works() -> Result<u32, ResilienceError> {
    black_box(Ok(1))
}

/// The first attempt succeeds.
pub(crate) fn first(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("retry-first");
    let own = Retry::builder(Backoff::exponential(Duration::from_millis(100), Duration::from_secs(30))).build().unwrap();
    threads(&mut group, "own", 1, || {
        ready(own.run(&ByClass, works)).unwrap();
    });
    threads(&mut group, "backon", 1, || {
        ready(works.retry(ExponentialBuilder::default().with_jitter())).unwrap();
    });
    group.finish();
}
