//! Telling children that a parent has ended: so many a transaction, the rest from a cursor in the next.

use magnetar_core::{
    JobStatus,
    machine::{Dependency, Event},
};

use super::Step;
use crate::{
    key::{self, Spot},
    look,
    row::{Edge, ReleaseRow},
    stop::Stop,
    table::Table,
};

impl Step<'_, '_> {
    /// Notes that a chunk has ended there and its children do not know.
    pub(super) fn begin_release(&mut self, spot: Spot, status: JobStatus) {
        self.txn.put(Table::Release, key::spot(spot), &ReleaseRow { status, told: None });
        self.engine.state.has_backlog = true;
        self.untold = Some(true);
    }

    /// Whether children are still to be told of ends.
    pub(super) fn has_untold(&mut self) -> Result<bool, Stop> {
        match self.untold {
            Some(untold) => Ok(untold),
            None => Ok(*self.untold.insert(look::has_releases(self.txn)?)),
        }
    }

    /// Tells every child of every end, for an op that must not see half of it.
    pub(super) fn tell_all(&mut self) -> Result<(), Stop> {
        if self.has_untold()? {
            let budget = std::mem::replace(&mut self.release_budget, usize::MAX);
            self.drain()?;
            self.release_budget = budget;
        }
        Ok(())
    }

    /// Tells children as far as the transaction's budget goes, level after level.
    pub(super) fn drain(&mut self) -> Result<(), Stop> {
        while self.release_budget > 0 {
            let Some((release_key, release)) = look::rows::<ReleaseRow>(self.txn, Table::Release, &[], key::END, 1)?.pop() else {
                self.untold = Some(false);
                return Ok(());
            };
            let spot =
                key::parse_spot(&release_key).ok_or_else(|| Stop::corrupt(Table::Release, &release_key, "has no chunk"))?;
            self.tell(spot, release)?;
        }
        Ok(())
    }

    /// Tells the next children of one chunk.
    fn tell(&mut self, parent: Spot, mut release: ReleaseRow) -> Result<(), Stop> {
        let from = release.told.as_deref().map_or_else(|| key::spot(parent), key::behind);
        let limit = self.release_budget;
        let children = look::edges(self.txn, Table::Child, parent, &from, limit)?;
        let is_last = children.len() < limit;
        for (edge_key, child, edge) in children {
            self.release_budget = self.release_budget.saturating_sub(1);
            self.tell_child(parent, child, edge, release.status)?;
            release.told = Some(edge_key.into_vec());
        }
        if is_last {
            self.release_budget = self.release_budget.saturating_sub(1);
            self.txn.remove(Table::Release, key::spot(parent));
        } else {
            self.txn.put(Table::Release, key::spot(parent), &release);
        }
        Ok(())
    }

    fn tell_child(&mut self, parent: Spot, child: Spot, edge: Edge, status: JobStatus) -> Result<(), Stop> {
        // A child whose job was deleted is only waiting to be purged.
        let Some(mut piece) = self.piece_at(child)? else { return Ok(()) };
        let change = match edge {
            Edge::Needs => Dependency::Ended(status),
            Edge::Awaits => Dependency::AwaitOver,
        };
        let (standing, follows) = piece.standing().dependency(change, &piece.rules());
        piece.row.stand(standing);
        if follows == Some(Event::Skip) {
            self.step(&mut piece, Event::Skip)?;
        }
        self.settle(&piece)?;
        if edge == Edge::Awaits {
            self.unlink(parent, child)?;
        }
        if follows.is_some() && piece.row.has_children {
            self.begin_release(child, piece.row.status);
        }
        Ok(())
    }
}
