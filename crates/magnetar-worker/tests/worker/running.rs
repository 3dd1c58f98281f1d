//! What is run, in which order, how many at once, and when a run is over.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use magnetar_core::{ErrorKind, JobOptions, JobRef, JobSpec, JobStatus, JobStore, NewChunk, OnFailure, Op};
use magnetar_memory::MemoryStore;
use magnetar_worker::{Attempt, Cancellation, Completion, End, Event, Failure, Worker};
use tokio::time::{Instant, sleep};

use crate::support::{JOB, Log, Rig, chunks, job, job_with, listened, memory, retry, until};

#[tokio::test(start_paused = true)]
async fn every_chunk_is_run_once_and_after_all_it_depends_on() {
    let store = memory();
    let diamond = vec![
        NewChunk::new(1).depends_on([2, 3]),
        NewChunk::new(2).depends_on([4]),
        NewChunk::new(3).depends_on([4]),
        NewChunk::new(4),
    ];
    job(&store, 1, diamond).await;
    let order = Log::default();
    let seen = order.clone();
    let work = move |attempt: Attempt| {
        let seen = seen.clone();
        async move {
            sleep(Duration::from_millis(10 * attempt.chunk().chunk)).await;
            seen.push(attempt.chunk().chunk);
            Ok::<_, String>(())
        }
    };
    let summary = Worker::builder(Arc::clone(&store)).concurrency(4).run(JOB, work).await.unwrap();
    assert_eq!(order.all(), [4, 2, 3, 1]);
    assert!(matches!(summary.end, End::Ended { stats } if stats.is_complete()), "{summary:?}");
    assert_eq!((summary.counts.started, summary.counts.done), (4, 4));
}

#[tokio::test(start_paused = true)]
async fn as_many_handlers_run_at_once_as_told_and_no_more() {
    let store = memory();
    job(&store, 1, chunks(100)).await;
    let running = Arc::new(AtomicUsize::new(0));
    let most = Arc::new(AtomicUsize::new(0));
    let (now, peak) = (Arc::clone(&running), Arc::clone(&most));
    let work = move |_: Attempt| {
        let (now, peak) = (Arc::clone(&now), Arc::clone(&peak));
        async move {
            peak.fetch_max(now.fetch_add(1, SeqCst) + 1, SeqCst);
            sleep(Duration::from_millis(1)).await;
            now.fetch_sub(1, SeqCst);
            Ok::<_, String>(())
        }
    };
    Worker::builder(store).concurrency(7).run(JOB, work).await.unwrap();
    assert_eq!(most.load(SeqCst), 7);
    assert_eq!(running.load(SeqCst), 0);
}

#[tokio::test(start_paused = true)]
async fn result_checksum_records_and_chunks_become_durable_with_the_end() {
    let rig = Rig::new();
    job(&rig.store(), 1, chunks(1)).await;
    let more = Op::Insert { job: JobRef::Id(JOB), chunks: vec![NewChunk::new(2)].into() };
    let work = move |attempt: Attempt| {
        let completion = Completion::new(b"result".to_vec()).checksum("sum").record("tail", b"1".to_vec(), b"out".to_vec());
        let more = more.clone();
        async move { Ok::<_, String>(if attempt.chunk().chunk == 1 { completion.with(more) } else { Completion::from(()) }) }
    };
    let summary = Worker::builder(rig.store()).run(JOB, work).await.unwrap();
    assert_eq!(summary.counts.done, 2);
    let chunk = rig.inner().get_chunk(JOB, 1).await.unwrap().unwrap();
    assert_eq!((chunk.result, chunk.checksum.as_str()), (Some(b"result".to_vec()), "sum"));
    assert_eq!(rig.inner().get_record("tail", b"1").await.unwrap().unwrap().value, b"out");
    let whole = |group: &Vec<Op>| matches!(group.as_slice(), [Op::Complete { .. }, Op::PutRecord { .. }, Op::Insert { .. }]);
    assert!(rig.submits().iter().flatten().any(whole));
}

#[tokio::test(start_paused = true)]
async fn attempts_are_numbered_and_share_one_idempotency_key() {
    let store = memory();
    job(&store, 3, vec![NewChunk::new(1), NewChunk::new(2).key("order-7")]).await;
    let seen = Log::default();
    let log = seen.clone();
    let work = move |attempt: Attempt| {
        log.push((attempt.idempotency_key(), attempt.number(), attempt.fence().token()));
        async { Err::<(), _>("no") }
    };
    Worker::builder(store).run(JOB, work).await.unwrap();
    let mut seen = seen.all();
    seen.sort();
    let tried: Vec<_> = seen.iter().map(|(key, number, _)| (key.as_str(), *number)).collect();
    assert_eq!(tried, [("1:1", 1), ("1:1", 2), ("1:1", 3), ("order-7", 1), ("order-7", 2), ("order-7", 3)]);
    assert!(seen.is_sorted_by_key(|(key, _, token)| (key.clone(), *token)), "{seen:?}");
}

#[tokio::test(start_paused = true)]
async fn run_of_a_job_without_open_chunks_ends_at_once() {
    let store = memory();
    job(&store, 1, Vec::new()).await;
    let begin = Instant::now();
    let summary = Worker::builder(store).run(JOB, |_: Attempt| async { Ok::<_, String>(()) }).await.unwrap();
    assert!(matches!(summary.end, End::Ended { stats } if stats.total_chunks == 0));
    assert_eq!(begin.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn run_of_a_job_that_is_not_there_is_not_found() {
    let error = Worker::builder(memory()).run(JOB, |_: Attempt| async { Ok::<_, String>(()) }).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(error.to_string().contains("job 1"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn run_ends_stalled_where_only_held_chunks_are_open() {
    let store = memory();
    let options = JobOptions { retry: retry(1), on_failure: OnFailure::Hold };
    job_with(&store, options, vec![NewChunk::new(1), NewChunk::new(2).depends_on([1]), NewChunk::new(3)]).await;
    let work = |attempt: Attempt| async move { if attempt.chunk().chunk == 1 { Err("no") } else { Ok(()) } };
    let summary = Worker::builder(store).run(JOB, work).await.unwrap();
    let End::Stalled { stats } = summary.end else { panic!("{summary:?}") };
    assert_eq!((stats.done, stats.failed, stats.held), (1, 1, 1));
}

#[tokio::test(start_paused = true)]
async fn run_waits_for_chunks_that_others_work_on() {
    let store = memory();
    job(&store, 1, vec![NewChunk::new(1), NewChunk::new(2).depends_on([1])]).await;
    let other = store.claim_pending(JOB).await.unwrap().unwrap().fence().unwrap();
    let (worker, events) = listened(Worker::builder(Arc::clone(&store)));
    let run = tokio::spawn(async move { worker.run(JOB, |_: Attempt| async { Ok::<_, String>(()) }).await });
    until(async || events.all().iter().any(|event| matches!(event, Event::Idle { stats } if stats.processing == 1))).await;
    store.complete(&other, Vec::new()).await.unwrap();
    let summary = run.await.unwrap().unwrap();
    assert_eq!(summary.counts.done, 1);
    assert!(matches!(summary.end, End::Ended { stats } if stats.done == 2));
}

#[tokio::test(start_paused = true)]
async fn paused_job_is_waited_for() {
    let store = memory();
    job(&store, 1, chunks(1)).await;
    store.pause(JOB).await.unwrap();
    let (worker, events) = listened(Worker::builder(Arc::clone(&store)));
    let run = tokio::spawn(async move { worker.run(JOB, |_: Attempt| async { Ok::<_, String>(()) }).await });
    until(async || events.len() > 1).await;
    assert!(events.all().iter().all(|event| matches!(event, Event::Idle { .. })));
    store.resume(JOB).await.unwrap();
    assert_eq!(run.await.unwrap().unwrap().counts.done, 1);
}

#[tokio::test(start_paused = true)]
async fn chunks_of_other_lanes_are_left_to_others() {
    let store = memory();
    job(&store, 1, vec![NewChunk::new(1), NewChunk::new(2).lane("gpu"), NewChunk::new(3).lane("gpu")]).await;
    let run = |lanes: &[&str]| {
        let seen = Log::default();
        let log = seen.clone();
        let work = move |attempt: Attempt| {
            log.push(attempt.chunk().chunk);
            async { Ok::<_, String>(()) }
        };
        let worker = Worker::builder(Arc::clone(&store)).lanes(lanes.iter().copied());
        (tokio::spawn(async move { worker.run(JOB, work).await }), seen)
    };
    let (plain, of_plain) = run(&[""]);
    until(async || of_plain.len() == 1).await;
    sleep(Duration::from_secs(10)).await;
    assert!(!plain.is_finished());
    let (gpu, of_gpu) = run(&["gpu", ""]);
    plain.await.unwrap().unwrap();
    gpu.await.unwrap().unwrap();
    assert_eq!((of_plain.all(), of_gpu.all()), (vec![1], vec![2, 3]));
}

#[tokio::test(start_paused = true)]
async fn worker_without_a_lane_or_a_job_is_refused() {
    let work = |_: Attempt| async { Ok::<_, String>(()) };
    let error = Worker::builder(memory()).lanes(Vec::<String>::new()).run(JOB, work).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert_eq!(Worker::builder(memory()).serve([], work).await.unwrap_err().kind(), ErrorKind::Invalid);
    let error = Worker::builder(memory()).serve(0..2000, work).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooLarge);
}

#[tokio::test(start_paused = true)]
async fn serving_worker_takes_what_comes_in_any_of_its_jobs_until_it_is_drained() {
    let store = memory();
    let cancellation = Cancellation::new();
    let worker = Worker::builder(Arc::clone(&store)).cancellation(cancellation.clone());
    let serve = tokio::spawn(async move { worker.serve([JOB, 2], |_: Attempt| async { Ok::<_, String>(()) }).await });
    for id in [JOB, 2, JOB] {
        sleep(Duration::from_mins(5)).await;
        store.ensure_job(JobRef::Id(id), JobSpec::default()).await.unwrap();
        store.insert(id, vec![NewChunk::numbered()]).await.unwrap();
        until(async || store.get_stats(id).await.unwrap().is_complete()).await;
    }
    assert!(!serve.is_finished());
    cancellation.drain();
    let summary = serve.await.unwrap().unwrap();
    assert_eq!((summary.end, summary.counts.done), (End::Drained, 3));
}

#[tokio::test(start_paused = true)]
async fn chunk_that_comes_while_an_empty_claim_is_on_its_way_back_is_taken_at_once() {
    let rig = Rig::new();
    let store = rig.inner();
    job(&store, 1, Vec::new()).await;
    rig.delay_answers(Duration::from_millis(100));
    let cancellation = Cancellation::new();
    let worker = Worker::builder(rig.store()).cancellation(cancellation.clone()).poll_interval(Duration::from_hours(1));
    let serve = tokio::spawn(async move { worker.serve([JOB], |_: Attempt| async { Ok::<_, String>(()) }).await });
    sleep(Duration::from_millis(50)).await;
    store.insert(JOB, chunks(1)).await.unwrap();
    let begin = Instant::now();
    until(async || store.get_stats(JOB).await.unwrap().is_complete()).await;
    assert!(begin.elapsed() < Duration::from_millis(400), "{:?}", begin.elapsed());
    cancellation.drain();
    serve.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn two_workers_share_a_job_and_both_see_its_end() {
    let store = memory();
    job(&store, 1, chunks(100)).await;
    let run = || {
        let worker = Worker::builder(Arc::clone(&store)).concurrency(3);
        let work = |_: Attempt| async {
            sleep(Duration::from_millis(5)).await;
            Ok::<_, Failure>(())
        };
        tokio::spawn(async move { worker.run(JOB, work).await })
    };
    let (one, other) = (run(), run());
    let (one, other) = (one.await.unwrap().unwrap(), other.await.unwrap().unwrap());
    assert_eq!(one.counts.done + other.counts.done, 100);
    assert!(one.counts.done > 0 && other.counts.done > 0);
    assert_eq!(one.end, other.end);
    assert_eq!(store.get_by_status(JOB, JobStatus::Done).await.unwrap().len(), 100);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn run_on_many_threads_and_a_store_with_a_thread_of_its_own_does_everything_once() {
    let store: Arc<dyn JobStore> = Arc::new(MemoryStore::open().await.unwrap());
    let graph = (1..=3000).map(|id| NewChunk::new(id).depends_on((id > 50).then_some(id / 2))).collect();
    job(&store, 1, graph).await;
    let runs: Arc<Vec<AtomicUsize>> = Arc::new((0..=3000).map(|_| AtomicUsize::new(0)).collect());
    let counted = Arc::clone(&runs);
    let work = move |attempt: Attempt| {
        let runs = Arc::clone(&counted);
        async move {
            tokio::task::yield_now().await;
            runs[usize::try_from(attempt.chunk().chunk).unwrap()].fetch_add(1, SeqCst);
            Ok::<_, String>(())
        }
    };
    let summary = Worker::builder(Arc::clone(&store)).concurrency(16).run(JOB, work).await.unwrap();
    assert!(matches!(summary.end, End::Ended { stats } if stats.is_complete()), "{summary:?}");
    assert!(runs.iter().skip(1).all(|runs| runs.load(SeqCst) == 1));
}
