//! Groups of ops, as the bytes of an input choose them: a store in memory and the reference model agree on every answer.

use std::{sync::Arc, time::Duration};

use futures_lite::future::block_on;
use magnetar_core::{
    Answer, Claim, Clock, Expect, Fence, Filter, Group, JobOptions, JobRef, JobSpec, JobStatus, JobStore, JobUpdate, Lane,
    NewChunk, OnFailure, Op, Query, Reply, RetryPolicy, Timestamp, Token, Until, limits,
};
use magnetar_embedded::{Options, Store};
use magnetar_memory::MemoryBackend;
use magnetar_testkit::{
    ManualClock,
    model::{Doubt, ExpectedChunk, ExpectedFence, ExpectedReply, HandleId, Model, Outcome},
};

use crate::{cut, draw::Draw};

const STEPS_MAX: usize = 200;
const LANES: [&str; 2] = ["", "gpu"];

/// A store beside its model.
struct Pair {
    backend: MemoryBackend,
    clock: ManualClock,
    model: Model,
    handles: Vec<(HandleId, Store)>,
    fences: Vec<Fence>,
}

/// Takes the steps that the input chooses.
pub fn run(bytes: &[u8]) {
    let mut draw = Draw::new(cut(bytes));
    let mut pair = Pair {
        backend: MemoryBackend::default(),
        clock: ManualClock::default(),
        model: Model::new(),
        handles: Vec::new(),
        fences: Vec::new(),
    };
    pair.open();
    for _ in 0..STEPS_MAX {
        if draw.is_empty() || !pair.step(&mut draw) {
            return;
        }
    }
}

impl Pair {
    fn open(&mut self) {
        let mut options = Options::default();
        options.upkeep_every = Duration::ZERO;
        let store = Store::inline(Box::new(self.backend.clone()), options, Arc::new(self.clock.clone()));
        self.handles.push((self.model.open(self.clock.now()), store.expect("a store in memory opens")));
    }

    /// Takes a step; returns whether what follows can be compared.
    fn step(&mut self, draw: &mut Draw<'_>) -> bool {
        match draw.below(16) {
            0 => self.advance(Duration::from_millis(u64::from(draw.byte()) * 40)),
            1 => self.advance(Duration::from_secs(draw.pick(&[11, 31, 62]))),
            2 if self.handles.len() < 3 => {
                self.open();
                return self.submit(self.handles.len() - 1, vec![Op::Reap]);
            }
            3 if self.handles.len() > 1 => {
                let at = draw.below(self.handles.len());
                if !self.submit(at, vec![Op::Reap]) {
                    return false;
                }
                let (handle, store) = self.handles.remove(at);
                block_on(store.close()).expect("a sound store closes");
                self.model.close(handle, self.clock.now());
            }
            _ => {
                let at = draw.below(self.handles.len());
                let group = (0..=draw.below(3)).map(|_| self.op(draw)).collect();
                return self.submit(at, group);
            }
        }
        true
    }

    fn advance(&mut self, by: Duration) {
        let mut now = self.clock.now().after(by);
        // At the very instant at which something dies, both answers are right.
        while self.model.is_on_edge(now) {
            now = now.after(Duration::from_millis(1));
        }
        self.clock.set(now);
    }

    fn submit(&mut self, at: usize, group: Group) -> bool {
        let (handle, now) = (self.handles[at].0, self.clock.now());
        let group = if magnetar_core::check_group(&group).is_err() { vec![Op::Reap] } else { group };
        let mut trial = self.model.clone();
        trial.submit(handle, std::slice::from_ref(&group), now, &[]);
        if !trial.doubts().is_empty() {
            return !trial.doubts().iter().any(|doubt| matches!(doubt, Doubt::Upkeep(_)));
        }
        let outcomes = block_on(self.handles[at].1.submit(vec![group.clone()])).expect("a sound store takes a submit");
        let expected = self.model.submit(handle, std::slice::from_ref(&group), now, &outcomes);
        if !self.model.doubts().is_empty() {
            return false;
        }
        assert!(self.model.faults().is_empty(), "{:?} by {group:?}", self.model.faults());
        let (expected, outcome) = (&expected[0], &outcomes[0]);
        match (expected, outcome) {
            (Err(refusal), Err(rejection)) => assert!(refusal.allows(rejection), "{group:?}: {rejection}, not {refusal:?}"),
            (Ok(expected), Ok(replies)) => {
                assert_eq!(expected.len(), replies.len(), "{group:?}");
                expected.iter().zip(replies).for_each(|(expected, reply)| compare(expected, reply, &group));
            }
            _ => panic!("{group:?}: {outcome:?}, not {expected:?}"),
        }
        self.remember(outcome);
        self.look(at);
        true
    }

    fn remember(&mut self, outcome: &Outcome) {
        for reply in outcome.iter().flatten() {
            match reply {
                Reply::Claimed(chunks) => self.fences.extend(chunks.iter().filter_map(magnetar_core::JobState::fence)),
                Reply::Marked { fence: Some(fence), .. } => self.fences.push(*fence),
                _ => {}
            }
        }
    }

    /// Reads every job, and has the store audit itself.
    fn look(&self, at: usize) {
        let read = |query: Query| block_on(self.handles[at].1.read(query)).expect("a sound store answers");
        let jobs = self.model.jobs();
        let Answer::Jobs(page) = read(Query::Jobs { after: None, limit: 1000 }) else { panic!("not jobs") };
        assert_eq!(page.items, jobs);
        for job in jobs {
            let Answer::Chunks(page) = read(Query::Chunks { job: job.id, filter: Filter::All, after: None, limit: 1000 }) else {
                panic!("not chunks")
            };
            hold(&self.model.chunks(job.id, Filter::All), &page.items);
            let Answer::Audit(audit) = read(Query::Audit(job.id)) else { panic!("not an audit") };
            assert!(audit.problems.is_empty(), "{:?}", audit.problems);
        }
    }

    fn op(&self, draw: &mut Draw<'_>) -> Op {
        match draw.below(24) {
            0 => Op::EnsureJob { job: job_ref(draw), spec: spec(draw) },
            1..=3 => Op::Insert { job: JobRef::Id(job(draw)), chunks: (0..=draw.below(4)).map(|_| chunk(draw)).collect() },
            4..=7 => {
                let lanes = (0..=draw.below(2)).map(|_| Lane { job: job(draw), name: draw.pick(&LANES).to_owned() }).collect();
                Op::Claim(Claim { lanes, limit: 1 + draw.below(3) })
            }
            8..=10 => Op::Complete {
                fence: self.fence(draw),
                result: draw.bytes(3).to_vec(),
                checksum: draw.one_in(3).then(|| "sum".to_owned()),
            },
            11 | 12 => Op::Fail { fence: self.fence(draw), error: "broken".to_owned() },
            13 => Op::Release { fence: self.fence(draw) },
            14 => Op::Check { fence: self.fence(draw) },
            15 => {
                let until = if draw.one_in(2) { Until::At(self.instant(draw)) } else { Until::Ended(chunks(draw)) };
                Op::Park { fence: self.fence(draw), until }
            }
            16..=18 => {
                let update = JobUpdate { chunk_id: id(draw), status: draw.pick(&JobStatus::ALL), checksum: None, error: None };
                Op::Mark { job: job(draw), update }
            }
            19 => Op::Depend { job: job(draw), chunk: id(draw), on: chunks(draw) },
            20 => Op::Reopen { job: job(draw), chunks: vec![id(draw)] },
            21 if draw.one_in(2) => Op::Pause { job: job(draw) },
            21 => Op::Resume { job: job(draw) },
            22 if draw.one_in(8) => Op::DeleteJob { job: job(draw) },
            22 => {
                let (ended_before, after) = (self.instant(draw), draw.one_in(3).then(|| id(draw)));
                Op::Prune { job: job(draw), ended_before, after, limit: 1 + draw.below(12) }
            }
            _ => {
                let expect = match draw.below(3) {
                    0 => Expect::Any,
                    1 => Expect::Absent,
                    _ => Expect::Version(u64::from(draw.byte())),
                };
                let value = (!draw.one_in(4)).then(|| draw.bytes(3).to_vec());
                Op::PutRecord { space: "space".to_owned(), key: draw.bytes(2).to_vec(), value, expect }
            }
        }
    }

    /// A fence that was given, mostly one of the last.
    fn fence(&self, draw: &mut Draw<'_>) -> Fence {
        let back = draw.below(self.fences.len().clamp(1, 255));
        // One that no store gives: the model tries a submit with small tokens of its own.
        let invented = || Fence::new(1, 1, Token::new(limits::ID_MAX).expect("it is the largest"));
        self.fences.iter().rev().nth(back).copied().unwrap_or_else(invented)
    }

    fn instant(&self, draw: &mut Draw<'_>) -> Timestamp {
        let by = Duration::from_millis(u64::from(draw.byte()) * 100);
        let now = self.clock.now();
        if draw.one_in(3) {
            Timestamp::from_millis(now.as_millis() - Timestamp::default().after(by).as_millis())
        } else {
            now.after(by)
        }
    }
}

fn job(draw: &mut Draw<'_>) -> i64 {
    1 + i64::from(draw.one_in(4))
}

fn job_ref(draw: &mut Draw<'_>) -> JobRef {
    if draw.one_in(6) { JobRef::Name("name".to_owned()) } else { JobRef::Id(job(draw)) }
}

fn id(draw: &mut Draw<'_>) -> u64 {
    1 + draw.below(8) as u64
}

fn chunks(draw: &mut Draw<'_>) -> Vec<(i64, u64)> {
    (0..=draw.below(2)).map(|_| (job(draw), id(draw))).collect()
}

fn spec(draw: &mut Draw<'_>) -> JobSpec {
    let options = draw.one_in(2).then(|| JobOptions {
        retry: RetryPolicy {
            max_fails: 1 + u32::from(draw.byte() % 3),
            max_crashes: 1 + u32::from(draw.byte() % 3),
            first_wait: Duration::from_millis(u64::from(draw.byte()) * 20),
            jitter: draw.pick(&[0.0, 0.5]),
            ..RetryPolicy::default()
        },
        on_failure: draw.pick(&[OnFailure::Skip, OnFailure::Hold, OnFailure::Run]),
    });
    JobSpec { options, ..JobSpec::default() }
}

fn chunk(draw: &mut Draw<'_>) -> NewChunk {
    let mut chunk = if draw.one_in(8) { NewChunk::numbered() } else { NewChunk::new(id(draw)) };
    let flags = draw.byte();
    let is_set = |bit: u8| flags & (1 << bit) != 0;
    if is_set(0) {
        chunk = chunk.depends_on((0..=draw.below(2)).map(|_| id(draw)).collect::<Vec<_>>());
    }
    if is_set(1) {
        chunk.depends_on_jobs = chunks(draw);
    }
    if is_set(2) {
        chunk = chunk.payload(draw.bytes(3)).checksum("expected");
    }
    if is_set(3) {
        chunk = chunk.priority(i16::from(draw.byte()) - 128).lane(draw.pick(&LANES));
    }
    if is_set(4) && is_set(5) {
        chunk = chunk.timeout(Duration::from_millis(500 + u64::from(draw.byte()) * 50)).max_fails(2);
    }
    if is_set(6) && is_set(7) {
        chunk = chunk.key(draw.pick(&["one", "two"]));
    }
    chunk
}

fn compare(expected: &ExpectedReply, reply: &Reply, group: &Group) {
    match (expected, reply) {
        (ExpectedReply::Exactly(expected), reply) => assert_eq!(expected, reply, "{group:?}"),
        (ExpectedReply::Inserted(expected), Reply::Inserted(report)) => assert_eq!(expected, report, "{group:?}"),
        (ExpectedReply::Claimed(expected), Reply::Claimed(claimed)) => hold(expected, claimed),
        (ExpectedReply::Marked { changed, fence }, Reply::Marked { changed: actual, fence: given }) => {
            assert_eq!(changed, actual, "{group:?}");
            match fence {
                ExpectedFence::Is(fence) => assert_eq!(Some(*fence), *given, "{group:?}"),
                ExpectedFence::None => assert_eq!(None, *given, "{group:?}"),
                ExpectedFence::Either => {}
            }
        }
        (ExpectedReply::Reopened(expected), Reply::Reopened(reopened)) => {
            let mut reopened = reopened.clone();
            reopened.sort_unstable();
            assert_eq!(*expected, reopened, "{group:?}");
        }
        (ExpectedReply::Pruned { removed, next }, Reply::Pruned(pruned)) => {
            assert!(*removed == pruned.removed && next.contains(&pruned.next), "{group:?}: {pruned:?}");
        }
        (ExpectedReply::Reaped, Reply::Reaped { .. }) => {}
        _ => panic!("{group:?}: {reply:?}, not {expected:?}"),
    }
}

fn hold(expected: &[ExpectedChunk], found: &[magnetar_core::JobState]) {
    let ids: Vec<_> = expected.iter().map(|chunk| (chunk.state().job_id, chunk.state().chunk)).collect();
    assert_eq!(ids, found.iter().map(|chunk| (chunk.job_id, chunk.chunk)).collect::<Vec<_>>());
    for (expected, found) in expected.iter().zip(found) {
        expected.hold_against(found).unwrap_or_else(|difference| panic!("{difference}"));
    }
}
