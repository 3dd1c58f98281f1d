//! The book of a pool under its lock: what those who come, wait, dial, give back and close find and leave.
//!
//! Nothing of the caller's runs under the lock, and nobody is woken under it.

use std::{mem, task::Waker, time::Duration};

use super::{
    book::{Book, Census, Idle},
    queue::Step,
};
use crate::sync::{Mutex, MutexGuard, PoisonError};

/// The book, and its limits.
#[derive(Debug)]
pub(crate) struct Roster<C, E> {
    book: Mutex<Book<C, E>>,
    max_size: usize,
    max_waiters: usize,
}

/// What who comes for a connection finds.
#[derive(Debug)]
pub(crate) enum Entered<C> {
    /// The one that was used last, and how many are idle beside it.
    Idle { idle: Idle<C>, left: usize },
    /// A place in the queue.
    Queued(u64),
    /// As many wait as may.
    Full { waiters: usize },
    /// The pool is closed.
    Closed,
}

impl<C, E: Clone> Roster<C, E> {
    pub(crate) fn new(max_size: usize, max_waiters: usize) -> Self {
        Self { book: Mutex::new(Book::new()), max_size, max_waiters }
    }

    /// Comes for a connection: takes an idle one, or queues.
    pub(crate) fn enter(&self) -> Entered<C> {
        let mut book = self.book();
        if book.is_closed {
            return Entered::Closed;
        }
        if let Some(idle) = book.idle.pop_back() {
            book.active += 1;
            return Entered::Idle { idle, left: book.idle.len() };
        }
        // Who finds room dials, and waits for nobody.
        if book.size() >= self.max_size && book.queue.idlers() >= self.max_waiters {
            return Entered::Full { waiters: book.queue.len() };
        }
        let number = book.queue.join();
        let hired = book.staff(self.max_size);
        drop(book);
        wake(hired);
        Entered::Queued(number)
    }

    /// Asks for one who waits; the waker is told when there is more.
    pub(crate) fn step(&self, number: u64, waker: &Waker) -> Option<Step<C, E>> {
        self.book().queue.ask(number, waker)
    }

    /// Leaves without waiting for more. A connection that was given meanwhile counts as handed out.
    pub(crate) fn leave(&self, number: u64) -> Option<C> {
        let mut book = self.book();
        let orphan = book.queue.leave(number);
        self.vacated(book);
        orphan
    }

    /// A connection that was handed out comes back, if the pool still wants it. If not, it is handed out still.
    pub(crate) fn give(&self, connection: C, now: Duration) -> Result<(), C> {
        let mut book = self.book();
        if book.is_closed {
            return Err(connection);
        }
        book.active -= 1;
        let served = book.offer(connection, now);
        self.vacated(book);
        wake(served);
        Ok(())
    }

    /// A dial made a connection. Where the pool does not want it any more, it counts as handed out.
    pub(crate) fn dialled(&self, number: u64, connection: C, now: Duration) -> Result<(), C> {
        let mut book = self.book();
        book.created += 1;
        book.last_error = None;
        book.queue.dialled(number);
        if book.is_closed {
            book.active += 1;
            return Err(connection);
        }
        let served = book.offer(connection, now);
        self.vacated(book);
        wake(served);
        Ok(())
    }

    /// A dial made none: who started it is told, and its place is free.
    pub(crate) fn dial_failed(&self, number: u64, error: E) {
        let mut book = self.book();
        book.dial_failures += 1;
        book.last_error = Some(error.clone());
        let told = book.queue.dial_failed(number, error);
        self.vacated(book);
        wake(told);
    }

    /// The number of a dial that the pool makes for itself, where fewer are idle than that, nobody waits and there is room.
    pub(crate) fn fill(&self, min_idle: usize) -> Option<u64> {
        let mut book = self.book();
        if book.is_closed || !book.queue.is_empty() || book.idle.len() >= min_idle || book.size() >= self.max_size {
            return None;
        }
        Some(book.queue.fill())
    }

    /// A connection that was handed out is going to be closed. It keeps its place until it is.
    pub(crate) fn retire(&self, reason: usize) {
        let mut book = self.book();
        book.active -= 1;
        book.closing(reason);
    }

    /// A connection is closed, and its place free.
    pub(crate) fn closed(&self) {
        let mut book = self.book();
        book.closing -= 1;
        self.vacated(book);
    }

    /// A connection that was handed out is the caller's own from now on, and its place free.
    pub(crate) fn detached(&self) {
        let mut book = self.book();
        book.active -= 1;
        self.vacated(book);
    }

    /// Takes idle connections out to be closed, the one that was idle for longest first. `reason` sees each with the number that
    /// would be left without it.
    pub(crate) fn sweep(&self, mut reason: impl FnMut(&Idle<C>, usize) -> Option<usize>) -> Vec<(C, usize)> {
        let mut book = self.book();
        let mut swept = Vec::new();
        let mut left = book.idle.len();
        for idle in mem::take(&mut book.idle) {
            match reason(&idle, left - 1) {
                Some(reason) => {
                    left -= 1;
                    book.closing(reason);
                    swept.push((idle.connection, reason));
                }
                None => book.idle.push_back(idle),
            }
        }
        swept
    }

    /// Lets nobody in any more and sends away who waits. What is idle is to be closed.
    pub(crate) fn close(&self, reason: usize) -> Vec<C> {
        let mut book = self.book();
        book.is_closed = true;
        let sent_away = book.queue.clear();
        let idle = mem::take(&mut book.idle);
        for _ in &idle {
            book.closing(reason);
        }
        let leavers = book.leavers();
        drop(book);
        wake(sent_away);
        wake(leavers);
        idle.into_iter().map(|idle| idle.connection).collect()
    }

    /// Whether a closed pool has no connection left; if it has, the waker is told when it has none.
    pub(crate) fn is_empty(&self, waker: &Waker) -> bool {
        let mut book = self.book();
        if book.size() == 0 {
            return true;
        }
        if !book.leavers.iter().any(|known| known.will_wake(waker)) {
            book.leavers.push(waker.clone());
        }
        false
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.book().is_closed
    }

    /// Whether one who waits has a dial under way, and how the last dial of the pool failed, if none succeeded since.
    pub(crate) fn trouble(&self, number: u64) -> (bool, Option<E>) {
        let book = self.book();
        (book.queue.has_dial(number), book.last_error.clone())
    }

    pub(crate) fn census(&self) -> Census {
        self.book().census()
    }

    /// A place may have become free.
    fn vacated(&self, mut book: MutexGuard<'_, Book<C, E>>) {
        let hired = book.staff(self.max_size);
        let leavers = book.leavers();
        drop(book);
        wake(hired);
        wake(leavers);
    }

    fn book(&self) -> MutexGuard<'_, Book<C, E>> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn wake(wakers: impl IntoIterator<Item = Waker>) {
    wakers.into_iter().for_each(Waker::wake);
}
