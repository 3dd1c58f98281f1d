//! Jobs: paused, listed, deleted and made again.

use magnetar_core::{
    Answer, Audit, ErrorKind, Filter, Job, JobRef, JobSpec, JobStats,
    JobStatus::{self, Cancelled, Done, Failed, Pending, Processing, Skipped},
    Lane, NewChunk, OnFailure, Page, Query,
};

use super::{
    shape::{NONE, abroad, behind, chain, job_that, mark, ready, take},
    support::{SECOND, fence, job_of, kind, plain_job},
};
use crate::{
    harness::World,
    law::{Law, laws},
};

pub(super) mod delete;
pub(super) mod prune;
pub(super) mod status;
pub(super) mod walk;

pub(super) const LAWS: &[Law] = laws![
    reads_of_an_unknown_job_are_empty,
    writes_to_an_unknown_job_are_not_found,
    pausing_and_resuming_again_changes_nothing,
    paused_job_is_listed_as_paused,
    paused_job_counts_its_ready_chunks,
    pause_holds_for_every_lane_and_for_what_comes_later,
    pause_outlasts_what_becomes_due_and_what_is_released,
    pause_of_the_parents_job_holds_nothing_else,
    jobs_are_listed_by_id_with_their_stats,
    pages_of_jobs_cover_each_once,
    job_remembers_its_name_kind_and_creation,
    job_of_a_name_is_found_until_it_is_deleted,
    empty_job_is_complete_at_zero_percent,
    completion_counts_done_chunks_only,
    job_has_failures_while_a_chunk_is_failed,
];

async fn reads_of_an_unknown_job_are_empty(world: &mut World) {
    plain_job(world, 7, 1).await;
    let store = world.store();
    assert_eq!(store.get_stats(8).await.unwrap(), JobStats::new(8));
    assert_eq!((store.job(8).await.unwrap(), store.job_by_name("8").await.unwrap()), (None, None));
    assert_eq!((store.get_chunk(8, 1).await.unwrap(), store.claim_pending(8).await.unwrap()), (None, None));
    for status in JobStatus::ALL {
        assert_eq!(store.get_by_status(8, status).await.unwrap(), []);
    }
    assert_eq!((store.topo_sort_ready(8).await.unwrap(), store.resume_pending(8).await.unwrap()), (vec![], vec![]));
    assert_eq!(store.get_dependencies(8, 1).await.unwrap(), NONE);
    assert_eq!(store.ids(8, Filter::All, None, 10).await.unwrap(), Page::default());
    assert_eq!(store.chunks(8, Filter::All, Some(5), 10).await.unwrap(), Page::default());
    assert_eq!(store.audit(8).await.unwrap(), Audit::default());
}

async fn writes_to_an_unknown_job_are_not_found(world: &mut World) {
    plain_job(world, 7, 1).await;
    let store = world.store();
    assert_eq!(kind(store.insert(8, vec![NewChunk::new(1)]).await), ErrorKind::NotFound);
    assert_eq!(kind(store.mark_status(8, 1, Done, None).await), ErrorKind::NotFound);
    assert_eq!(kind(store.mark_failed(8, 1, "e".into()).await), ErrorKind::NotFound);
    assert_eq!(kind(store.add_dependency(8, 1, vec![1]).await), ErrorKind::NotFound);
    assert_eq!(kind(store.reopen(8, vec![1]).await), ErrorKind::NotFound);
    assert_eq!(kind(store.prune(8, world.now()).await), ErrorKind::NotFound);
    for refused in [store.pause(8).await, store.resume(8).await, store.delete_job(8).await] {
        let error = refused.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        assert!(error.to_string().contains('8'), "{error} does not name the job");
    }
}

async fn pausing_and_resuming_again_changes_nothing(world: &mut World) {
    plain_job(world, 7, 2).await;
    world.store().resume(7).await.unwrap();
    for _ in 0..2 {
        world.store().pause(7).await.unwrap();
        assert_eq!(take(world, 7, 1).await, NONE);
    }
    for next in 1..=2 {
        world.store().resume(7).await.unwrap();
        assert_eq!(take(world, 7, 1).await, [next]);
    }
}

async fn paused_job_is_listed_as_paused(world: &mut World) {
    plain_job(world, 7, 1).await;
    plain_job(world, 8, 1).await;
    world.store().pause(7).await.unwrap();
    let paused = |jobs: Vec<Job>| jobs.iter().map(|job| job.paused).collect::<Vec<_>>();
    assert_eq!(paused(world.store().jobs().await.unwrap()), [true, false]);
    world.store().resume(7).await.unwrap();
    assert_eq!(paused(world.store().jobs().await.unwrap()), [false, false]);
}

async fn paused_job_counts_its_ready_chunks(world: &mut World) {
    job_of(world, 7, chain(2)).await;
    let before = world.store().get_stats(7).await.unwrap();
    world.store().pause(7).await.unwrap();
    assert_eq!((world.store().get_stats(7).await.unwrap(), before.ready(), ready(world, 7).await), (before, 1, vec![1]));
}

async fn pause_holds_for_every_lane_and_for_what_comes_later(world: &mut World) {
    plain_job(world, 7, 1).await;
    world.store().pause(7).await.unwrap();
    world.store().insert(7, vec![NewChunk::new(2).lane("gpu"), NewChunk::new(3)]).await.unwrap();
    let lanes = || vec![Lane::named(7, "gpu"), Lane::of(7)];
    assert_eq!(world.store().claim(lanes(), 10).await.unwrap(), []);
    world.store().resume(7).await.unwrap();
    assert_eq!(world.store().claim(lanes(), 10).await.unwrap().len(), 3);
}

async fn pause_outlasts_what_becomes_due_and_what_is_released(world: &mut World) {
    job_of(world, 7, [NewChunk::new(1), behind(2, [1]), NewChunk::new(3).not_before(world.now().after(SECOND))]).await;
    let running = fence(world.store(), 7).await;
    world.store().pause(7).await.unwrap();
    world.store().complete(&running, Vec::new()).await.unwrap();
    world.advance(SECOND);
    world.settle().await;
    assert_eq!(take(world, 7, 10).await, NONE);
    world.store().resume(7).await.unwrap();
    assert_eq!(take(world, 7, 10).await, [2, 3]);
}

async fn pause_of_the_parents_job_holds_nothing_else(world: &mut World) {
    plain_job(world, 8, 2).await;
    job_of(world, 7, [abroad(1, [(8, 1)])]).await;
    world.store().pause(8).await.unwrap();
    mark(world, 8, 1, Done).await;
    assert_eq!((take(world, 7, 1).await, take(world, 8, 1).await), (vec![1], vec![]));
}

async fn jobs_are_listed_by_id_with_their_stats(world: &mut World) {
    for (job, count) in [(7, 3), (-1, 2), (0, 1), (i64::MIN, 0), (i64::MAX, 4)] {
        plain_job(world, job, count).await;
    }
    mark(world, 7, 2, Done).await;
    mark(world, i64::MAX, 1, Failed).await;
    let jobs = world.store().jobs().await.unwrap();
    let seen: Vec<_> = jobs.iter().map(|job| (job.id, job.stats.job_id, job.stats.total_chunks)).collect();
    let expected = [(i64::MIN, 0), (-1, 2), (0, 1), (7, 3), (i64::MAX, 4)].map(|(job, count)| (job, job, count));
    assert_eq!(seen, expected);
    for job in jobs {
        assert_eq!(job.stats, world.store().get_stats(job.id).await.unwrap());
        assert_eq!(world.store().job(job.id).await.unwrap(), Some(job));
    }
}

async fn pages_of_jobs_cover_each_once(world: &mut World) {
    for job in -10..10 {
        plain_job(world, job, 0).await;
    }
    let (mut seen, mut after) = (Vec::new(), None);
    for _ in 0..8 {
        let Answer::Jobs(page) = world.store().read(Query::Jobs { after, limit: 3 }).await.unwrap() else { panic!("no jobs") };
        seen.extend(page.items.iter().map(|job| job.id));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!((seen, after), ((-10..10).collect(), None));
    let beyond = world.store().read(Query::Jobs { after: Some(i64::MAX), limit: 3 }).await.unwrap();
    assert_eq!(beyond, Answer::Jobs(Page::default()));
}

async fn job_remembers_its_name_kind_and_creation(world: &mut World) {
    let created = world.now();
    let spec = JobSpec { name: Some("nightly".into()), kind: "copy".into(), options: None };
    world.store().ensure_job(JobRef::Id(7), spec).await.unwrap();
    world.advance(SECOND);
    plain_job(world, 7, 1).await;
    let job = world.store().job(7).await.unwrap().unwrap();
    assert_eq!((job.name.as_deref(), job.kind.as_str(), job.created_at), (Some("nightly"), "copy", created));
    assert!(!job.paused);
}

async fn job_of_a_name_is_found_until_it_is_deleted(world: &mut World) {
    let spec = || JobSpec { name: Some("nightly".into()), ..JobSpec::default() };
    world.store().ensure_job(JobRef::Id(7), spec()).await.unwrap();
    assert_eq!(world.store().job_by_name("nightly").await.unwrap().unwrap().id, 7);
    for other in ["", "night", "nightly ", "Nightly"] {
        assert_eq!(world.store().job_by_name(other).await.unwrap(), None, "{other:?}");
    }
    world.store().delete_job(7).await.unwrap();
    assert_eq!(world.store().job_by_name("nightly").await.unwrap(), None);
    world.store().ensure_job(JobRef::Id(8), spec()).await.unwrap();
    assert_eq!(world.store().job_by_name("nightly").await.unwrap().unwrap().id, 8);
}

async fn empty_job_is_complete_at_zero_percent(world: &mut World) {
    plain_job(world, 7, 0).await;
    let stats = world.store().get_stats(7).await.unwrap();
    assert_eq!(stats, JobStats::new(7));
    assert!(stats.completion_percent().abs() < f64::EPSILON && stats.is_complete() && !stats.has_failures());
}

async fn completion_counts_done_chunks_only(world: &mut World) {
    job_that(world, 7, OnFailure::Skip, (1..=7).map(NewChunk::new).chain([behind(8, [7])])).await;
    for (chunk, status) in [(1, Done), (2, Done), (3, Failed), (4, Cancelled), (5, Processing), (7, Failed)] {
        mark(world, 7, chunk, status).await;
    }
    let stats = world.store().get_stats(7).await.unwrap();
    assert!((stats.completion_percent() - 25.0).abs() < f64::EPSILON && !stats.is_complete());
    assert_eq!((stats.skipped, stats.open(), stats.count(Skipped)), (1, 2, 1));
}

async fn job_has_failures_while_a_chunk_is_failed(world: &mut World) {
    plain_job(world, 7, 1).await;
    mark(world, 7, 1, Cancelled).await;
    assert!(!world.store().get_stats(7).await.unwrap().has_failures());
    mark(world, 7, 1, Pending).await;
    mark(world, 7, 1, Failed).await;
    assert!(world.store().get_stats(7).await.unwrap().has_failures());
    mark(world, 7, 1, Pending).await;
    mark(world, 7, 1, Done).await;
    let stats = world.store().get_stats(7).await.unwrap();
    assert!(!stats.has_failures() && stats.is_complete());
}
