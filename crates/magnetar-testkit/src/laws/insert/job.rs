//! Making sure that a job is there, by id and by name.

use magnetar_core::{ErrorKind, JobOptions, JobRef, JobSpec, NewChunk, OnFailure, Op, Reply, RetryPolicy};

use crate::{
    harness::World,
    law::{Law, laws},
    laws::support::{claim, kind, plain_job},
};

pub(in crate::laws) const LAWS: &[Law] = laws![
    a_job_is_created_once,
    a_job_by_name_is_created_once,
    a_job_by_name_gets_an_id_that_no_job_has,
    a_job_by_name_is_the_one_that_carries_it,
    a_nameless_job_takes_the_name_it_is_told,
    a_name_belongs_to_one_job,
    a_job_keeps_its_name,
    a_job_by_name_takes_chunks_in_the_same_group,
    a_job_without_options_has_the_defaults,
    ensuring_a_job_without_options_leaves_its_own,
    a_job_takes_a_new_retry_policy,
    what_a_failure_does_is_fixed_once_a_job_is_there,
    a_jobs_name_is_free_again_after_it_was_deleted,
];

fn named(name: &str) -> JobSpec {
    JobSpec { name: Some(name.into()), ..JobSpec::default() }
}

fn by_name(name: &str) -> JobRef {
    JobRef::Name(name.into())
}

async fn ensure(world: &World, job: JobRef, spec: JobSpec) -> (i64, bool) {
    match world.store().apply(vec![Op::EnsureJob { job, spec }]).await.unwrap().pop() {
        Some(Reply::Job { id, created }) => (id, created),
        other => panic!("{other:?}"),
    }
}

async fn a_job_is_created_once(world: &mut World) {
    let spec = JobSpec { kind: "copy".into(), ..named("night") };
    assert_eq!(ensure(world, JobRef::Id(-7), spec.clone()).await, (-7, true));
    assert_eq!(ensure(world, JobRef::Id(-7), spec).await, (-7, false));
    let job = world.store().job(-7).await.unwrap().unwrap();
    assert_eq!((job.id, job.name.as_deref(), job.kind.as_str(), job.paused), (-7, Some("night"), "copy", false));
    assert_eq!((job.created_at, job.stats.total_chunks), (world.now(), 0));
    assert_eq!(world.store().jobs().await.unwrap().len(), 1);
}

async fn a_job_by_name_is_created_once(world: &mut World) {
    let (id, created) = ensure(world, by_name("night"), JobSpec::default()).await;
    assert!(created);
    assert_eq!(ensure(world, by_name("night"), named("night")).await, (id, false));
    assert_eq!(world.store().job_by_name("night").await.unwrap().unwrap().id, id);
    assert_eq!(world.store().job(id).await.unwrap().unwrap().name.as_deref(), Some("night"));
}

async fn a_job_by_name_gets_an_id_that_no_job_has(world: &mut World) {
    let mut taken = vec![-1, 0, 1, 2, 3, 4];
    for id in taken.clone() {
        plain_job(world, id, 1).await;
    }
    for name in ["a", "b", "c"] {
        let (id, created) = ensure(world, by_name(name), JobSpec::default()).await;
        assert!(created && !taken.contains(&id), "{id} of {taken:?}");
        taken.push(id);
    }
}

async fn a_job_by_name_is_the_one_that_carries_it(world: &mut World) {
    ensure(world, JobRef::Id(7), named("night")).await;
    assert_eq!(ensure(world, by_name("night"), JobSpec::default()).await, (7, false));
}

async fn a_nameless_job_takes_the_name_it_is_told(world: &mut World) {
    plain_job(world, 7, 1).await;
    assert_eq!(ensure(world, JobRef::Id(7), named("night")).await, (7, false));
    assert_eq!(world.store().job_by_name("night").await.unwrap().unwrap().id, 7);
}

async fn a_name_belongs_to_one_job(world: &mut World) {
    ensure(world, JobRef::Id(7), named("night")).await;
    plain_job(world, 8, 1).await;
    for job in [8, 9] {
        assert_eq!(kind(world.store().ensure_job(JobRef::Id(job), named("night")).await), ErrorKind::Conflict);
    }
    assert_eq!(world.store().job(8).await.unwrap().unwrap().name, None);
    assert!(world.store().job(9).await.unwrap().is_none());
}

async fn a_job_keeps_its_name(world: &mut World) {
    ensure(world, JobRef::Id(7), named("night")).await;
    assert_eq!(kind(world.store().ensure_job(JobRef::Id(7), named("day")).await), ErrorKind::Conflict);
    assert_eq!(ensure(world, JobRef::Id(7), JobSpec::default()).await, (7, false));
    assert_eq!(world.store().job(7).await.unwrap().unwrap().name.as_deref(), Some("night"));
    assert!(world.store().job_by_name("day").await.unwrap().is_none());
}

async fn a_job_by_name_takes_chunks_in_the_same_group(world: &mut World) {
    let insert = Op::Insert { job: by_name("night"), chunks: vec![NewChunk::new(4)].into() };
    let replies =
        world.store().apply(vec![Op::EnsureJob { job: by_name("night"), spec: JobSpec::default() }, insert]).await.unwrap();
    let Reply::Job { id, created: true } = replies[0] else { panic!("{replies:?}") };
    assert_eq!(claim(world.store(), id).await.chunk, 4);
}

async fn a_job_without_options_has_the_defaults(world: &mut World) {
    ensure(world, JobRef::Id(7), JobSpec::default()).await;
    assert_eq!(world.store().job(7).await.unwrap().unwrap().options, JobOptions::default());
}

async fn ensuring_a_job_without_options_leaves_its_own(world: &mut World) {
    let options = JobOptions { retry: RetryPolicy { max_fails: 9, ..RetryPolicy::default() }, on_failure: OnFailure::Hold };
    ensure(world, JobRef::Id(7), JobSpec { options: Some(options), ..JobSpec::default() }).await;
    ensure(world, JobRef::Id(7), JobSpec::default()).await;
    assert_eq!(world.store().job(7).await.unwrap().unwrap().options, options);
}

async fn a_job_takes_a_new_retry_policy(world: &mut World) {
    plain_job(world, 7, 1).await;
    let retry = RetryPolicy { max_fails: 1, ..RetryPolicy::default() };
    let spec = JobSpec { options: Some(JobOptions { retry, ..JobOptions::default() }), ..JobSpec::default() };
    ensure(world, JobRef::Id(7), spec).await;
    assert_eq!(world.store().job(7).await.unwrap().unwrap().options.retry, retry);
    let fence = claim(world.store(), 7).await.fence().unwrap();
    assert_eq!(world.store().fail(&fence, "once is enough".into()).await.unwrap(), None);
}

async fn what_a_failure_does_is_fixed_once_a_job_is_there(world: &mut World) {
    plain_job(world, 7, 1).await;
    claim(world.store(), 7).await;
    let options = JobOptions { on_failure: OnFailure::Run, ..JobOptions::default() };
    let refused = world.store().ensure_job(JobRef::Id(7), JobSpec { options: Some(options), ..JobSpec::default() }).await;
    assert_eq!(kind(refused), ErrorKind::Invalid);
    assert_eq!(world.store().job(7).await.unwrap().unwrap().options.on_failure, OnFailure::Skip);
}

async fn a_jobs_name_is_free_again_after_it_was_deleted(world: &mut World) {
    ensure(world, JobRef::Id(7), named("night")).await;
    world.store().delete_job(7).await.unwrap();
    assert!(world.store().job_by_name("night").await.unwrap().is_none());
    assert_eq!(ensure(world, JobRef::Id(8), named("night")).await, (8, true));
}
