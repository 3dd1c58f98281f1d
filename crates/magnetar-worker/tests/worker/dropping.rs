//! Futures that are dropped: nothing that was claimed stays so, wherever the drop comes.

use std::{
    future::{Future, poll_fn},
    panic::resume_unwind,
    pin::{Pin, pin},
    sync::Arc,
    task::Poll,
    time::Duration,
};

use magnetar_core::{JobOptions, JobStatus, JobStore, NewChunk, RetryPolicy, Until};
use magnetar_memory::MemoryStore;
use magnetar_worker::{Attempt, Completion, Failure, JobManager, Worker};
use tokio::{
    runtime::{Builder, Runtime},
    task::yield_now,
    time::sleep,
};

use crate::support::{JOB, Log, Rig, chunks, job, job_with, listened, nothing_in_processing, retry, until};

/// The most polls that any of these futures needs to its end.
const POLLS_MAX: usize = 2000;

fn paused() -> Runtime {
    Builder::new_current_thread().enable_time().start_paused(true).build().unwrap()
}

/// Polls a future once.
async fn poll_once<T>(future: Pin<&mut impl Future<Output = T>>) -> Option<T> {
    let mut future = Some(future);
    poll_fn(|context| {
        let polled = future.take().unwrap().poll(context);
        Poll::Ready(if let Poll::Ready(value) = polled { Some(value) } else { None })
    })
    .await
}

/// Polls a future so many times. In between everything else has a turn, and at every second time a millisecond. Some where it has
/// ended.
async fn poll_times<T>(future: impl Future<Output = T>, times: usize) -> Option<T> {
    let mut future = pin!(future);
    for time in 0..times {
        if let Some(value) = poll_once(future.as_mut()).await {
            return Some(value);
        }
        if time % 2 == 0 {
            yield_now().await;
        } else {
            sleep(Duration::from_millis(1)).await;
        }
    }
    None
}

/// A handler of every kind: chunks that succeed, fail, fail for good, go back, wait, and panic.
async fn all_kinds(attempt: Attempt) -> Result<Completion, Failure> {
    sleep(Duration::from_millis(1)).await;
    let is_first = attempt.number() == 1;
    match attempt.chunk().chunk % 7 {
        1 if is_first => return Err(Failure::new("once")),
        2 => return Err(Failure::permanent("never")),
        // A panic without its message on the terminal, which takes most of the time there.
        3 if is_first => resume_unwind(Box::new("once")),
        4 if is_first => return Err(Failure::new("with a record").record("tail", b"k".to_vec(), b"v".to_vec())),
        5 => sleep(Duration::from_millis(20)).await,
        6 if attempt.chunk().not_before.is_none() => {
            let at = attempt.chunk().lease.unwrap().claimed_at.after(Duration::from_millis(5));
            return Err(Failure::park(Until::At(at)));
        }
        _ => {}
    }
    Ok(Completion::default())
}

#[test]
fn run_that_is_dropped_at_any_await_leaves_no_chunk_in_processing() {
    let mut is_ended = false;
    for polls in 0..POLLS_MAX {
        is_ended = paused().block_on(async {
            let rig = Rig::new();
            let soon = RetryPolicy { first_wait: Duration::from_millis(5), ..retry(2) };
            job_with(&rig.inner(), JobOptions { retry: soon, ..JobOptions::default() }, chunks(14)).await;
            rig.delay(Duration::from_millis(1));
            let worker = Worker::builder(rig.store()).concurrency(3).attempt_timeout(Duration::from_millis(10));
            let ended = poll_times(worker.run(JOB, all_kinds), polls).await;
            nothing_in_processing(&rig.inner()).await;
            // Nothing crashed, and all can be done by the next run.
            let rest = Worker::builder(rig.store()).concurrency(3).run(JOB, |_: Attempt| async { Ok::<_, String>(()) }).await;
            rest.unwrap();
            let stats = rig.inner().get_stats(JOB).await.unwrap();
            assert_eq!(stats.open(), 0, "{stats:?}");
            let crashed = rig.inner().get_by_status(JOB, JobStatus::Done).await.unwrap().iter().any(|chunk| chunk.crashes > 0);
            assert!(!crashed, "dropped after {polls} polls");
            ended.is_some()
        });
        if is_ended {
            break;
        }
    }
    assert!(is_ended, "the run never ended by itself");
}

#[test]
fn outcome_of_a_handler_that_was_over_is_written_though_the_run_is_dropped() {
    for is_seen_by_the_run in [true, false] {
        paused().block_on(async {
            let rig = Rig::new();
            job(&rig.inner(), 2, chunks(4)).await;
            let worker = Worker::builder(rig.store()).concurrency(4);
            let work = |attempt: Attempt| async move {
                match attempt.chunk().chunk {
                    3 => return Err("no"),
                    4 => sleep(Duration::from_hours(1)).await,
                    _ => {}
                }
                Ok(Completion::new("done"))
            };
            let mut run = Box::pin(worker.run(JOB, work));
            // The claim; then handlers end while no commit comes through.
            assert!(poll_once(run.as_mut()).await.is_none());
            rig.freeze(true);
            sleep(Duration::from_millis(1)).await;
            if is_seen_by_the_run {
                assert!(poll_once(run.as_mut()).await.is_none());
            }
            drop(run);
            rig.freeze(false);
            nothing_in_processing(&rig.inner()).await;
            let stats = rig.inner().get_stats(JOB).await.unwrap();
            assert_eq!((stats.done, stats.pending), (2, 2));
            for (id, fails) in [(3, 1), (4, 0)] {
                assert_eq!(rig.inner().get_chunk(JOB, id).await.unwrap().unwrap().fails, fails, "chunk {id}");
            }
        });
    }
}

#[tokio::test(start_paused = true)]
async fn handlers_of_a_dropped_run_are_dropped() {
    struct Dropped(Log<()>);

    impl Drop for Dropped {
        fn drop(&mut self) {
            self.0.push(());
        }
    }

    let rig = Rig::new();
    job(&rig.inner(), 1, chunks(5)).await;
    let dropped = Log::default();
    let log = dropped.clone();
    let work = move |_: Attempt| {
        let guard = Dropped(log.clone());
        async move {
            let _guard = guard;
            sleep(Duration::from_hours(1)).await;
            Ok::<_, String>(())
        }
    };
    // A grace is for handlers of a run that is there.
    let worker = Worker::builder(rig.store()).concurrency(5).cancel_grace(Duration::from_hours(1));
    assert!(poll_times(worker.run(JOB, work), 3).await.is_none());
    nothing_in_processing(&rig.inner()).await;
    assert_eq!(dropped.len(), 5);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn runs_that_are_aborted_on_many_threads_leave_nothing_in_processing() {
    let store: Arc<dyn JobStore> = Arc::new(MemoryStore::open().await.unwrap());
    job(&store, 1, chunks(5000)).await;
    for round in 0..60 {
        let (worker, events) = listened(Worker::builder(Arc::clone(&store)).concurrency(16));
        let work = |attempt: Attempt| async move {
            if attempt.chunk().chunk.is_multiple_of(3) {
                yield_now().await;
            }
            Ok::<_, String>(())
        };
        let run = tokio::spawn(async move { worker.run(JOB, work).await });
        until(async || events.len() > 13 * round || run.is_finished()).await;
        run.abort();
        drop(run.await);
        until(async || store.get_stats(JOB).await.unwrap().processing == 0).await;
    }
    nothing_in_processing(&store).await;
    let stats = store.get_stats(JOB).await.unwrap();
    assert_eq!((stats.failed, stats.skipped), (0, 0));
    assert!(stats.done > 0);
}

#[test]
fn runtime_that_ends_gives_back_what_its_worker_held() {
    let single = || Builder::new_current_thread().enable_time().build().unwrap();
    let many = Builder::new_multi_thread().worker_threads(2).enable_time().build().unwrap();
    for runtime in [single(), many] {
        let store = runtime.block_on(async {
            let store: Arc<dyn JobStore> = Arc::new(MemoryStore::open().await.unwrap());
            job(&store, 1, (1..=100).map(|id| NewChunk::new(id).priority(i16::from(id == 1))).collect()).await;
            let work = |attempt: Attempt| async move {
                if attempt.chunk().chunk > 1 {
                    sleep(Duration::from_hours(1)).await;
                }
                Ok::<_, String>(())
            };
            let (worker, events) = listened(Worker::builder(Arc::clone(&store)).concurrency(4));
            tokio::spawn(async move { worker.run(JOB, work).await });
            until(async || events.len() > 6).await;
            store
        });
        drop(runtime);
        single().block_on(nothing_in_processing(&store));
    }
}

#[test]
fn run_that_is_dropped_as_the_last_thing_of_its_runtime_gives_back_what_it_held() {
    let begin = Builder::new_current_thread().enable_time().build().unwrap();
    let rig = begin.block_on(async {
        let rig = Rig::on(Arc::new(MemoryStore::open().await.unwrap()));
        job(&rig.inner(), 1, chunks(10)).await;
        let hang = |_: Attempt| async {
            sleep(Duration::from_hours(1)).await;
            Ok::<_, String>(())
        };
        let worker = Worker::builder(rig.store()).concurrency(4);
        tokio::select! {
            biased;
            _ = worker.run(JOB, hang) => panic!("it hangs"),
            () = until(async || rig.inner().get_stats(JOB).await.unwrap().processing == 4) => {}
        }
        rig
    });
    drop(begin);
    let after = Builder::new_current_thread().enable_time().build().unwrap();
    after.block_on(nothing_in_processing(&rig.inner()));
}

#[test]
fn manager_calls_that_are_dropped_at_any_await_lose_nothing_that_was_accepted() {
    let mut is_ended = false;
    for polls in 0..POLLS_MAX {
        is_ended = paused().block_on(async {
            let rig = Rig::new();
            job(&rig.inner(), 1, vec![NewChunk::new(1), NewChunk::new(2).depends_on([1]), NewChunk::new(3)]).await;
            rig.delay(Duration::from_millis(1));
            let (manager, writer) = JobManager::spawn(rig.store(), JOB).await.unwrap();
            let accepted = Log::default();
            let calls = async {
                for id in [1, 3] {
                    let chunk = manager.claim_pending().await.unwrap().unwrap();
                    assert_eq!(chunk.chunk, id);
                    manager.update_status(id, JobStatus::Done, None, None).await.unwrap();
                    accepted.push(id);
                }
                // Nothing is ready until what was accepted is written.
                assert_eq!(manager.claim_pending().await.unwrap().unwrap().chunk, 2);
                manager.update_status(2, JobStatus::Pending, None, None).await.unwrap();
                manager.flush().await.unwrap();
                manager.shutdown().await.unwrap();
            };
            let ended = poll_times(calls, polls).await;
            manager.shutdown().await.unwrap();
            writer.await.unwrap().unwrap();
            let done: Vec<_> = rig.inner().get_by_status(JOB, JobStatus::Done).await.unwrap();
            assert_eq!(done.iter().map(|chunk| chunk.chunk).collect::<Vec<_>>(), accepted.all());
            // What was claimed and handed to the caller is the caller's; a claim that was dropped on its way is nobody's.
            let processing = rig.inner().get_stats(JOB).await.unwrap().processing;
            assert!(processing <= 1, "{processing}");
            ended.is_some()
        });
        if is_ended {
            break;
        }
    }
    assert!(is_ended, "the calls never ended by themselves");
}
