//! Taking ends back: redrive, and reopening with descendants. One transaction, for whoever asks waits for all of it.

use std::collections::HashSet;

use magnetar_core::{
    ChunkId, JobId, JobStatus,
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
    /// Makes an ended chunk Pending, and brings back what was skipped because of it, level after level.
    pub(super) fn bring_back(&mut self, piece: Piece, event: Event) -> Result<(), Stop> {
        let mut back = vec![(piece, event)];
        while let Some((mut piece, event)) = back.pop() {
            let was = piece.row.status;
            self.step(&mut piece, event)?;
            self.settle(&piece)?;
            for child in self.take_back(piece.spot, was)? {
                let (standing, follows) = child.standing().dependency(Dependency::Reopened(was), &child.rules());
                let mut child = child;
                child.row.stand(standing);
                match follows {
                    Some(event) => back.push((child, event)),
                    None => self.settle(&child)?,
                }
            }
        }
        Ok(())
    }

    /// The children that have been told of an end that is no more; those that have not been told never will be.
    fn take_back(&mut self, parent: Spot, _was: JobStatus) -> Result<Vec<Piece>, Stop> {
        let mut told = Vec::new();
        let untold = self.end_release(parent)?;
        for (edge_key, child, edge) in look::all_edges(self.txn, Table::Child, parent)? {
            if edge == Edge::Needs
                && untold.is_told(&edge_key)
                && let Some(piece) = self.piece_at(child)?
            {
                told.push(piece);
            }
        }
        Ok(told)
    }

    fn end_release(&mut self, parent: Spot) -> Result<Told, Stop> {
        let release_key = key::spot(parent);
        match look::get::<ReleaseRow>(self.txn, Table::Release, &release_key)? {
            None => Ok(Told::All),
            Some(release) => {
                self.txn.remove(Table::Release, release_key);
                Ok(release.told.map_or(Told::None, Told::UpTo))
            }
        }
    }

    /// Makes ended chunks Pending, and every descendant that has ended too.
    pub(super) fn reopen(&mut self, job: JobId, chunks: &[ChunkId]) -> Result<Vec<(JobId, ChunkId)>, Stop> {
        let job = self.job(job)?;
        let mut reopened = Vec::new();
        let mut seen = HashSet::new();
        let mut open: Vec<Spot> = Vec::new();
        // What is not there is told before what may not be done.
        let named = chunks.iter().map(|chunk| self.piece(&job, *chunk)).collect::<Result<Vec<_>, _>>()?;
        for piece in named {
            if !piece.standing().status.is_terminal() {
                return Err(piece.refused(Refusal::NotAllowed, Event::Reopen).into());
            }
            if seen.insert(piece.spot) {
                open.push(piece.spot);
            }
        }
        while let Some(spot) = open.pop() {
            let Some(mut piece) = self.piece_at(spot)? else { continue };
            let was = piece.row.status;
            // A Pending one in between stays as it is, and leads on to those behind it.
            let told = if was.is_terminal() {
                self.step(&mut piece, Event::Reopen)?;
                self.settle(&piece)?;
                reopened.push((piece.job_id, spot.chunk));
                self.end_release(spot)?
            } else {
                Told::None
            };
            for (edge_key, child, edge) in look::all_edges(self.txn, Table::Child, spot)? {
                let Some(mut child) = self.piece_at(child)? else { continue };
                let status = child.standing().status;
                if status == JobStatus::Processing {
                    return Err(child.refused(Refusal::NotAllowed, Event::Reopen).into());
                }
                if edge == Edge::Needs && told.is_told(&edge_key) {
                    let (standing, _) = child.standing().dependency(Dependency::Reopened(was), &child.rules());
                    child.row.stand(standing);
                    self.settle(&child)?;
                }
                if seen.insert(child.spot) {
                    open.push(child.spot);
                }
            }
        }
        reopened.sort_unstable();
        Ok(reopened)
    }
}

/// Which children know of an end.
enum Told {
    All,
    UpTo(Vec<u8>),
    None,
}

impl Told {
    fn is_told(&self, edge_key: &[u8]) -> bool {
        match self {
            Self::All => true,
            Self::UpTo(told) => edge_key <= told.as_slice(),
            Self::None => false,
        }
    }
}
