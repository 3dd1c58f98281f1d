//! Who holds which connection and who waits for one, in one book under one lock.
//!
//! Every place of the pool is in exactly one of: idle, handed out, being dialled, being closed. What is not idle belongs to a
//! guard outside, so a pool is whole as long as its size less what is idle is what the guards are. Nothing of the caller's runs
//! under the lock, and nobody is woken under it.

use std::{collections::VecDeque, mem, task::Waker, time::Duration};

use crate::sync::{Mutex, MutexGuard, PoisonError};

/// How many reasons there are to close a connection.
pub(crate) const REASONS: usize = 5;

/// The book.
#[derive(Debug)]
pub(crate) struct Roster<C, E> {
    book: Mutex<Book<C, E>>,
    max_size: usize,
    max_waiters: usize,
}

/// A connection that nobody uses, since when.
#[derive(Debug)]
pub(crate) struct Idle<C> {
    pub(crate) connection: C,
    pub(crate) since: Duration,
}

/// What who comes for a connection finds.
#[derive(Debug)]
pub(crate) enum Entered<C> {
    /// The one that was used last.
    Idle(Idle<C>),
    /// A place in the queue.
    Queued(u64),
    /// As many wait as may.
    Full { waiters: usize },
    /// The pool is closed.
    Closed,
}

/// What happens to one who waits.
#[derive(Debug)]
pub(crate) enum Step<C, E> {
    /// There is room: start the dial of this number, and go on waiting.
    Dial(u64),
    /// A connection, the end of the wait.
    Lease(C),
    /// The own dial failed, the end of the wait.
    Failed(E),
    /// The pool was closed, the end of the wait.
    Closed,
}

/// How many of each there are, at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Census {
    pub(crate) idle: usize,
    pub(crate) active: usize,
    pub(crate) dialling: usize,
    pub(crate) closing: usize,
    pub(crate) waiters: usize,
    pub(crate) created: u64,
    pub(crate) dial_failures: u64,
    pub(crate) closed: [u64; REASONS],
}

#[derive(Debug)]
struct Book<C, E> {
    /// The one that was used last is at the back.
    idle: VecDeque<Idle<C>>,
    active: usize,
    closing: usize,
    dials: Vec<Dial>,
    /// In the order of their numbers.
    queue: VecDeque<Waiter>,
    /// What was given to those who left the queue and have not come for it yet.
    granted: Vec<(u64, Grant<C, E>)>,
    next: u64,
    last_error: Option<E>,
    is_closed: bool,
    /// Those who wait for the last place to be free.
    leavers: Vec<Waker>,
    created: u64,
    dial_failures: u64,
    closed: [u64; REASONS],
}

#[derive(Debug)]
struct Waiter {
    number: u64,
    waker: Option<Waker>,
}

/// A place that is being filled.
#[derive(Debug)]
struct Dial {
    number: u64,
    /// Who waits for it. None where that one left, or where the pool dials for itself.
    sponsor: Option<u64>,
    /// Whether the sponsor asked for it, and is to be told if it fails.
    is_own: bool,
    is_started: bool,
}

#[derive(Debug)]
enum Grant<C, E> {
    Lease(C),
    Failed(E),
}

impl<C, E: Clone> Roster<C, E> {
    pub(crate) fn new(max_size: usize, max_waiters: usize) -> Self {
        let book = Book {
            idle: VecDeque::new(),
            active: 0,
            closing: 0,
            dials: Vec::new(),
            queue: VecDeque::new(),
            granted: Vec::new(),
            next: 0,
            last_error: None,
            is_closed: false,
            leavers: Vec::new(),
            created: 0,
            dial_failures: 0,
            closed: [0; REASONS],
        };
        Self { book: Mutex::new(book), max_size, max_waiters }
    }

    /// Comes for a connection: takes an idle one, or queues.
    pub(crate) fn enter(&self) -> Entered<C> {
        let mut book = self.book();
        if book.is_closed {
            return Entered::Closed;
        }
        if let Some(idle) = book.idle.pop_back() {
            book.active += 1;
            return Entered::Idle(idle);
        }
        if book.queue.len() >= self.max_waiters {
            return Entered::Full { waiters: book.queue.len() };
        }
        let number = book.number();
        book.queue.push_back(Waiter { number, waker: None });
        let hired = book.staff(self.max_size);
        drop(book);
        wake(hired);
        Entered::Queued(number)
    }

    /// Asks for one who waits; the waker is told when there is more.
    pub(crate) fn step(&self, number: u64, waker: &Waker) -> Option<Step<C, E>> {
        let mut book = self.book();
        if let Some(grant) = book.take_grant(number) {
            return Some(match grant {
                Grant::Lease(connection) => Step::Lease(connection),
                Grant::Failed(error) => Step::Failed(error),
            });
        }
        if let Some(dial) = book.dials.iter_mut().find(|dial| dial.sponsor == Some(number) && !dial.is_started) {
            dial.is_started = true;
            return Some(Step::Dial(dial.number));
        }
        let Ok(place) = book.queue.binary_search_by_key(&number, |waiter| waiter.number) else { return Some(Step::Closed) };
        if let Some(waiter) = book.queue.get_mut(place)
            && !waiter.waker.as_ref().is_some_and(|known| known.will_wake(waker))
        {
            waiter.waker = Some(waker.clone());
        }
        None
    }

    /// Leaves without waiting for more. A connection that was given meanwhile counts as handed out.
    pub(crate) fn leave(&self, number: u64) -> Option<C> {
        let mut book = self.book();
        if let Some(Grant::Lease(connection)) = book.take_grant(number) {
            return Some(connection);
        }
        if let Ok(place) = book.queue.binary_search_by_key(&number, |waiter| waiter.number) {
            book.queue.remove(place);
        }
        book.disown(number);
        self.vacated(book);
        None
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
        let sponsor = book.take_dial(number).and_then(|dial| dial.sponsor);
        book.created += 1;
        book.last_error = None;
        if book.is_closed {
            book.active += 1;
            return Err(connection);
        }
        // Who started this dial goes on waiting if another was before it in the queue, and takes over the dial of that one.
        if let (Some(sponsor), Some(first)) = (sponsor, book.queue.front().map(|waiter| waiter.number))
            && let Some(dial) = book.dials.iter_mut().find(|dial| dial.sponsor == Some(first) && dial.is_started)
        {
            dial.sponsor = Some(sponsor);
            dial.is_own = false;
        }
        let served = book.offer(connection, now);
        self.vacated(book);
        wake(served);
        Ok(())
    }

    /// A dial made none: who started it is told, and its place is free.
    pub(crate) fn dial_failed(&self, number: u64, error: E) {
        let mut book = self.book();
        let mut told = None;
        book.dial_failures += 1;
        book.last_error = Some(error.clone());
        if let Some(Dial { sponsor: Some(sponsor), is_own: true, .. }) = book.take_dial(number)
            && let Ok(place) = book.queue.binary_search_by_key(&sponsor, |waiter| waiter.number)
        {
            told = book.queue.remove(place).and_then(|waiter| waiter.waker);
            book.granted.push((sponsor, Grant::Failed(error)));
        }
        self.vacated(book);
        wake(told);
    }

    /// The number of a dial that the pool makes for itself, where fewer are idle than that, nobody waits and there is room.
    pub(crate) fn fill(&self, min_idle: usize) -> Option<u64> {
        let mut book = self.book();
        if book.is_closed || !book.queue.is_empty() || book.idle.len() >= min_idle || book.size() >= self.max_size {
            return None;
        }
        let number = book.number();
        book.dials.push(Dial { number, sponsor: None, is_own: false, is_started: true });
        Some(number)
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
        book.dials.retain(|dial| dial.is_started);
        let queue = mem::take(&mut book.queue);
        let idle = mem::take(&mut book.idle);
        for _ in &idle {
            book.closing(reason);
        }
        let leavers = book.leavers();
        drop(book);
        wake(queue.into_iter().filter_map(|waiter| waiter.waker));
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
        (book.dials.iter().any(|dial| dial.sponsor == Some(number)), book.last_error.clone())
    }

    pub(crate) fn census(&self) -> Census {
        let book = self.book();
        Census {
            idle: book.idle.len(),
            active: book.active,
            dialling: book.dials.len(),
            closing: book.closing,
            waiters: book.queue.len(),
            created: book.created,
            dial_failures: book.dial_failures,
            closed: book.closed,
        }
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

impl<C, E> Book<C, E> {
    fn size(&self) -> usize {
        self.idle.len() + self.active + self.dials.len() + self.closing
    }

    fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    /// Hands a connection to who waits longest, or keeps it.
    fn offer(&mut self, connection: C, now: Duration) -> Option<Waker> {
        let Some(waiter) = self.queue.pop_front() else {
            self.idle.push_back(Idle { connection, since: now });
            return None;
        };
        self.active += 1;
        self.disown(waiter.number);
        self.granted.push((waiter.number, Grant::Lease(connection)));
        waiter.waker
    }

    /// Gives the right to dial to the first who waits and has no dial, if there is room.
    fn staff(&mut self, max_size: usize) -> Option<Waker> {
        if self.is_closed || self.size() >= max_size {
            return None;
        }
        let dials = &self.dials;
        let idler = self.queue.iter().find(|waiter| !dials.iter().any(|dial| dial.sponsor == Some(waiter.number)))?;
        let (sponsor, waker) = (idler.number, idler.waker.clone());
        let number = self.number();
        self.dials.push(Dial { number, sponsor: Some(sponsor), is_own: true, is_started: false });
        waker
    }

    /// One who waited does not any more: a dial it did not start is none, and one that it did serves others.
    fn disown(&mut self, number: u64) {
        self.dials.retain(|dial| dial.sponsor != Some(number) || dial.is_started);
        for dial in self.dials.iter_mut().filter(|dial| dial.sponsor == Some(number)) {
            dial.sponsor = None;
            dial.is_own = false;
        }
    }

    fn take_grant(&mut self, number: u64) -> Option<Grant<C, E>> {
        let place = self.granted.iter().position(|(owner, _)| *owner == number)?;
        Some(self.granted.swap_remove(place).1)
    }

    fn take_dial(&mut self, number: u64) -> Option<Dial> {
        let place = self.dials.iter().position(|dial| dial.number == number)?;
        Some(self.dials.swap_remove(place))
    }

    fn closing(&mut self, reason: usize) {
        self.closing += 1;
        if let Some(count) = self.closed.get_mut(reason) {
            *count += 1;
        }
    }

    fn leavers(&mut self) -> Vec<Waker> {
        if self.is_closed && self.size() == 0 { mem::take(&mut self.leavers) } else { Vec::new() }
    }
}

fn wake(wakers: impl IntoIterator<Item = Waker>) {
    wakers.into_iter().for_each(Waker::wake);
}
