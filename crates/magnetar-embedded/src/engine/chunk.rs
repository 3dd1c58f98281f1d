//! One chunk on its way from place to place: the only code that writes ready, timer, lease and deadline rows.
//!
//! Every change goes through [`Step::settle`], which takes the chunk out of the place where it was, puts it where the
//! rules say, and keeps the counters: that is what the placement invariant stands on.

use magnetar_core::{
    JobId, JobOptions, JobStatus, OnFailure, Rejection,
    machine::{Event, Place, Refusal, Rules, Standing},
};

use super::Step;
use crate::{
    key::{self, Key, Spot},
    look::{self, FoundJob},
    row::{ChunkRow, Here, JobRow, LeaseRow, Tally},
    stop::Stop,
    table::Table,
};

/// A chunk that was read, where it was then, and what it is to become.
#[derive(Clone, Debug)]
pub(crate) struct Piece {
    pub(crate) spot: Spot,
    pub(crate) job_id: JobId,
    pub(crate) options: JobOptions,
    pub(crate) row: ChunkRow,
    pub(crate) lease: Option<LeaseRow>,
    was: Option<Was>,
}

/// A chunk as it is stored.
#[derive(Clone, Debug)]
struct Was {
    row: ChunkRow,
    lease: Option<LeaseRow>,
    place: Place,
}

impl Piece {
    /// A chunk that is not stored yet.
    pub(crate) fn new(spot: Spot, job: &JobRow, row: ChunkRow) -> Self {
        Self { spot, job_id: job.id, options: job.options, row, lease: None, was: None }
    }

    pub(crate) fn standing(&self) -> Standing {
        self.row.standing(self.lease.is_some())
    }

    pub(crate) fn rules(&self) -> Rules {
        self.row.rules(&self.options)
    }

    /// What a refusal of the machine says of this chunk.
    pub(crate) fn refused(&self, refusal: Refusal, event: Event) -> Rejection {
        let (job, chunk) = (self.job_id, self.spot.chunk);
        match refusal {
            Refusal::NotAllowed => Rejection::NotAllowed { job, chunk, status: self.standing().status, event },
            Refusal::Blocked => Rejection::Blocked { job, chunk, unmet: self.row.unmet, bad: self.row.bad },
        }
    }
}

impl Step<'_, '_> {
    /// The job of this id.
    pub(crate) fn job(&self, id: JobId) -> Result<FoundJob, Stop> {
        self.txn.job(id)?.ok_or_else(|| Rejection::JobNotFound { job: id }.into())
    }

    /// A chunk of a job.
    pub(crate) fn piece(&self, job: &FoundJob, chunk: u64) -> Result<Piece, Stop> {
        let spot = Spot { job: job.no, chunk };
        self.find(spot, &job.row)?.ok_or_else(|| Rejection::ChunkNotFound { job: job.row.id, chunk }.into())
    }

    /// A chunk by its inner place; none where it, or its job, is gone.
    pub(crate) fn piece_at(&self, spot: Spot) -> Result<Option<Piece>, Stop> {
        match look::job_row(self.txn, spot.job)? {
            Some(job) => self.find(spot, &job),
            None => Ok(None),
        }
    }

    fn find(&self, spot: Spot, job: &JobRow) -> Result<Option<Piece>, Stop> {
        let Some(row) = look::chunk(self.txn, spot)? else { return Ok(None) };
        let lease = if row.status.is_terminal() { None } else { look::lease(self.txn, spot)? };
        let place = self.place(spot, &row, lease.as_ref(), &job.options)?;
        let was = Some(Was { row: row.clone(), lease, place });
        Ok(Some(Piece { spot, job_id: job.id, options: job.options, row, lease, was }))
    }

    /// A chunk that was found in its lane, so there is no need to look for it in other places.
    pub(crate) fn ready_piece(&self, spot: Spot, job: &JobRow) -> Result<Piece, Stop> {
        let row = look::chunk(self.txn, spot)?.ok_or_else(|| Stop::corrupt(Table::Chunk, &key::spot(spot), "is missing"))?;
        let was = Some(Was { row: row.clone(), lease: None, place: Place::Ready });
        Ok(Piece { spot, job_id: job.id, options: job.options, row, lease: None, was })
    }

    /// Where a stored chunk is. Whether a time has come is up to the timer row, not to the clock.
    fn place(&self, spot: Spot, row: &ChunkRow, lease: Option<&LeaseRow>, options: &JobOptions) -> Result<Place, Stop> {
        let standing = row.standing(lease.is_some());
        match standing.place(&row.rules(options), magnetar_core::Timestamp::default()) {
            Place::Timer(at) if look::get::<Here>(self.txn, Table::Timer, &key::due(at, spot))?.is_none() => Ok(Place::Ready),
            place => Ok(place),
        }
    }

    /// Takes a step of the machine with a chunk; nothing is written yet.
    pub(crate) fn step(&self, piece: &mut Piece, event: Event) -> Result<(), Stop> {
        let seed = piece.lease.map_or(0, |lease| lease.token.get());
        let standing =
            piece.standing().step(event, &piece.rules(), self.now, seed).map_err(|refusal| piece.refused(refusal, event))?;
        piece.row.stand(standing);
        if standing.status != JobStatus::Processing {
            piece.lease = None;
        }
        if standing.status.is_terminal() {
            piece.row.ended_at = Some(self.now);
        }
        if matches!(event, Event::Redrive | Event::Reopen) {
            let row = &mut piece.row;
            (row.ended_at, row.error, row.result, row.recorded) = (None, None, None, None);
        }
        Ok(())
    }

    /// Writes a chunk: out of the place where it was, into the place where the rules want it, counters and all.
    pub(crate) fn settle(&mut self, piece: &Piece) -> Result<(), Stop> {
        let place = piece.standing().place(&piece.rules(), self.now);
        let old = piece.was.as_ref();
        let is_moved =
            old.is_none_or(|was| was.place != place || was.lease != piece.lease || order(&was.row) != order(&piece.row));
        if is_moved {
            if let Some(was) = old {
                self.leave(piece.spot, was)?;
            }
            self.enter(piece, place);
        }
        if old.is_none_or(|was| was.row != piece.row) {
            self.txn.put(Table::Chunk, key::spot(piece.spot), &piece.row);
        }
        self.count(piece, place)
    }

    fn leave(&mut self, spot: Spot, was: &Was) -> Result<(), Stop> {
        match was.place {
            Place::Ready => self.txn.remove_ready(&level(spot, &was.row), spot.chunk)?,
            Place::Timer(at) => self.txn.remove(Table::Timer, key::due(at, spot)),
            Place::Lease => {
                self.txn.remove(Table::Lease, key::spot(spot));
                if let Some(at) = was.lease.and_then(|lease| lease.deadline) {
                    self.txn.remove(Table::Deadline, key::due(at, spot));
                }
            }
            Place::Blocked | Place::Ended => {}
        }
        Ok(())
    }

    pub(super) fn enter(&mut self, piece: &Piece, place: Place) {
        let spot = piece.spot;
        match place {
            Place::Ready => {
                self.wakes = true;
                self.txn.put_ready(level(spot, &piece.row), spot.chunk);
            }
            Place::Timer(at) => {
                self.expect_due(at);
                self.txn.put(Table::Timer, key::due(at, spot), &Here);
            }
            Place::Lease => {
                let Some(lease) = piece.lease else { return };
                // A chunk enters a lease from a place that is none.
                self.txn.put_new(Table::Lease, key::spot(spot), &lease);
                if let Some(at) = lease.deadline {
                    self.expect_due(at);
                    self.txn.put(Table::Deadline, key::due(at, spot), &Here);
                }
            }
            Place::Blocked | Place::Ended => {}
        }
    }

    fn count(&mut self, piece: &Piece, place: Place) -> Result<(), Stop> {
        let tally = self.txn.tally(piece.spot.job)?;
        let mut next = tally;
        match &piece.was {
            Some(was) => tally_place(&mut next, &was.row, was.lease.is_some(), was.place, &piece.options, Count::Out),
            None => next.stats.total_chunks += 1,
        }
        tally_place(&mut next, &piece.row, piece.lease.is_some(), place, &piece.options, Count::In);
        next.last_chunk = next.last_chunk.max(piece.spot.chunk);
        if next != tally {
            self.txn.put_tally(piece.spot.job, Some(&next))?;
        }
        Ok(())
    }

    /// Removes an ended chunk and its counters. Its edges are up to the caller.
    pub(crate) fn erase(&mut self, piece: &Piece) -> Result<(), Stop> {
        let mut tally = self.txn.tally(piece.spot.job)?;
        tally_place(&mut tally, &piece.row, false, Place::Ended, &piece.options, Count::Out);
        tally.stats.total_chunks = tally.stats.total_chunks.saturating_sub(1);
        self.txn.put_tally(piece.spot.job, Some(&tally))?;
        self.txn.remove(Table::Chunk, key::spot(piece.spot));
        if piece.row.has_body {
            self.txn.remove(Table::Body, key::spot(piece.spot));
        }
        if let Some(chunk_key) = &piece.row.key {
            self.txn.remove(Table::Key, key::chunk_key(piece.spot.job, chunk_key));
        }
        Ok(())
    }
}

/// The level of the lanes where a chunk is ready.
fn level(spot: Spot, row: &ChunkRow) -> Key {
    key::level(spot.job, &row.lane, row.priority)
}

/// What of a row decides its place in a lane.
fn order(row: &ChunkRow) -> (&str, i16) {
    (&row.lane, row.priority)
}

#[derive(Clone, Copy)]
pub(crate) enum Count {
    In,
    Out,
}

/// Counts a chunk in or out.
pub(crate) fn tally_place(tally: &mut Tally, row: &ChunkRow, is_leased: bool, place: Place, options: &JobOptions, count: Count) {
    let change = |counter: &mut u64| match count {
        Count::In => *counter += 1,
        Count::Out => *counter = counter.saturating_sub(1),
    };
    change(tally.stats.count_mut(row.standing(is_leased).status));
    match place {
        Place::Blocked => {
            change(&mut tally.stats.blocked);
            if row.bad > 0 && options.on_failure != OnFailure::Run {
                change(&mut tally.stats.held);
            }
        }
        Place::Timer(_) => change(&mut tally.stats.delayed),
        Place::Ready | Place::Lease | Place::Ended => {}
    }
}
