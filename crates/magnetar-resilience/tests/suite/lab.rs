//! A factory whose connections are counted, and which does what a test says.

use std::{
    collections::{BTreeSet, VecDeque},
    future,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use async_trait::async_trait;
use magnetar_resilience::{ConnectionFactory, ConnectionPool, PoolBuilder, PoolConfig, ResilienceError};

use crate::support::{SECOND, polls};

/// How a method of the factory goes.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) enum Script {
    /// Well, at once.
    #[default]
    Well,
    /// Well, after being polled so often.
    After(usize),
    /// Well, after so long.
    Takes(Duration),
    /// Badly, after being polled so often.
    Fails(usize),
    /// By a panic, after being polled so often.
    Panics(usize),
    /// Never.
    Hangs,
}

impl Script {
    async fn play(self) -> bool {
        match self {
            Self::Well => {}
            Self::After(count) => polls(count).await,
            Self::Takes(time) => tokio::time::sleep(time).await,
            Self::Fails(count) => {
                polls(count).await;
                return false;
            }
            Self::Panics(count) => {
                polls(count).await;
                panic!("inside of the factory");
            }
            Self::Hangs => future::pending().await,
        }
        true
    }
}

/// The factory.
#[derive(Clone, Debug, Default)]
pub(crate) struct Lab(Arc<Mutex<Book>>);

#[derive(Debug, Default)]
pub(crate) struct Book {
    /// What is done next, before what is done always.
    pub(crate) creates: VecDeque<Script>,
    pub(crate) create: Script,
    pub(crate) check: Script,
    pub(crate) close: Script,
    /// How often each was begun.
    pub(crate) dials: usize,
    pub(crate) checks: usize,
    pub(crate) farewells: usize,
    /// The connections that exist, and the most that ever did at a time.
    pub(crate) live: BTreeSet<usize>,
    pub(crate) most: usize,
    next: usize,
}

/// A connection. It exists from the end of its dial until it is dropped.
#[derive(Debug)]
pub(crate) struct Conn {
    pub(crate) id: usize,
    pub(crate) healthy: bool,
    lab: Lab,
}

impl Lab {
    pub(crate) fn book(&self) -> MutexGuard<'_, Book> {
        self.0.lock().unwrap()
    }

    /// How many farewells there were, and how many connections exist still.
    pub(crate) fn ended(&self) -> (usize, usize) {
        let book = self.book();
        (book.farewells, book.live.len())
    }

    pub(crate) fn pool(&self, max_size: usize) -> ConnectionPool<Conn> {
        self.builder(max_size).build().unwrap()
    }

    /// Nothing is kept idle by the pool itself, and nothing ends by time.
    pub(crate) fn builder(&self, max_size: usize) -> PoolBuilder<Conn> {
        let config = PoolConfig { max_size, min_idle: 0, idle_timeout: None, max_lifetime: None, acquire_timeout: 10 * SECOND };
        ConnectionPool::builder(Arc::new(self.clone())).config(config)
    }
}

#[async_trait]
impl ConnectionFactory<Conn> for Lab {
    async fn create(&self) -> Result<Conn, ResilienceError> {
        let script = {
            let mut book = self.book();
            book.dials += 1;
            let always = book.create;
            book.creates.pop_front().unwrap_or(always)
        };
        if !script.play().await {
            return Err(ResilienceError::ConnectionCreation("refused".to_owned()));
        }
        let mut book = self.book();
        book.next += 1;
        let id = book.next;
        book.live.insert(id);
        book.most = book.most.max(book.live.len());
        Ok(Conn { id, healthy: true, lab: self.clone() })
    }

    async fn is_healthy(&self, connection: &Conn) -> bool {
        let script = {
            let mut book = self.book();
            book.checks += 1;
            book.check
        };
        script.play().await && connection.healthy
    }

    async fn close(&self, connection: Conn) {
        let script = {
            let mut book = self.book();
            book.farewells += 1;
            book.close
        };
        script.play().await;
        drop(connection);
    }
}

impl Drop for Conn {
    fn drop(&mut self) {
        assert!(self.lab.book().live.remove(&self.id), "connection {} ended twice", self.id);
    }
}

/// Lets every task go on until it waits for time or for the test.
pub(crate) async fn settle() {
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
}

/// Holds what must be true of a pool from which nobody has a connection: every place can be had, and no connection is lost.
pub(crate) async fn assert_whole(pool: &ConnectionPool<Conn>, lab: &Lab) {
    settle().await;
    {
        let mut book = lab.book();
        book.creates.clear();
        (book.create, book.check, book.close) = (Script::Well, Script::Well, Script::Well);
    }
    let stats = pool.snapshot();
    assert_eq!((stats.active, stats.waiters), (0, 0), "{stats:?}");
    let mut guards = Vec::new();
    for place in 0..stats.max_size {
        let guard = tokio::time::timeout(60 * SECOND, pool.acquire()).await;
        guards.push(guard.unwrap().unwrap_or_else(|error| panic!("place {place} of {stats:?}: {error}")));
    }
    let ids: BTreeSet<_> = guards.iter().map(|guard| guard.id).collect();
    assert_eq!(ids.len(), stats.max_size, "no connection is lent twice");
    assert!(lab.book().most <= stats.max_size, "{} connections at a time", lab.book().most);
    drop(guards);
    settle().await;
    let stats = pool.snapshot();
    assert_eq!((stats.active, stats.dialling, stats.closing), (0, 0, 0), "{stats:?}");
    assert_eq!(stats.idle, lab.book().live.len(), "what lives is idle");
}
