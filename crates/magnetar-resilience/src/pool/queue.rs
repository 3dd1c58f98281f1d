//! Who waits for a connection, in the order of coming, and which dial is whose.
//!
//! Each step costs a logarithm of the crowd, so that a large pool may be entered by many at once.

use std::{
    collections::{BTreeMap, BTreeSet},
    task::Waker,
};

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

/// The queue.
#[derive(Debug)]
pub(crate) struct Queue<C, E> {
    waiters: BTreeMap<u64, Waiter>,
    /// Those of them that no dial is for.
    idlers: BTreeSet<u64>,
    dials: BTreeMap<u64, Dial>,
    /// What was given to those who left the queue and have not come for it yet.
    granted: BTreeMap<u64, Step<C, E>>,
    last: u64,
}

#[derive(Debug, Default)]
struct Waiter {
    waker: Option<Waker>,
    dial: Option<u64>,
}

/// A place that is being filled.
#[derive(Debug)]
struct Dial {
    /// Who waits for it. None where that one left, or where the pool dials for itself.
    sponsor: Option<u64>,
    /// Whether the sponsor asked for it, and is to be told if it fails.
    is_own: bool,
    is_started: bool,
}

impl<C, E> Queue<C, E> {
    pub(crate) fn new() -> Self {
        Self { waiters: BTreeMap::new(), idlers: BTreeSet::new(), dials: BTreeMap::new(), granted: BTreeMap::new(), last: 0 }
    }

    /// How many wait.
    pub(crate) fn len(&self) -> usize {
        self.waiters.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.waiters.is_empty()
    }

    /// How many wait for what others have, because no dial is for them.
    pub(crate) fn idlers(&self) -> usize {
        self.idlers.len()
    }

    /// How many places are being filled.
    pub(crate) fn dials(&self) -> usize {
        self.dials.len()
    }

    /// Comes last.
    pub(crate) fn join(&mut self) -> u64 {
        let number = self.number();
        self.waiters.insert(number, Waiter::default());
        self.idlers.insert(number);
        number
    }

    /// What happens next to one who waits; if nothing yet, its waker is told when there is more.
    pub(crate) fn ask(&mut self, number: u64, waker: &Waker) -> Option<Step<C, E>> {
        if let Some(granted) = self.granted.remove(&number) {
            return Some(granted);
        }
        let Some(waiter) = self.waiters.get_mut(&number) else { return Some(Step::Closed) };
        if let Some(number) = waiter.dial
            && let Some(dial) = self.dials.get_mut(&number).filter(|dial| !dial.is_started)
        {
            dial.is_started = true;
            return Some(Step::Dial(number));
        }
        if !waiter.waker.as_ref().is_some_and(|known| known.will_wake(waker)) {
            waiter.waker = Some(waker.clone());
        }
        None
    }

    /// Leaves. A connection that was given meanwhile comes back.
    pub(crate) fn leave(&mut self, number: u64) -> Option<C> {
        if let Some(Step::Lease(connection)) = self.granted.remove(&number) {
            return Some(connection);
        }
        self.take(number);
        None
    }

    /// Hands a connection to who waits longest; it comes back where nobody does.
    pub(crate) fn grant(&mut self, connection: C) -> Result<Option<Waker>, C> {
        let Some(first) = self.first() else { return Err(connection) };
        let waker = self.take(first);
        self.granted.insert(first, Step::Lease(connection));
        Ok(waker)
    }

    /// Gives the right to dial to the first who has no dial. The caller has seen that there is room.
    pub(crate) fn hire(&mut self) -> Option<Waker> {
        let sponsor = self.idlers.pop_first()?;
        let number = self.number();
        self.dials.insert(number, Dial { sponsor: Some(sponsor), is_own: true, is_started: false });
        let waiter = self.waiters.get_mut(&sponsor)?;
        waiter.dial = Some(number);
        waiter.waker.clone()
    }

    /// The number of a dial that is for nobody who waits.
    pub(crate) fn fill(&mut self) -> u64 {
        let number = self.number();
        self.dials.insert(number, Dial { sponsor: None, is_own: false, is_started: true });
        number
    }

    /// A dial made a connection, which goes to the first. If that is another than who started this dial, the latter waits on, and
    /// takes over the dial of the first.
    pub(crate) fn dialled(&mut self, number: u64) {
        let Some(sponsor) = self.end(number).and_then(|dial| dial.sponsor) else { return };
        let Some(other) = self.first().and_then(|first| self.waiters.get_mut(&first)?.dial.take()) else { return };
        match self.dials.get_mut(&other) {
            Some(dial) if dial.is_started => {
                (dial.sponsor, dial.is_own) = (Some(sponsor), false);
                self.idlers.remove(&sponsor);
                if let Some(waiter) = self.waiters.get_mut(&sponsor) {
                    waiter.dial = Some(other);
                }
            }
            _ => drop(self.dials.remove(&other)),
        }
    }

    /// A dial made none. Who started it is told, and waits no more.
    pub(crate) fn dial_failed(&mut self, number: u64, error: E) -> Option<Waker> {
        let sponsor = self.end(number).filter(|dial| dial.is_own)?.sponsor?;
        let waker = self.take(sponsor);
        self.granted.insert(sponsor, Step::Failed(error));
        waker
    }

    /// Sends everybody away. The dials that were started go on.
    pub(crate) fn clear(&mut self) -> Vec<Waker> {
        self.dials.retain(|_, dial| dial.is_started);
        self.dials.values_mut().for_each(|dial| dial.sponsor = None);
        self.idlers.clear();
        std::mem::take(&mut self.waiters).into_values().filter_map(|waiter| waiter.waker).collect()
    }

    /// Whether a dial is for one who waits.
    pub(crate) fn has_dial(&self, number: u64) -> bool {
        self.waiters.get(&number).is_some_and(|waiter| waiter.dial.is_some())
    }

    fn number(&mut self) -> u64 {
        self.last += 1;
        self.last
    }

    fn first(&self) -> Option<u64> {
        self.waiters.keys().next().copied()
    }

    /// Takes one who waits out of the queue: a dial it did not start is none, and one that it did serves others.
    fn take(&mut self, number: u64) -> Option<Waker> {
        let Waiter { waker, dial } = self.waiters.remove(&number)?;
        self.idlers.remove(&number);
        if let Some(number) = dial
            && let Some(dial) = self.dials.get_mut(&number)
        {
            if dial.is_started {
                (dial.sponsor, dial.is_own) = (None, false);
            } else {
                self.dials.remove(&number);
            }
        }
        waker
    }

    /// A dial is over: whom it was for has none.
    fn end(&mut self, number: u64) -> Option<Dial> {
        let dial = self.dials.remove(&number)?;
        if let Some(sponsor) = dial.sponsor
            && let Some(waiter) = self.waiters.get_mut(&sponsor)
        {
            waiter.dial = None;
            self.idlers.insert(sponsor);
        }
        Some(dial)
    }
}
