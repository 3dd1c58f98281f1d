//! Marks: what a caller says of a chunk without showing a fence.

use magnetar_core::{
    Fence, JobId, JobStatus, JobUpdate, Rejection, Reply,
    machine::{Event, Refusal},
};

use super::{
    Step,
    chunk::Piece,
    finish::{ending_event, shortened},
};
use crate::{row::Ending, stop::Stop};

impl Step<'_, '_> {
    pub(super) fn mark(&mut self, job: JobId, update: &JobUpdate) -> Result<Reply, Stop> {
        let job = self.job(job)?;
        let piece = self.piece(&job, update.chunk_id)?;
        let piece = self.free_of_the_dead(piece)?;
        self.refuse_lost(&piece)?;
        let status = piece.standing().status;
        match (piece.lease, status) {
            (Some(lease), _) if lease.session != self.engine.state.session => {
                Err(Rejection::Held { job: job.row.id, chunk: update.chunk_id, session: lease.session }.into())
            }
            (_, status) if status == update.status => Ok(Reply::Marked { changed: false, fence: None }),
            (_, JobStatus::Pending) => self.mark_pending(piece, update),
            (Some(_), _) => self.mark_own(piece, update),
            (None, _) if update.status == JobStatus::Pending => self.redrive(piece),
            (None, _) => Err(not_allowed(&piece, update.status)),
        }
    }

    /// What this handle claimed and lost stays lost for it, until it claims it anew.
    fn refuse_lost(&mut self, piece: &Piece) -> Result<(), Stop> {
        let Some(&token) = self.engine.held.get(&piece.spot) else { return Ok(()) };
        if piece.lease.is_some_and(|lease| lease.token == token) {
            return Ok(());
        }
        if piece.row.last.is_some_and(|(last, _)| last == token) {
            // Somebody else ended it in good order under this very fence.
            self.hold(piece.spot, None);
            return Ok(());
        }
        Err(Rejection::FenceLost { fence: Fence::new(piece.job_id, piece.spot.chunk, token) }.into())
    }

    /// Claims, or claims and ends, in one step.
    fn mark_pending(&mut self, mut piece: Piece, update: &JobUpdate) -> Result<Reply, Stop> {
        let event = match update.status {
            JobStatus::Processing => {
                let state = self.lease(piece)?;
                return Ok(Reply::Marked { changed: true, fence: state.fence() });
            }
            status => ending_event(status).ok_or_else(|| not_allowed(&piece, status))?,
        };
        // The step from Pending says whether this is allowed; the claim in between only lends it a token.
        piece.standing().step(event, &piece.rules(), self.now, 0).map_err(|refusal| piece.refused(refusal, event))?;
        self.take(&mut piece)?;
        self.mark_own(piece, update)
    }

    /// Ends or releases what this handle holds.
    fn mark_own(&mut self, mut piece: Piece, update: &JobUpdate) -> Result<Reply, Stop> {
        if update.status == JobStatus::Pending {
            self.put_back(&mut piece, Event::Release, Ending::Release)?;
        } else {
            let event = ending_event(update.status).ok_or_else(|| not_allowed(&piece, update.status))?;
            if let Some(error) = &update.error {
                piece.row.error = Some(shortened(error));
            }
            self.end(&mut piece, event, update.checksum.as_deref())?;
        }
        Ok(Reply::Marked { changed: true, fence: None })
    }

    fn redrive(&mut self, piece: Piece) -> Result<Reply, Stop> {
        if piece.row.status == JobStatus::Done {
            return Err(piece.refused(Refusal::NotAllowed, Event::Redrive).into());
        }
        self.bring_back(piece, Event::Redrive)?;
        Ok(Reply::Marked { changed: true, fence: None })
    }
}

/// The event that would have been needed for a mark that the machine does not have.
fn not_allowed(piece: &Piece, status: JobStatus) -> Stop {
    let event = match status {
        JobStatus::Pending => Event::Redrive,
        JobStatus::Processing => Event::Claim,
        JobStatus::Skipped => Event::Skip,
        status => ending_event(status).unwrap_or(Event::Complete),
    };
    piece.refused(Refusal::NotAllowed, event).into()
}
