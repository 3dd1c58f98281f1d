//! Where each connection of a pool is, who waits for one, and what was counted.
//!
//! Every place is in exactly one of: idle, handed out, being dialled, being closed. What is not idle belongs to a guard outside, so a
//! pool is whole as long as its size less what is idle is what the guards are.

use std::{collections::VecDeque, mem, task::Waker, time::Duration};

use super::queue::Queue;

/// How many reasons there are to close a connection.
pub(crate) const REASONS: usize = 5;

/// A connection that nobody uses, since when.
#[derive(Debug)]
pub(crate) struct Idle<C> {
    pub(crate) connection: C,
    pub(crate) since: Duration,
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

/// The book.
#[derive(Debug)]
pub(crate) struct Book<C, E> {
    /// The one that was used last is at the back.
    pub(crate) idle: VecDeque<Idle<C>>,
    pub(crate) active: usize,
    pub(crate) closing: usize,
    pub(crate) queue: Queue<C, E>,
    pub(crate) last_error: Option<E>,
    pub(crate) is_closed: bool,
    /// Those who wait for the last place to be free.
    pub(crate) leavers: Vec<Waker>,
    pub(crate) created: u64,
    pub(crate) dial_failures: u64,
    pub(crate) closed: [u64; REASONS],
}

impl<C, E> Book<C, E> {
    pub(crate) fn new() -> Self {
        Self {
            idle: VecDeque::new(),
            active: 0,
            closing: 0,
            queue: Queue::new(),
            last_error: None,
            is_closed: false,
            leavers: Vec::new(),
            created: 0,
            dial_failures: 0,
            closed: [0; REASONS],
        }
    }

    pub(crate) fn census(&self) -> Census {
        Census {
            idle: self.idle.len(),
            active: self.active,
            dialling: self.queue.dials(),
            closing: self.closing,
            waiters: self.queue.len(),
            created: self.created,
            dial_failures: self.dial_failures,
            closed: self.closed,
        }
    }

    /// How many places are taken.
    pub(crate) fn size(&self) -> usize {
        self.idle.len() + self.active + self.queue.dials() + self.closing
    }

    /// Hands a connection to who waits longest, or keeps it.
    pub(crate) fn offer(&mut self, connection: C, now: Duration) -> Option<Waker> {
        match self.queue.grant(connection) {
            Ok(waker) => {
                self.active += 1;
                waker
            }
            Err(connection) => {
                self.idle.push_back(Idle { connection, since: now });
                None
            }
        }
    }

    /// Gives the right to dial to the first who waits and has no dial, if there is room.
    pub(crate) fn staff(&mut self, max_size: usize) -> Option<Waker> {
        if self.is_closed || self.size() >= max_size {
            return None;
        }
        self.queue.hire()
    }

    /// A connection is going to be closed.
    pub(crate) fn closing(&mut self, reason: usize) {
        self.closing += 1;
        if let Some(count) = self.closed.get_mut(reason) {
            *count += 1;
        }
    }

    /// Those who wait for the end, if it has come.
    pub(crate) fn leavers(&mut self) -> Vec<Waker> {
        if self.is_closed && self.size() == 0 { mem::take(&mut self.leavers) } else { Vec::new() }
    }
}
