//! What a worker writes under its fence: complete, fail, release, park, check.

use magnetar_core::{
    Fence, JobStatus, Rejection, Reply, Until, limits,
    machine::{Dependency, Event},
};

use super::{Step, chunk::Piece};
use crate::{
    row::{Edge, Ending},
    stop::Stop,
};

impl Step<'_, '_> {
    pub(super) fn complete(&mut self, fence: &Fence, result: &[u8], checksum: Option<&str>) -> Result<Reply, Stop> {
        let mut piece = self.fenced(fence, Some(Ending::Complete))?;
        piece.row.result = Some(result.to_vec());
        self.end(&mut piece, Event::Complete, checksum)?;
        Ok(Reply::Applied)
    }

    pub(super) fn fail(&mut self, fence: &Fence, error: &str) -> Result<Reply, Stop> {
        let mut piece = self.fenced(fence, Some(Ending::Fail))?;
        piece.row.error = Some(shortened(error));
        self.put_back(&mut piece, Event::Fail, Ending::Fail)?;
        self.tell_if_ended(&piece)?;
        Ok(Reply::Failed { retry_at: piece.row.not_before })
    }

    pub(super) fn release(&mut self, fence: &Fence) -> Result<Reply, Stop> {
        let mut piece = self.fenced(fence, Some(Ending::Release))?;
        self.put_back(&mut piece, Event::Release, Ending::Release)?;
        Ok(Reply::Applied)
    }

    pub(super) fn check(&mut self, fence: &Fence) -> Result<Reply, Stop> {
        self.fenced(fence, None).map(|_| Reply::Applied)
    }

    pub(super) fn park(&mut self, fence: &Fence, until: &Until) -> Result<Reply, Stop> {
        let mut piece = self.fenced(fence, Some(Ending::Park))?;
        self.leave_lease(&mut piece, Event::Park, Ending::Park)?;
        match until {
            Until::At(at) => piece.row.not_before = Some(*at),
            Until::Ended(chunks) => {
                self.refuse_missing(chunks)?;
                for (job, chunk) in chunks {
                    self.await_end(&mut piece, *job, *chunk)?;
                }
            }
        }
        self.settle(&piece)?;
        Ok(Reply::Applied)
    }

    /// Makes a parked chunk wait for the end of another, unless that has ended already.
    fn await_end(&mut self, piece: &mut Piece, job: i64, chunk: u64) -> Result<(), Stop> {
        let job = self.job(job)?;
        let mut parent = self.piece(&job, chunk)?;
        if parent.standing().status.is_terminal() || self.has_edge(parent.spot, piece.spot)? {
            return Ok(());
        }
        self.refuse_cycle(piece, &parent)?;
        let (standing, _) = piece.standing().dependency(Dependency::Awaited, &piece.rules());
        piece.row.stand(standing);
        self.link(&mut parent, piece.spot, Edge::Awaits)
    }

    /// The chunk of a claim that is in force.
    fn fenced(&mut self, fence: &Fence, ending: Option<Ending>) -> Result<Piece, Stop> {
        let job = self.job(fence.job())?;
        let piece = self.piece(&job, fence.chunk())?;
        if piece.lease.is_some_and(|lease| lease.token == fence.token()) {
            return Ok(piece);
        }
        let is_repeated = ending.is_some_and(|ending| piece.row.last == Some((fence.token(), ending)));
        Err(if is_repeated { Rejection::AlreadyApplied { fence: *fence } } else { Rejection::FenceLost { fence: *fence } }.into())
    }

    /// Ends a claimed chunk, and tells whoever waits for it.
    pub(super) fn end(&mut self, piece: &mut Piece, event: Event, checksum: Option<&str>) -> Result<(), Stop> {
        let ending = match event {
            Event::Complete => Ending::Complete,
            Event::Cancel => Ending::Cancel,
            _ => Ending::GiveUp,
        };
        if event == Event::Complete {
            piece.row.error = None;
        }
        if let Some(checksum) = checksum {
            piece.row.recorded = Some(checksum.to_owned());
        }
        self.put_back(piece, event, ending)?;
        self.tell_if_ended(piece)
    }

    /// Takes a claimed chunk out of its lease by an event, and writes it.
    pub(super) fn put_back(&mut self, piece: &mut Piece, event: Event, ending: Ending) -> Result<(), Stop> {
        self.leave_lease(piece, event, ending)?;
        self.settle(piece)
    }

    fn leave_lease(&mut self, piece: &mut Piece, event: Event, ending: Ending) -> Result<(), Stop> {
        let token = piece.lease.map(|lease| lease.token);
        self.step(piece, event)?;
        piece.row.last = token.map(|token| (token, ending));
        if token.is_some() && token == self.engine.held.get(&piece.spot).copied() {
            self.hold(piece.spot, None);
        }
        Ok(())
    }

    /// Tells the children of a chunk that has ended, now or, where they are many, a little later.
    pub(super) fn tell_if_ended(&mut self, piece: &Piece) -> Result<(), Stop> {
        if piece.row.status.is_terminal() && piece.row.has_children {
            self.begin_release(piece.spot, piece.row.status);
            self.drain()?;
        }
        Ok(())
    }
}

/// An error text, cut at a character's edge where it is too long to be kept.
pub(super) fn shortened(error: &str) -> String {
    let mut end = error.len().min(limits::ERROR_BYTES_MAX);
    while !error.is_char_boundary(end) {
        end -= 1;
    }
    error.get(..end).unwrap_or_default().to_owned()
}

/// The event that a mark of a claimed chunk stands for.
pub(super) const fn ending_event(status: JobStatus) -> Option<Event> {
    match status {
        JobStatus::Done => Some(Event::Complete),
        JobStatus::Failed => Some(Event::GiveUp),
        JobStatus::Cancelled => Some(Event::Cancel),
        _ => None,
    }
}
