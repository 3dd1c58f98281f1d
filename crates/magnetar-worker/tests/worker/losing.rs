//! Claims that are lost: how a worker notices, and that nothing of a lost attempt is written.

use std::{sync::Arc, time::Duration};

use magnetar_core::{ErrorKind, Fence, JobState, JobStatus, JobStore, NewChunk, Op};
use magnetar_memory::MemoryBackend;
use magnetar_testkit::{EmbeddedHarness, Harness};
use magnetar_worker::{Attempt, Cancelled, Completion, End, Event, Worker};
use tokio::time::{Instant, sleep};

use crate::support::{JOB, Log, Rig, chunks, job, listened, memory, nothing_in_processing, until};

fn lost(events: &Log<Event>) -> Vec<Fence> {
    events.all().into_iter().filter_map(|event| if let Event::Lost { fence } = event { Some(fence) } else { None }).collect()
}

/// Takes a chunk from whoever holds it in this session, and claims it.
async fn steal(store: &Arc<dyn JobStore>) -> JobState {
    store.mark_status(JOB, 1, JobStatus::Pending, None).await.unwrap();
    store.claim_pending(JOB).await.unwrap().unwrap()
}

#[tokio::test(start_paused = true)]
async fn handler_of_a_claim_that_was_taken_back_is_cancelled_at_the_next_check() {
    let store = memory();
    job(&store, 1, chunks(1)).await;
    let why = Log::default();
    let log = why.clone();
    let work = move |attempt: Attempt| {
        let log = log.clone();
        async move {
            log.push(attempt.cancelled().await);
            Ok::<_, String>(Completion::new("of the loser"))
        }
    };
    let (worker, events) = listened(Worker::builder(Arc::clone(&store)));
    let run = tokio::spawn(async move { worker.run(JOB, work).await });
    until(async || events.len() == 1).await;
    let (begin, stolen) = (Instant::now(), steal(&store).await);
    until(async || !lost(&events).is_empty()).await;
    assert!(begin.elapsed() <= Duration::from_millis(10_001), "{:?}", begin.elapsed());
    assert_eq!(why.all(), [Cancelled::Lost]);
    store.complete(&stolen.fence().unwrap(), b"of the winner".to_vec()).await.unwrap();
    let summary = run.await.unwrap().unwrap();
    assert_eq!((summary.counts.started, summary.counts.lost, summary.counts.done), (1, 1, 0));
    assert!(matches!(summary.end, End::Ended { stats } if stats.is_complete()));
    assert_eq!(store.get_chunk(JOB, 1).await.unwrap().unwrap().result, Some(b"of the winner".to_vec()));
}

#[tokio::test(start_paused = true)]
async fn finish_of_a_lost_claim_is_an_event_and_no_error() {
    let store = memory();
    job(&store, 1, chunks(5)).await;
    let taken = Arc::clone(&store);
    let work = move |attempt: Attempt| {
        let store = Arc::clone(&taken);
        async move {
            if (attempt.chunk().chunk, attempt.number()) == (1, 1) {
                let stolen = steal(&store).await;
                store.fail(&stolen.fence().unwrap(), "not by the worker".to_owned()).await.unwrap();
            }
            Ok::<_, String>(())
        }
    };
    let (worker, events) = listened(Worker::builder(Arc::clone(&store)));
    let summary = worker.run(JOB, work).await.unwrap();
    assert_eq!(lost(&events).len(), 1);
    assert_eq!((summary.counts.lost, summary.counts.done), (1, 4));
    assert!(matches!(summary.end, End::Ended { stats } if (stats.done, stats.failed) == (4, 1)), "{summary:?}");
}

#[tokio::test(start_paused = true)]
async fn handler_that_checks_its_claim_hears_that_it_is_lost_and_is_cancelled() {
    let store = memory();
    job(&store, 2, chunks(1)).await;
    let taken = Arc::clone(&store);
    let heard = Log::default();
    let log = heard.clone();
    let work = move |attempt: Attempt| {
        let (store, log) = (Arc::clone(&taken), log.clone());
        async move {
            assert!(attempt.check().await.is_ok() && attempt.why_cancelled().is_none());
            if attempt.number() == 1 {
                let stolen = steal(&store).await;
                store.fail(&stolen.fence().unwrap(), "not by the worker".to_owned()).await.unwrap();
                let error = attempt.check().await.unwrap_err();
                log.push((error.kind(), attempt.why_cancelled()));
                sleep(Duration::from_hours(1)).await;
            }
            Ok::<_, String>(())
        }
    };
    let summary = Worker::builder(store).run(JOB, work).await.unwrap();
    assert_eq!(heard.all(), [(ErrorKind::FenceLost, Some(Cancelled::Lost))]);
    assert_eq!((summary.counts.lost, summary.counts.done), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn chunk_that_is_lost_while_it_is_claimed_ahead_is_not_started() {
    let rig = Rig::new();
    job(&rig.inner(), 1, chunks(3)).await;
    let started = Log::default();
    let log = started.clone();
    let work = move |attempt: Attempt| {
        log.push(attempt.chunk().chunk);
        let millis = if attempt.chunk().chunk == 1 { 0 } else { 900 };
        async move {
            sleep(Duration::from_millis(millis)).await;
            Ok::<_, String>(())
        }
    };
    // A lease of 300 ms is checked each 100 ms.
    let (worker, events) = listened(Worker::builder(rig.store()).lease_time(Duration::from_millis(300)));
    let run = tokio::spawn(async move { worker.run(JOB, work).await });
    let store = rig.inner();
    until(async || started.len() == 2).await;
    store.mark_status(JOB, 3, JobStatus::Cancelled, None).await.unwrap();
    until(async || !lost(&events).is_empty()).await;
    let summary = run.await.unwrap().unwrap();
    assert_eq!(started.all(), [1, 2]);
    assert_eq!((summary.counts.started, summary.counts.done, summary.counts.lost), (2, 2, 0));
}

#[tokio::test(start_paused = true)]
async fn worker_that_cannot_reach_the_store_cancels_its_handlers_before_their_leases_are_over() {
    for is_hung in [true, false] {
        let rig = Rig::new();
        job(&rig.inner(), 1, chunks(1)).await;
        let why = Log::default();
        let log = why.clone();
        let work = move |attempt: Attempt| {
            let log = log.clone();
            async move {
                if log.len() == 0 {
                    log.push(attempt.cancelled().await);
                }
                Ok::<_, String>(())
            }
        };
        let (worker, events) = listened(Worker::builder(rig.store()).store_patience(Duration::from_hours(1)));
        let run = tokio::spawn(async move { worker.run(JOB, work).await });
        until(async || events.len() == 1).await;
        let begin = Instant::now();
        // The store does not answer, or answers that it cannot.
        rig.freeze(is_hung);
        rig.fail_all((!is_hung).then_some(ErrorKind::Busy));
        until(async || !lost(&events).is_empty()).await;
        assert!((20..=30).contains(&begin.elapsed().as_secs()), "{:?}", begin.elapsed());
        assert_eq!(why.all(), [Cancelled::Lost]);
        // The session was alive all the time, so the claim is given back when the store is there again.
        sleep(Duration::from_mins(5)).await;
        rig.freeze(false);
        rig.fail_all(None);
        let summary = run.await.unwrap().unwrap();
        assert_eq!((summary.counts.lost, summary.counts.done), (1, 1));
        let chunk = rig.inner().get_chunk(JOB, 1).await.unwrap().unwrap();
        assert_eq!((chunk.status, chunk.fails, chunk.crashes), (JobStatus::Done, 0, 0));
    }
}

#[tokio::test(start_paused = true)]
async fn claims_are_checked_at_a_third_of_the_lease_in_one_submit() {
    let rig = Rig::new();
    job(&rig.inner(), 1, chunks(20)).await;
    let work = |_: Attempt| async {
        sleep(Duration::from_secs(95)).await;
        Ok::<_, String>(())
    };
    Worker::builder(rig.store()).concurrency(20).run(JOB, work).await.unwrap();
    let checks: Vec<_> = rig
        .submits()
        .iter()
        .map(|groups| groups.iter().flatten().filter(|op| matches!(op, Op::Check { .. })).count())
        .filter(|count| *count > 0)
        .collect();
    assert_eq!(checks, [20; 9]);
}

#[tokio::test(start_paused = true)]
async fn job_that_is_deleted_ends_its_run_and_cancels_its_handlers() {
    let store = memory();
    job(&store, 1, chunks(3)).await;
    let (worker, events) = listened(Worker::builder(Arc::clone(&store)).concurrency(2));
    let work = |_: Attempt| async {
        sleep(Duration::from_hours(1)).await;
        Ok::<_, String>(())
    };
    let begin = Instant::now();
    let run = tokio::spawn(async move { worker.run(JOB, work).await });
    until(async || events.len() == 2).await;
    store.delete_job(JOB).await.unwrap();
    assert_eq!(run.await.unwrap().unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(lost(&events).len(), 2);
    assert!(begin.elapsed() < Duration::from_secs(12), "{:?}", begin.elapsed());
}

/// Two handles on one store. The worker's process is stopped for longer than its session lives, another takes its chunk, and
/// then the worker goes on.
#[tokio::test(start_paused = true)]
async fn worker_that_was_stopped_too_long_notices_and_writes_nothing() {
    let backend = MemoryBackend::default();
    let harness = EmbeddedHarness::inline(move || Box::new(backend.clone()));
    let (mine, others) = (harness.open().await, harness.open().await);
    job(&mine, 5, vec![NewChunk::new(1)]).await;
    let rig = Rig::on(Arc::clone(&mine));
    let why = Log::default();
    let log = why.clone();
    let work = move |attempt: Attempt| {
        let log = log.clone();
        async move {
            log.push(attempt.cancelled().await);
            Ok::<_, String>(Completion::new("of the stopped one"))
        }
    };
    let (worker, events) = listened(Worker::builder(rig.store()));
    let run = tokio::spawn(async move { worker.run(JOB, work).await });
    until(async || events.len() == 1).await;
    // Stopped: nothing of this handle gets through, and the store's time goes on without it.
    rig.freeze(true);
    harness.clock().advance(Duration::from_secs(40));
    let taken = others.claim_pending(JOB).await.unwrap().unwrap();
    rig.freeze(false);
    until(async || !lost(&events).is_empty()).await;
    assert_eq!(why.all(), [Cancelled::Lost]);
    others.complete(&taken.fence().unwrap(), b"of the other".to_vec()).await.unwrap();
    let summary = run.await.unwrap().unwrap();
    assert_eq!((summary.counts.lost, summary.counts.done), (1, 0));
    let chunk = mine.get_chunk(JOB, 1).await.unwrap().unwrap();
    assert_eq!((chunk.result, chunk.crashes), (Some(b"of the other".to_vec()), 1));
    nothing_in_processing(&mine).await;
}
