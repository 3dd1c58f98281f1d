//! What was acknowledged: a model of its own, so that a store that forgets cannot vouch for itself.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Result, bail, ensure};
use magnetar_core::{Fence, Group, JobRef, JobState, JobStatus, Lease, Op, Reply, Timestamp};

use super::Sight;

/// What calls were told, as far as it must hold until another call changes it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Known {
    /// Chunks that were accepted as Done, with the fence and the result.
    pub(crate) done: BTreeMap<(i64, u64), (Fence, Vec<u8>)>,
    /// Chunks that were claimed, and have not been ended or given back.
    pub(crate) held: BTreeMap<(i64, u64), Held>,
    /// Records by key, with the version that was answered.
    records: BTreeMap<Vec<u8>, (Vec<u8>, u64)>,
    /// The largest token that was handed out.
    pub(crate) last_token: u64,
    /// Chunks that must be there, in whatever state.
    there: BTreeSet<(i64, u64)>,
}

/// A claim that is in force.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Held {
    pub(crate) fence: Fence,
    /// When its time is over, if it has a limit.
    deadline: Option<Timestamp>,
}

impl Known {
    /// Takes over what a call was told.
    pub(crate) fn learn(&mut self, group: &Group, replies: &[Reply]) {
        for (op, reply) in group.iter().zip(replies) {
            self.learn_op(op, reply);
        }
    }

    fn learn_op(&mut self, op: &Op, reply: &Reply) {
        match op {
            Op::Complete { fence, result, .. } => {
                self.let_go(fence);
                self.done.insert((fence.job(), fence.chunk()), (*fence, result.clone()));
            }
            Op::Mark { job, update } => {
                let chunk = (*job, update.chunk_id);
                self.held.remove(&chunk);
                if update.status != JobStatus::Done {
                    self.done.remove(&chunk);
                }
            }
            Op::Fail { fence, .. } | Op::Release { fence } | Op::Park { fence, .. } => self.let_go(fence),
            Op::DeleteJob { job } => {
                self.done.retain(|(of, _), _| of != job);
                self.held.retain(|(of, _), _| of != job);
                self.there.retain(|(of, _)| of != job);
            }
            Op::Prune { job, .. } => {
                // Which of the ended ones went, the reply does not say.
                self.done.retain(|(of, _), _| of != job);
                self.there.retain(|(of, _)| of != job);
            }
            Op::Insert { job: JobRef::Id(job), chunks } => {
                self.there.extend(chunks.iter().filter_map(|chunk| Some((*job, chunk.id?))));
            }
            Op::PutRecord { key, value, .. } => match (value, reply) {
                (Some(value), Reply::Version(Some(version))) => {
                    self.records.insert(key.clone(), (value.clone(), *version));
                }
                _ => drop(self.records.remove(key)),
            },
            _ => {}
        }
        match reply {
            Reply::Claimed(chunks) => chunks.iter().filter_map(|chunk| chunk.lease).for_each(|lease| self.hold(&lease)),
            Reply::Marked { fence: Some(fence), .. } => self.last_token = self.last_token.max(fence.token().get()),
            Reply::Reopened(chunks) => {
                for chunk in chunks {
                    self.done.remove(chunk);
                }
            }
            _ => {}
        }
    }

    fn hold(&mut self, lease: &Lease) {
        let fence = lease.fence;
        self.last_token = self.last_token.max(fence.token().get());
        self.held.insert((fence.job(), fence.chunk()), Held { fence, deadline: lease.deadline });
    }

    /// Forgets a claim that is over.
    pub(crate) fn let_go(&mut self, fence: &Fence) {
        self.held.remove(&(fence.job(), fence.chunk()));
    }

    /// Forgets the claims whose time is over by then.
    pub(crate) fn time_out(&mut self, now: Timestamp) {
        self.held.retain(|_, held| held.deadline.is_none_or(|deadline| deadline > now));
    }

    /// Forgets all claims, because their handle was closed.
    pub(crate) fn let_all_go(&mut self) {
        self.held.clear();
    }

    /// Holds a sight against it.
    ///
    /// # Errors
    /// What was acknowledged and is not there.
    pub(crate) fn check(&self, sight: &Sight) -> Result<()> {
        for (job, chunk) in &self.there {
            ensure!(sight.chunk(*job, *chunk).is_some(), "acknowledged chunk {chunk} of job {job} is lost");
        }
        for ((job, chunk), (_, result)) in &self.done {
            let Some(found) = sight.chunk(*job, *chunk) else { bail!("acknowledged chunk {chunk} of job {job} is lost") };
            ensure!(
                found.status == JobStatus::Done && found.result.as_ref() == Some(result),
                "chunk {chunk} of job {job} was acknowledged as done with {result:?} and is {} with {:?}",
                found.status,
                found.result
            );
        }
        for ((job, chunk), Held { fence, .. }) in &self.held {
            let found = sight.chunk(*job, *chunk).and_then(JobState::fence);
            ensure!(found == Some(*fence), "acknowledged claim {fence} is lost; there is {found:?}");
        }
        for (key, (value, version)) in &self.records {
            let found = sight.records.iter().find(|record| record.key == *key);
            let is_there = found.is_some_and(|record| record.value == *value && record.version == *version);
            ensure!(is_there, "acknowledged record {key:?} is lost or another; there is {found:?}");
        }
        Ok(())
    }
}
