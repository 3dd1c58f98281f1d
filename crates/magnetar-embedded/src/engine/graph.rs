//! Edges between chunks: who waits for whom, and that nobody waits for himself.

use std::collections::{HashSet, VecDeque};

use magnetar_core::{
    ChunkId, JobId, JobStatus, Rejection, Reply,
    machine::{Dependency, Event, Refusal},
};

use super::{Step, chunk::Piece};
use crate::{
    key::{self, Spot},
    look,
    row::{Edge, ReleaseRow},
    stop::Stop,
    table::Table,
};

impl Step<'_, '_> {
    pub(super) fn depend(&mut self, job: JobId, chunk: ChunkId, on: &[(JobId, ChunkId)]) -> Result<Reply, Stop> {
        let job = self.job(job)?;
        let mut piece = self.piece(&job, chunk)?;
        self.refuse_missing(on)?;
        if piece.standing().status != JobStatus::Pending {
            return Err(piece.refused(Refusal::NotAllowed, Event::Depend).into());
        }
        if self.add_needs(&mut piece, on)? {
            self.settle(&piece)?;
            self.tell_if_ended(&piece)?;
        }
        Ok(Reply::Applied)
    }

    /// Makes a Pending chunk need others, and returns whether any of them is new to it. The chunk is not written yet.
    pub(super) fn add_needs(&mut self, piece: &mut Piece, on: &[(JobId, ChunkId)]) -> Result<bool, Stop> {
        self.refuse_missing(on)?;
        let mut is_changed = false;
        let mut is_skipped = false;
        for (job, chunk) in on {
            let job = self.job(*job)?;
            let mut parent = self.piece(&job, *chunk)?;
            match look::get::<Edge>(self.txn, Table::Child, &key::edge(parent.spot, piece.spot))? {
                Some(Edge::Needs) => continue,
                // It is counted already; from now on it must be Done.
                Some(Edge::Awaits) => self.put_edge(parent.spot, piece.spot, Edge::Needs),
                None => {
                    self.refuse_cycle(piece, &parent)?;
                    let status = self.told(&parent, piece.spot)?;
                    let (standing, follows) = piece.standing().dependency(Dependency::Added(status), &piece.rules());
                    piece.row.stand(standing);
                    is_skipped |= follows == Some(Event::Skip);
                    self.link(&mut parent, piece.spot, Edge::Needs)?;
                }
            }
            is_changed = true;
        }
        if is_skipped {
            self.step(piece, Event::Skip)?;
        }
        Ok(is_changed)
    }

    /// Refuses chunks that are not there, before anything is said of the others.
    pub(super) fn refuse_missing(&self, chunks: &[(JobId, ChunkId)]) -> Result<(), Stop> {
        for (job, chunk) in chunks {
            let job = self.job(*job)?;
            let spot = Spot { job: job.no, chunk: *chunk };
            if look::chunk(self.txn, spot)?.is_none() {
                return Err(Rejection::ChunkNotFound { job: job.row.id, chunk: *chunk }.into());
            }
        }
        Ok(())
    }

    /// Where a parent stands as far as a child is concerned: one whose end has not been told that far counts as open.
    pub(super) fn told(&self, parent: &Piece, child: Spot) -> Result<JobStatus, Stop> {
        let status = parent.standing().status;
        let release: Option<ReleaseRow> = look::get(self.txn, Table::Release, &key::spot(parent.spot))?;
        let edge = key::edge(parent.spot, child);
        let is_told = release.is_none_or(|release| release.told.is_some_and(|told| *edge <= *told));
        Ok(if is_told { status } else { JobStatus::Pending })
    }

    /// Writes an edge to a child. The parent must not have been changed and not written.
    pub(super) fn link(&mut self, parent: &mut Piece, child: Spot, edge: Edge) -> Result<(), Stop> {
        self.put_edge(parent.spot, child, edge);
        if !parent.row.has_children {
            parent.row.has_children = true;
            self.settle(parent)?;
        }
        self.count_awaited(parent.spot, child, 1)
    }

    /// Writes an edge that is not stored, between chunks of one job.
    pub(super) fn put_new_edge(&mut self, parent: Spot, child: Spot, edge: Edge) {
        self.txn.put_new(Table::Child, key::edge(parent, child), &edge);
        self.txn.put_new(Table::Parent, key::edge(child, parent), &edge);
    }

    fn put_edge(&mut self, parent: Spot, child: Spot, edge: Edge) {
        self.txn.put(Table::Child, key::edge(parent, child), &edge);
        self.txn.put(Table::Parent, key::edge(child, parent), &edge);
    }

    /// Removes an edge. What it counted for is up to the caller.
    pub(super) fn unlink(&mut self, parent: Spot, child: Spot) -> Result<(), Stop> {
        self.txn.remove(Table::Child, key::edge(parent, child));
        self.txn.remove(Table::Parent, key::edge(child, parent));
        self.count_awaited(parent, child, -1)
    }

    /// Counts the edges that lead from a job to waiting chunks of others.
    fn count_awaited(&mut self, parent: Spot, child: Spot, change: i64) -> Result<(), Stop> {
        if parent.job == child.job || look::job_row(self.txn, parent.job)?.is_none() {
            return Ok(());
        }
        let mut tally = self.txn.tally(parent.job)?;
        tally.awaited_elsewhere = tally.awaited_elsewhere.saturating_add_signed(change);
        self.txn.put_tally(parent.job, Some(&tally))?;
        Ok(())
    }

    pub(super) fn has_edge(&self, parent: Spot, child: Spot) -> Result<bool, Stop> {
        Ok(look::get::<Edge>(self.txn, Table::Child, &key::edge(parent, child))?.is_some())
    }

    /// Refuses an edge from a parent to a child that the parent itself waits for.
    ///
    /// Searched from both ends, the smaller frontier first: one end of a new edge is mostly new too.
    pub(super) fn refuse_cycle(&self, child: &Piece, parent: &Piece) -> Result<(), Stop> {
        let mut down = Frontier::new(Table::Child, child.spot);
        let mut up = Frontier::new(Table::Parent, parent.spot);
        let mut meets = child.spot == parent.spot;
        while !meets && !down.queue.is_empty() && !up.queue.is_empty() {
            meets = if down.queue.len() <= up.queue.len() { self.widen(&mut down, &up)? } else { self.widen(&mut up, &down)? };
        }
        if !meets {
            return Ok(());
        }
        Err(Rejection::Cycle { job: child.job_id, chunk: child.spot.chunk, on_job: parent.job_id, on: parent.spot.chunk }.into())
    }

    /// Walks one chunk further, and returns whether that meets the other end.
    fn widen(&self, frontier: &mut Frontier, other: &Frontier) -> Result<bool, Stop> {
        let Some(spot) = frontier.queue.pop_front() else { return Ok(false) };
        for (_, next, _) in look::all_edges(self.txn, frontier.table, spot)? {
            if other.seen.contains(&next) {
                return Ok(true);
            }
            if frontier.seen.insert(next) {
                frontier.queue.push_back(next);
            }
        }
        Ok(false)
    }
}

/// One end of a search.
struct Frontier {
    table: Table,
    seen: HashSet<Spot>,
    queue: VecDeque<Spot>,
}

impl Frontier {
    fn new(table: Table, from: Spot) -> Self {
        Self { table, seen: HashSet::from([from]), queue: VecDeque::from([from]) }
    }
}
