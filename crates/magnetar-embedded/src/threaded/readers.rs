//! The threads that read.

use std::{
    collections::VecDeque,
    sync::{Arc, PoisonError},
};

use magnetar_core::{Answer, Error, ErrorKind, Query, Result};

use super::spawn;
use crate::{
    answer::{Answerer, Awaited, Lost, answer},
    backend::Reader,
    look, read,
    stop::Stop,
    store::closed,
    sync::{Condvar, Mutex, lock, thread::JoinHandle},
    writer::panic_text,
};

/// The most queries that may wait.
const QUERIES_MAX: usize = 65_536;

/// What a read saw.
pub(super) enum Seen {
    Whole(Box<Answer>),
    /// Ends were being told, so counters and statuses do not fit together yet.
    Half,
    /// The engine below panicked: what it would say next cannot be trusted.
    Panicked(String),
}

impl Lost for Seen {
    fn lost(self) {}
}

pub(super) struct Readers {
    shared: Arc<Shared>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

#[derive(Default)]
struct Shared {
    inner: Mutex<Inner>,
    arrived: Condvar,
}

#[derive(Default)]
struct Inner {
    queries: VecDeque<(Query, Answerer<Seen>)>,
    is_closed: bool,
}

impl Readers {
    pub(super) fn start(readers: Vec<Box<dyn Reader>>) -> Result<Self> {
        let shared = Arc::new(Shared::default());
        let readers = readers.into_iter().map(|mut reader| {
            let shared = Arc::clone(&shared);
            spawn("magnetar-reader", move || {
                while let Some((query, answerer)) = shared.next() {
                    answerer.send(see(&mut *reader, &query));
                }
            })
        });
        let threads = readers.collect::<Result<_>>()?;
        Ok(Self { shared, threads: Mutex::new(threads) })
    }

    pub(super) fn ask(&self, query: Query) -> Result<Awaited<Seen>> {
        let (answerer, awaited) = answer(closed);
        let mut inner = lock(&self.shared.inner);
        if inner.is_closed {
            return Err(closed());
        }
        if inner.queries.len() >= QUERIES_MAX {
            return Err(Error::new(ErrorKind::Busy, format!("read: {QUERIES_MAX} queries wait already; try again in a moment")));
        }
        inner.queries.push_back((query, answerer));
        drop(inner);
        self.shared.arrived.notify_one();
        Ok(awaited)
    }

    pub(super) fn stop(&self) {
        lock(&self.shared.inner).is_closed = true;
        self.shared.arrived.notify_all();
        for thread in lock(&self.threads).drain(..) {
            // A reader that panicked has answered with the drop of its answerer.
            let _ = thread.join();
        }
    }
}

impl Drop for Readers {
    fn drop(&mut self) {
        lock(&self.shared.inner).is_closed = true;
        self.shared.arrived.notify_all();
    }
}

impl Shared {
    fn next(&self) -> Option<(Query, Answerer<Seen>)> {
        let inner = lock(&self.inner);
        let is_idle = |inner: &mut Inner| inner.queries.is_empty() && !inner.is_closed;
        let mut inner = self.arrived.wait_while(inner, is_idle).unwrap_or_else(PoisonError::into_inner);
        inner.queries.pop_front()
    }
}

fn see(reader: &mut dyn Reader, query: &Query) -> Result<Seen> {
    let seen = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let view = reader.view()?;
        if look::has_releases(&*view).map_err(Stop::into_error)? {
            return Ok(Seen::Half);
        }
        read::answer(&*view, query).map(|answer| Seen::Whole(Box::new(answer)))
    }));
    seen.unwrap_or_else(|panic| Ok(Seen::Panicked(panic_text(&*panic))))
}
