//! A crowd: tasks of a runtime that call a store at once, as the workers of a program do.

use std::{future::Future, time::Duration};

use tokio::runtime::{Builder, Runtime};

/// The threads of the runtime that callers run on.
const THREADS: usize = 2;

/// A runtime for callers.
pub struct Crowd(Runtime);

impl Default for Crowd {
    fn default() -> Self {
        Self(Builder::new_multi_thread().worker_threads(THREADS).build().expect("a runtime starts"))
    }
}

impl Crowd {
    /// Callers who may wait for time.
    pub fn with_timers() -> Self {
        Self(Builder::new_multi_thread().worker_threads(THREADS).enable_time().build().expect("a runtime starts"))
    }

    /// The time from the start of all callers to the end of the last.
    pub fn time<F>(&self, callers: impl Iterator<Item = F>) -> Duration
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let callers: Vec<F> = callers.collect();
        self.0.block_on(async {
            let begin = crate::now();
            let tasks: Vec<_> = callers.into_iter().map(tokio::spawn).collect();
            for task in tasks {
                task.await.expect("a caller does not panic");
            }
            begin.elapsed()
        })
    }

    /// Waits for one future.
    pub fn wait<T>(&self, future: impl Future<Output = T>) -> T {
        self.0.block_on(future)
    }
}
