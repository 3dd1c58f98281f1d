//! The write side of one handle: backend, engine and clock together, one transaction at a time.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use magnetar_core::{Clock, Error, ErrorKind, Result};

use crate::{
    backend::{Backend, Flush, Tx, View},
    engine::{Applied, Engine, Nothing, Requests},
    locks::Locks,
    look,
    memo::Memo,
    options::Options,
    stop::Stop,
    writes::Writes,
};

pub(crate) struct Writer {
    backend: Box<dyn Backend>,
    engine: Engine,
    clock: Arc<dyn Clock>,
    /// What the last transaction wrote and learned, as long as the engine has not taken it over.
    learned: Option<(Writes, Memo)>,
    /// What errors call the store.
    name: String,
    /// Why nothing can be trusted any more.
    poison: Option<String>,
}

impl Writer {
    /// Opens a session in the store.
    pub(crate) fn open(
        mut backend: Box<dyn Backend>,
        options: Options,
        clock: Arc<dyn Clock>,
        locks: Box<dyn Locks>,
    ) -> Result<Self> {
        let open = || {
            let tx = backend.begin()?;
            let (engine, writes) = Engine::open(&*tx, options, locks, clock.now())?;
            tx.commit(&writes, Flush::Synced)?;
            Ok(engine)
        };
        let opened = catch_unwind(AssertUnwindSafe(open));
        let name = backend.name();
        let engine = opened.unwrap_or_else(|panic| Err(damaged(&name, &panic_text(&*panic))))?;
        Ok(Self { backend, engine, clock, learned: None, name, poison: None })
    }

    /// A source of reads that does not stop this writer.
    pub(crate) fn reader(&self) -> Result<Box<dyn crate::backend::Reader>> {
        self.backend.reader()
    }

    /// Applies the groups of requests in one commit, and returns whether something may have become claimable. An error means
    /// that nothing was changed, unless the store is poisoned by it.
    pub(crate) fn run(&mut self, requests: &mut dyn Requests) -> Result<bool> {
        let now = self.clock.now();
        let (wakes, learned) = self.guarded(|backend, engine| {
            let tx = begin(backend, engine)?;
            let Applied { writes, flush, wakes, memo } = engine.apply(&*tx, requests, now)?;
            commit(tx, &writes, flush)?;
            engine.committed();
            Ok((wakes, (writes, memo)))
        })?;
        self.learned = Some(learned);
        Ok(wakes)
    }

    /// Has the engine remember what the last transaction wrote and learned. It happens before the next one at the latest; a
    /// driver that has callers waiting answers them first.
    pub(crate) fn remember(&mut self) {
        if let Some((writes, memo)) = self.learned.take() {
            self.engine.remember(writes, memo);
        }
    }

    /// Tells of every end that has not been told, transaction after transaction.
    pub(crate) fn settle(&mut self) -> Result<bool> {
        let mut wakes = false;
        while self.has_releases()? {
            self.engine.expect_backlog();
            wakes |= self.run(&mut Nothing)?;
            if !self.engine.has_backlog() && self.has_releases()? {
                return Err(Error::new(ErrorKind::Corrupt, "tell of ends: a row that this needs is damaged; audit the jobs"));
            }
        }
        Ok(wakes)
    }

    fn has_releases(&mut self) -> Result<bool> {
        self.guarded(|backend, engine| {
            let tx = begin(backend, engine)?;
            Ok(look::has_releases(&*tx as &dyn View).map_err(Stop::into_error)?)
        })
    }

    /// Lets a driver read in its own thread. A panic below poisons the store, as one of a write does.
    pub(crate) fn read<T>(&mut self, read: impl FnOnce() -> Result<T>) -> Result<T> {
        self.guarded(|_, _| Ok(read()?))
    }

    /// Gives back what this handle holds and ends its session.
    pub(crate) fn close(&mut self) -> Result<()> {
        let now = self.clock.now();
        self.guarded(|backend, engine| {
            let tx = begin(backend, engine)?;
            let Applied { writes, flush, .. } = engine.close(&*tx, now)?;
            commit(tx, &writes, flush)?;
            engine.committed();
            Ok(())
        })
    }

    /// Whether another transaction should follow at once.
    #[cfg(feature = "threaded")]
    pub(crate) fn has_backlog(&self) -> bool {
        self.poison.is_none() && self.engine.has_backlog()
    }

    /// Whether nothing this handle says can be trusted any more.
    #[cfg(feature = "threaded")]
    pub(crate) fn is_poisoned(&self) -> bool {
        self.poison.is_some()
    }

    /// How long nothing needs to be done.
    #[cfg(feature = "threaded")]
    pub(crate) fn idle_for(&self) -> std::time::Duration {
        self.engine.due_at().since(self.clock.now())
    }

    /// Runs something on the backend. A failed commit or a panic below poisons the store: nothing this handle says can be
    /// trusted until it is opened again and has read what is really there.
    fn guarded<T>(&mut self, what: impl FnOnce(&mut dyn Backend, &mut Engine) -> Result<T, Failure>) -> Result<T> {
        if let Some(why) = &self.poison {
            return Err(poisoned(why));
        }
        self.remember();
        let (backend, engine) = (&mut *self.backend, &mut self.engine);
        match catch_unwind(AssertUnwindSafe(|| what(backend, engine))) {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(Failure::Before(error))) => {
                self.engine.roll_back();
                Err(error)
            }
            Ok(Err(Failure::Commit(error))) => {
                self.poison = Some(error.to_string());
                Err(error)
            }
            Err(panic) => {
                let why = panic_text(&*panic);
                let error = damaged(&self.name, &why);
                self.poison = Some(why);
                Err(error)
            }
        }
    }
}

/// When something failed: before anything was written, or while it was.
enum Failure {
    Before(Error),
    Commit(Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Before(error)
    }
}

fn begin<'b>(backend: &'b mut dyn Backend, engine: &mut Engine) -> Result<Box<dyn Tx + 'b>> {
    let tx = backend.begin()?;
    if tx.has_foreign_writes() {
        engine.forget();
    }
    Ok(tx)
}

fn commit(tx: Box<dyn Tx + '_>, writes: &Writes, flush: Flush) -> Result<(), Failure> {
    if writes.is_empty() {
        return Ok(());
    }
    // A backend that says the device is full has taken everything back.
    tx.commit(writes, flush)
        .map_err(|error| if error.kind() == ErrorKind::Full { Failure::Before(error) } else { Failure::Commit(error) })
}

/// The error of every call after a failure whose outcome is unknown.
pub(crate) fn poisoned(why: &str) -> Error {
    Error::new(ErrorKind::Poisoned, format!("use a handle whose store failed before ({why}); open it again"))
}

/// The error of the call in which the engine below panicked, which it does over damage.
pub(crate) fn damaged(name: &str, why: &str) -> Error {
    Error::new(ErrorKind::Corrupt, format!("use {name}, which is damaged ({why}); open it again and audit it"))
}

/// What a panic says.
pub(crate) fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned()).or_else(|| panic.downcast_ref::<String>().cloned());
    format!("the engine below panicked: {}", text.unwrap_or_else(|| "no message".to_owned()))
}
