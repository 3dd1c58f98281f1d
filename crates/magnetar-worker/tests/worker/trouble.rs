//! Stores that are in trouble for a while, and stores that are gone.

use std::{sync::Arc, time::Duration};

use magnetar_core::{ErrorKind, JobStatus};
use magnetar_worker::{Attempt, Cancellation, Cancelled, Completion, End, Event, Worker};
use tokio::time::{Instant, sleep};

use crate::support::{JOB, Log, Rig, chunks, job, listened, nothing_in_processing, until};

async fn second(attempt: Attempt) -> Result<Completion, String> {
    sleep(Duration::from_secs(1)).await;
    Ok(Completion::new(attempt.chunk().chunk.to_string()))
}

#[tokio::test(start_paused = true)]
async fn store_that_is_in_trouble_is_asked_again_and_no_outcome_is_lost() {
    for kind in [ErrorKind::Busy, ErrorKind::Full, ErrorKind::Unavailable] {
        let rig = Rig::new();
        job(&rig.inner(), 1, chunks(6)).await;
        let runs = Log::default();
        let log = runs.clone();
        let work = move |attempt: Attempt| {
            log.push(attempt.chunk().chunk);
            second(attempt)
        };
        let (worker, events) = listened(Worker::builder(rig.store()).concurrency(3));
        let run = tokio::spawn(async move { worker.run(JOB, work).await });
        sleep(Duration::from_millis(500)).await;
        rig.fail_all(Some(kind));
        sleep(Duration::from_secs(50)).await;
        rig.fail_all(None);
        let summary = run.await.unwrap().unwrap();
        assert_eq!((summary.counts.started, summary.counts.done, runs.len()), (6, 6, 6), "{kind:?}");
        assert_eq!(rig.inner().get_chunk(JOB, 2).await.unwrap().unwrap().result, Some(b"2".to_vec()));
        let tries = events.all().iter().filter(|event| matches!(event, Event::StoreTrouble { .. })).count();
        // It waits longer each time, up to a second.
        assert!((40..80).contains(&tries), "{tries} tries");
    }
}

#[tokio::test(start_paused = true)]
async fn every_submit_may_fail_once_and_all_is_done_once() {
    let rig = Rig::new();
    job(&rig.inner(), 1, chunks(200)).await;
    rig.fail_next((0..50).map(|_| ErrorKind::Busy));
    let summary = Worker::builder(rig.store()).concurrency(8).run(JOB, second).await.unwrap();
    assert_eq!((summary.counts.started, summary.counts.done), (200, 200));
    assert_eq!(rig.failed.load(std::sync::atomic::Ordering::SeqCst), 50);
}

#[tokio::test(start_paused = true)]
async fn claim_and_check_that_met_a_busy_store_go_again_shortly() {
    let rig = Rig::new();
    job(&rig.inner(), 1, chunks(1)).await;
    rig.fail_next([ErrorKind::Busy]);
    let (worker, events) = listened(Worker::builder(rig.store()).poll_interval(Duration::from_hours(1)));
    let hang = |_: Attempt| async {
        sleep(Duration::from_hours(1)).await;
        Ok::<_, String>(())
    };
    let begin = Instant::now();
    let run = tokio::spawn(async move { worker.run(JOB, hang).await });
    until(async || events.len() == 2).await;
    assert!(begin.elapsed() < Duration::from_millis(20), "{:?}", begin.elapsed());
    rig.inner().mark_status(JOB, 1, JobStatus::Cancelled, None).await.unwrap();
    rig.fail_next([ErrorKind::Busy]);
    // The first check is at ten seconds, the next would be at twenty.
    run.await.unwrap().unwrap();
    assert!(begin.elapsed() < Duration::from_secs(11), "{:?}", begin.elapsed());
}

#[tokio::test(start_paused = true)]
async fn store_that_stays_in_trouble_ends_the_run_with_its_error_and_then_gets_what_was_done() {
    let rig = Rig::new();
    job(&rig.inner(), 1, chunks(2)).await;
    let worker = Worker::builder(rig.store()).store_patience(Duration::from_secs(10));
    let run = tokio::spawn(async move { worker.run(JOB, second).await });
    sleep(Duration::from_millis(500)).await;
    let begin = Instant::now();
    rig.fail_all(Some(ErrorKind::Full));
    let error = run.await.unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Full);
    assert!((10..=12).contains(&begin.elapsed().as_secs()), "{:?}", begin.elapsed());
    // The device has room again a moment later, and the outcome was not thrown away.
    rig.fail_all(None);
    let store = rig.inner();
    until(async || store.get_chunk(JOB, 1).await.unwrap().unwrap().status == JobStatus::Done).await;
}

#[tokio::test(start_paused = true)]
async fn store_that_is_gone_ends_the_run_with_its_error_after_the_handlers_were_cancelled() {
    for kind in [ErrorKind::Poisoned, ErrorKind::Closed, ErrorKind::Forked, ErrorKind::Corrupt, ErrorKind::Backend] {
        let rig = Rig::new();
        job(&rig.inner(), 1, chunks(3)).await;
        let why = Log::default();
        let log = why.clone();
        let work = move |attempt: Attempt| {
            let log = log.clone();
            async move {
                if attempt.chunk().chunk == 1 {
                    sleep(Duration::from_secs(1)).await;
                } else {
                    log.push(attempt.cancelled().await);
                }
                Ok::<_, String>(())
            }
        };
        let worker = Worker::builder(rig.store()).concurrency(3);
        let run = tokio::spawn(async move { worker.run(JOB, work).await });
        sleep(Duration::from_millis(500)).await;
        rig.fail_all(Some(kind));
        let error = run.await.unwrap().unwrap_err();
        assert_eq!((error.kind(), why.all()), (kind, vec![Cancelled::Aborted; 2]));
    }
}

#[tokio::test(start_paused = true)]
async fn store_that_was_closed_ends_an_idle_worker_too() {
    let rig = Rig::new();
    let worker = Worker::builder(rig.store());
    let serve = tokio::spawn(async move { worker.serve([JOB], second).await });
    sleep(Duration::from_secs(5)).await;
    rig.inner().close().await.unwrap();
    assert_eq!(serve.await.unwrap().unwrap_err().kind(), ErrorKind::Closed);
}

#[tokio::test(start_paused = true)]
async fn aborted_worker_does_not_wait_long_for_a_store_in_trouble() {
    let rig = Rig::new();
    job(&rig.inner(), 1, chunks(2)).await;
    let cancellation = Cancellation::new();
    let worker = Worker::builder(rig.store()).cancellation(cancellation.clone()).store_patience(Duration::from_hours(1));
    let run = tokio::spawn(async move { worker.run(JOB, second).await });
    sleep(Duration::from_millis(500)).await;
    rig.fail_all(Some(ErrorKind::Busy));
    let begin = Instant::now();
    cancellation.abort();
    assert_eq!(run.await.unwrap().unwrap_err().kind(), ErrorKind::Busy);
    assert!(begin.elapsed() <= Duration::from_secs(7), "{:?}", begin.elapsed());
    rig.fail_all(None);
    nothing_in_processing(&rig.inner()).await;
}

#[tokio::test(start_paused = true)]
async fn drained_worker_waits_for_a_store_in_trouble() {
    let rig = Rig::new();
    job(&rig.inner(), 1, chunks(2)).await;
    let cancellation = Cancellation::new();
    let worker = Worker::builder(rig.store()).cancellation(cancellation.clone());
    let run = tokio::spawn(async move { worker.run(JOB, second).await });
    sleep(Duration::from_millis(500)).await;
    rig.fail_all(Some(ErrorKind::Busy));
    cancellation.drain();
    sleep(Duration::from_secs(30)).await;
    rig.fail_all(None);
    let summary = run.await.unwrap().unwrap();
    assert_eq!((summary.end, summary.counts.done), (End::Drained, 1));
}

/// A store that answers fewer groups than it was asked.
mod short {
    use async_trait::async_trait;
    use magnetar_core::{Answer, Capabilities, Durability, Group, JobStore, Query, Rejection, Reply, Result, Sharing};

    pub(super) struct Short;

    #[async_trait]
    impl JobStore for Short {
        async fn submit(&self, _groups: Vec<Group>) -> Result<Vec<Result<Vec<Reply>, Rejection>>> {
            Ok(Vec::new())
        }

        async fn read(&self, _query: Query) -> Result<Answer> {
            Ok(Answer::Job(None))
        }

        async fn watch(&self, _seen: u64) -> Result<u64> {
            std::future::pending().await
        }

        fn capabilities(&self) -> Capabilities {
            Capabilities::new("short", Durability::Volatile, Sharing::OneHandle)
        }

        async fn close(&self) -> Result<()> {
            Ok(())
        }
    }
}

#[tokio::test(start_paused = true)]
async fn store_that_does_not_answer_what_it_was_asked_ends_the_run() {
    let error = Worker::builder(Arc::new(short::Short)).run(JOB, second).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Backend);
}

#[tokio::test(start_paused = true)]
async fn store_that_never_answers_ends_the_run_and_its_claims_come_back() {
    for is_aborted in [false, true] {
        let rig = Rig::new();
        job(&rig.inner(), 1, chunks(2)).await;
        let cancellation = Cancellation::new();
        let worker = Worker::builder(rig.store()).cancellation(cancellation.clone());
        let run = tokio::spawn(async move { worker.run(JOB, second).await });
        sleep(Duration::from_millis(500)).await;
        rig.freeze(true);
        let begin = Instant::now();
        if is_aborted {
            cancellation.abort();
        }
        assert_eq!(run.await.unwrap().unwrap_err().kind(), ErrorKind::Unavailable);
        let most = if is_aborted { 5 } else { 62 };
        assert!(begin.elapsed().as_secs() <= most, "{:?}", begin.elapsed());
        rig.freeze(false);
        nothing_in_processing(&rig.inner()).await;
    }
}

#[tokio::test(start_paused = true)]
async fn process_that_was_stopped_for_long_goes_on_with_what_it_holds() {
    let rig = Rig::new();
    job(&rig.inner(), 1, chunks(6)).await;
    let work = |attempt: Attempt| async move {
        sleep(Duration::from_secs(if attempt.chunk().chunk == 1 { 400 } else { 1 })).await;
        Ok::<_, String>(())
    };
    let worker = Worker::builder(rig.store()).concurrency(3);
    let run = tokio::spawn(async move { worker.run(JOB, work).await });
    sleep(Duration::from_millis(9500)).await;
    // A check is on its way when the process is stopped, and its time goes on without it.
    rig.freeze(true);
    sleep(Duration::from_secs(1)).await;
    tokio::time::advance(Duration::from_mins(5)).await;
    // The worker goes on before the store does.
    sleep(Duration::from_millis(10)).await;
    rig.freeze(false);
    let summary = run.await.unwrap().unwrap();
    assert_eq!((summary.counts.started, summary.counts.done, summary.counts.lost), (6, 6, 0), "{summary:?}");
}
