//! Upkeep: what must happen without anybody asking for it. Every step of it starts from what is stored, so that
//! whatever a crash left undone is done by the next handle.

use magnetar_core::{JobStatus, SessionId, Timestamp, machine::Event};

use super::{Step, chunk::Piece, session::sessions};
use crate::{
    engine::Engine,
    key::{self, Key, Spot},
    look,
    row::{Ending, Here, LeaseRow},
    stop::Stop,
    table::Table,
    txn::Txn,
};

/// How much upkeep is done at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Upkeep {
    /// As much as the transaction's budget allows.
    Bounded,
    /// All of it, because somebody waits for just that.
    Whole,
}

impl<'a, 'v> Step<'a, 'v> {
    pub(super) fn new(txn: &'a mut Txn<'v>, engine: &'a mut Engine, now: Timestamp) -> Self {
        let (budget, release_budget) = (engine.options.upkeep_rows, engine.options.release_rows);
        let group_held = engine.undo_held.len();
        Self {
            txn,
            engine,
            now,
            group_held,
            budget,
            release_budget,
            untold: None,
            is_upkept: false,
            wakes: false,
            starved: false,
            session: None,
        }
    }
}

impl Step<'_, '_> {
    /// Whether upkeep is due: something is, or it has not been done for a while, or the clock was set back.
    pub(super) fn is_upkeep_due(&self) -> bool {
        let engine = &self.engine;
        engine.has_backlog()
            || engine.state.due_at.is_some_and(|due| due <= self.now)
            || self.now < engine.state.upkept_at
            || self.now.since(engine.state.upkept_at) >= engine.options.upkeep_every
    }

    /// Notes that something is due then.
    pub(super) fn expect_due(&mut self, at: Timestamp) {
        self.engine.state.due_at = Some(self.engine.state.due_at.map_or(at, |due| due.min(at)));
    }

    /// Does as much upkeep as the transaction's budget allows. Upkeep that meets a damaged row is given up and tried
    /// again later, so that what is sound stays usable.
    pub(super) fn bounded_upkeep(&mut self) -> Result<(), magnetar_core::Error> {
        self.is_upkept = true;
        self.txn.begin_group();
        self.group_held = self.engine.undo_held.len();
        match self.upkeep(Upkeep::Bounded) {
            Ok(_) => Ok(()),
            Err(Stop::Fault(error)) => Err(error),
            Err(Stop::Reject(_)) => {
                self.undo();
                self.engine.state.has_backlog = false;
                self.engine.state.has_purge = false;
                self.engine.state.upkept_at = self.now;
                Ok(())
            }
        }
    }

    /// Renews the session, takes back what is lost or late, hands out what is due, and tells of ends. Returns how many
    /// leases were taken back.
    pub(super) fn upkeep(&mut self, how: Upkeep) -> Result<u64, Stop> {
        let budgets = (self.budget, self.release_budget);
        if how == Upkeep::Whole {
            (self.budget, self.release_budget) = (usize::MAX, usize::MAX);
        }
        self.renew()?;
        let taken_back = self.reap()? + self.time_out()?;
        self.hand_out()?;
        self.drain()?;
        self.engine.state.has_backlog = self.budget == 0 || self.has_untold()?;
        // What is purged is in nobody's way, so it never holds up a caller.
        (self.budget, self.release_budget) = (self.budget.min(budgets.0), self.release_budget.min(budgets.1));
        self.purge()?;
        self.engine.state.upkept_at = self.now;
        let timer = look::first_due(self.txn, Table::Timer)?;
        let deadline = look::first_due(self.txn, Table::Deadline)?;
        self.engine.state.due_at = timer.into_iter().chain(deadline).min();
        Ok(taken_back)
    }

    /// Takes back what dead sessions hold: a crash each.
    fn reap(&mut self) -> Result<u64, Stop> {
        let mut taken_back = 0;
        for (id, row) in sessions(self.txn)? {
            if !self.is_dead(id, &row) {
                continue;
            }
            let leases = self.leases_of(id)?;
            for spot in &leases {
                self.budget = self.budget.saturating_sub(1);
                self.lose(*spot, Event::LoseLease)?;
            }
            taken_back += leases.len() as u64;
            if self.budget > 0 {
                self.bury(id);
            }
        }
        Ok(taken_back)
    }

    fn bury(&mut self, id: SessionId) {
        self.txn.remove(Table::Session, key::session(id));
        self.engine.buried.push(id);
    }

    /// The leases of a session, as many as the budget allows.
    fn leases_of(&self, session: SessionId) -> Result<Vec<Spot>, Stop> {
        let mut found = Vec::new();
        let budget = self.budget;
        look::each::<LeaseRow>(self.txn, Table::Lease, &[], key::END, &mut |lease_key, lease| {
            if found.len() >= budget {
                return Ok(std::ops::ControlFlow::Break(()));
            }
            if lease.session == session {
                found.extend(key::parse_spot(lease_key));
            }
            Ok(std::ops::ControlFlow::Continue(()))
        })?;
        Ok(found)
    }

    /// Takes a lease back, and ends the chunk where that spends its budget.
    fn lose(&mut self, spot: Spot, event: Event) -> Result<(), Stop> {
        let Some(mut piece) = self.piece_at(spot)?.filter(|piece| piece.lease.is_some()) else {
            // Its job was deleted.
            self.txn.remove(Table::Lease, key::spot(spot));
            return Ok(());
        };
        let since = piece.lease.map_or(self.now, |lease| lease.claimed_at);
        self.step(&mut piece, event)?;
        match event {
            Event::TimeOut => piece.row.error = Some(format!("timed out after {:?}", self.now.since(since))),
            _ if piece.row.status == JobStatus::Failed => {
                piece.row.error = Some(format!("lost its worker {} times; it may be what kills them", piece.row.crashes));
            }
            _ => {}
        }
        self.settle(&piece)?;
        self.tell_if_ended(&piece)
    }

    /// Takes back what a dead session holds of one chunk, before it is marked.
    pub(super) fn free_of_the_dead(&mut self, piece: Piece) -> Result<Piece, Stop> {
        let Some(lease) = piece.lease.filter(|lease| lease.session != self.engine.state.session) else { return Ok(piece) };
        let session = look::get(self.txn, Table::Session, &key::session(lease.session))?;
        if session.is_some_and(|row| !self.is_dead(lease.session, &row)) {
            return Ok(piece);
        }
        let spot = piece.spot;
        self.lose(spot, Event::LoseLease)?;
        self.piece_at(spot)?.ok_or_else(|| Stop::corrupt(Table::Chunk, &key::spot(spot), "is missing"))
    }

    /// Gives back in good order what a session holds.
    pub(super) fn release_all_of(&mut self, session: SessionId) -> Result<(), Stop> {
        for spot in self.leases_of(session)? {
            if let Some(mut piece) = self.piece_at(spot)? {
                self.put_back(&mut piece, Event::Release, Ending::Release)?;
            }
        }
        Ok(())
    }

    /// Takes back what has run longer than it may: a failure each.
    fn time_out(&mut self) -> Result<u64, Stop> {
        let due = self.due(Table::Deadline)?;
        for (due_key, spot) in &due {
            self.budget = self.budget.saturating_sub(1);
            // Settling removes the row; one of a deleted job goes here.
            self.txn.remove(Table::Deadline, due_key.clone());
            self.lose(*spot, Event::TimeOut)?;
        }
        Ok(due.len() as u64)
    }

    /// Makes ready what was waiting for its time.
    fn hand_out(&mut self) -> Result<(), Stop> {
        for (due_key, spot) in self.due(Table::Timer)? {
            self.budget = self.budget.saturating_sub(1);
            if let Some(piece) = self.piece_at(spot)? {
                self.settle(&piece)?;
            }
            // Settling has removed the row, except where the job was deleted.
            self.txn.remove(Table::Timer, due_key);
        }
        Ok(())
    }

    fn due(&self, table: Table) -> Result<Vec<(Key, Spot)>, Stop> {
        if self.budget == 0 {
            return Ok(Vec::new());
        }
        look::rows::<Here>(self.txn, table, &[], &key::due_end(self.now), self.budget)?
            .into_iter()
            .map(|(due_key, _)| {
                let (_, spot) = key::parse_due(&due_key).ok_or_else(|| Stop::corrupt(table, &due_key, "has no time"))?;
                Ok((due_key, spot))
            })
            .collect()
    }
}
