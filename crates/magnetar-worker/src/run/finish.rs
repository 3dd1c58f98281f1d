//! What is to be written for a claim, and what the store's answer makes of it.

use std::time::Duration;

use magnetar_core::{Fence, Group, JobState, JobStatus, JobUpdate, Op, Rejection, Reply, Timestamp, Until};

use super::crew::{Ended, Running};
use crate::{
    cancellation::Cancelled,
    completion::Completion,
    event::Cause,
    failure::{Failure, Verdict},
    time::Moment,
};

/// What is to be written for a claim.
#[derive(Clone, Debug)]
pub(super) struct Finish {
    pub(super) fence: Fence,
    pub(super) claimed: Moment,
    /// Whether a handler was started on it.
    pub(super) is_started: bool,
    ending: Ending,
    ops: Vec<Op>,
}

#[derive(Clone, Debug)]
enum Ending {
    Complete {
        result: Vec<u8>,
        checksum: Option<String>,
    },
    Fail {
        cause: Cause,
        error: String,
    },
    GiveUp {
        error: String,
    },
    Release,
    Park(Until),
    /// A release of what is lost in all likelihood, and was told to be.
    Forsake,
}

/// What became of a claim.
#[derive(Clone, Debug)]
pub(super) enum Settled {
    Done,
    Failed {
        cause: Cause,
        error: String,
        retry_at: Option<Timestamp>,
    },
    Released,
    Parked {
        until: Option<Timestamp>,
    },
    Lost,
    /// It was told before.
    Known,
}

/// What the store's answer makes of a finish.
#[derive(Debug)]
pub(super) enum Next {
    Over(Settled),
    /// This is to be written instead.
    Instead(Finish),
    /// The store itself has ended the attempt; the chunk tells how.
    Look(Finish),
}

impl Finish {
    /// What the end of a handler comes to. None is never the answer: every claim is written off somehow.
    pub(super) fn of(running: &Running, ended: Ended) -> Self {
        let (ending, ops) = match (running.signal.why(), ended) {
            (Some(Cancelled::Lost), _) => (Ending::Forsake, Vec::new()),
            (Some(Cancelled::TimedOut), ended) => timed_out(running.limit, ended),
            (Some(Cancelled::Aborted), ended) => aborted(ended),
            (None, Ended::Returned(outcome)) => returned(outcome),
            (None, Ended::Panicked(error)) => (Ending::Fail { cause: Cause::Panicked, error }, Vec::new()),
            (None, Ended::Dropped) => (Ending::Release, Vec::new()),
        };
        Self { fence: running.fence, claimed: running.claimed, is_started: true, ending, ops }
    }

    /// Gives back what no handler was started on.
    pub(super) fn unstarted(fence: Fence, claimed: Moment) -> Self {
        Self { fence, claimed, is_started: false, ending: Ending::Release, ops: Vec::new() }
    }

    /// Gives back what is likely to be lost.
    pub(super) fn forsaken(fence: Fence, claimed: Moment) -> Self {
        Self { ending: Ending::Forsake, ..Self::unstarted(fence, claimed) }
    }

    /// Whether the claim is already told to be lost.
    pub(super) fn is_forsaken(&self) -> bool {
        matches!(self.ending, Ending::Forsake)
    }

    /// The ops that write it.
    pub(super) fn group(&self) -> Group {
        let fence = self.fence;
        let mut group = match &self.ending {
            Ending::Complete { result, checksum } => {
                vec![Op::Complete { fence, result: result.clone(), checksum: checksum.clone() }]
            }
            Ending::Fail { error, .. } => vec![Op::Fail { fence, error: error.clone() }],
            Ending::GiveUp { error } => give_up(fence, error),
            Ending::Release | Ending::Forsake => vec![Op::Release { fence }],
            Ending::Park(until) => vec![Op::Park { fence, until: until.clone() }],
        };
        group.extend(self.ops.iter().cloned());
        group
    }

    /// About how many bytes it writes.
    pub(super) fn bytes(&self) -> usize {
        let own = match &self.ending {
            Ending::Complete { result, .. } => result.len(),
            Ending::Fail { error, .. } | Ending::GiveUp { error } => error.len(),
            Ending::Release | Ending::Park(_) | Ending::Forsake => 0,
        };
        let values = self.ops.iter().map(|op| match op {
            Op::PutRecord { value, .. } => value.as_ref().map_or(0, Vec::len),
            Op::Insert { chunks, .. } => chunks.iter().map(|chunk| chunk.payload.len()).sum(),
            _ => 0,
        });
        own + values.sum::<usize>()
    }

    /// What the store's answer comes to.
    pub(super) fn settle(self, answer: Result<Vec<Reply>, Rejection>) -> Next {
        match answer {
            Ok(replies) => Next::Over(self.settled(replies.first())),
            Err(Rejection::AlreadyApplied { fence }) if fence == self.fence => match self.ending {
                // When it is tried again was in the answer that did not arrive.
                Ending::Fail { .. } => Next::Look(self),
                _ => Next::Over(self.settled(None)),
            },
            Err(rejection) if self.is_lost(&rejection) => match self.ending {
                // The store keeps a chunk's timeout too, and was first.
                Ending::Fail { cause: Cause::TimedOut, .. } => Next::Look(self),
                Ending::Forsake => Next::Over(Settled::Known),
                _ => Next::Over(Settled::Lost),
            },
            Err(rejection) => self.refused(&rejection),
        }
    }

    /// What became of an attempt that the store itself has ended, by the chunk as it is now.
    pub(super) fn settle_by(self, chunk: Option<&JobState>) -> Settled {
        let Ending::Fail { cause, error } = self.ending else { return Settled::Lost };
        let failed = |retry_at| Settled::Failed { cause, error, retry_at };
        match chunk.map(|chunk| (chunk.status, chunk)) {
            Some((JobStatus::Failed, _)) => failed(None),
            Some((JobStatus::Pending, JobState { not_before: Some(at), .. })) => failed(Some(*at)),
            Some((JobStatus::Processing, JobState { lease: Some(lease), .. })) => failed(Some(lease.claimed_at)),
            _ => Settled::Lost,
        }
    }

    fn settled(self, reply: Option<&Reply>) -> Settled {
        match (self.ending, reply) {
            (Ending::Complete { .. }, _) => Settled::Done,
            (Ending::Fail { cause, error }, Some(Reply::Failed { retry_at })) => {
                Settled::Failed { cause, error, retry_at: *retry_at }
            }
            (Ending::Fail { cause, error }, _) => Settled::Failed { cause, error, retry_at: None },
            (Ending::GiveUp { error }, _) => Settled::Failed { cause: Cause::Permanent, error, retry_at: None },
            (Ending::Release, _) => Settled::Released,
            (Ending::Park(Until::At(at)), _) => Settled::Parked { until: Some(at) },
            (Ending::Park(_), _) => Settled::Parked { until: None },
            (Ending::Forsake, _) => Settled::Known,
        }
    }

    /// Whether a refusal says that there is nothing of this claim left to be written. The ops beside the end may be refused for
    /// the same reasons, of other chunks.
    fn is_lost(&self, rejection: &Rejection) -> bool {
        let own = self.fence;
        match rejection {
            Rejection::FenceLost { fence } => *fence == own,
            Rejection::JobNotFound { job } => *job == own.job(),
            Rejection::ChunkNotFound { job, chunk } => *job == own.job() && *chunk == own.chunk(),
            _ => false,
        }
    }

    /// What is written instead of what the store refuses: a completion becomes a failure that says why, a failure loses its ops, and
    /// what cannot even be given back is left.
    fn refused(mut self, rejection: &Rejection) -> Next {
        let had_ops = !std::mem::take(&mut self.ops).is_empty();
        let refusal = || Ending::Fail { cause: Cause::Refused, error: format!("the store refused its outcome: {rejection}") };
        self.ending = match self.ending {
            Ending::Complete { .. } => refusal(),
            same if had_ops => same,
            Ending::Park(_) | Ending::GiveUp { .. } => refusal(),
            Ending::Fail { .. } => Ending::Release,
            Ending::Release => return Next::Over(Settled::Lost),
            Ending::Forsake => return Next::Over(Settled::Known),
        };
        Next::Instead(self)
    }
}

/// The end as Failed under a fence: the check refuses the mark where the claim is not in force.
fn give_up(fence: Fence, error: &str) -> Group {
    let update = JobUpdate { chunk_id: fence.chunk(), status: JobStatus::Failed, checksum: None, error: Some(error.to_owned()) };
    vec![Op::Check { fence }, Op::Mark { job: fence.job(), update }]
}

fn returned(outcome: Result<Completion, Failure>) -> (Ending, Vec<Op>) {
    match outcome {
        Ok(Completion { result, checksum, ops }) => (Ending::Complete { result, checksum }, ops),
        Err(Failure { verdict, ops }) => {
            let ending = match verdict {
                Verdict::Retry(error) => Ending::Fail { cause: Cause::Error, error },
                Verdict::GiveUp(error) => Ending::GiveUp { error },
                Verdict::Release => Ending::Release,
                Verdict::Park(until) => Ending::Park(until),
            };
            (ending, ops)
        }
    }
}

/// A time-out is a failure whatever the handler still returned; its ops are kept, and so are its words.
fn timed_out(limit: Option<Duration>, ended: Ended) -> (Ending, Vec<Op>) {
    let error = format!("timed out after {:?}", limit.unwrap_or_default());
    let (error, ops) = match ended {
        Ended::Returned(Ok(completion)) => (error, completion.ops),
        Ended::Returned(Err(failure)) => (format!("{error}: {failure}"), failure.ops),
        Ended::Panicked(text) => (format!("{error}: {text}"), Vec::new()),
        Ended::Dropped => (error, Vec::new()),
    };
    (Ending::Fail { cause: Cause::TimedOut, error }, ops)
}

/// After an abort, work that was done all the same is written; everything else gives the chunk back.
fn aborted(ended: Ended) -> (Ending, Vec<Op>) {
    match ended {
        Ended::Returned(Ok(completion)) => returned(Ok(completion)),
        Ended::Returned(Err(failure)) => (Ending::Release, failure.ops),
        Ended::Panicked(_) | Ended::Dropped => (Ending::Release, Vec::new()),
    }
}
