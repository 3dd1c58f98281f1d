//! The obvious, so that the model itself can be trusted.

use std::{sync::Arc, time::Duration};

use magnetar_core::{
    Claim, ErrorKind, Filter, JobOptions, JobRef, JobSpec, JobState,
    JobStatus::{self, Cancelled, Done, Failed, Pending, Skipped},
    JobUpdate, Lane, NewChunk, OnFailure, RetryPolicy, Until,
};

use super::*;

const JOB: JobId = 7;

/// A model with one handle, and a clock.
struct World {
    model: Model,
    handle: HandleId,
    now: Timestamp,
}

impl World {
    /// A job of these chunks that tries each twice, survives one crash, and waits a second after a failure.
    fn new(on_failure: OnFailure, chunks: impl IntoIterator<Item = NewChunk>) -> Self {
        let mut model = Model::new();
        let now = Timestamp::from_millis(1_000_000);
        let handle = model.open(now);
        let mut world = Self { model, handle, now };
        let retry = RetryPolicy { max_fails: 2, max_crashes: 2, jitter: 0.0, ..RetryPolicy::default() };
        let spec = JobSpec { options: Some(JobOptions { retry, on_failure }), ..JobSpec::default() };
        world.ok(Op::EnsureJob { job: JobRef::Id(JOB), spec });
        world.insert(chunks);
        world
    }

    fn on(&mut self, handle: HandleId, op: Op) -> Result<ExpectedReply, ErrorKind> {
        let outcome = self.model.submit(handle, &[vec![op]], self.now, &[]).pop().unwrap();
        outcome.map(|mut replies| replies.pop().unwrap()).map_err(|refusal| refusal.first().kind())
    }

    fn apply(&mut self, op: Op) -> Result<ExpectedReply, ErrorKind> {
        self.on(self.handle, op)
    }

    fn ok(&mut self, op: Op) -> ExpectedReply {
        self.apply(op).unwrap()
    }

    fn insert(&mut self, chunks: impl IntoIterator<Item = NewChunk>) -> InsertReport {
        match self.ok(Op::Insert { job: JobRef::Id(JOB), chunks: Arc::from_iter(chunks) }) {
            ExpectedReply::Inserted(report) => report,
            other => panic!("{other:?}"),
        }
    }

    fn claim(&mut self, limit: usize) -> Vec<Fence> {
        match self.ok(Op::Claim(Claim { lanes: vec![Lane::of(JOB)], limit })) {
            ExpectedReply::Claimed(chunks) => chunks.iter().filter_map(|chunk| chunk.state().fence()).collect(),
            other => panic!("{other:?}"),
        }
    }

    fn mark(&mut self, chunk_id: ChunkId, status: JobStatus) -> Result<(), ErrorKind> {
        let update = JobUpdate { chunk_id, status, checksum: None, error: None };
        self.apply(Op::Mark { job: JOB, update }).map(drop)
    }

    fn fail(&mut self, fence: Fence) -> Option<Timestamp> {
        match self.ok(Op::Fail { fence, error: "broken".to_owned() }) {
            ExpectedReply::Exactly(Reply::Failed { retry_at }) => retry_at,
            other => panic!("{other:?}"),
        }
    }

    fn sleep(&mut self, by: Duration) {
        self.now = self.now.after(by);
    }

    fn chunk(&self, chunk: ChunkId) -> JobState {
        self.model.get((JOB, chunk)).unwrap().state().clone()
    }

    #[track_caller]
    fn expect(&self, statuses: &[(ChunkId, JobStatus)]) {
        let all = self.model.chunks(JOB, Filter::All);
        assert_eq!(all.iter().map(|chunk| (chunk.state().chunk, chunk.state().status)).collect::<Vec<_>>(), statuses);
    }
}

fn behind(chunk: ChunkId, parents: impl IntoIterator<Item = ChunkId>) -> NewChunk {
    NewChunk::new(chunk).depends_on(parents)
}

fn done(fence: Fence) -> Op {
    Op::Complete { fence, result: b"ok".to_vec(), checksum: None }
}

#[test]
fn most_urgent_lowest_ready_chunk_is_claimed_first() {
    let mut world =
        World::new(OnFailure::Skip, [behind(1, [3]), NewChunk::new(2), NewChunk::new(3), NewChunk::new(9).priority(1)]);
    let chunks: Vec<_> = world.claim(9).iter().map(Fence::chunk).collect();
    assert_eq!(chunks, [9, 2, 3]);
}

#[test]
fn second_completion_is_already_applied_and_a_stranger_is_lost() {
    let mut world = World::new(OnFailure::Skip, [NewChunk::new(1)]);
    let fence = world.claim(1)[0];
    world.ok(done(fence));
    assert_eq!(world.apply(done(fence)).unwrap_err(), ErrorKind::AlreadyApplied);
    assert_eq!(world.apply(Op::Release { fence }).unwrap_err(), ErrorKind::FenceLost);
}

#[test]
fn failures_spend_their_budget() {
    let mut world = World::new(OnFailure::Skip, [NewChunk::new(1)]);
    let fence = world.claim(1)[0];
    assert_eq!(world.fail(fence), Some(world.now.after(Duration::from_secs(1))));
    assert_eq!(world.claim(1), []);
    world.sleep(Duration::from_secs(1));
    let fence = world.claim(1)[0];
    assert_eq!(world.fail(fence), None);
    world.expect(&[(1, Failed)]);
}

#[test]
fn dead_session_costs_a_crash() {
    let mut world = World::new(OnFailure::Skip, [NewChunk::new(1)]);
    for crashes in 1..=2 {
        let dying = world.model.open(world.now);
        let lanes = vec![Lane::of(JOB)];
        world.on(dying, Op::Claim(Claim { lanes, limit: 1 })).unwrap();
        world.model.kill(dying);
        world.sleep(SESSION_LIVES_FOR);
        world.ok(Op::Reap);
        assert_eq!(world.chunk(1).crashes, crashes);
    }
    world.expect(&[(1, Failed)]);
}

#[test]
fn session_that_does_its_upkeep_lives() {
    let mut world = World::new(OnFailure::Skip, [NewChunk::new(1)]);
    let fence = world.claim(1)[0];
    for _ in 0..5 {
        world.sleep(RENEWED_AFTER);
        world.ok(Op::Check { fence });
    }
    world.sleep(SESSION_LIVES_FOR * 2);
    world.ok(Op::Check { fence });
}

#[test]
fn attempt_that_takes_too_long_is_a_failure() {
    let mut world = World::new(OnFailure::Skip, [NewChunk::new(1).timeout(Duration::from_secs(5))]);
    let fence = world.claim(1)[0];
    world.sleep(Duration::from_secs(5));
    assert_eq!(world.apply(Op::Check { fence }).unwrap_err(), ErrorKind::FenceLost);
    assert_eq!((world.chunk(1).fails, world.chunk(1).status), (1, Pending));
}

#[test]
fn bad_end_skips_holds_or_runs() {
    for (on_failure, status, held) in [(OnFailure::Skip, Skipped, 0), (OnFailure::Hold, Pending, 1), (OnFailure::Run, Pending, 0)]
    {
        let mut world = World::new(on_failure, [NewChunk::new(1), behind(2, [1])]);
        world.mark(1, Failed).unwrap();
        world.expect(&[(1, Failed), (2, status)]);
        assert_eq!(world.model.stats(JOB).held, held);
        assert_eq!(world.claim(1).len(), usize::from(on_failure == OnFailure::Run));
    }
}

#[test]
fn redrive_brings_back_what_was_skipped_because_of_it_alone() {
    let chunks = [NewChunk::new(1), NewChunk::new(2), behind(3, [1, 2]), behind(4, [1]), behind(5, [4])];
    let mut world = World::new(OnFailure::Skip, chunks);
    world.mark(1, Failed).unwrap();
    world.mark(2, Cancelled).unwrap();
    world.mark(1, Pending).unwrap();
    world.expect(&[(1, Pending), (2, Cancelled), (3, Skipped), (4, Pending), (5, Pending)]);
    world.mark(3, Pending).unwrap();
    assert_eq!((world.chunk(3).unmet, world.chunk(3).bad, world.model.stats(JOB).held), (1, 1, 1));
}

#[test]
fn reopening_takes_ended_descendants_along() {
    let mut world = World::new(OnFailure::Skip, [NewChunk::new(1), behind(2, [1]), behind(3, [2])]);
    for _ in 0..3 {
        let fence = world.claim(1)[0];
        world.ok(done(fence));
    }
    world.ok(Op::Reopen { job: JOB, chunks: vec![2] });
    world.expect(&[(1, Done), (2, Pending), (3, Pending)]);
    let fence = world.claim(1)[0];
    assert_eq!(world.apply(Op::Reopen { job: JOB, chunks: vec![1] }).unwrap_err(), ErrorKind::NotAllowed);
    world.ok(Op::Release { fence });
}

#[test]
fn circles_are_refused() {
    let mut world = World::new(OnFailure::Skip, [NewChunk::new(1), behind(2, [1]), NewChunk::new(3)]);
    let depend = |chunk, on| Op::Depend { job: JOB, chunk, on: vec![(JOB, on)] };
    assert_eq!(world.apply(depend(1, 2)).unwrap_err(), ErrorKind::Cycle);
    world.ok(depend(1, 3));
    let fence = world.claim(1)[0];
    let park = Op::Park { fence, until: Until::Ended(vec![(JOB, 2)]) };
    assert_eq!(world.apply(park).unwrap_err(), ErrorKind::Cycle);
}

#[test]
fn parked_chunk_waits_until_others_end_badly_or_well() {
    let mut world = World::new(OnFailure::Skip, [NewChunk::new(1), NewChunk::new(2)]);
    let fence = world.claim(1)[0];
    world.ok(Op::Park { fence, until: Until::Ended(vec![(JOB, 2)]) });
    assert_eq!((world.chunk(1).unmet, world.model.dependencies((JOB, 1))), (1, vec![]));
    world.mark(2, Failed).unwrap();
    assert_eq!(world.claim(1)[0].chunk(), 1);
}

#[test]
fn refused_op_undoes_its_whole_group() {
    let mut world = World::new(OnFailure::Skip, [NewChunk::new(1)]);
    let claim = Op::Claim(Claim { lanes: vec![Lane::of(JOB)], limit: 1 });
    let outcome = world.model.submit(world.handle, &[vec![claim, Op::Pause { job: 8 }]], world.now, &[]).pop().unwrap();
    assert_eq!(outcome.unwrap_err().first(), &Rejection::JobNotFound { job: 8 });
    world.expect(&[(1, Pending)]);
}

#[test]
fn insert_once_more_counts_each_chunk_once() {
    let mut world = World::new(OnFailure::Skip, (1..=4).map(NewChunk::new));
    world.mark(1, Done).unwrap();
    world.mark(2, JobStatus::Processing).unwrap();
    let again = [1, 2, 3].map(|id| NewChunk::new(id).checksum("new"));
    let report = world.insert(again.into_iter().chain([NewChunk::new(5), NewChunk::numbered()]));
    assert_eq!((report.ended, report.conflicts, report.updated, report.added, report.absent), (1, vec![2], 1, 2, 1));
    assert_eq!(report.ids, [6]);
}

#[test]
fn what_a_handle_lost_stays_lost_for_it() {
    let mut world = World::new(OnFailure::Skip, [NewChunk::new(1).timeout(Duration::from_secs(5))]);
    world.claim(1);
    world.sleep(Duration::from_mins(1));
    assert_eq!(world.mark(1, Done).unwrap_err(), ErrorKind::FenceLost);
    world.sleep(Duration::from_secs(1));
    assert_eq!(world.mark(1, Pending).unwrap_err(), ErrorKind::FenceLost);
    world.claim(1);
    world.mark(1, Done).unwrap();
    world.mark(1, Done).unwrap();
}

#[test]
fn choices_that_no_store_may_make_are_faults() {
    let mut world = World::new(OnFailure::Skip, [NewChunk::new(1)]);
    let fence = world.claim(1)[0];
    world.ok(Op::Release { fence });
    let mut state = world.chunk(1);
    state.lease = Some(magnetar_core::Lease::new(fence, magnetar_core::SessionId::new(1), world.now, None));
    let claim = vec![Op::Claim(Claim { lanes: vec![Lane::of(JOB)], limit: 1 })];
    world.model.submit(world.handle, &[claim], world.now, &[Ok(vec![Reply::Claimed(vec![state])])]);
    assert_eq!(world.model.faults().len(), 1);
}
