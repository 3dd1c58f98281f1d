//! A runtime on a thread of its own, which ends with the value that started it.

use std::{
    future::Future,
    thread::{Builder, JoinHandle},
};

use tokio::{runtime, sync::oneshot};

/// What runs in the background. Dropping it ends it, with all of its tasks and sockets, and waits for that.
pub(crate) struct Background {
    /// None once it is told to end.
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Background {
    /// Runs a future until it ends or this is dropped. One thread, so that its tasks see events in the order in which they happened.
    pub(crate) fn start<F: Future<Output = ()>>(name: &str, work: impl FnOnce() -> F + Send + 'static) -> Self {
        let (stop, stopped) = oneshot::channel::<()>();
        let run = move || {
            let runtime = runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                tokio::select! {
                    () = work() => {}
                    _ = stopped => {}
                }
            });
        };
        let thread = Builder::new().name(name.to_owned()).spawn(run).unwrap();
        Self { stop: Some(stop), thread: Some(thread) }
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        drop(self.stop.take());
        let ended = self.thread.take().map_or(Ok(()), JoinHandle::join);
        assert!(ended.is_ok() || std::thread::panicking(), "what ran in the background panicked");
    }
}
