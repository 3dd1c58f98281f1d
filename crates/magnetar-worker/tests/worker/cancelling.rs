//! Draining and aborting.

use std::{sync::Arc, time::Duration};

use magnetar_worker::{Attempt, Cancellation, CancellationToken, Cancelled, Completion, End, Event, Failure, Worker};
use tokio::time::{Instant, sleep};

use crate::support::{JOB, Log, Rig, chunks, job, listened, memory, until};

/// A handler that takes a second.
async fn second(_: Attempt) -> Result<(), String> {
    sleep(Duration::from_secs(1)).await;
    Ok(())
}

fn released(events: &Log<Event>) -> usize {
    events.all().iter().filter(|event| matches!(event, Event::Released { .. })).count()
}

#[tokio::test(start_paused = true)]
async fn drained_worker_lets_what_runs_finish_and_starts_nothing_more() {
    let store = memory();
    job(&store, 1, chunks(10)).await;
    let cancellation = Cancellation::new();
    let worker = Worker::builder(Arc::clone(&store)).concurrency(3).cancellation(cancellation.clone());
    let run = tokio::spawn(async move { worker.run(JOB, second).await });
    sleep(Duration::from_millis(1500)).await;
    cancellation.drain();
    let summary = run.await.unwrap().unwrap();
    assert_eq!((summary.end, summary.counts.started, summary.counts.done), (End::Drained, 6, 6));
    let stats = store.get_stats(JOB).await.unwrap();
    assert_eq!((stats.done, stats.pending, stats.processing), (6, 4, 0));
}

#[tokio::test(start_paused = true)]
async fn drained_worker_gives_back_at_once_what_it_has_claimed_ahead() {
    let rig = Rig::new();
    job(&rig.inner(), 1, chunks(10)).await;
    let cancellation = Cancellation::new();
    let (worker, events) = listened(Worker::builder(rig.store()).prefetch(4).cancellation(cancellation.clone()));
    let work = |attempt: Attempt| async move {
        let millis = if attempt.chunk().chunk == 1 { 0 } else { 900 };
        sleep(Duration::from_millis(millis)).await;
        Ok::<_, String>(())
    };
    let run = tokio::spawn(async move { worker.run(JOB, work).await });
    let store = rig.inner();
    until(async || store.get_stats(JOB).await.unwrap().processing == 5).await;
    cancellation.drain();
    until(async || store.get_stats(JOB).await.unwrap().processing == 1).await;
    assert_eq!(released(&events), 4);
    assert!(!run.is_finished());
    let summary = run.await.unwrap().unwrap();
    assert_eq!((summary.end, summary.counts.done, summary.counts.released), (End::Drained, 2, 0));
}

#[tokio::test(start_paused = true)]
async fn aborted_worker_drops_what_runs_and_gives_it_back_at_no_cost() {
    let store = memory();
    job(&store, 1, chunks(10)).await;
    let cancellation = Cancellation::new();
    let worker = Worker::builder(Arc::clone(&store)).concurrency(3).cancellation(cancellation.clone());
    let run = tokio::spawn(async move { worker.run(JOB, second).await });
    sleep(Duration::from_millis(500)).await;
    let begin = Instant::now();
    cancellation.abort();
    let summary = run.await.unwrap().unwrap();
    assert_eq!(begin.elapsed(), Duration::ZERO);
    assert_eq!((summary.end, summary.counts.started, summary.counts.released), (End::Aborted, 3, 3));
    let stats = store.get_stats(JOB).await.unwrap();
    assert_eq!((stats.pending, stats.processing), (10, 0));
    let chunk = store.get_chunk(JOB, 1).await.unwrap().unwrap();
    assert_eq!((chunk.fails, chunk.crashes), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn work_that_is_done_in_the_grace_after_an_abort_is_written_and_a_failure_gives_back() {
    let store = memory();
    job(&store, 1, chunks(3)).await;
    let cancellation = Cancellation::new();
    let work = |attempt: Attempt| async move {
        assert_eq!(attempt.cancelled().await, Cancelled::Aborted);
        sleep(Duration::from_secs(1)).await;
        match attempt.chunk().chunk {
            1 => Ok(Completion::new("done all the same")),
            2 => Err(Failure::permanent("killed").record("tail", b"2".to_vec(), b"out".to_vec())),
            _ => {
                sleep(Duration::from_hours(1)).await;
                Ok(Completion::default())
            }
        }
    };
    let worker = Worker::builder(Arc::clone(&store))
        .concurrency(3)
        .cancel_grace(Duration::from_secs(2))
        .cancellation(cancellation.clone());
    let run = tokio::spawn(async move { worker.run(JOB, work).await });
    sleep(Duration::from_secs(1)).await;
    cancellation.abort();
    let summary = run.await.unwrap().unwrap();
    assert_eq!((summary.counts.done, summary.counts.released, summary.counts.failed), (1, 2, 0));
    let stats = store.get_stats(JOB).await.unwrap();
    assert_eq!((stats.done, stats.pending, stats.processing), (1, 2, 0));
    assert_eq!(store.get_record("tail", b"2").await.unwrap().unwrap().value, b"out");
}

#[tokio::test(start_paused = true)]
async fn second_level_cuts_the_first_short() {
    let store = memory();
    job(&store, 1, chunks(2)).await;
    let (drain, abort) = (CancellationToken::new(), CancellationToken::new());
    let cancellation = Cancellation::from_tokens(drain.clone(), abort.clone());
    let work = |_: Attempt| async {
        sleep(Duration::from_hours(1)).await;
        Ok::<_, String>(())
    };
    let worker = Worker::builder(Arc::clone(&store)).cancellation(cancellation);
    let run = tokio::spawn(async move { worker.run(JOB, work).await });
    sleep(Duration::from_secs(1)).await;
    drain.cancel();
    sleep(Duration::from_mins(1)).await;
    assert!(!run.is_finished());
    abort.cancel();
    let summary = run.await.unwrap().unwrap();
    assert_eq!((summary.end, summary.counts.released), (End::Aborted, 1));
}

#[tokio::test(start_paused = true)]
async fn worker_that_was_stopped_before_it_began_claims_nothing() {
    for is_abort in [false, true] {
        let rig = Rig::new();
        job(&rig.inner(), 1, chunks(2)).await;
        let cancellation = Cancellation::new();
        if is_abort {
            cancellation.abort();
        } else {
            cancellation.drain();
        }
        let summary = Worker::builder(rig.store()).cancellation(cancellation).run(JOB, second).await.unwrap();
        assert_eq!(summary.end, if is_abort { End::Aborted } else { End::Drained });
        assert_eq!((summary.counts.started, rig.submits().len()), (0, 0));
    }
}

#[tokio::test(start_paused = true)]
async fn idle_worker_hears_at_once_that_it_is_to_stop() {
    let store = memory();
    let cancellation = Cancellation::new();
    let worker = Worker::builder(store).poll_interval(Duration::from_hours(1)).cancellation(cancellation.clone());
    let serve = tokio::spawn(async move { worker.serve([JOB], second).await });
    sleep(Duration::from_secs(5)).await;
    let begin = Instant::now();
    cancellation.drain();
    assert_eq!(serve.await.unwrap().unwrap().end, End::Drained);
    assert_eq!(begin.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn claims_that_arrive_after_a_drain_are_given_back() {
    let rig = Rig::new();
    job(&rig.inner(), 1, chunks(5)).await;
    rig.delay(Duration::from_secs(1));
    let cancellation = Cancellation::new();
    let worker = Worker::builder(rig.store()).concurrency(5).cancellation(cancellation.clone());
    let run = tokio::spawn(async move { worker.run(JOB, second).await });
    sleep(Duration::from_millis(500)).await;
    cancellation.drain();
    let summary = run.await.unwrap().unwrap();
    assert_eq!((summary.end, summary.counts.started), (End::Drained, 0));
    assert_eq!(rig.inner().get_stats(JOB).await.unwrap().pending, 5);
    assert_eq!(rig.submits().len(), 2);
}
