//! Random calls that a seed repeats, as workers and those who give them work make them.

use std::time::Duration;

use fastrand::Rng;
use magnetar_core::{
    Claim, Clock, Expect, Fence, Group, JobOptions, JobRef, JobSpec, JobStatus, JobUpdate, Lane, NewChunk, OnFailure, Op, Until,
};
use magnetar_embedded::Options;

use super::{HandClock, Known};

/// The jobs that there may be.
pub(crate) const JOBS: [i64; 3] = [1, 2, -3];
/// The space of all records.
pub(crate) const SPACE: &str = "rig";
/// The largest chunk id.
const CHUNK_MAX: u64 = 9;
/// The name of the second lane of each job.
pub(crate) const LANE: &str = "other";

/// How stores of rigs are run: no session dies unless it is meant to, and ends are told two at a time, so that the cursor is used.
pub(crate) fn options() -> Options {
    let mut options = Options::default();
    options.session_ttl = Duration::from_hours(1);
    options.renew_every = Duration::from_secs(20);
    options.release_rows = 2;
    options
}

/// What is done next.
pub(crate) enum Turn {
    /// A call.
    Call(Group),
    /// The clock goes on.
    Wait(Duration),
    /// The store is closed and opened again.
    Reopen,
    /// Another program writes SQLite's log to the database; nothing elsewhere.
    Checkpoint,
}

/// Draws turns.
pub(crate) struct Script {
    random: Rng,
    turns: usize,
    /// Chunks that may have more than a page in them.
    is_large: bool,
}

impl Script {
    /// The script of a seed.
    pub(crate) fn new(seed: u64) -> Self {
        let mut random = Rng::with_seed(seed);
        let is_large = random.u8(..4) == 0;
        Self { random, turns: 0, is_large }
    }

    /// The next turn, given what is known and what time it is.
    pub(crate) fn turn(&mut self, known: &Known, clock: &HandClock) -> Turn {
        self.turns += 1;
        if self.turns <= 2 {
            return Turn::Call(self.import(clock));
        }
        let fence = self.fence(known);
        let group = match (self.random.u8(..26), fence) {
            (0..3, _) => self.import(clock),
            (3..8, Some(fence)) => vec![self.complete(fence)],
            (8..12, Some(fence)) => {
                let limit = self.random.usize(1..3);
                vec![self.complete(fence), self.claim(limit)]
            }
            (12..14, Some(fence)) => vec![Op::Fail { fence, error: self.text("failed") }],
            (14, Some(fence)) => vec![Op::Release { fence }],
            (15, Some(fence)) => vec![Op::Park { fence, until: Until::At(clock.now().after(Duration::from_secs(3))) }],
            (16, _) => self.change(),
            (17, _) => return Turn::Wait(Duration::from_millis(self.random.u64(1..9000))),
            (18, _) => return Turn::Reopen,
            (19, _) => return Turn::Checkpoint,
            (20, _) => self.record(),
            _ => {
                let limit = self.random.usize(1..4);
                vec![self.claim(limit)]
            }
        };
        Turn::Call(group)
    }

    fn job(&mut self) -> i64 {
        JOBS.get(self.random.usize(..JOBS.len())).copied().unwrap_or_default()
    }

    fn chunk(&mut self) -> u64 {
        self.random.u64(1..=CHUNK_MAX)
    }

    fn fence(&mut self, known: &Known) -> Option<Fence> {
        let nth = self.random.usize(..known.held.len().max(1));
        known.held.values().nth(nth).map(|held| held.fence)
    }

    fn text(&mut self, what: &str) -> String {
        format!("{what} {}", self.random.u32(..))
    }

    fn bytes(&mut self) -> Vec<u8> {
        let length = match self.random.u8(..8) {
            0 => 0,
            7 if self.is_large => self.random.usize(..9000),
            6 | 7 => self.random.usize(..900),
            _ => self.random.usize(..60),
        };
        let seed = self.random.u8(..);
        (0..length).map(|at| seed.wrapping_add(at.to_le_bytes()[0])).collect()
    }

    fn import(&mut self, clock: &HandClock) -> Group {
        let job = JobRef::Id(self.job());
        let ids: Vec<_> = (1..=CHUNK_MAX).filter(|_| self.random.u8(..3) > 0).collect();
        let chunks: Vec<_> = ids.into_iter().map(|id| self.new_chunk(id, clock)).collect();
        vec![Op::EnsureJob { job: job.clone(), spec: spec(&job) }, Op::Insert { job, chunks: chunks.into() }]
    }

    fn new_chunk(&mut self, id: u64, clock: &HandClock) -> NewChunk {
        let mut chunk = NewChunk::new(id).payload(self.bytes()).checksum(self.text("sum"));
        if self.random.u8(..3) == 0 {
            // Always on smaller ids, so that there is no circle. Chunks 1 and 2 have many children.
            let below = self.random.u64(1..=id.min(3));
            chunk = chunk.depends_on((below < id).then_some(below));
        }
        match self.random.u8(..12) {
            0 => chunk.lane(LANE),
            1 => chunk.priority(self.random.i16(-2..3)),
            2 => chunk.not_before(clock.now().after(Duration::from_secs(4))),
            3 => chunk.timeout(Duration::from_secs(5)),
            4 => chunk.max_fails(1),
            5 => chunk.key(format!("key {id}")),
            _ => chunk,
        }
    }

    fn complete(&mut self, fence: Fence) -> Op {
        let checksum = self.random.bool().then(|| self.text("sum"));
        Op::Complete { fence, result: self.bytes(), checksum }
    }

    fn claim(&mut self, limit: usize) -> Op {
        let job = self.job();
        Op::Claim(Claim { lanes: vec![Lane::of(job), Lane::named(job, LANE)], limit })
    }

    /// Something that is done now and then.
    fn change(&mut self) -> Group {
        let (job, chunk) = (self.job(), self.chunk());
        let mark = |status| Op::Mark { job, update: JobUpdate { chunk_id: chunk, status, checksum: None, error: None } };
        vec![match self.random.u8(..8) {
            0 => Op::DeleteJob { job },
            1 => Op::Reopen { job, chunks: vec![chunk] },
            2 => Op::Pause { job },
            3 => Op::Resume { job },
            4 => Op::Depend { job, chunk, on: vec![(job, self.random.u64(1..=chunk))] },
            5 => mark(JobStatus::Cancelled),
            6 => mark(JobStatus::Pending),
            _ => mark(JobStatus::Done),
        }]
    }

    fn record(&mut self) -> Group {
        let value = (self.random.u8(..4) > 0).then(|| self.bytes());
        vec![Op::PutRecord { space: SPACE.to_owned(), key: vec![b'k', self.random.u8(..4)], value, expect: Expect::Any }]
    }
}

/// The spec of a job, the same each time.
fn spec(job: &JobRef) -> JobSpec {
    let JobRef::Id(id) = job else { return JobSpec::default() };
    // What a failure does is fixed when a job is made, so it goes by the id.
    let on_failure = match id {
        1 => OnFailure::Skip,
        2 => OnFailure::Hold,
        _ => OnFailure::Run,
    };
    let mut options = JobOptions { on_failure, ..JobOptions::default() };
    options.retry.max_fails = 2;
    JobSpec { name: (*id > 1).then(|| format!("job {id}")), kind: "rig".to_owned(), options: Some(options) }
}
