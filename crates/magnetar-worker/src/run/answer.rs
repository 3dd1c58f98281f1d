//! What the store's answers mean for the run.

use std::mem;

use magnetar_core::{Error, ErrorKind, Fence, Job, JobState, Rejection, Reply, Result};
use tokio::time::Instant;

use super::{
    ahead::Claimed,
    finish::{Finish, Next, Settled},
    turn::{Answers, Loop},
};
use crate::{cancellation::Cancelled, summary::End, time::Moment, worker::StopRule};

/// What was read.
pub(super) enum Look {
    /// The job that is run.
    Job(Result<Option<Job>>),
    /// The chunk of an attempt that the store itself has ended.
    Chunk(Box<Finish>, Result<Option<JobState>>),
}

impl Loop {
    /// A submit was answered.
    pub(super) fn answered(&mut self, answers: Result<Answers>) -> Result<()> {
        let expected = self.held.sent.len() + self.checking.len() + usize::from(self.claiming > 0);
        let answers = answers.and_then(|answers| complete(answers, expected));
        let checking = mem::take(&mut self.checking);
        let claiming = mem::take(&mut self.claiming);
        self.is_looked = false;
        match answers {
            Ok(answers) => {
                self.trouble.over();
                let mut answers = answers.into_iter();
                for (finish, answer) in mem::take(&mut self.held.sent).into_iter().zip(answers.by_ref()) {
                    self.finished(finish, answer);
                }
                self.checked(checking.into_iter().zip(answers.by_ref()));
                answers.next().map_or(Ok(()), |answer| self.claimed(claiming, answer?))
            }
            Err(error) => {
                // Nothing was changed; what was sent goes again, before what came after it.
                let later = mem::replace(&mut self.held.outbox, mem::take(&mut self.held.sent));
                self.held.outbox.extend(later);
                self.is_check_wanted |= !checking.is_empty();
                if claiming > 0 {
                    self.lookout.hope();
                }
                self.failed(error)
            }
        }
    }

    /// Something was read.
    pub(super) fn looked(&mut self, look: Look) -> Result<()> {
        match look {
            // An attempt whose chunk cannot be read is as good as lost.
            Look::Chunk(finish, chunk) => {
                let (fence, claimed, is_started) = (finish.fence, finish.claimed, finish.is_started);
                let settled = finish.settle_by(chunk.ok().flatten().as_ref());
                self.settled(fence, claimed, is_started, settled);
                Ok(())
            }
            Look::Job(Ok(job)) => self.judge(job),
            Look::Job(Err(error)) => {
                self.lookout.hope();
                self.failed(error)
            }
        }
    }

    /// Decides whether the run is over, from how far the job is.
    fn judge(&mut self, job: Option<Job>) -> Result<()> {
        let Some(job) = job else {
            let job = self.job.unwrap_or_default();
            return Err(Rejection::JobNotFound { job }.into());
        };
        // Something may have come meanwhile; then the job is looked at again later.
        if self.is_idle() {
            self.is_looked = true;
            let stats = job.stats;
            if stats.open() == 0 {
                self.ending = Some(End::Ended { stats });
            } else if stats.is_stalled() {
                self.ending = Some(End::Stalled { stats });
            } else {
                self.report.idle(stats);
            }
        }
        Ok(())
    }

    /// The store was in trouble, or is gone.
    fn failed(&mut self, error: Error) -> Result<()> {
        let again = error.is_transient().then(|| self.trouble.again(Instant::now())).flatten();
        let Some(wait) = again else { return Err(error) };
        self.report.trouble(&error, wait);
        Ok(())
    }

    fn finished(&mut self, finish: Finish, answer: Result<Vec<Reply>, Rejection>) {
        let (fence, claimed, is_started) = (finish.fence, finish.claimed, finish.is_started);
        match finish.settle(answer) {
            Next::Over(settled) => self.settled(fence, claimed, is_started, settled),
            Next::Instead(finish) => self.held.outbox.push(finish),
            Next::Look(finish) => self.unclear.push(finish),
        }
    }

    fn settled(&mut self, fence: Fence, claimed: Moment, is_started: bool, settled: Settled) {
        match &settled {
            Settled::Failed { retry_at: None, .. } if self.settings.stop_rule == StopRule::FailFast => {
                self.ending.get_or_insert(End::FailedFast);
            }
            Settled::Failed { retry_at: Some(at), .. } | Settled::Parked { until: Some(at) } => {
                self.lookout.expect(claimed.instant_of(*at));
            }
            _ => {}
        }
        self.report.settled(fence, is_started, settled);
    }

    fn checked(&mut self, checks: impl Iterator<Item = (Fence, Result<Vec<Reply>, Rejection>)>) {
        let mut any = false;
        for (fence, check) in checks {
            any = true;
            // What else a check may meet, such as a damaged row, its end will meet too.
            if let Err(Rejection::FenceLost { .. } | Rejection::JobNotFound { .. } | Rejection::ChunkNotFound { .. }) = check {
                self.lose(fence);
            }
        }
        if any {
            self.vigil.answered();
        }
    }

    /// A claim is lost. A handler that is over meanwhile finds out by its end.
    fn lose(&mut self, fence: Fence) {
        if !self.held.crew.cancel(fence, Cancelled::Lost) && self.held.ahead.remove(fence).is_some() {
            self.report.lost(fence, false);
        }
    }

    fn claimed(&mut self, asked: usize, replies: Vec<Reply>) -> Result<()> {
        let Some(Reply::Claimed(chunks)) = replies.into_iter().next() else {
            return Err(Error::new(ErrorKind::Backend, "claim: the backend answered something else than was asked"));
        };
        self.lookout.answered(chunks.len() >= asked);
        let here = Instant::now();
        for chunk in chunks {
            let Some(lease) = chunk.lease else {
                return Err(Error::new(ErrorKind::Backend, format!("claim: chunk {} came without a fence", chunk.chunk)));
            };
            let at = Moment { here, store: lease.claimed_at };
            self.held.ahead.push(Claimed::new(chunk, lease.fence, at));
        }
        Ok(())
    }
}

/// Refuses answers that do not fit what was asked.
fn complete(answers: Answers, expected: usize) -> Result<Answers> {
    if answers.len() == expected {
        return Ok(answers);
    }
    let count = answers.len();
    Err(Error::new(ErrorKind::Backend, format!("submit {expected} groups: the backend answered {count}")))
}
