//! Claims: from ready to lease, without touching the chunk's own row.

use std::time::Duration;

use magnetar_core::{
    Claim, JobState, Rejection, Token, limits,
    machine::{Event, Standing},
};

use super::{Step, chunk::Piece};
use crate::{
    key::{self, Key, Spot},
    look::{self, FoundJob},
    row::LeaseRow,
    stop::Stop,
    table::Table,
    txn::Head,
};

impl Step<'_, '_> {
    /// Takes the most urgent chunks of the lanes.
    pub(super) fn claim(&mut self, claim: &Claim) -> Result<Vec<JobState>, Stop> {
        let lanes = self.open_lanes(claim)?;
        let mut taken = self.take_ready(&lanes, claim.limit)?;
        // Earlier ops of the same group may have ended what many wait for.
        if taken.is_empty() && self.has_untold()? {
            self.tell_all()?;
            taken = self.take_ready(&lanes, claim.limit)?;
        }
        self.starved |= taken.is_empty();
        Ok(taken)
    }

    fn take_ready(&mut self, lanes: &[(FoundJob, Key)], limit: usize) -> Result<Vec<JobState>, Stop> {
        let mut taken = Vec::new();
        while taken.len() < limit {
            let Some((job, head)) = self.most_urgent(lanes)? else { break };
            self.txn.warm(job.no, &head)?;
            let spot = Spot { job: job.no, chunk: head.chunk };
            let piece = self.ready_piece(spot, &job.row)?;
            if !head.is_in(&key::level(job.no, &piece.row.lane, piece.row.priority)) {
                return Err(Stop::corrupt(Table::Chunk, &key::spot(spot), "is not in the lane where it is ready"));
            }
            taken.push(self.lease(piece)?);
        }
        Ok(taken)
    }

    /// The lanes that may give something, with their jobs.
    fn open_lanes(&self, claim: &Claim) -> Result<Vec<(FoundJob, Key)>, Stop> {
        let mut lanes = Vec::with_capacity(claim.lanes.len());
        for lane in &claim.lanes {
            if let Some(job) = self.txn.job(lane.job)?.filter(|job| !job.row.paused) {
                let prefix = key::lane(job.no, &lane.name);
                lanes.push((job, prefix));
            }
        }
        Ok(lanes)
    }

    /// Larger priority, then the lane named first, then the lowest id.
    fn most_urgent<'l>(&mut self, lanes: &'l [(FoundJob, Key)]) -> Result<Option<(&'l FoundJob, Head)>, Stop> {
        let mut best: Option<(&FoundJob, Head)> = None;
        for (job, lane) in lanes {
            if let Some(head) = self.txn.head(lane)?
                && best.as_ref().is_none_or(|(_, most)| head.urgency < most.urgency)
            {
                best = Some((job, head));
            }
        }
        Ok(best)
    }

    /// Hands a chunk to this handle's session.
    pub(super) fn lease(&mut self, mut piece: Piece) -> Result<JobState, Stop> {
        self.take(&mut piece)?;
        self.settle(&piece)?;
        look::state(self.txn, piece.job_id, piece.spot, piece.row, piece.lease)
    }

    /// Gives a chunk a new token and a lease of this handle's session; nothing of it is written yet.
    pub(super) fn take(&mut self, piece: &mut Piece) -> Result<(), Stop> {
        self.ensure_session()?;
        let token = self.next_token()?;
        let standing: Standing = piece
            .standing()
            .step(Event::Claim, &piece.rules(), self.now, 0)
            .map_err(|refusal| piece.refused(refusal, Event::Claim))?;
        piece.row.stand(standing);
        let deadline = piece.row.timeout_millis.map(|millis| self.now.after(Duration::from_millis(millis)));
        piece.lease = Some(LeaseRow { token, session: self.engine.state.session, claimed_at: self.now, deadline });
        self.hold(piece.spot, Some(token));
        Ok(())
    }

    /// The next token: larger than every one before, with the store's generation in its high bits.
    fn next_token(&mut self) -> Result<Token, Stop> {
        let mut meta = self.txn.meta()?;
        let next = (meta.last_token + 1).max(u64::from(meta.generation) << 32);
        if next > limits::ID_MAX {
            return Err(Rejection::Exhausted { what: "tokens".to_owned() }.into());
        }
        meta.last_token = next;
        self.txn.put_meta(&meta)?;
        Token::new(next).ok_or_else(|| Rejection::Exhausted { what: "tokens".to_owned() }.into())
    }
}
