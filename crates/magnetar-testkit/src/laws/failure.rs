//! What becomes of the chunks behind one that ended badly: skipped, held or run, as their job says.

use magnetar_core::{
    ErrorKind, Filter, JobOptions, JobRef, JobSpec, JobStats,
    JobStatus::{Cancelled, Done, Failed, Pending, Processing, Skipped},
    NewChunk, OnFailure, RetryPolicy,
};

use super::{
    shape::{Dice, abroad, behind, chain, depend, fan_out, job_that, mark, ready, standing, take},
    support::{SECOND, chunk, fence, job_of, job_with, kind, plain_job, still},
};
use crate::{
    harness::World,
    law::{Law, laws},
};

pub(super) mod redrive;
pub(super) mod reopen;
pub(super) mod stalled;

pub(super) const LAWS: &[Law] = laws![
    skip_takes_the_whole_subtree_at_once,
    skip_does_not_wait_for_other_parents,
    skip_leaves_the_other_branch_alone,
    skip_reaches_over_jobs_that_skip,
    skipped_chunk_is_never_handed_out,
    skipped_chunk_has_an_end,
    hold_keeps_the_child_pending_and_blocked,
    hold_counts_only_those_with_a_bad_parent_of_their_own,
    held_chunks_are_listed_by_id,
    run_counts_a_bad_parent_as_met,
    run_still_waits_for_the_other_parents,
    failed_attempt_with_budget_left_is_no_bad_end,
    spent_budget_of_failures_is_a_bad_end,
    spent_budget_of_crashes_is_a_bad_end,
    cancelled_parent_is_a_bad_one,
    cancelled_claim_is_a_bad_end,
    job_of_the_child_says_what_a_bad_parent_does,
    late_dependency_on_a_bad_parent_skips_at_once,
    late_dependency_on_a_bad_parent_holds_at_once,
    late_dependency_on_a_bad_parent_runs_at_once,
    chunk_put_in_behind_a_bad_one_is_skipped_at_once,
    chunk_put_in_behind_a_bad_one_is_held_or_runs_as_the_job_says,
    chunk_without_a_policy_is_skipped,
    bad_end_in_the_middle_of_a_random_graph_reaches_what_is_behind_it_only,
];

async fn stats(world: &World, job: i64) -> JobStats {
    world.store().get_stats(job).await.unwrap()
}

async fn skip_takes_the_whole_subtree_at_once(world: &mut World) {
    job_that(world, 7, OnFailure::Skip, [NewChunk::new(1), behind(2, [1]), behind(3, [1]), behind(4, [2, 3]), behind(5, [4])])
        .await;
    world.store().mark_failed(7, 1, "no".into()).await.unwrap();
    assert_eq!(standing(world, 7, Skipped).await, [2, 3, 4, 5]);
    let stats = stats(world, 7).await;
    assert_eq!((stats.failed, stats.skipped, stats.pending, stats.blocked), (1, 4, 0, 0));
}

async fn skip_does_not_wait_for_other_parents(world: &mut World) {
    job_that(world, 7, OnFailure::Skip, [NewChunk::new(1), NewChunk::new(2), behind(3, [1, 2])]).await;
    mark(world, 7, 1, Processing).await;
    mark(world, 7, 2, Failed).await;
    assert_eq!(world.status(7, 3).await, Skipped);
    mark(world, 7, 1, Done).await;
    assert_eq!(world.status(7, 3).await, Skipped);
}

async fn skip_leaves_the_other_branch_alone(world: &mut World) {
    job_that(world, 7, OnFailure::Skip, [NewChunk::new(1), behind(2, [1]), behind(3, [1]), behind(4, [2]), behind(5, [3])]).await;
    mark(world, 7, 1, Done).await;
    mark(world, 7, 2, Failed).await;
    assert_eq!((standing(world, 7, Skipped).await, standing(world, 7, Pending).await), (vec![4], vec![3, 5]));
    assert_eq!(take(world, 7, 10).await, [3]);
}

async fn skip_reaches_over_jobs_that_skip(world: &mut World) {
    plain_job(world, 7, 1).await;
    job_of(world, 8, [abroad(1, [(7, 1)])]).await;
    job_of(world, 9, [abroad(1, [(8, 1)]), behind(2, [1])]).await;
    mark(world, 7, 1, Failed).await;
    assert_eq!((standing(world, 8, Skipped).await, standing(world, 9, Skipped).await), (vec![1], vec![1, 2]));
}

async fn skipped_chunk_is_never_handed_out(world: &mut World) {
    job_that(world, 7, OnFailure::Skip, [NewChunk::new(1), NewChunk::new(2), behind(3, [1, 2])]).await;
    mark(world, 7, 1, Cancelled).await;
    mark(world, 7, 2, Done).await;
    assert_eq!((take(world, 7, 10).await, ready(world, 7).await), (vec![], vec![]));
}

async fn skipped_chunk_has_an_end(world: &mut World) {
    job_that(world, 7, OnFailure::Skip, chain(2)).await;
    world.advance(SECOND);
    mark(world, 7, 1, Failed).await;
    assert_eq!(chunk(world, 7, 2).await.ended_at, Some(world.now()));
}

async fn hold_keeps_the_child_pending_and_blocked(world: &mut World) {
    job_that(world, 7, OnFailure::Hold, chain(2)).await;
    mark(world, 7, 1, Failed).await;
    assert_eq!((world.status(7, 2).await, take(world, 7, 10).await, ready(world, 7).await), (Pending, vec![], vec![]));
    let stats = stats(world, 7).await;
    assert_eq!((stats.pending, stats.blocked, stats.held, stats.skipped), (1, 1, 1, 0));
    assert_eq!(kind(world.store().mark_status(7, 2, Done, None).await), ErrorKind::Blocked);
}

async fn hold_counts_only_those_with_a_bad_parent_of_their_own(world: &mut World) {
    job_that(world, 7, OnFailure::Hold, [NewChunk::new(1), NewChunk::new(2), behind(3, [1, 2]), behind(4, [3])]).await;
    mark(world, 7, 1, Failed).await;
    let all = stats(world, 7).await;
    assert_eq!((all.held, all.blocked, all.pending), (1, 2, 3));
    let child = chunk(world, 7, 3).await;
    assert_eq!((child.unmet, child.bad), (1, 1));
}

async fn held_chunks_are_listed_by_id(world: &mut World) {
    job_that(world, 7, OnFailure::Hold, [behind(1, [5]), behind(2, [4]), behind(3, [5]), NewChunk::new(4), NewChunk::new(5)])
        .await;
    mark(world, 7, 5, Failed).await;
    assert_eq!(world.store().ids(7, Filter::Held, None, 10).await.unwrap().items, [1, 3]);
}

async fn run_counts_a_bad_parent_as_met(world: &mut World) {
    job_that(world, 7, OnFailure::Run, chain(3)).await;
    mark(world, 7, 1, Failed).await;
    let stats = stats(world, 7).await;
    assert_eq!((stats.blocked, stats.held), (1, 0));
    assert_eq!((ready(world, 7).await, take(world, 7, 10).await), (vec![2], vec![2]));
    mark(world, 7, 2, Cancelled).await;
    assert_eq!(take(world, 7, 10).await, [3]);
}

async fn run_still_waits_for_the_other_parents(world: &mut World) {
    job_that(world, 7, OnFailure::Run, [NewChunk::new(1), NewChunk::new(2), behind(3, [1, 2])]).await;
    mark(world, 7, 1, Failed).await;
    assert_eq!(take(world, 7, 10).await, [2]);
    mark(world, 7, 2, Done).await;
    assert_eq!(take(world, 7, 10).await, [3]);
}

async fn failed_attempt_with_budget_left_is_no_bad_end(world: &mut World) {
    job_that(world, 7, OnFailure::Skip, chain(2)).await;
    let parent = fence(world.store(), 7).await;
    world.store().fail(&parent, "once".into()).await.unwrap();
    let child = chunk(world, 7, 2).await;
    assert_eq!((child.status, child.unmet, child.bad), (Pending, 1, 0));
}

async fn spent_budget_of_failures_is_a_bad_end(world: &mut World) {
    job_that(world, 7, OnFailure::Skip, [NewChunk::new(1).max_fails(1), behind(2, [1])]).await;
    let parent = fence(world.store(), 7).await;
    assert_eq!(world.store().fail(&parent, "no".into()).await.unwrap(), None);
    assert_eq!((world.status(7, 1).await, world.status(7, 2).await), (Failed, Skipped));
}

async fn spent_budget_of_crashes_is_a_bad_end(world: &mut World) {
    let retry = RetryPolicy { max_crashes: 1, ..still() };
    job_with(world, 7, JobOptions { retry, on_failure: OnFailure::Skip }, chain(2)).await;
    fence(world.store(), 7).await;
    world.crash().await;
    world.settle().await;
    assert_eq!((world.status(7, 1).await, world.status(7, 2).await), (Failed, Skipped));
}

async fn cancelled_parent_is_a_bad_one(world: &mut World) {
    for (job, on_failure, child) in
        [(7, OnFailure::Skip, Skipped), (8, OnFailure::Hold, Pending), (9, OnFailure::Run, Processing)]
    {
        job_that(world, job, on_failure, chain(2)).await;
        mark(world, job, 1, Cancelled).await;
        take(world, job, 1).await;
        assert_eq!(world.status(job, 2).await, child, "{on_failure:?}");
    }
}

async fn cancelled_claim_is_a_bad_end(world: &mut World) {
    job_that(world, 7, OnFailure::Skip, chain(2)).await;
    mark(world, 7, 1, Processing).await;
    mark(world, 7, 1, Cancelled).await;
    assert_eq!(world.status(7, 2).await, Skipped);
}

async fn job_of_the_child_says_what_a_bad_parent_does(world: &mut World) {
    for (parent, rule) in [(1, OnFailure::Skip), (2, OnFailure::Hold), (3, OnFailure::Run)] {
        job_that(world, parent, rule, [NewChunk::new(1)]).await;
    }
    for (job, on_failure) in [(7, OnFailure::Skip), (8, OnFailure::Hold), (9, OnFailure::Run)] {
        job_that(world, job, on_failure, [abroad(1, [(1, 1)]), abroad(2, [(2, 1)]), abroad(3, [(3, 1)])]).await;
    }
    for parent in 1..=3 {
        mark(world, parent, 1, Failed).await;
    }
    for (job, child) in [(7, Skipped), (8, Pending), (9, Processing)] {
        take(world, job, 10).await;
        assert_eq!(standing(world, job, child).await, [1, 2, 3], "job {job}");
    }
}

async fn late_dependency_on_a_bad_parent_skips_at_once(world: &mut World) {
    job_that(world, 7, OnFailure::Skip, [NewChunk::new(1), NewChunk::new(2), behind(3, [2])]).await;
    mark(world, 7, 1, Failed).await;
    assert_eq!(depend(world, 7, 2, vec![(7, 1)]).await, None);
    assert_eq!((standing(world, 7, Skipped).await, take(world, 7, 10).await), (vec![2, 3], vec![]));
    assert_eq!(world.store().get_dependencies(7, 2).await.unwrap(), [1]);
}

async fn late_dependency_on_a_bad_parent_holds_at_once(world: &mut World) {
    job_that(world, 7, OnFailure::Hold, [NewChunk::new(1), NewChunk::new(2), behind(3, [2])]).await;
    mark(world, 7, 1, Cancelled).await;
    assert_eq!(depend(world, 7, 2, vec![(7, 1)]).await, None);
    let stats = stats(world, 7).await;
    assert_eq!((stats.held, stats.blocked, take(world, 7, 10).await), (1, 2, vec![]));
}

async fn late_dependency_on_a_bad_parent_runs_at_once(world: &mut World) {
    job_that(world, 7, OnFailure::Run, [NewChunk::new(1), NewChunk::new(2)]).await;
    mark(world, 7, 1, Failed).await;
    assert_eq!(depend(world, 7, 2, vec![(7, 1)]).await, None);
    assert_eq!(take(world, 7, 10).await, [2]);
}

async fn chunk_put_in_behind_a_bad_one_is_skipped_at_once(world: &mut World) {
    job_that(world, 7, OnFailure::Skip, [NewChunk::new(1)]).await;
    mark(world, 7, 1, Failed).await;
    let report = world.store().insert(7, vec![behind(3, [2]), behind(2, [1]), NewChunk::new(4)]).await.unwrap();
    assert_eq!(report.added, 3);
    assert_eq!((standing(world, 7, Skipped).await, ready(world, 7).await), (vec![2, 3], vec![4]));
}

async fn chunk_put_in_behind_a_bad_one_is_held_or_runs_as_the_job_says(world: &mut World) {
    for (job, on_failure, free) in [(7, OnFailure::Hold, vec![]), (8, OnFailure::Run, vec![2])] {
        job_that(world, job, on_failure, [NewChunk::new(1)]).await;
        mark(world, job, 1, Failed).await;
        world.store().insert(job, vec![behind(2, [1])]).await.unwrap();
        assert_eq!((stats(world, job).await.held, ready(world, job).await), (1 - free.len() as u64, free), "{on_failure:?}");
    }
}

async fn chunk_without_a_policy_is_skipped(world: &mut World) {
    world.store().ensure_job(JobRef::Id(7), JobSpec::default()).await.unwrap();
    assert_eq!(world.store().job(7).await.unwrap().unwrap().options.on_failure, OnFailure::Skip);
    world.store().insert(7, fan_out(1).collect()).await.unwrap();
    mark(world, 7, 1, Failed).await;
    assert_eq!((world.status(7, 2).await, ready(world, 7).await), (Skipped, vec![]));
}

async fn bad_end_in_the_middle_of_a_random_graph_reaches_what_is_behind_it_only(world: &mut World) {
    for (job, on_failure) in [(7, OnFailure::Skip), (8, OnFailure::Hold), (9, OnFailure::Run)] {
        let mut dice = Dice::new(5);
        let graph: Vec<(u64, Vec<u64>)> =
            (1..=150).map(|id| (id, (0..dice.below(3).min(id - 1)).map(|_| 1 + dice.below(id - 1)).collect())).collect();
        job_that(world, job, on_failure, graph.iter().map(|(id, parents)| behind(*id, parents.iter().copied()))).await;
        for _ in 0..graph.len() {
            let Some(next) = world.store().claim_pending(job).await.unwrap() else { break };
            mark(world, job, next.chunk, if dice.below(10) == 0 { Failed } else { Done }).await;
        }
        let done = standing(world, job, Done).await;
        let failed = standing(world, job, Failed).await;
        for (id, parents) in graph {
            let is_behind_good = parents.iter().all(|parent| done.contains(parent));
            let ran = done.contains(&id) || failed.contains(&id);
            assert_eq!(ran, is_behind_good || on_failure == OnFailure::Run, "{on_failure:?}: {id} behind {parents:?}");
        }
        let stats = stats(world, job).await;
        assert!(stats.pending == 0 || on_failure == OnFailure::Hold, "{stats:?}");
        assert!(stats.skipped == 0 || on_failure == OnFailure::Skip, "{stats:?}");
    }
}
