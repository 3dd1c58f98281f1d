//! One thread of a worker: claims, works, and tells the store in every way there is, with a note in the log before and after.

use std::{thread, time::Duration};

use anyhow::{Context, Result, anyhow, bail};
use fastrand::Rng;
use futures_lite::future::block_on;
use magnetar_core::{Answer, Claim, ErrorKind, Fence, Group, JobState, JobStore, Lane, Op, Query, Reply};

use super::{
    flaw::Flaw,
    log::{BADLY, Kind, Log, Record},
    plan::{Plan, Temper},
    sys,
    verify::token_of,
};

/// The most chunks that a thread takes at once.
pub(crate) const BATCH_MAX: usize = 3;
/// How often a thread looks for work before it gives up: about a minute of waiting.
const TURNS_MAX: u32 = 60_000;

/// One thread at work on a plan.
pub(crate) struct Hand<'a> {
    pub(crate) store: &'a dyn JobStore,
    pub(crate) log: &'a Log,
    pub(crate) plan: &'a Plan,
    pub(crate) flaw: Flaw,
    pub(crate) worker: u32,
    pub(crate) thread: u8,
    pub(crate) rng: Rng,
    /// The longest that the work on a chunk takes.
    pub(crate) longest: Duration,
}

/// What comes of an attempt.
#[derive(Clone, Copy)]
pub(crate) enum Deed {
    Complete,
    Fail,
    Return,
}

impl Hand<'_> {
    /// Works until nothing of the plan is open.
    pub(crate) fn work(mut self) -> Result<()> {
        let mut held = Vec::new();
        for _ in 0..TURNS_MAX {
            if held.is_empty() {
                held = self.claim()?;
            }
            if held.is_empty() {
                if self.is_over()? {
                    return Ok(());
                }
                thread::sleep(Duration::from_millis(1));
                continue;
            }
            held = self.turn(&held)?;
        }
        bail!("worked in vain: something stays open that is never handed out")
    }

    /// Works for so many turns, and returns what it holds then.
    pub(crate) fn work_for(&mut self, turns: u32) -> Result<Vec<JobState>> {
        let mut held = Vec::new();
        for _ in 0..turns {
            held = if held.is_empty() { self.claim()? } else { self.turn(&held)? };
        }
        Ok(held)
    }

    fn is_over(&self) -> Result<bool> {
        for job in &self.plan.jobs {
            let stats = block_on(self.store.get_stats(job.id)).context("read the stats")?;
            if stats.total_chunks == 0 || stats.open() > 0 {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn lanes(&mut self) -> Vec<Lane> {
        let mut lanes: Vec<_> = self.plan.jobs.iter().map(|job| Lane::of(job.id)).collect();
        self.rng.shuffle(&mut lanes);
        lanes
    }

    pub(crate) fn claim(&mut self) -> Result<Vec<JobState>> {
        let lanes = self.lanes();
        let limit = self.rng.usize(1..=BATCH_MAX);
        self.log.write(self.record(Kind::Asked, None))?;
        let claimed = block_on(self.store.claim(lanes, limit)).context("claim")?;
        self.note_claimed(&claimed)?;
        Ok(claimed)
    }

    pub(crate) fn note_claimed(&self, claimed: &[JobState]) -> Result<()> {
        for chunk in claimed {
            let fence = chunk.fence().context("a claimed chunk has no fence")?;
            self.log.write(Record { extra: chunk.attempt().into(), ..self.record(Kind::Tried, Some(fence)) })?;
        }
        Ok(())
    }

    /// Works on what is held, tells the store, and returns what it took meanwhile.
    fn turn(&mut self, held: &[JobState]) -> Result<Vec<JobState>> {
        let mut ends = Vec::with_capacity(held.len());
        for chunk in held {
            let deed = self.attempt(chunk)?;
            ends.push((chunk.fence().context("a claimed chunk has no fence")?, deed));
        }
        match self.rng.u32(0..3) {
            0 => {
                self.tell_together(&ends)?;
                Ok(Vec::new())
            }
            1 => {
                for (fence, deed) in ends {
                    self.tell(fence, deed)?;
                }
                Ok(Vec::new())
            }
            _ => self.tell_and_claim(&ends),
        }
    }

    /// The work itself: it looks at what it depends on, takes its time, and has an effect if it is to succeed.
    fn attempt(&mut self, chunk: &JobState) -> Result<Deed> {
        let fence = chunk.fence().context("a claimed chunk has no fence")?;
        let plan = self.plan.chunk(chunk.job_id, chunk.chunk).context("a chunk was claimed that is not in the plan")?;
        if self.rng.bool() {
            self.look_at_parents(fence, &plan.parents)?;
        }
        thread::sleep(self.longest.mul_f64(self.rng.f64()));
        let deed = match plan.temper {
            Temper::Poison => {
                self.log.write(self.record(Kind::Poisoned, Some(fence)))?;
                sys::kill_self()?;
                bail!("survived poison");
            }
            Temper::Hopeless => Deed::Fail,
            Temper::Flaky(fails) if chunk.fails < fails => Deed::Fail,
            _ if self.rng.u32(0..25) == 0 => Deed::Return,
            _ => Deed::Complete,
        };
        self.log_intent(fence, deed)?;
        Ok(deed)
    }

    /// Writes into the log what is about to be told.
    pub(crate) fn log_intent(&mut self, fence: Fence, deed: Deed) -> Result<()> {
        let kind = match deed {
            Deed::Complete if self.flaw == Flaw::EffectNotLogged && self.rng.u32(0..8) == 0 => return Ok(()),
            Deed::Complete => Kind::Effect,
            Deed::Fail => Kind::Failing,
            Deed::Return => Kind::Returning,
        };
        self.log.write(self.record(kind, Some(fence)))
    }

    /// Reads the dependencies, which must be those of the plan, and where each of them stands.
    fn look_at_parents(&self, fence: Fence, wanted: &[(i64, u64)]) -> Result<()> {
        let query = Query::Dependencies { job: fence.job(), chunk: fence.chunk() };
        let Answer::Dependencies(mut parents) = block_on(self.store.read(query)).context("read the dependencies")? else {
            bail!("dependencies were answered with something else");
        };
        let mut wanted = wanted.to_vec();
        parents.sort_unstable();
        wanted.sort_unstable();
        anyhow::ensure!(parents == wanted, "{fence} depends on {parents:?} and was put in with {wanted:?}");
        for (job, chunk) in parents {
            let parent = block_on(self.store.get_chunk(job, chunk)).context("read a parent")?.context("a parent is gone")?;
            let token = match token_of(&parent) {
                Some(token) => token,
                None if parent.status.is_bad() => BADLY,
                None => 0,
            };
            let extra = Record::parent_as_extra(u16::try_from(job)?, u32::try_from(chunk)?);
            let saw = self.record(Kind::Saw, Some(fence));
            self.log.write(Record { token, extra, ..saw })?;
        }
        Ok(())
    }

    fn op(fence: Fence, deed: Deed) -> Op {
        match deed {
            Deed::Complete => Op::Complete { fence, result: result(fence), checksum: None },
            Deed::Fail => Op::Fail { fence, error: "as planned".to_owned() },
            Deed::Return => Op::Release { fence },
        }
    }

    /// Says early what is not so yet, if that is the flaw.
    fn before(&self, fence: Fence, deed: Deed) -> Result<()> {
        match (self.flaw, deed) {
            (Flaw::AcknowledgesEarly, Deed::Complete) => self.log.write(self.record(Kind::Accepted, Some(fence))),
            _ => Ok(()),
        }
    }

    /// Tells of one end by the method of its name.
    pub(crate) fn tell(&self, fence: Fence, deed: Deed) -> Result<()> {
        self.before(fence, deed)?;
        let outcome = match deed {
            Deed::Complete => block_on(self.store.complete(&fence, result(fence))).map(|()| 0),
            Deed::Fail => block_on(self.store.fail(&fence, "as planned".to_owned())).map(|again| u64::from(again.is_none())),
            Deed::Return => block_on(self.store.release(&fence)).map(|()| 0),
        };
        self.note(fence, deed, outcome.map_err(|error| (error.kind(), anyhow!(error))))
    }

    /// Tells of all ends in one commit, with an outcome for each.
    fn tell_together(&self, ends: &[(Fence, Deed)]) -> Result<()> {
        for (fence, deed) in ends {
            self.before(*fence, *deed)?;
        }
        let groups: Vec<Group> = ends.iter().map(|(fence, deed)| vec![Self::op(*fence, *deed)]).collect();
        let outcomes = block_on(self.store.submit(groups)).context("submit")?;
        anyhow::ensure!(outcomes.len() == ends.len(), "{} groups had {} outcomes", ends.len(), outcomes.len());
        for ((fence, deed), outcome) in ends.iter().zip(outcomes) {
            let outcome = outcome.map(|replies| match replies.first() {
                Some(Reply::Failed { retry_at }) => u64::from(retry_at.is_none()),
                _ => 0,
            });
            self.note(*fence, *deed, outcome.map_err(|rejection| (rejection.kind(), anyhow!(rejection))))?;
        }
        Ok(())
    }

    /// Tells of the ends, and of the last together with the next claim.
    fn tell_and_claim(&mut self, ends: &[(Fence, Deed)]) -> Result<Vec<JobState>> {
        let Some(((fence, deed), before)) = ends.split_last() else { return Ok(Vec::new()) };
        for (fence, deed) in before {
            self.tell(*fence, *deed)?;
        }
        self.before(*fence, *deed)?;
        let claim = Claim { lanes: self.lanes(), limit: self.rng.usize(1..=BATCH_MAX) };
        self.log.write(self.record(Kind::Asked, None))?;
        let outcome = block_on(self.store.apply(vec![Self::op(*fence, *deed), Op::Claim(claim)]));
        let mut claimed = Vec::new();
        let outcome = outcome.map(|replies| {
            let last = matches!(replies.first(), Some(Reply::Failed { retry_at: None }));
            if let Some(Reply::Claimed(chunks)) = replies.into_iter().next_back() {
                claimed = chunks;
            }
            u64::from(last)
        });
        self.note(*fence, *deed, outcome.map_err(|error| (error.kind(), anyhow!(error))))?;
        self.note_claimed(&claimed)?;
        Ok(claimed)
    }

    /// Logs what the store said. A lost claim is an outcome; anything else that is no success ends the worker.
    pub(crate) fn note(&self, fence: Fence, deed: Deed, outcome: Result<u64, (ErrorKind, anyhow::Error)>) -> Result<()> {
        let was_said = self.flaw == Flaw::AcknowledgesEarly && matches!(deed, Deed::Complete);
        let (kind, extra) = match outcome {
            _ if was_said => return Ok(()),
            Ok(extra) => {
                let kind = match deed {
                    Deed::Complete => Kind::Accepted,
                    Deed::Fail => Kind::Failed,
                    Deed::Return => Kind::Returned,
                };
                (kind, extra)
            }
            Err((ErrorKind::FenceLost, _)) => (Kind::Lost, 0),
            Err((_, error)) => return Err(error.context(format!("end {fence}"))),
        };
        self.log.write(Record { extra, ..self.record(kind, Some(fence)) })
    }

    pub(crate) fn record(&self, kind: Kind, fence: Option<Fence>) -> Record {
        let mut record = Record { thread: self.thread, ..Record::of(kind, self.worker) };
        if let Some(fence) = fence {
            record.job = u16::try_from(fence.job()).unwrap_or_default();
            record.chunk = u32::try_from(fence.chunk()).unwrap_or_default();
            record.token = fence.token().get();
        }
        record
    }
}

/// What a chunk is completed with: the token, by which the rig knows who did.
pub(crate) fn result(fence: Fence) -> Vec<u8> {
    fence.token().get().to_le_bytes().to_vec()
}
