//! What the handles, guards and tasks of a pool share, and how a connection is made and closed.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{
    runtime::Handle,
    task::{AbortHandle, JoinHandle},
};

use super::{book::Idle, config::PoolConfig, factory::ConnectionFactory, roster::Roster, upkeep};
use crate::{
    clock::Clock,
    deadline,
    error::ResilienceError,
    observe::{ClosedReason, Event, Observers},
    random::{Random, scaled},
};

/// By how much lifetimes are spread.
const LIFETIME_JITTER: f64 = 0.025;

/// A pool without its handles.
pub(super) struct Shared<T: Send + 'static> {
    pub(super) roster: Roster<Connection<T>, ResilienceError>,
    pub(super) factory: Arc<dyn ConnectionFactory<T>>,
    pub(super) name: Arc<str>,
    pub(super) config: PoolConfig,
    pub(super) dial_timeout: Duration,
    pub(super) check_after: Duration,
    pub(super) check_timeout: Duration,
    pub(super) close_timeout: Duration,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) random: Random,
    pub(super) observers: Observers,
    /// The runtime that the pool was made in, for those who are not in one.
    pub(super) runtime: Option<Handle>,
    /// What looks after the pool, once it has dialled.
    pub(super) upkeep: Mutex<Option<AbortHandle>>,
}

/// A connection, and when its life began and ends.
pub(super) struct Connection<T> {
    pub(super) value: T,
    pub(super) created: Duration,
    expires: Option<Duration>,
}

impl<T> Connection<T> {
    pub(super) fn is_old(&self, now: Duration) -> bool {
        self.expires.is_some_and(|expires| now >= expires)
    }
}

impl<T: Send + 'static> Shared<T> {
    /// Makes the connection of a dial in a task of its own, which hands it to who waits or keeps it, and tells whether there is one.
    pub(super) fn dial(self: &Arc<Self>, number: u64) -> Option<JoinHandle<bool>> {
        let dial = Dial { shared: Arc::clone(self), number, is_over: false };
        let Some(runtime) = self.runtime() else {
            dial.failed(ResilienceError::ConnectionCreation("there is no tokio runtime to dial in".to_owned()));
            return None;
        };
        Some(runtime.spawn(dial.run()))
    }

    /// A connection that was handed out comes back.
    pub(super) fn give_back(self: &Arc<Self>, connection: Connection<T>) {
        let now = self.clock.now();
        if connection.is_old(now) {
            self.dispose(connection, ClosedReason::Lifetime);
        } else if let Err(connection) = self.roster.give(connection, now) {
            self.dispose(connection, ClosedReason::PoolClosed);
        }
    }

    /// Closes a connection that was handed out. The task is the closing; nobody has to wait for it.
    pub(super) fn dispose(self: &Arc<Self>, connection: Connection<T>, reason: ClosedReason) -> Option<JoinHandle<()>> {
        self.roster.retire(reason as usize);
        self.bury(connection, reason)
    }

    /// Closes a connection whose place is marked as closing.
    pub(super) fn bury(self: &Arc<Self>, connection: Connection<T>, reason: ClosedReason) -> Option<JoinHandle<()>> {
        let grave = Grave { connection, place: Place(Arc::clone(self)) };
        self.observers.tell(&Event::Closed { pool: &self.name, reason });
        Some(self.runtime()?.spawn(grave.close()))
    }

    /// Why an idle connection is not to be used any more, so many others being idle. Some are kept however long they were idle.
    pub(super) fn expired(&self, idle: &Idle<Connection<T>>, others: usize, now: Duration) -> Option<ClosedReason> {
        if idle.connection.is_old(now) {
            return Some(ClosedReason::Lifetime);
        }
        let limit = self.config.idle_timeout?;
        (others >= self.config.min_idle && now.saturating_sub(idle.since) > limit).then_some(ClosedReason::Idle)
    }

    /// Starts what looks after the pool, if it does not run.
    pub(super) fn look_after(self: &Arc<Self>) {
        let mut task = self.upkeep.lock().unwrap_or_else(PoisonError::into_inner);
        if task.as_ref().is_none_or(AbortHandle::is_finished) && !self.roster.is_closed() {
            *task = self.runtime().map(|runtime| runtime.spawn(upkeep::run(Arc::downgrade(self))).abort_handle());
        }
    }

    /// Closes every idle connection and lets nobody in any more.
    pub(super) fn shut(self: &Arc<Self>) {
        if let Some(task) = self.upkeep.lock().unwrap_or_else(PoisonError::into_inner).take() {
            task.abort();
        }
        for connection in self.roster.close(ClosedReason::PoolClosed as usize) {
            self.bury(connection, ClosedReason::PoolClosed);
        }
    }

    /// The runtime of the caller, else the one that the pool was made in.
    pub(super) fn runtime(&self) -> Option<Handle> {
        Handle::try_current().ok().or_else(|| self.runtime.clone())
    }

    fn live(&self, value: T) -> Connection<T> {
        let created = self.clock.now();
        let lifetime = |longest| scaled(longest, 1.0 - LIFETIME_JITTER * self.random.unit());
        Connection { value, created, expires: self.config.max_lifetime.map(|longest| created.saturating_add(lifetime(longest))) }
    }
}

/// A dial that is under way. However it ends, the book is told.
struct Dial<T: Send + 'static> {
    shared: Arc<Shared<T>>,
    number: u64,
    is_over: bool,
}

impl<T: Send + 'static> Dial<T> {
    async fn run(self) -> bool {
        let shared = Arc::clone(&self.shared);
        let ends = shared.clock.now().saturating_add(shared.dial_timeout);
        match deadline::until(&*shared.clock, Some(ends), shared.factory.create()).await {
            Some(Ok(value)) => {
                self.made(value);
                return true;
            }
            Some(Err(error)) => self.failed(error),
            None => {
                let message = format!("it took longer than {:?}", shared.dial_timeout);
                self.failed(ResilienceError::ConnectionCreation(message));
            }
        }
        false
    }

    fn made(mut self, value: T) {
        self.is_over = true;
        let shared = &self.shared;
        let connection = shared.live(value);
        let now = connection.created;
        shared.observers.tell(&Event::Created { pool: &shared.name });
        if let Err(connection) = shared.roster.dialled(self.number, connection, now) {
            shared.dispose(connection, ClosedReason::PoolClosed);
        }
    }

    fn failed(mut self, error: ResilienceError) {
        self.end(error);
    }

    fn end(&mut self, error: ResilienceError) {
        self.is_over = true;
        self.shared.observers.tell(&Event::DialFailed { pool: &self.shared.name, cause: &error });
        self.shared.roster.dial_failed(self.number, error);
    }
}

impl<T: Send + 'static> Drop for Dial<T> {
    /// The factory panicked, or the runtime ended.
    fn drop(&mut self) {
        if !self.is_over {
            self.end(ResilienceError::ConnectionCreation("the factory panicked, or its runtime ended".to_owned()));
        }
    }
}

/// A connection that is being closed, and its place. However this ends, the connection ends before its place is free.
struct Grave<T: Send + 'static> {
    connection: Connection<T>,
    place: Place<T>,
}

impl<T: Send + 'static> Grave<T> {
    async fn close(self) {
        let Self { connection, place } = self;
        let shared = &place.0;
        let ends = shared.clock.now().saturating_add(shared.close_timeout);
        // One that takes too long was dropped along with its farewell.
        let _closed = deadline::until(&*shared.clock, Some(ends), shared.factory.close(connection.value)).await;
    }
}

/// The place of a connection that is being closed; free when this is dropped.
struct Place<T: Send + 'static>(Arc<Shared<T>>);

impl<T: Send + 'static> Drop for Place<T> {
    fn drop(&mut self) {
        self.0.roster.closed();
    }
}

impl<T: Send + 'static> fmt::Debug for Shared<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectionPool").field("name", &self.name).field("book", &self.roster.census()).finish_non_exhaustive()
    }
}
