//! The harness of every backend that stands on the embedded engine.

use std::{
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use magnetar_core::JobStore;
use magnetar_embedded::{Backend, Options, Store};

use crate::{clock::ManualClock, harness::Harness, mortal::Mortal};

/// What makes a backend on the data of one store, each time it is called.
pub type Source = Box<dyn Fn() -> Box<dyn Backend> + Send + Sync>;

/// A handle that is or was open, and the switch that kills it.
type Fate = (Weak<dyn JobStore>, Arc<AtomicBool>);

/// Which driver a harness opens.
#[derive(Clone, Copy)]
enum Driver {
    Threaded,
    Inline,
}

/// A harness on a backend of the embedded engine: its handles die by having their backend fail from then on.
pub struct EmbeddedHarness {
    source: Source,
    clock: ManualClock,
    driver: Driver,
    options: Options,
    has_many_handles: bool,
    /// How to kill each handle that is open.
    fates: Mutex<Vec<Fate>>,
}

impl EmbeddedHarness {
    /// A harness whose handles have threads.
    pub fn threaded(source: impl Fn() -> Box<dyn Backend> + Send + Sync + 'static) -> Self {
        Self::new(source, Driver::Threaded, Options::default())
    }

    /// A harness whose handles do everything in the thread of the caller, and upkeep with every call.
    pub fn inline(source: impl Fn() -> Box<dyn Backend> + Send + Sync + 'static) -> Self {
        let mut options = Options::default();
        options.upkeep_every = Duration::ZERO;
        Self::new(source, Driver::Inline, options)
    }

    /// The same harness, in steps so small that every bound on a transaction is met: ends are told two children at a time,
    /// and two rows are as much upkeep as is done at once.
    #[must_use]
    pub fn in_small_steps(mut self) -> Self {
        self.options.release_rows = 2;
        self.options.upkeep_rows = 2;
        self
    }

    fn new(source: impl Fn() -> Box<dyn Backend> + Send + Sync + 'static, driver: Driver, options: Options) -> Self {
        Self {
            source: Box::new(source),
            clock: ManualClock::default(),
            driver,
            options,
            has_many_handles: true,
            fates: Mutex::default(),
        }
    }

    /// The same harness for a backend that lets one handle be open at a time.
    #[must_use]
    pub fn with_one_handle(mut self) -> Self {
        self.has_many_handles = false;
        self
    }
}

#[async_trait]
impl Harness for EmbeddedHarness {
    fn clock(&self) -> &ManualClock {
        &self.clock
    }

    async fn open(&self) -> Arc<dyn JobStore> {
        let is_dead = Arc::new(AtomicBool::new(false));
        let backend = Box::new(Mortal::new((self.source)(), Arc::clone(&is_dead)));
        let clock = Arc::new(self.clock.clone());
        let store = match self.driver {
            Driver::Threaded => Store::threaded(backend, self.options.clone(), clock),
            Driver::Inline => Store::inline(backend, self.options.clone(), clock),
        };
        let handle: Arc<dyn JobStore> = Arc::new(store.expect("a fresh store opens"));
        self.fates.lock().unwrap_or_else(PoisonError::into_inner).push((Arc::downgrade(&handle), is_dead));
        handle
    }

    async fn kill(&self, handle: Arc<dyn JobStore>) {
        let fates = self.fates.lock().unwrap_or_else(PoisonError::into_inner);
        let is_it = |known: &Weak<dyn JobStore>| std::ptr::addr_eq(known.as_ptr(), Arc::as_ptr(&handle));
        let fate = fates.iter().find(|(known, _)| is_it(known)).map(|(_, is_dead)| is_dead);
        fate.expect("this harness opened the handle").store(true, Ordering::SeqCst);
    }

    fn has_many_handles(&self) -> bool {
        self.has_many_handles
    }
}
