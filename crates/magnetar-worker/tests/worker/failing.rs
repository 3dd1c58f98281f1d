//! Failures: what counts, what is tried again and when, what is given back, and what goes with it into the same commit.

use std::{io, sync::Arc, time::Duration};

use magnetar_core::{JobStatus, NewChunk, Op, Until, limits};
use magnetar_worker::{Attempt, Cause, Completion, End, Event, Failure, StopRule, Worker};
use tokio::time::{Instant, sleep};

use crate::support::{JOB, Log, Rig, chunks, job, listened, memory};

/// The causes and errors of all failures, and whether the chunk is tried again.
fn failures(events: &Log<Event>) -> Vec<(Cause, String, bool)> {
    let failed = |event: Event| match event {
        Event::Failed { cause, error, retry_at, .. } => Some((cause, error, retry_at.is_some())),
        _ => None,
    };
    events.all().into_iter().filter_map(failed).collect()
}

#[tokio::test(start_paused = true)]
async fn failed_chunk_is_tried_again_by_its_own_policy() {
    let store = memory();
    job(&store, 3, vec![NewChunk::new(1), NewChunk::new(2).max_fails(1)]).await;
    let begin = Instant::now();
    let times = Log::default();
    let log = times.clone();
    let work = move |attempt: Attempt| {
        log.push((attempt.chunk().chunk, begin.elapsed().as_secs()));
        async { Err::<(), _>("no") }
    };
    let (worker, events) = listened(Worker::builder(Arc::clone(&store)));
    let summary = worker.run(JOB, work).await.unwrap();
    assert_eq!(times.all(), [(1, 0), (2, 0), (1, 1), (1, 3)]);
    let told = |again| (Cause::Error, "no".to_owned(), again);
    assert_eq!(failures(&events), [told(true), told(false), told(true), told(false)]);
    assert_eq!((summary.counts.failed, summary.counts.given_up), (4, 2));
    assert!(matches!(summary.end, End::Ended { stats } if stats.failed == 2));
}

#[tokio::test(start_paused = true)]
async fn chunk_is_taken_when_its_wait_is_over_without_hints_and_between_polls() {
    let rig = Rig::new();
    rig.without_hints();
    job(&rig.inner(), 2, chunks(1)).await;
    let begin = Instant::now();
    let work = |attempt: Attempt| async move { if attempt.number() == 1 { Err("once") } else { Ok(()) } };
    let worker = Worker::builder(rig.store()).poll_interval(Duration::from_hours(1));
    assert_eq!(worker.run(JOB, work).await.unwrap().counts.done, 1);
    assert!(begin.elapsed() < Duration::from_millis(1010), "{:?}", begin.elapsed());
}

#[tokio::test(start_paused = true)]
async fn panic_is_a_failure_with_its_text() {
    let store = memory();
    job(&store, 1, chunks(3)).await;
    let work = |attempt: Attempt| {
        assert!(attempt.chunk().chunk != 1, "before its future");
        async move {
            tokio::task::yield_now().await;
            let id = attempt.chunk().chunk;
            assert!(id != 2, "in chunk {id}");
            std::panic::panic_any(7_u8);
            #[expect(unreachable_code, reason = "the type of the handler")]
            Ok::<(), String>(())
        }
    };
    let (worker, events) = listened(Worker::builder(Arc::clone(&store)));
    let summary = worker.run(JOB, work).await.unwrap();
    let told = |text: &str| (Cause::Panicked, text.to_owned(), false);
    assert_eq!(failures(&events), [told("panicked: before its future"), told("panicked: in chunk 2"), told("panicked")]);
    assert_eq!((summary.counts.failed, summary.counts.panicked), (3, 3));
    let error = store.get_chunk(JOB, 2).await.unwrap().unwrap().error;
    assert_eq!(error.as_deref(), Some("panicked: in chunk 2"));
}

#[tokio::test(start_paused = true)]
async fn error_is_kept_with_all_that_is_below_it() {
    let store = memory();
    job(&store, 1, chunks(1)).await;
    let work = |_: Attempt| async {
        let below = io::Error::other("disk on fire");
        Err::<(), _>(magnetar_core::Error::new(magnetar_core::ErrorKind::Backend, "read the input").with_source(below))
    };
    Worker::builder(Arc::clone(&store)).run(JOB, work).await.unwrap();
    let error = store.get_chunk(JOB, 1).await.unwrap().unwrap().error;
    assert_eq!(error.as_deref(), Some("read the input: disk on fire"));
}

#[tokio::test(start_paused = true)]
async fn permanent_failure_ends_the_chunk_whatever_budget_remains() {
    let rig = Rig::new();
    job(&rig.inner(), 10, chunks(1)).await;
    let work =
        |_: Attempt| async { Err::<(), _>(Failure::permanent("bad input").record("tail", b"1".to_vec(), b"out".to_vec())) };
    let (worker, events) = listened(Worker::builder(rig.store()));
    let summary = worker.run(JOB, work).await.unwrap();
    assert_eq!(failures(&events), [(Cause::Permanent, "bad input".to_owned(), false)]);
    assert_eq!((summary.counts.started, summary.counts.given_up), (1, 1));
    let chunk = rig.inner().get_chunk(JOB, 1).await.unwrap().unwrap();
    assert_eq!((chunk.status, chunk.error.as_deref()), (JobStatus::Failed, Some("bad input")));
    assert!(rig.inner().get_record("tail", b"1").await.unwrap().is_some());
    // It is under the fence: a mark alone would also end what somebody else has claimed.
    assert!(rig.submits().iter().flatten().any(|group| matches!(group.as_slice(), [Op::Check { .. }, Op::Mark { .. }, _])));
}

#[tokio::test(start_paused = true)]
async fn records_of_a_failed_attempt_are_written_with_it() {
    let rig = Rig::new();
    job(&rig.inner(), 1, chunks(1)).await;
    let work = |_: Attempt| async { Err::<(), _>(Failure::new("exit code 3").record("tail", b"1".to_vec(), b"out".to_vec())) };
    Worker::builder(rig.store()).run(JOB, work).await.unwrap();
    let whole = |group: &Vec<Op>| matches!(group.as_slice(), [Op::Fail { .. }, Op::PutRecord { .. }]);
    assert!(rig.submits().iter().flatten().any(whole));
    assert_eq!(rig.inner().get_record("tail", b"1").await.unwrap().unwrap().value, b"out");
}

#[tokio::test(start_paused = true)]
async fn chunk_that_is_given_back_costs_nothing_and_comes_again() {
    let store = memory();
    job(&store, 1, chunks(1)).await;
    let seen = Log::default();
    let log = seen.clone();
    let work = move |attempt: Attempt| {
        log.push(attempt.number());
        let is_last = log.len() == 3;
        async move { if is_last { Ok(()) } else { Err(Failure::release()) } }
    };
    let summary = Worker::builder(store).run(JOB, work).await.unwrap();
    assert_eq!(seen.all(), [1, 1, 1]);
    assert_eq!((summary.counts.released, summary.counts.done, summary.counts.failed), (2, 1, 0));
}

#[tokio::test(start_paused = true)]
async fn parked_chunk_comes_back_at_its_time_or_when_others_have_ended() {
    let rig = Rig::new();
    rig.without_hints();
    job(&rig.inner(), 1, chunks(3)).await;
    let begin = Instant::now();
    let order = Log::default();
    let log = order.clone();
    let work = move |attempt: Attempt| {
        let (id, log) = (attempt.chunk().chunk, log.clone());
        async move {
            let claimed_at = attempt.chunk().lease.unwrap().claimed_at;
            let is_first = !log.all().contains(&id);
            log.push(id);
            match id {
                1 if is_first => Err(Failure::park(Until::Ended(vec![(JOB, 2)]))),
                2 if is_first => Err(Failure::park(Until::At(claimed_at.after(Duration::from_secs(90))))),
                _ => Ok(()),
            }
        }
    };
    let worker = Worker::builder(rig.store()).poll_interval(Duration::from_hours(1));
    let summary = worker.run(JOB, work).await.unwrap();
    assert_eq!(order.all(), [1, 2, 3, 2, 1]);
    assert_eq!((summary.counts.parked, summary.counts.done), (2, 3));
    assert_eq!(begin.elapsed().as_secs(), 90);
}

#[tokio::test(start_paused = true)]
async fn completion_that_the_store_refuses_is_a_failure_that_says_why() {
    let store = memory();
    job(&store, 1, chunks(2)).await;
    let work = |attempt: Attempt| async move {
        Ok::<_, String>(match attempt.chunk().chunk {
            1 => Completion::new(vec![0; limits::RESULT_BYTES_MAX + 1]),
            _ => Completion::from(()).record("", b"k".to_vec(), b"v".to_vec()),
        })
    };
    let (worker, events) = listened(Worker::builder(Arc::clone(&store)));
    let summary = worker.run(JOB, work).await.unwrap();
    assert_eq!((summary.counts.failed, summary.counts.done), (2, 0));
    let failed = failures(&events);
    assert!(failed.iter().all(|(cause, error, _)| *cause == Cause::Refused && error.contains("refused")), "{failed:?}");
    assert!(failed[0].1.contains("result in bytes"), "{failed:?}");
    assert!(failed[1].1.contains("space"), "{failed:?}");
}

#[tokio::test(start_paused = true)]
async fn failure_whose_records_the_store_refuses_is_written_without_them() {
    let store = memory();
    job(&store, 1, chunks(3)).await;
    let work = |attempt: Attempt| async move {
        let failure = match attempt.chunk().chunk {
            1 => Failure::new("plain"),
            2 => Failure::permanent("for good"),
            // Waiting for itself is refused, whatever goes with it.
            _ => Failure::park(Until::Ended(vec![(JOB, 3)])),
        };
        Err::<(), _>(failure.record("", b"k".to_vec(), b"v".to_vec()))
    };
    let (worker, events) = listened(Worker::builder(Arc::clone(&store)));
    worker.run(JOB, work).await.unwrap();
    let failed = failures(&events);
    let causes: Vec<_> = failed.iter().map(|(cause, ..)| *cause).collect();
    assert_eq!(causes, [Cause::Error, Cause::Permanent, Cause::Refused], "{failed:?}");
    assert_eq!((failed[0].1.as_str(), failed[1].1.as_str()), ("plain", "for good"));
}

#[tokio::test(start_paused = true)]
async fn worker_that_fails_fast_lets_what_runs_finish_and_starts_nothing_more() {
    let store = memory();
    job(&store, 1, chunks(10)).await;
    let work = |attempt: Attempt| async move {
        let id = attempt.chunk().chunk;
        sleep(Duration::from_millis(10 * id)).await;
        if id == 1 { Err("no") } else { Ok(()) }
    };
    let worker = Worker::builder(Arc::clone(&store)).concurrency(3).stop_rule(StopRule::FailFast);
    let summary = worker.run(JOB, work).await.unwrap();
    assert_eq!(summary.end, End::FailedFast);
    let stats = store.get_stats(JOB).await.unwrap();
    assert_eq!((stats.failed, stats.processing), (1, 0));
    assert_eq!((stats.done, stats.pending), (2, 7), "{summary:?}");
}

#[tokio::test(start_paused = true)]
async fn worker_that_fails_fast_goes_on_after_a_failure_that_is_tried_again() {
    let store = memory();
    job(&store, 2, chunks(3)).await;
    let work = |attempt: Attempt| async move { if attempt.number() == 1 { Err("once") } else { Ok(()) } };
    let summary = Worker::builder(store).stop_rule(StopRule::FailFast).run(JOB, work).await.unwrap();
    assert!(matches!(summary.end, End::Ended { stats } if stats.is_complete()));
}

#[tokio::test(start_paused = true)]
async fn worker_keeps_going_with_what_does_not_depend_on_a_failure() {
    let store = memory();
    job(&store, 1, vec![NewChunk::new(1), NewChunk::new(2).depends_on([1]), NewChunk::new(3)]).await;
    let work = |attempt: Attempt| async move { if attempt.chunk().chunk == 1 { Err("no") } else { Ok(()) } };
    let summary = Worker::builder(store).run(JOB, work).await.unwrap();
    let End::Ended { stats } = summary.end else { panic!("{summary:?}") };
    assert_eq!((stats.failed, stats.skipped, stats.done), (1, 1, 1));
}
