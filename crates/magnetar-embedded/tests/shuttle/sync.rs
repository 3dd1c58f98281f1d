//! Threads, locks and time of the crate under test, as shuttle orders them.

use std::{
    cell::Cell,
    io,
    num::NonZeroUsize,
    sync::{
        Arc, LockResult, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

pub(crate) use shuttle::{
    hint::spin_loop,
    sync::{
        Mutex, MutexGuard,
        atomic::AtomicUsize,
        mpsc::{SyncSender, sync_channel},
    },
};
use shuttle::{rand::Rng, thread::yield_now};

pub(crate) mod thread {
    pub(crate) use std::thread::panicking;

    pub(crate) use shuttle::thread::{Builder, JoinHandle, spawn, yield_now};

    pub(crate) use super::available_parallelism;
}

/// A longer wait does not run out here: whoever was to be woken and was not then stands still, and shuttle sees it.
const SHORT: Duration = Duration::from_millis(10);

thread_local! {
    /// Whether wake-ups are lost, for a control.
    static LOSES_WAKES: Cell<bool> = const { Cell::new(false) };
}

/// Plants a bug, or digs it out: every wake-up of a sleeping thread is lost.
pub(crate) fn lose_wakes(loses: bool) {
    LOSES_WAKES.set(loses);
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(crate) fn available_parallelism() -> io::Result<NonZeroUsize> {
    NonZeroUsize::new(2).ok_or_else(|| io::ErrorKind::Unsupported.into())
}

/// An instant of which nothing is known but that some time has passed since: how much is drawn anew each time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Instant;

impl Instant {
    pub(crate) fn now() -> Self {
        Self
    }

    #[expect(clippy::unused_self, reason = "as the standard library has it")]
    pub(crate) fn elapsed(self) -> Duration {
        let micros = [0, 20, 400, 5_000];
        Duration::from_micros(micros[shuttle::rand::thread_rng().gen_range(0..micros.len())])
    }
}

#[derive(Debug, Default)]
pub(crate) struct Condvar(Arc<shuttle::sync::Condvar>);

impl Condvar {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    pub(crate) fn notify_one(&self) {
        if !LOSES_WAKES.get() {
            self.0.notify_one();
        }
    }

    pub(crate) fn notify_all(&self) {
        self.0.notify_all();
    }

    pub(crate) fn wait_while<'a, T>(
        &self,
        guard: MutexGuard<'a, T>,
        condition: impl FnMut(&mut T) -> bool,
    ) -> LockResult<MutexGuard<'a, T>> {
        self.0.wait_while(guard, condition)
    }

    #[expect(clippy::unnecessary_wraps, reason = "as the standard library has it")]
    /// Waits until the condition is over or, for a short wait, until a thread that does nothing else has run.
    pub(crate) fn wait_timeout_while<'a, T>(
        &self,
        mut guard: MutexGuard<'a, T>,
        at_most: Duration,
        mut condition: impl FnMut(&mut T) -> bool,
    ) -> LockResult<(MutexGuard<'a, T>, ())> {
        if at_most.is_zero() || !condition(&mut guard) {
            return Ok((guard, ()));
        }
        if at_most > SHORT {
            return Ok((self.0.wait_while(guard, condition).unwrap_or_else(PoisonError::into_inner), ()));
        }
        let over = Arc::new([AtomicBool::new(false), AtomicBool::new(false)]);
        let (own, condvar) = (Arc::clone(&over), Arc::clone(&self.0));
        let timer = shuttle::thread::spawn(move || {
            let [is_over, is_seen] = &*own;
            is_over.store(true, Relaxed);
            // Without the lock of the waiting thread, which may not wait yet: so more than once.
            while !is_seen.load(Relaxed) {
                condvar.notify_all();
                yield_now();
            }
        });
        let [is_over, is_seen] = &*over;
        let guard = self.0.wait_while(guard, |inner| !is_over.load(Relaxed) && condition(inner));
        is_seen.store(true, Relaxed);
        drop(timer);
        Ok((guard.unwrap_or_else(PoisonError::into_inner), ()))
    }
}
