//! A graph of chunks is obeyed: nothing is handed out before all it depends on is Done.

use std::{collections::BTreeSet, sync::Arc};

use magnetar_core::{
    Answer, ErrorKind, Fence, JobState,
    JobStatus::{Done, Pending, Processing},
    JobStore, NewChunk, Query,
};

use super::{
    shape::{Dice, NONE, abroad, behind, chain, mark, ready, take},
    support::{SECOND, claim, job_of, kind, plain_job},
};
use crate::{
    harness::World,
    law::{Law, laws},
};

pub(super) mod depend;

pub(super) const LAWS: &[Law] = laws![
    chunk_with_an_unfinished_dependency_is_not_handed_out,
    chunk_waits_while_its_parent_runs,
    chunk_waits_for_all_its_parents,
    diamond_runs_from_its_top_to_its_bottom,
    chain_runs_in_its_order_whatever_its_ids,
    failure_with_budget_left_releases_no_child,
    released_parent_releases_no_child,
    mark_of_a_parent_as_done_releases_its_child,
    batch_holds_no_parent_beside_its_child,
    ready_lists_unblocked_pending_chunks_by_id,
    ready_lists_delayed_chunks_too,
    ready_of_an_unknown_job_is_empty,
    dependencies_are_listed_by_id,
    dependencies_of_what_is_not_there_are_none,
    dependency_named_twice_counts_once,
    dependencies_may_be_named_before_they_are_put_in,
    dependency_on_a_done_chunk_is_met,
    chunk_waits_for_a_chunk_of_another_job,
    chunk_waits_for_parents_in_three_jobs,
    dependencies_of_other_jobs_are_listed_apart,
    dependency_on_a_missing_job_or_chunk_puts_nothing_in,
    blocked_chunks_are_counted,
    urgent_child_does_not_overtake_its_parent,
    random_graphs_run_in_topological_order,
    @many random_graph_runs_in_order_over_three_handles,
];

async fn chunk_with_an_unfinished_dependency_is_not_handed_out(world: &mut World) {
    job_of(world, 7, [behind(1, [2]), NewChunk::new(2)]).await;
    assert_eq!(take(world, 7, 10).await, [2]);
    assert_eq!(take(world, 7, 10).await, NONE);
    mark(world, 7, 2, Done).await;
    assert_eq!(take(world, 7, 10).await, [1]);
}

async fn chunk_waits_while_its_parent_runs(world: &mut World) {
    job_of(world, 7, chain(2)).await;
    let parent = claim(world.store(), 7).await.fence().unwrap();
    assert_eq!(take(world, 7, 1).await, NONE);
    world.store().complete(&parent, Vec::new()).await.unwrap();
    assert_eq!(take(world, 7, 1).await, [2]);
}

async fn chunk_waits_for_all_its_parents(world: &mut World) {
    job_of(world, 7, (1..=5).map(NewChunk::new).chain([behind(6, 1..=5)])).await;
    for parent in 1..=5 {
        assert!(!ready(world, 7).await.contains(&6), "ready before parent {parent} is Done");
        mark(world, 7, parent, Done).await;
    }
    assert_eq!(take(world, 7, 10).await, [6]);
}

async fn diamond_runs_from_its_top_to_its_bottom(world: &mut World) {
    job_of(world, 7, [behind(1, [2, 3]), behind(2, [4]), behind(3, [4]), NewChunk::new(4)]).await;
    assert_eq!(take(world, 7, 10).await, [4]);
    mark(world, 7, 4, Done).await;
    assert_eq!(take(world, 7, 10).await, [2, 3]);
    mark(world, 7, 3, Done).await;
    assert_eq!(take(world, 7, 10).await, NONE);
    mark(world, 7, 2, Done).await;
    assert_eq!(take(world, 7, 10).await, [1]);
}

async fn chain_runs_in_its_order_whatever_its_ids(world: &mut World) {
    let order = [5, 2, 9, 1, 7];
    let links = order.windows(2).map(|pair| behind(pair[1], [pair[0]]));
    job_of(world, 7, links.chain([NewChunk::new(order[0])])).await;
    for next in order {
        assert_eq!(take(world, 7, 10).await, [next]);
        mark(world, 7, next, Done).await;
    }
}

async fn failure_with_budget_left_releases_no_child(world: &mut World) {
    job_of(world, 7, chain(2)).await;
    let parent = claim(world.store(), 7).await.fence().unwrap();
    assert!(world.store().fail(&parent, "once".into()).await.unwrap().is_some());
    assert_eq!((ready(world, 7).await, world.status(7, 2).await), (vec![1], Pending));
}

async fn released_parent_releases_no_child(world: &mut World) {
    job_of(world, 7, chain(2)).await;
    let parent = claim(world.store(), 7).await.fence().unwrap();
    world.store().release(&parent).await.unwrap();
    assert_eq!(take(world, 7, 10).await, [1]);
}

async fn mark_of_a_parent_as_done_releases_its_child(world: &mut World) {
    job_of(world, 7, chain(3)).await;
    mark(world, 7, 1, Done).await;
    mark(world, 7, 2, Done).await;
    assert_eq!(ready(world, 7).await, [3]);
}

async fn batch_holds_no_parent_beside_its_child(world: &mut World) {
    job_of(world, 7, [behind(2, [1]), NewChunk::new(1), NewChunk::new(3), behind(4, [3])]).await;
    assert_eq!(take(world, 7, 4).await, [1, 3]);
}

async fn ready_lists_unblocked_pending_chunks_by_id(world: &mut World) {
    job_of(world, 7, [behind(1, [4]), NewChunk::new(9), NewChunk::new(4), NewChunk::new(3), behind(2, [3])]).await;
    assert_eq!(ready(world, 7).await, [3, 4, 9]);
    mark(world, 7, 3, Done).await;
    mark(world, 7, 9, Processing).await;
    assert_eq!(ready(world, 7).await, [2, 4]);
}

async fn ready_lists_delayed_chunks_too(world: &mut World) {
    let later = world.now().after(60 * SECOND);
    job_of(world, 7, [NewChunk::new(1).not_before(later), NewChunk::new(2), behind(3, [2]).not_before(later)]).await;
    assert_eq!(ready(world, 7).await, [1, 2]);
    mark(world, 7, 2, Done).await;
    assert_eq!(ready(world, 7).await, [1, 3]);
    assert_eq!(take(world, 7, 10).await, NONE);
}

async fn ready_of_an_unknown_job_is_empty(world: &mut World) {
    assert_eq!(ready(world, 99).await, NONE);
}

async fn dependencies_are_listed_by_id(world: &mut World) {
    job_of(world, 7, (1..=5).map(NewChunk::new).chain([behind(6, [4, 1, 5])])).await;
    assert_eq!(world.store().get_dependencies(7, 6).await.unwrap(), [1, 4, 5]);
    mark(world, 7, 4, Done).await;
    assert_eq!(world.store().get_dependencies(7, 6).await.unwrap(), [1, 4, 5], "a met dependency is one still");
}

async fn dependencies_of_what_is_not_there_are_none(world: &mut World) {
    plain_job(world, 7, 1).await;
    for (job, chunk) in [(7, 1), (7, 2), (8, 1), (7, u64::MAX)] {
        assert_eq!(world.store().get_dependencies(job, chunk).await.unwrap(), NONE, "{job}/{chunk}");
    }
}

async fn dependency_named_twice_counts_once(world: &mut World) {
    job_of(world, 7, [NewChunk::new(1), behind(2, [1, 1, 1])]).await;
    assert_eq!(world.store().get_dependencies(7, 2).await.unwrap(), [1]);
    mark(world, 7, 1, Done).await;
    assert_eq!(take(world, 7, 10).await, [2]);
}

async fn dependencies_may_be_named_before_they_are_put_in(world: &mut World) {
    job_of(world, 7, [behind(1, [3, 2]), behind(2, [3]), NewChunk::new(3)]).await;
    assert_eq!(ready(world, 7).await, [3]);
}

async fn dependency_on_a_done_chunk_is_met(world: &mut World) {
    plain_job(world, 7, 1).await;
    mark(world, 7, 1, Done).await;
    job_of(world, 7, [behind(2, [1])]).await;
    assert_eq!(take(world, 7, 1).await, [2]);
}

async fn chunk_waits_for_a_chunk_of_another_job(world: &mut World) {
    plain_job(world, 8, 1).await;
    job_of(world, 7, [abroad(1, [(8, 1)])]).await;
    assert_eq!(take(world, 7, 1).await, NONE);
    mark(world, 8, 1, Done).await;
    assert_eq!(take(world, 7, 1).await, [1]);
}

async fn chunk_waits_for_parents_in_three_jobs(world: &mut World) {
    plain_job(world, -8, 1).await;
    plain_job(world, 9, 1).await;
    let mut child = abroad(2, [(-8, 1), (9, 1)]);
    child.depends_on = vec![1];
    job_of(world, 7, [NewChunk::new(1), child]).await;
    for job in [9, 7, -8] {
        assert!(!ready(world, 7).await.contains(&2));
        mark(world, job, 1, Done).await;
    }
    assert_eq!(ready(world, 7).await, [2]);
}

async fn dependencies_of_other_jobs_are_listed_apart(world: &mut World) {
    plain_job(world, -8, 1).await;
    plain_job(world, 8, 2).await;
    let mut child = abroad(2, [(8, 2), (-8, 1), (8, 1)]);
    child.depends_on = vec![1];
    job_of(world, 7, [NewChunk::new(1), child]).await;
    assert_eq!(world.store().get_dependencies(7, 2).await.unwrap(), [1]);
    let all = world.store().read(Query::Dependencies { job: 7, chunk: 2 }).await.unwrap();
    assert_eq!(all, Answer::Dependencies(vec![(-8, 1), (7, 1), (8, 1), (8, 2)]));
}

async fn dependency_on_a_missing_job_or_chunk_puts_nothing_in(world: &mut World) {
    plain_job(world, 7, 1).await;
    for bad in [behind(3, [1, 99]), abroad(3, [(7, 99)]), abroad(3, [(8, 1)])] {
        let told = format!("{bad:?}");
        assert_eq!(kind(world.store().insert(7, vec![NewChunk::new(2), bad]).await), ErrorKind::NotFound, "{told}");
    }
    assert_eq!(world.store().get_stats(7).await.unwrap().total_chunks, 1);
}

async fn blocked_chunks_are_counted(world: &mut World) {
    job_of(world, 7, chain(4)).await;
    mark(world, 7, 1, Done).await;
    let stats = world.store().get_stats(7).await.unwrap();
    assert_eq!((stats.pending, stats.blocked, stats.held, stats.ready(), stats.done), (3, 2, 0, 1, 1));
}

async fn urgent_child_does_not_overtake_its_parent(world: &mut World) {
    job_of(world, 7, [NewChunk::new(1).priority(i16::MIN), behind(2, [1]).priority(i16::MAX), NewChunk::new(3)]).await;
    assert_eq!(take(world, 7, 10).await, [3, 1]);
    mark(world, 7, 1, Done).await;
    assert_eq!(take(world, 7, 10).await, [2]);
}

/// A graph of `count` chunks whose ids say nothing of their order: for each id, what it depends on.
fn random_graph(dice: &mut Dice, count: u64) -> Vec<(u64, BTreeSet<u64>)> {
    let mut order: Vec<u64> = (1..=count).collect();
    for last in (1..order.len()).rev() {
        order.swap(last, dice.index(last + 1));
    }
    let parents =
        |dice: &mut Dice, place: usize| (0..dice.below(4).min(place as u64)).map(|_| order[dice.index(place)]).collect();
    order.iter().enumerate().map(|(place, id)| (*id, parents(dice, place))).collect()
}

/// Runs a graph with several claims open at a time, holding each hand-out against the graph: the lowest ready ids, no other.
async fn run(world: &World, job: i64, graph: &[(u64, BTreeSet<u64>)], workers: &[Arc<dyn JobStore>], dice: &mut Dice) {
    let mut waiting: BTreeSet<u64> = graph.iter().map(|(id, _)| *id).collect();
    let mut done = BTreeSet::new();
    let mut held: Vec<(usize, Fence)> = Vec::new();
    for _ in 0..graph.len() * 10 {
        if dice.below(2) == 0 || held.is_empty() {
            let (worker, limit) = (dice.index(workers.len()), 1 + dice.index(4));
            let chunks = workers[worker].claim_pending_batch(job, limit).await.unwrap();
            let mut due: Vec<u64> = graph
                .iter()
                .filter(|(id, parents)| waiting.contains(id) && parents.is_subset(&done))
                .map(|(id, _)| *id)
                .collect();
            due.sort_unstable();
            due.truncate(limit);
            assert_eq!(super::support::ids(&chunks), due);
            waiting.retain(|id| !due.contains(id));
            held.extend(chunks.iter().filter_map(JobState::fence).map(|fence| (worker, fence)));
        } else {
            let (worker, fence) = held.swap_remove(dice.index(held.len()));
            workers[worker].complete(&fence, Vec::new()).await.unwrap();
            done.insert(fence.chunk());
        }
        if done.len() == graph.len() {
            assert!(world.store().get_stats(job).await.unwrap().is_complete());
            return;
        }
    }
    panic!("{} chunks never ended", graph.len() - done.len());
}

async fn given_graph(world: &World, job: i64, graph: &[(u64, BTreeSet<u64>)]) {
    job_of(world, job, graph.iter().map(|(id, parents)| behind(*id, parents.iter().copied()))).await;
}

async fn random_graphs_run_in_topological_order(world: &mut World) {
    for seed in 1..=5 {
        let mut dice = Dice::new(seed);
        let graph = random_graph(&mut dice, 200);
        let job = seed.cast_signed();
        given_graph(world, job, &graph).await;
        run(world, job, &graph, &[Arc::clone(world.store())], &mut dice).await;
    }
}

async fn random_graph_runs_in_order_over_three_handles(world: &mut World) {
    let mut dice = Dice::new(1);
    let graph = random_graph(&mut dice, 200);
    given_graph(world, 7, &graph).await;
    let workers = [Arc::clone(world.store()), world.another().await, world.another().await];
    run(world, 7, &graph, &workers, &mut dice).await;
}
