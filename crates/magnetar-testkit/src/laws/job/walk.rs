//! Random walks over everything that can be asked of a job: its counters always equal a recount.

use std::{sync::Arc, time::Duration};

use magnetar_core::{
    Claim, ErrorKind, Fence, Filter, JobOptions, JobRef, JobState, JobStats, JobStatus, JobStore, JobUpdate, Lane, NewChunk,
    OnFailure, Op, Reply, RetryPolicy, Until,
};

use crate::{
    harness::World,
    law::{Law, laws},
    laws::{
        shape::{Dice, behind},
        support::{ids, job_with},
    },
};

pub(in crate::laws) const LAWS: &[Law] = laws![
    counters_equal_a_recount_along_a_random_walk_that_skips,
    counters_equal_a_recount_along_a_random_walk_that_holds,
    counters_equal_a_recount_along_a_random_walk_that_runs,
    counters_equal_a_recount_after_crashes_along_a_random_walk,
    @many counters_equal_a_recount_along_a_random_walk_of_three_handles,
];

const CHUNKS: u64 = 30;
const STEPS: usize = 600;

/// A walk over job 7: what it has seen of claims, whether they hold still or not.
struct Walk {
    dice: Dice,
    fences: Vec<Fence>,
}

impl Walk {
    async fn given(world: &World, on_failure: OnFailure, seed: u64) -> Self {
        let retry = RetryPolicy { first_wait: Duration::from_secs(2), ..RetryPolicy::default() };
        job_with(world, 7, JobOptions { retry, on_failure }, (1..=CHUNKS).map(NewChunk::new)).await;
        job_with(world, 8, JobOptions { retry, on_failure }, (1..=3).map(NewChunk::new)).await;
        Self { dice: Dice::new(seed), fences: Vec::new() }
    }

    fn chunk(&mut self) -> u64 {
        1 + self.dice.below(CHUNKS)
    }

    fn fence(&mut self) -> Option<Fence> {
        // Mostly one of the newest, which may hold still.
        let from = self.fences.len().saturating_sub(8);
        (!self.fences.is_empty()).then(|| self.fences[from + self.dice.index(self.fences.len() - from)])
    }

    fn op(&mut self, world: &World) -> Option<Op> {
        let dice = self.dice.below(20);
        let until = world.now().after(Duration::from_secs(self.dice.below(4)));
        Some(match dice {
            0..=5 => Op::Claim(Claim { lanes: vec![Lane::of(7), Lane::of(8)], limit: 1 + self.dice.index(3) }),
            6..=8 => Op::Complete { fence: self.fence()?, result: Vec::new(), checksum: None },
            9 => Op::Fail { fence: self.fence()?, error: "e".into() },
            10 => Op::Release { fence: self.fence()? },
            11 => Op::Park { fence: self.fence()?, until: Until::At(until) },
            12 => Op::Park { fence: self.fence()?, until: Until::Ended(vec![(7, self.chunk()), (8, 1 + self.dice.below(3))]) },
            13 | 14 => {
                let status = JobStatus::ALL[self.dice.index(JobStatus::ALL.len())];
                Op::Mark { job: 7, update: JobUpdate { chunk_id: self.chunk(), status, checksum: None, error: None } }
            }
            15 | 16 => Op::Depend { job: 7, chunk: self.chunk(), on: vec![(7, self.chunk()), (8, 1 + self.dice.below(3))] },
            17 => Op::Reopen { job: 7 + i64::from(self.dice.below(4) == 0), chunks: vec![1 + self.dice.below(3)] },
            18 => Op::Prune { job: 7, ended_before: world.now(), after: Some(self.chunk()), limit: 3 },
            _ => {
                let (chunk, parent) = (self.chunk(), self.chunk());
                let new = behind(chunk, (chunk != parent).then_some(parent)).not_before(until);
                Op::Insert { job: JobRef::Id(7), chunks: Arc::from([new]) }
            }
        })
    }

    async fn step(&mut self, world: &World, store: &Arc<dyn JobStore>) {
        let Some(op) = self.op(world) else { return };
        let told = format!("{op:?}");
        match store.apply(vec![op]).await {
            Ok(replies) => {
                if let [Reply::Claimed(chunks)] = replies.as_slice() {
                    self.fences.extend(chunks.iter().filter_map(JobState::fence));
                }
            }
            Err(error) => assert!(
                matches!(
                    error.kind(),
                    ErrorKind::NotFound
                        | ErrorKind::FenceLost
                        | ErrorKind::AlreadyApplied
                        | ErrorKind::NotAllowed
                        | ErrorKind::Blocked
                        | ErrorKind::Conflict
                        | ErrorKind::Cycle
                ),
                "{told}: {error}"
            ),
        }
        if self.dice.below(4) == 0 {
            world.advance(Duration::from_millis(self.dice.below(3000)));
        }
    }
}

/// Counts a job's chunks one by one and holds that against its counters.
async fn recount(world: &World, job: i64) {
    world.settle().await;
    let store = world.store();
    let all = store.chunks(job, Filter::All, None, 1000).await.unwrap().items;
    let unblocked = store.topo_sort_ready(job).await.unwrap();
    let held = store.ids(job, Filter::Held, None, 1000).await.unwrap().items;
    let mut counted = JobStats::new(job);
    for chunk in &all {
        counted.total_chunks += 1;
        *counted.count_mut(chunk.status) += 1;
        let is_unblocked = unblocked.contains(&chunk.chunk);
        counted.blocked += u64::from(chunk.status == JobStatus::Pending && !is_unblocked);
        counted.delayed += u64::from(is_unblocked && chunk.not_before.is_some_and(|at| at > world.now()));
        counted.held += u64::from(held.contains(&chunk.chunk));
    }
    assert_eq!(store.get_stats(job).await.unwrap(), counted);
    for status in JobStatus::ALL {
        let listed = ids(&store.get_by_status(job, status).await.unwrap());
        assert_eq!(listed, ids(&all.iter().filter(|chunk| chunk.status == status).cloned().collect::<Vec<_>>()));
    }
}

async fn walk(world: &World, on_failure: OnFailure) {
    let mut walk = Walk::given(world, on_failure, 1).await;
    for step in 1..=STEPS {
        walk.step(world, world.store()).await;
        if step % 20 == 0 {
            recount(world, 7).await;
            recount(world, 8).await;
            world.audit().await;
        }
    }
}

async fn counters_equal_a_recount_along_a_random_walk_that_skips(world: &mut World) {
    walk(world, OnFailure::Skip).await;
}

async fn counters_equal_a_recount_along_a_random_walk_that_holds(world: &mut World) {
    walk(world, OnFailure::Hold).await;
}

async fn counters_equal_a_recount_along_a_random_walk_that_runs(world: &mut World) {
    walk(world, OnFailure::Run).await;
}

async fn counters_equal_a_recount_after_crashes_along_a_random_walk(world: &mut World) {
    let mut walk = Walk::given(world, OnFailure::Skip, 2).await;
    for round in 0..20 {
        for _ in 0..30 {
            walk.step(world, world.store()).await;
        }
        if round % 2 == 0 {
            world.crash().await;
        } else {
            world.reopen().await;
        }
        recount(world, 7).await;
        recount(world, 8).await;
        world.audit().await;
    }
}

async fn counters_equal_a_recount_along_a_random_walk_of_three_handles(world: &mut World) {
    let handles = [Arc::clone(world.store()), world.another().await, world.another().await];
    let mut walk = Walk::given(world, OnFailure::Skip, 3).await;
    for step in 1..=STEPS {
        let handle = walk.dice.index(handles.len());
        walk.step(world, &handles[handle]).await;
        if step % 20 == 0 {
            recount(world, 7).await;
            recount(world, 8).await;
        }
    }
}
