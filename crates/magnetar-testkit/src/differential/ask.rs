//! How what is asked becomes an op, now that it is known what there is to name.

#![expect(clippy::indexing_slicing, reason = "what is drawn for a table of names lies within it")]

use std::{collections::BTreeSet, sync::Arc};

use magnetar_core::{
    ChunkId, Claim, Expect, Extra, Fence, Filter, JobId, JobRef, JobSpec, JobStatus, JobUpdate, Lane, NewChunk, Op, Timestamp,
    Token, Until,
};

use super::step::{
    Ask, CHECKSUMS, ChunkPick, ERRORS, ExpectPick, FencePick, Instant, JobPick, KEYS, KINDS, LANES, NAMES, RECORD_KEYS, SPACES,
    Sketch, Standing,
};
use crate::model::{ExpectedChunk, HandleId, Model};

/// What there is to name.
pub(super) struct Scene<'a> {
    pub(super) model: &'a Model,
    pub(super) now: Timestamp,
    pub(super) handle: HandleId,
    /// Every fence that was ever given, and to whom.
    pub(super) fences: &'a [(HandleId, Fence)],
}

impl Scene<'_> {
    pub(super) fn op(&self, ask: &Ask) -> Op {
        match ask {
            Ask::EnsureJob { job, name, is_by_name, kind, options } => {
                self.ensure_job(*job, *name, *is_by_name, KINDS[*kind], *options)
            }
            Ask::Insert { job, is_by_name, is_numbered, is_careful, chunks } => {
                let job = self.job(*job);
                let chunks = if *is_careful {
                    self.careful(job, chunks, *is_numbered)
                } else {
                    chunks.iter().map(|sketch| self.new_chunk(sketch)).collect()
                };
                Op::Insert { job: if *is_by_name { self.by_name(job) } else { JobRef::Id(job) }, chunks: Arc::from(chunks) }
            }
            Ask::Claim { lanes, limit } => {
                let lanes = lanes.iter().map(|(job, lane)| Lane::named(self.job(*job), LANES[*lane])).collect();
                Op::Claim(Claim { lanes, limit: *limit })
            }
            Ask::Complete { fence, result, checksum } => self.with_fence(*fence, |fence| Op::Complete {
                fence,
                result: result.clone(),
                checksum: text(&CHECKSUMS, *checksum),
            }),
            Ask::Fail { fence, error } => self.with_fence(*fence, |fence| Op::Fail { fence, error: ERRORS[*error].to_owned() }),
            Ask::Release { fence } => self.with_fence(*fence, |fence| Op::Release { fence }),
            Ask::Check { fence } => self.with_fence(*fence, |fence| Op::Check { fence }),
            Ask::ParkUntil { fence, at } => {
                self.with_fence(*fence, |fence| Op::Park { fence, until: Until::At(self.instant(*at)) })
            }
            Ask::ParkBehind { fence, chunks } => {
                let chunks = chunks.iter().map(|chunk| self.chunk(*chunk)).collect();
                self.with_fence(*fence, |fence| Op::Park { fence, until: Until::Ended(chunks) })
            }
            Ask::Mark { chunk, status, checksum, error } => {
                let (job, chunk_id) = self.chunk(*chunk);
                let update =
                    JobUpdate { chunk_id, status: *status, checksum: text(&CHECKSUMS, *checksum), error: text(&ERRORS, *error) };
                Op::Mark { job, update }
            }
            Ask::Depend { chunk, on, is_careful } => self.depend(*chunk, on, *is_careful),
            Ask::Reopen { chunk, others } => {
                let (job, chunk) = self.chunk(*chunk);
                Op::Reopen { job, chunks: [chunk].into_iter().chain(others.iter().copied()).collect() }
            }
            Ask::Pause { job } => Op::Pause { job: self.job(*job) },
            Ask::Resume { job } => Op::Resume { job: self.job(*job) },
            Ask::DeleteJob { job } => Op::DeleteJob { job: self.job(*job) },
            Ask::PutRecord { space, key, value, expect } => {
                let (space, key) = (SPACES[*space].to_owned(), RECORD_KEYS[*key].to_vec());
                let expect = self.expect(&space, &key, *expect);
                Op::PutRecord { space, key, value: value.clone(), expect }
            }
            Ask::Prune { job, ended_before, after, limit } => {
                Op::Prune { job: self.job(*job), ended_before: self.instant(*ended_before), after: *after, limit: *limit }
            }
            Ask::Reap => Op::Reap,
        }
    }

    fn job(&self, pick: JobPick) -> JobId {
        match pick {
            JobPick::Id(id) => id,
            JobPick::Existing(at) => {
                let jobs = self.model.jobs();
                if jobs.is_empty() { 1 } else { jobs[at % jobs.len()].id }
            }
        }
    }

    /// The same job by its name; by a name that may not exist where it has none.
    fn by_name(&self, job: JobId) -> JobRef {
        let name = self.model.jobs().into_iter().find(|other| other.id == job).and_then(|job| job.name);
        JobRef::Name(name.unwrap_or_else(|| NAMES[0].to_owned()))
    }

    fn chunk(&self, pick: ChunkPick) -> (JobId, ChunkId) {
        let (standing, at) = match pick {
            ChunkPick::Id { job, chunk } => return (self.job(job), chunk),
            ChunkPick::Standing(standing, at) => (standing, at),
        };
        let all: Vec<_> = self.model.jobs().into_iter().flat_map(|job| self.model.chunks(job.id, Filter::All)).collect();
        let fits = |status: JobStatus| match standing {
            Standing::Pending => status == JobStatus::Pending,
            Standing::Processing => status == JobStatus::Processing,
            Standing::Ended => status.is_terminal(),
            Standing::Bad => status.is_bad(),
        };
        let mut standing: Vec<_> = all.iter().map(ExpectedChunk::state).filter(|state| fits(state.status)).collect();
        if standing.is_empty() {
            standing = all.iter().map(ExpectedChunk::state).collect();
        }
        at.checked_rem(standing.len()).map_or((1, 1), |at| (standing[at].job_id, standing[at].chunk))
    }

    fn instant(&self, instant: Instant) -> Timestamp {
        match instant {
            Instant::Ago(by) => {
                Timestamp::from_millis(self.now.as_millis().saturating_sub(Timestamp::default().after(by).as_millis()))
            }
            Instant::In(by) => self.now.after(by),
        }
    }

    fn ensure_job(
        &self,
        job: JobPick,
        name: Option<usize>,
        is_by_name: bool,
        kind: &str,
        options: Option<magnetar_core::JobOptions>,
    ) -> Op {
        let name = text(&NAMES, name);
        let job = match &name {
            Some(name) if is_by_name => JobRef::Name(name.clone()),
            _ => JobRef::Id(self.job(job)),
        };
        Op::EnsureJob { job, spec: JobSpec { name, kind: kind.to_owned(), options } }
    }

    /// Chunks without what is mostly refused: ids twice, dependencies that do not exist or lead upwards.
    fn careful(&self, job: JobId, sketches: &[Sketch], is_numbered: bool) -> Vec<NewChunk> {
        let mut seen = BTreeSet::new();
        let mut chunks: Vec<_> =
            sketches.iter().filter(|sketch| seen.insert(sketch.id)).map(|sketch| self.new_chunk(sketch)).collect();
        let exists = |key| self.model.get(key).is_some();
        for chunk in &mut chunks {
            let own = chunk.id.unwrap_or(0);
            chunk.depends_on.retain(|id| exists((job, *id)) || (seen.contains(id) && !is_numbered));
            chunk.depends_on.retain(|id| *id < own || is_numbered);
            chunk.depends_on_jobs.retain(|key| key.0 < job && exists(*key));
            chunk.id = chunk.id.filter(|_| !is_numbered);
        }
        chunks
    }

    fn new_chunk(&self, sketch: &Sketch) -> NewChunk {
        let mut chunk =
            NewChunk::new(sketch.id).payload(sketch.payload.clone()).priority(sketch.priority).lane(LANES[sketch.lane]);
        chunk.checksum = text(&CHECKSUMS, sketch.checksum);
        chunk.depends_on = sketch.depends_on.iter().copied().filter(|id| *id != sketch.id).collect();
        chunk.depends_on_jobs = sketch.depends_on_jobs.iter().map(|pick| self.chunk(*pick)).collect();
        chunk.not_before = sketch.not_before.map(|at| self.instant(at));
        chunk.timeout = sketch.timeout;
        chunk.max_fails = sketch.max_fails;
        chunk.key = text(&KEYS, sketch.key);
        if sketch.has_extra {
            chunk.extra = Extra::new(&[("run".to_owned(), "true".into())].into_iter().collect());
        }
        chunk
    }

    fn depend(&self, chunk: ChunkPick, on: &[ChunkPick], is_careful: bool) -> Op {
        let (job, chunk) = self.chunk(chunk);
        let mut on: Vec<_> = on.iter().map(|pick| self.chunk(*pick)).collect();
        if is_careful {
            on.retain(|key| *key < (job, chunk) && self.model.get(*key).is_some());
        }
        Op::Depend { job, chunk, on }
    }

    /// An op under a fence; a claim of everything where none was given yet.
    fn with_fence(&self, pick: FencePick, op: impl FnOnce(Fence) -> Op) -> Op {
        let choose = |own_only: bool, in_force_only: bool, at: usize| {
            let fits = |(handle, fence): &&(HandleId, Fence)| {
                (!own_only || *handle == self.handle) && (!in_force_only || self.model.is_in_force(fence))
            };
            let fences: Vec<_> = self.fences.iter().filter(fits).collect();
            fences.get(at.checked_rem(fences.len())?).map(|(_, fence)| *fence)
        };
        let fence = match pick {
            FencePick::Own(at) => choose(true, true, at),
            FencePick::InForce(at) => choose(false, true, at),
            FencePick::Given(at) => choose(false, false, at),
            FencePick::Invented { chunk, token } => {
                let (job, chunk) = self.chunk(chunk);
                Token::new(token).map(|token| Fence::new(job, chunk, token))
            }
        };
        fence.map_or_else(|| self.claim_of_all(), op)
    }

    fn claim_of_all(&self) -> Op {
        let lanes = self.model.jobs().into_iter().flat_map(|job| LANES.map(|lane| Lane::named(job.id, lane))).collect();
        Op::Claim(Claim { lanes, limit: 2 })
    }

    fn expect(&self, space: &str, key: &[u8], expect: ExpectPick) -> Expect {
        match expect {
            ExpectPick::Any => Expect::Any,
            ExpectPick::Absent => Expect::Absent,
            ExpectPick::Version(version) => Expect::Version(version),
            ExpectPick::Current => {
                let record = self.model.records(space, key).into_iter().find(|record| record.key == key);
                record.map_or(Expect::Absent, |record| Expect::Version(record.version))
            }
        }
    }
}

fn text(all: &[&str], at: Option<usize>) -> Option<String> {
    at.map(|at| all[at].to_owned())
}
