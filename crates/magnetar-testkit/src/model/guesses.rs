//! Ids that the store picks, and that nobody knows of a group that is refused.
//!
//! The model guesses them. An op of the same group that names by id what is new in the group may hit the guess or the pick, so it is doubted.

use std::collections::BTreeSet;

use magnetar_core::{JobId, JobRef, Op, Until};

use super::{Key, Model};

/// What was guessed in a group so far.
#[derive(Default)]
pub(super) struct Guesses {
    is_a_job_guessed: bool,
    /// Jobs in which numbers of chunks were guessed.
    numbered_in: BTreeSet<JobId>,
}

impl Model {
    /// Notes what is guessed for an op, and doubts it where it names a guess. `before` is the model before the group.
    pub(super) fn doubt_guesses(&mut self, op: &Op, before: &Self, guesses: &mut Guesses) {
        match op {
            Op::EnsureJob { job: JobRef::Name(name), .. } => guesses.is_a_job_guessed |= self.job_named(name).is_none(),
            Op::Insert { job, chunks } if chunks.iter().any(|new| new.id.is_none()) => {
                guesses.numbered_in.extend(self.resolve(job).ok());
            }
            _ => {}
        }
        let (jobs, chunks) = self.named(op);
        let is_new_job = |job: &JobId| !before.jobs.contains_key(job);
        let is_new_chunk = |key: &Key| guesses.numbered_in.contains(&key.0) && !before.chunks.contains_key(key);
        if guesses.is_a_job_guessed && jobs.iter().any(is_new_job) {
            self.doubt("whether an op names the job that its own group makes, whose id the store picks");
        }
        if chunks.iter().any(is_new_chunk) {
            self.doubt("whether an op names a chunk that its own group puts in, whose number the store picks");
        }
    }

    /// The jobs that an op names by id, and the chunks.
    fn named(&self, op: &Op) -> (Vec<JobId>, Vec<Key>) {
        let of = |keys: Vec<Key>| (keys.iter().map(|key| key.0).collect::<Vec<_>>(), keys);
        match op {
            Op::EnsureJob { job, .. } => (by_id(job), vec![]),
            Op::Insert { job, chunks } => {
                let (mut jobs, mut keys) = of(chunks.iter().flat_map(|new| new.depends_on_jobs.iter().copied()).collect());
                jobs.extend(by_id(job));
                let own = chunks.iter().flat_map(|new| new.id.iter().chain(&new.depends_on));
                keys.extend(own.filter_map(|id| Some((self.resolve(job).ok()?, *id))));
                (jobs, keys)
            }
            Op::Claim(claim) => (claim.lanes.iter().map(|lane| lane.job).collect(), vec![]),
            Op::Park { fence, until: Until::Ended(chunks) } => {
                of(chunks.iter().copied().chain([(fence.job(), fence.chunk())]).collect())
            }
            Op::Complete { fence, .. }
            | Op::Fail { fence, .. }
            | Op::Release { fence }
            | Op::Check { fence }
            | Op::Park { fence, .. } => of(vec![(fence.job(), fence.chunk())]),
            Op::Mark { job, update } => of(vec![(*job, update.chunk_id)]),
            Op::Depend { job, chunk, on } => of(on.iter().copied().chain([(*job, *chunk)]).collect()),
            Op::Reopen { job, chunks } => of(chunks.iter().map(|chunk| (*job, *chunk)).collect()),
            Op::Pause { job } | Op::Resume { job } | Op::DeleteJob { job } | Op::Prune { job, .. } => (vec![*job], vec![]),
            _ => (vec![], vec![]),
        }
    }
}

fn by_id(job: &JobRef) -> Vec<JobId> {
    match job {
        JobRef::Id(job) => vec![*job],
        JobRef::Name(_) => vec![],
    }
}
