//! Time limits: the worker's and the chunk's own.

use std::{sync::Arc, time::Duration};

use magnetar_core::{JobStatus, NewChunk};
use magnetar_worker::{Attempt, Cancelled, Cause, Completion, Event, Failure, Worker};
use tokio::time::{Instant, sleep};

use crate::support::{JOB, Log, Rig, chunks, job, listened, memory};

const LIMIT: Duration = Duration::from_secs(5);

/// Says when it is dropped.
struct Dropped(Log<&'static str>);

impl Drop for Dropped {
    fn drop(&mut self) {
        self.0.push("dropped");
    }
}

#[tokio::test(start_paused = true)]
async fn handler_that_takes_too_long_is_dropped_and_has_failed() {
    let store = memory();
    job(&store, 2, chunks(1)).await;
    let fate = Log::default();
    let log = fate.clone();
    let work = move |_: Attempt| {
        let guard = Dropped(log.clone());
        async move {
            let _guard = guard;
            sleep(Duration::from_hours(1)).await;
            Ok::<_, String>(())
        }
    };
    let begin = Instant::now();
    let (worker, events) = listened(Worker::builder(Arc::clone(&store)).attempt_timeout(LIMIT));
    let summary = worker.run(JOB, work).await.unwrap();
    assert_eq!(fate.len(), 2);
    assert_eq!(begin.elapsed().as_secs(), 5 + 1 + 5);
    assert_eq!((summary.counts.failed, summary.counts.timed_out, summary.counts.given_up), (2, 2, 1));
    let is_told =
        |event: &Event| matches!(event, Event::Failed { cause: Cause::TimedOut, error, .. } if error == "timed out after 5s");
    assert_eq!(events.all().iter().filter(|event| is_told(event)).count(), 2);
    let chunk = store.get_chunk(JOB, 1).await.unwrap().unwrap();
    assert_eq!((chunk.status, chunk.error.as_deref()), (JobStatus::Failed, Some("timed out after 5s")));
}

#[tokio::test(start_paused = true)]
async fn handler_is_stopped_by_the_chunks_own_timeout_though_the_store_takes_it_back_first() {
    let rig = Rig::new();
    // Two chunks with a limit, and one that keeps the worker busy, so that the store does its upkeep meanwhile.
    job(&rig.inner(), 2, vec![NewChunk::new(1).timeout(LIMIT), NewChunk::new(2), NewChunk::new(3)]).await;
    let fate = Log::default();
    let log = fate.clone();
    let work = move |attempt: Attempt| {
        let guard = (attempt.chunk().chunk == 1).then(|| Dropped(log.clone()));
        async move {
            let is_limited = guard.is_some();
            sleep(if is_limited { Duration::from_hours(1) } else { Duration::from_millis(1) }).await;
            drop(guard);
            Ok::<_, String>(())
        }
    };
    let (worker, events) = listened(Worker::builder(rig.store()).concurrency(2));
    let inner = rig.inner();
    // Somebody who asks the store at the very instant.
    let asks = tokio::spawn(async move {
        loop {
            sleep(Duration::from_millis(1)).await;
            inner.apply(vec![magnetar_core::Op::Reap]).await.unwrap();
        }
    });
    let summary = worker.run(JOB, work).await.unwrap();
    asks.abort();
    assert_eq!(fate.len(), 2);
    assert_eq!((summary.counts.timed_out, summary.counts.lost, summary.counts.done), (2, 0, 2), "{summary:?}");
    let again: Vec<_> = events
        .all()
        .into_iter()
        .filter_map(|event| if let Event::Failed { retry_at, .. } = event { Some(retry_at.is_some()) } else { None })
        .collect();
    assert_eq!(again, [true, false]);
    let chunk = rig.inner().get_chunk(JOB, 1).await.unwrap().unwrap();
    assert_eq!((chunk.status, chunk.fails), (JobStatus::Failed, 2));
}

#[tokio::test(start_paused = true)]
async fn shorter_of_two_limits_holds() {
    let store = memory();
    job(&store, 1, vec![NewChunk::new(1).timeout(Duration::from_secs(2)), NewChunk::new(2).timeout(Duration::from_secs(90))])
        .await;
    let begin = Instant::now();
    let deadlines = Log::default();
    let log = deadlines.clone();
    let work = move |attempt: Attempt| {
        log.push((attempt.chunk().chunk, (attempt.deadline().unwrap() - begin).as_secs()));
        async move { Err::<(), _>(format!("{:?}", attempt.cancelled().await)) }
    };
    let worker = Worker::builder(Arc::clone(&store)).concurrency(2).attempt_timeout(LIMIT).cancel_grace(LIMIT);
    assert_eq!(worker.run(JOB, work).await.unwrap().counts.timed_out, 2);
    assert_eq!(deadlines.all(), [(1, 2), (2, 5)]);
    let error = store.get_chunk(JOB, 2).await.unwrap().unwrap().error;
    assert_eq!(error.as_deref(), Some("timed out after 5s: TimedOut"));
}

#[tokio::test(start_paused = true)]
async fn records_that_a_handler_returns_in_its_grace_are_kept_and_its_success_is_not() {
    let store = memory();
    job(&store, 1, chunks(2)).await;
    let work = |attempt: Attempt| async move {
        assert_eq!(attempt.cancelled().await, Cancelled::TimedOut);
        sleep(Duration::from_secs(1)).await;
        let key = vec![u8::try_from(attempt.chunk().chunk).unwrap()];
        match attempt.chunk().chunk {
            1 => Ok(Completion::new("late").record("tail", key, b"one".to_vec())),
            _ => Err(Failure::new("killed").record("tail", key, b"two".to_vec())),
        }
    };
    let worker = Worker::builder(Arc::clone(&store)).concurrency(2).attempt_timeout(LIMIT).cancel_grace(LIMIT);
    let summary = worker.run(JOB, work).await.unwrap();
    assert_eq!((summary.counts.timed_out, summary.counts.done), (2, 0));
    for (id, text, error) in [(1, "one", "timed out after 5s"), (2, "two", "timed out after 5s: killed")] {
        assert_eq!(store.get_record("tail", &[id]).await.unwrap().unwrap().value, text.as_bytes());
        assert_eq!(store.get_chunk(JOB, id.into()).await.unwrap().unwrap().error.as_deref(), Some(error));
    }
}

#[tokio::test(start_paused = true)]
async fn handler_that_does_not_return_in_its_grace_is_dropped() {
    let store = memory();
    job(&store, 1, chunks(1)).await;
    let begin = Instant::now();
    let work = |_: Attempt| async {
        sleep(Duration::from_hours(1)).await;
        Ok::<_, String>(())
    };
    let worker = Worker::builder(store).attempt_timeout(LIMIT).cancel_grace(Duration::from_secs(2));
    assert_eq!(worker.run(JOB, work).await.unwrap().counts.timed_out, 1);
    assert_eq!(begin.elapsed().as_secs(), 7);
}

#[tokio::test(start_paused = true)]
async fn what_a_handler_started_elsewhere_hears_of_the_timeout() {
    let store = memory();
    job(&store, 1, chunks(1)).await;
    let heard = Log::default();
    let log = heard.clone();
    let work = move |attempt: Attempt| {
        let (token, log) = (attempt.cancellation_token(), log.clone());
        tokio::spawn(async move {
            token.cancelled().await;
            log.push(());
        });
        async {
            sleep(Duration::from_hours(1)).await;
            Ok::<_, String>(())
        }
    };
    Worker::builder(store).attempt_timeout(LIMIT).run(JOB, work).await.unwrap();
    assert_eq!(heard.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn limits_beyond_all_time_are_none() {
    let store = memory();
    job(&store, 1, vec![NewChunk::new(1).timeout(Duration::MAX)]).await;
    let worker = Worker::builder(store)
        .attempt_timeout(Duration::MAX)
        .cancel_grace(Duration::MAX)
        .poll_interval(Duration::MAX)
        .lease_time(Duration::MAX)
        .store_patience(Duration::MAX);
    assert_eq!(worker.run(JOB, |_: Attempt| async { Ok::<_, String>(()) }).await.unwrap().counts.done, 1);
}
