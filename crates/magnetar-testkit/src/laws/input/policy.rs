//! Names, budgets and waits that cannot be meant.

use std::time::Duration;

use magnetar_core::{
    Backoff, ErrorKind, Expect, JobOptions, JobRef, JobSpec, JobStatus::Pending, Lane, NewChunk, OnFailure, Op, RetryPolicy,
    limits,
};

use super::{insert, names};
use crate::{
    harness::World,
    law::{Law, laws},
    laws::{
        shape::{changes_nothing, take},
        support::{SECOND, fence, kind, plain_job},
    },
};

pub(in crate::laws) const LAWS: &[Law] = laws![
    budget_of_nothing_is_refused,
    jitter_outside_its_bounds_is_refused,
    policy_that_cannot_be_meant_leaves_the_old_one,
    budget_of_nothing_of_a_chunk_is_refused,
    timeout_of_nothing_is_refused,
    timeout_of_centuries_works,
    wait_of_centuries_saturates,
    name_that_is_empty_is_refused,
    job_by_one_name_cannot_be_made_with_another,
    key_that_is_empty_is_refused,
    lane_with_a_nul_is_refused,
    space_that_is_empty_or_holds_a_nul_is_refused,
];

fn ensure(retry: RetryPolicy) -> Vec<Op> {
    let options = JobOptions { retry, on_failure: OnFailure::Skip };
    vec![Op::EnsureJob { job: JobRef::Id(7), spec: JobSpec { options: Some(options), ..JobSpec::default() } }]
}

async fn budget_of_nothing_is_refused(world: &mut World) {
    let usual = RetryPolicy::default();
    for retry in [RetryPolicy { max_fails: 0, ..usual }, RetryPolicy { max_crashes: 0, ..usual }] {
        names(world.store().apply(ensure(retry)).await, ErrorKind::Invalid, &["budget", "0"]);
    }
    assert_eq!(world.store().jobs().await.unwrap(), []);
}

async fn jitter_outside_its_bounds_is_refused(world: &mut World) {
    for jitter in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -0.001, 1.001] {
        names(
            world.store().apply(ensure(RetryPolicy { jitter, ..RetryPolicy::default() })).await,
            ErrorKind::Invalid,
            &["jitter"],
        );
    }
    for jitter in [0.0, 1.0] {
        world.store().apply(ensure(RetryPolicy { jitter, ..RetryPolicy::default() })).await.unwrap();
        assert!((world.store().job(7).await.unwrap().unwrap().options.retry.jitter - jitter).abs() < f64::EPSILON);
    }
}

async fn policy_that_cannot_be_meant_leaves_the_old_one(world: &mut World) {
    plain_job(world, 7, 1).await;
    changes_nothing(world, ensure(RetryPolicy { max_fails: 0, ..RetryPolicy::default() }), ErrorKind::Invalid).await;
}

async fn budget_of_nothing_of_a_chunk_is_refused(world: &mut World) {
    plain_job(world, 7, 1).await;
    names(world.store().insert(7, vec![NewChunk::new(33).max_fails(0)]).await, ErrorKind::Invalid, &["33"]);
    changes_nothing(world, vec![insert([NewChunk::new(2), NewChunk::new(1).max_fails(0)])], ErrorKind::Invalid).await;
    world.store().insert(7, vec![NewChunk::new(2).max_fails(u32::MAX)]).await.unwrap();
}

async fn timeout_of_nothing_is_refused(world: &mut World) {
    plain_job(world, 7, 1).await;
    for timeout in [Duration::ZERO, Duration::from_micros(999)] {
        names(world.store().insert(7, vec![NewChunk::new(33).timeout(timeout)]).await, ErrorKind::Invalid, &["33", "timeout"]);
    }
    assert_eq!(world.store().get_stats(7).await.unwrap().total_chunks, 1);
}

async fn timeout_of_centuries_works(world: &mut World) {
    plain_job(world, 7, 0).await;
    world.store().insert(7, vec![NewChunk::new(1).timeout(Duration::MAX)]).await.unwrap();
    let held = fence(world.store(), 7).await;
    for _ in 0..10 {
        world.advance(9 * SECOND);
        world.settle().await;
    }
    world.store().complete(&held, Vec::new()).await.unwrap();
}

async fn wait_of_centuries_saturates(world: &mut World) {
    for (job, backoff) in [(7, Backoff::Fixed), (8, Backoff::Linear), (9, Backoff::Exponential)] {
        let retry = RetryPolicy {
            backoff,
            first_wait: Duration::MAX,
            longest_wait: Duration::MAX,
            jitter: 0.0,
            ..RetryPolicy::default()
        };
        let spec = JobSpec { options: Some(JobOptions { retry, on_failure: OnFailure::Skip }), ..JobSpec::default() };
        world.store().ensure_job(JobRef::Id(job), spec).await.unwrap();
        world.store().insert(job, vec![NewChunk::new(1)]).await.unwrap();
        let held = fence(world.store(), job).await;
        assert!(world.store().fail(&held, "e".into()).await.unwrap().is_some_and(|at| at > world.now()));
        world.advance(1_000_000 * SECOND);
        assert_eq!((take(world, job, 1).await, world.status(job, 1).await), (vec![], Pending));
    }
}

async fn name_that_is_empty_is_refused(world: &mut World) {
    plain_job(world, 7, 1).await;
    let named = JobSpec { name: Some(String::new()), ..JobSpec::default() };
    changes_nothing(world, vec![Op::EnsureJob { job: JobRef::Id(7), spec: named }], ErrorKind::Invalid).await;
    let by_name = Op::EnsureJob { job: JobRef::Name(String::new()), spec: JobSpec::default() };
    names(world.store().apply(vec![by_name]).await, ErrorKind::Invalid, &["name", "empty"]);
    let insert = Op::Insert { job: JobRef::Name(String::new()), chunks: Vec::new().into() };
    assert_eq!(kind(world.store().apply(vec![insert]).await), ErrorKind::Invalid);
}

async fn job_by_one_name_cannot_be_made_with_another(world: &mut World) {
    let spec = JobSpec { name: Some("two".into()), ..JobSpec::default() };
    names(world.store().ensure_job(JobRef::Name("one".into()), spec).await, ErrorKind::Invalid, &["one", "two"]);
    assert_eq!(world.store().jobs().await.unwrap(), []);
}

async fn key_that_is_empty_is_refused(world: &mut World) {
    plain_job(world, 7, 1).await;
    names(world.store().insert(7, vec![NewChunk::new(33).key("")]).await, ErrorKind::Invalid, &["33", "key"]);
    assert_eq!(world.store().get_stats(7).await.unwrap().total_chunks, 1);
}

async fn lane_with_a_nul_is_refused(world: &mut World) {
    plain_job(world, 7, 1).await;
    for lane in ["\0", "a\0b"] {
        names(world.store().insert(7, vec![NewChunk::new(33).lane(lane)]).await, ErrorKind::Invalid, &["lane", "NUL"]);
        let claim = world.store().claim(vec![Lane::named(7, lane)], 1).await;
        assert_eq!(kind(claim), ErrorKind::Invalid);
    }
    assert_eq!(world.store().get_stats(7).await.unwrap().total_chunks, 1);
}

async fn space_that_is_empty_or_holds_a_nul_is_refused(world: &mut World) {
    for space in ["", "\0", "a\0"] {
        let write = world.store().put_record(space, b"k", Some(Vec::new()), Expect::Any).await;
        names(write, ErrorKind::Invalid, &["space"]);
        assert_eq!(kind(world.store().get_record(space, b"k").await), ErrorKind::Invalid);
        assert_eq!(kind(world.store().records(space, b"", None, limits::PAGE_ROWS_MAX).await), ErrorKind::Invalid);
    }
}
