//! The inline driver: every call does its work in the thread of its caller. No thread, no clock of its own.

use std::sync::Arc;

use magnetar_core::{Answer, Clock, Group, Query, Rejection, Reply, Result};

use crate::{
    backend::{Backend, Reader},
    engine::{Arrival, Outcome, Requests},
    hint::Hint,
    locks::Locks,
    options::Options,
    read,
    store::closed,
    sync::{Mutex, lock},
    writer::Writer,
};

pub(crate) struct Inline {
    /// None once closed.
    open: Mutex<Option<Open>>,
    hint: Hint,
}

struct Open {
    writer: Writer,
    reader: Box<dyn Reader>,
}

/// The one request of a transaction.
struct One<'a> {
    groups: &'a [Group],
    outcomes: &'a mut [Outcome],
    is_over: bool,
}

impl Requests for One<'_> {
    fn next(&mut self) -> Option<Arrival> {
        (!std::mem::replace(&mut self.is_over, true)).then_some(Arrival::Before)
    }

    fn apply(&mut self, apply: &mut dyn FnMut(&Group) -> Result<Outcome>) -> Result<()> {
        for (group, outcome) in self.groups.iter().zip(&mut *self.outcomes).filter(|(_, outcome)| outcome.is_none()) {
            *outcome = apply(group)?;
        }
        Ok(())
    }
}

impl Inline {
    pub(crate) fn open(
        backend: Box<dyn Backend>,
        options: Options,
        clock: Arc<dyn Clock>,
        locks: Box<dyn Locks>,
    ) -> Result<Self> {
        let writer = Writer::open(backend, options, clock, locks)?;
        let reader = writer.reader()?;
        Ok(Self { open: Mutex::new(Some(Open { writer, reader })), hint: Hint::default() })
    }

    pub(crate) fn submit(&self, groups: &[Group]) -> Result<Vec<Result<Vec<Reply>, Rejection>>> {
        let mut open = lock(&self.open);
        let Open { writer, .. } = open.as_mut().ok_or_else(closed)?;
        let mut outcomes: Vec<Outcome> = groups.iter().map(|_| None).collect();
        while outcomes.iter().any(Option::is_none) {
            if writer.run(&mut One { groups, outcomes: &mut outcomes, is_over: false })? {
                self.hint.change();
            }
        }
        Ok(outcomes.into_iter().flatten().collect())
    }

    pub(crate) fn read(&self, query: &Query) -> Result<Answer> {
        let mut open = lock(&self.open);
        let Open { writer, reader } = open.as_mut().ok_or_else(closed)?;
        if writer.settle()? {
            self.hint.change();
        }
        writer.read(|| read::answer(&*reader.view()?, query))
    }

    pub(crate) async fn watch(&self, seen: u64) -> Result<u64> {
        self.hint.watch(seen).await
    }

    pub(crate) fn close(&self) -> Result<()> {
        let open = lock(&self.open).take();
        self.hint.close();
        open.map_or(Ok(()), |mut open| open.writer.close())
    }
}
