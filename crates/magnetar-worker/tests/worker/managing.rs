//! The write-behind: what is accepted, what is durable, and what becomes of refusals.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::SeqCst},
    },
    time::Duration,
};

use magnetar_core::{ErrorKind, JobStatus, JobStore, NewChunk, Op, Rejection};
use magnetar_memory::MemoryStore;
use magnetar_worker::{JobManager, ManagerConfig};
use tokio::time::{Instant, sleep, timeout};

use crate::support::{JOB, Rig, chunks, job, memory, until};

async fn done(manager: &JobManager, chunk: u64) {
    manager.update_status(chunk, JobStatus::Done, None, None).await.unwrap();
}

fn is_mark(op: &Op) -> bool {
    matches!(op, Op::Mark { .. })
}

#[test]
fn defaults_are_those_of_the_contract() {
    let config = ManagerConfig { batch_size: 100, flush_interval: Duration::from_millis(500), channel_capacity: 10_000 };
    assert_eq!(ManagerConfig::default(), config);
}

#[tokio::test(start_paused = true)]
async fn accepted_update_is_durable_after_a_flush_with_its_checksum_and_error() {
    let store = memory();
    job(&store, 1, chunks(2)).await;
    let (manager, _writer) = JobManager::spawn(Arc::clone(&store), JOB).await.unwrap();
    assert_eq!(manager.claim_pending_batch(2).await.unwrap().len(), 2);
    manager.update_status(1, JobStatus::Done, Some("sum".to_owned()), None).await.unwrap();
    manager.update_status(2, JobStatus::Failed, None, Some("no".to_owned())).await.unwrap();
    manager.flush().await.unwrap();
    let (one, two) = (store.get_chunk(JOB, 1).await.unwrap().unwrap(), store.get_chunk(JOB, 2).await.unwrap().unwrap());
    assert_eq!((one.status, one.checksum.as_str()), (JobStatus::Done, "sum"));
    assert_eq!((two.status, two.error.as_deref()), (JobStatus::Failed, Some("no")));
}

#[tokio::test(start_paused = true)]
async fn accepted_update_is_written_when_the_interval_is_over() {
    let rig = Rig::new();
    job(&rig.inner(), 1, chunks(2)).await;
    let (manager, _writer) = JobManager::spawn(rig.store(), JOB).await.unwrap();
    let begin = Instant::now();
    done(&manager, 1).await;
    sleep(Duration::from_millis(499)).await;
    assert_eq!(rig.submits_with(is_mark), 0);
    // A second update does not put the first off.
    done(&manager, 2).await;
    until(async || rig.submits_with(is_mark) == 1).await;
    assert!(begin.elapsed() <= Duration::from_millis(502), "{:?}", begin.elapsed());
    assert!(rig.inner().get_stats(JOB).await.unwrap().is_complete());
}

#[tokio::test(start_paused = true)]
async fn full_batch_is_written_at_once_in_one_commit() {
    let rig = Rig::new();
    job(&rig.inner(), 1, chunks(25)).await;
    let config = ManagerConfig { batch_size: 10, ..ManagerConfig::default() };
    let (manager, writer) = JobManager::spawn_with_config(rig.store(), JOB, config).await.unwrap();
    let begin = Instant::now();
    for id in 1..=25 {
        done(&manager, id).await;
    }
    until(async || rig.submits_with(is_mark) == 2).await;
    assert!(begin.elapsed() < Duration::from_millis(10));
    manager.shutdown().await.unwrap();
    writer.await.unwrap().unwrap();
    let sizes: Vec<_> = rig.submits().iter().filter(|groups| groups.iter().flatten().any(is_mark)).map(Vec::len).collect();
    assert_eq!(sizes, [10, 10, 5]);
}

#[tokio::test(start_paused = true)]
async fn caller_waits_where_too_many_updates_wait_already() {
    let rig = Rig::new();
    job(&rig.inner(), 1, chunks(10)).await;
    let config = ManagerConfig { batch_size: 1, channel_capacity: 2, ..ManagerConfig::default() };
    let (manager, _writer) = JobManager::spawn_with_config(rig.store(), JOB, config).await.unwrap();
    rig.freeze(true);
    // One is on its way, two wait.
    for id in 1..=3 {
        done(&manager, id).await;
    }
    timeout(Duration::from_mins(1), manager.update_status(4, JobStatus::Done, None, None)).await.unwrap_err();
    rig.freeze(false);
    done(&manager, 5).await;
    manager.flush().await.unwrap();
    // The fourth gave up waiting, and was not accepted.
    assert_eq!(rig.inner().get_by_status(JOB, JobStatus::Done).await.unwrap().len(), 4);
    assert_eq!(rig.inner().get_chunk(JOB, 4).await.unwrap().unwrap().status, JobStatus::Pending);
}

#[tokio::test(start_paused = true)]
async fn refused_update_is_told_and_undoes_no_other() {
    let store = memory();
    job(&store, 1, vec![NewChunk::new(1), NewChunk::new(2).depends_on([1]), NewChunk::new(3)]).await;
    let (manager, writer) = JobManager::spawn(Arc::clone(&store), JOB).await.unwrap();
    for id in [2, 77, 3] {
        done(&manager, id).await;
    }
    let error = manager.flush().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Blocked);
    assert!(error.to_string().contains("2 of the accepted updates") && error.to_string().contains("chunk 2"), "{error}");
    let refused: Vec<_> = manager.refused().into_iter().map(|refused| (refused.update.chunk_id, refused.rejection)).collect();
    assert!(matches!(refused[0], (2, Rejection::Blocked { chunk: 2, .. })), "{refused:?}");
    assert!(matches!(refused[1], (77, Rejection::ChunkNotFound { chunk: 77, .. })), "{refused:?}");
    assert_eq!(store.get_chunk(JOB, 3).await.unwrap().unwrap().status, JobStatus::Done);
    // It is told once.
    assert!(manager.refused().is_empty());
    manager.flush().await.unwrap();
    done(&manager, 77).await;
    assert_eq!(manager.shutdown().await.unwrap_err().kind(), ErrorKind::NotFound);
    writer.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn claim_that_another_has_by_now_is_a_refusal_and_never_its_end() {
    let store = memory();
    job(&store, 1, chunks(1)).await;
    let (manager, _writer) = JobManager::spawn(Arc::clone(&store), JOB).await.unwrap();
    let mine = manager.claim_pending().await.unwrap().unwrap();
    store.complete(&mine.fence().unwrap(), b"by another".to_vec()).await.unwrap();
    manager.update_status(1, JobStatus::Failed, None, Some("late".to_owned())).await.unwrap();
    assert_eq!(manager.flush().await.unwrap_err().kind(), ErrorKind::NotAllowed);
    assert_eq!(store.get_chunk(JOB, 1).await.unwrap().unwrap().status, JobStatus::Done);
}

#[tokio::test(start_paused = true)]
async fn updates_of_one_chunk_are_written_in_their_order_in_commits_of_their_own() {
    let rig = Rig::new();
    job(&rig.inner(), 1, chunks(2)).await;
    let (manager, _writer) = JobManager::spawn(rig.store(), JOB).await.unwrap();
    for status in [JobStatus::Processing, JobStatus::Pending, JobStatus::Cancelled] {
        manager.update_status(1, status, None, None).await.unwrap();
        manager.update_status(2, status, None, None).await.unwrap();
    }
    manager.flush().await.unwrap();
    assert_eq!(rig.inner().get_by_status(JOB, JobStatus::Cancelled).await.unwrap().len(), 2);
    let alone = |groups: &Vec<Vec<Op>>| groups.len() <= 2;
    assert!(rig.submits().iter().all(alone));
}

#[tokio::test(start_paused = true)]
async fn claim_that_finds_nothing_writes_first_what_may_free_something() {
    let store = memory();
    job(&store, 1, (1..=5).map(|id| NewChunk::new(id).depends_on((id > 1).then_some(id - 1))).collect()).await;
    let (manager, writer) = JobManager::spawn(Arc::clone(&store), JOB).await.unwrap();
    let begin = Instant::now();
    let mut order = Vec::new();
    while let Some(chunk) = manager.claim_pending().await.unwrap() {
        order.push(chunk.chunk);
        done(&manager, chunk.chunk).await;
    }
    assert_eq!(order, [1, 2, 3, 4, 5]);
    assert_eq!(begin.elapsed(), Duration::ZERO);
    manager.shutdown().await.unwrap();
    writer.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn nothing_is_accepted_once_shutdown_has_begun_and_everything_before_is_persisted() {
    let rig = Rig::new();
    job(&rig.inner(), 1, chunks(50)).await;
    let (manager, writer) = JobManager::spawn(rig.store(), JOB).await.unwrap();
    for id in 1..=40 {
        done(&manager, id).await;
    }
    rig.freeze(true);
    let other = manager.clone();
    let shutdown = tokio::spawn(async move { other.shutdown().await });
    sleep(Duration::from_secs(1)).await;
    assert!(!shutdown.is_finished());
    let error = manager.update_status(41, JobStatus::Done, None, None).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Closed);
    assert!(error.to_string().contains("shut down"), "{error}");
    rig.freeze(false);
    shutdown.await.unwrap().unwrap();
    writer.await.unwrap().unwrap();
    assert_eq!(rig.inner().get_stats(JOB).await.unwrap().done, 40);
    // Again it only waits, and what was claimed can still be claimed by hand.
    manager.shutdown().await.unwrap();
    manager.flush().await.unwrap();
    assert_eq!(manager.claim_pending().await.unwrap().unwrap().chunk, 41);
}

#[tokio::test(start_paused = true)]
async fn caller_that_waits_for_room_is_refused_when_shutdown_begins() {
    let rig = Rig::new();
    job(&rig.inner(), 1, chunks(10)).await;
    let config = ManagerConfig { batch_size: 1, channel_capacity: 1, ..ManagerConfig::default() };
    let (manager, writer) = JobManager::spawn_with_config(rig.store(), JOB, config).await.unwrap();
    rig.freeze(true);
    done(&manager, 1).await;
    done(&manager, 2).await;
    let (waiting, closing) = (manager.clone(), manager.clone());
    let update = tokio::spawn(async move { waiting.update_status(3, JobStatus::Done, None, None).await });
    sleep(Duration::from_secs(1)).await;
    let shutdown = tokio::spawn(async move { closing.shutdown().await });
    assert_eq!(update.await.unwrap().unwrap_err().kind(), ErrorKind::Closed);
    rig.freeze(false);
    shutdown.await.unwrap().unwrap();
    writer.await.unwrap().unwrap();
    assert_eq!(rig.inner().get_stats(JOB).await.unwrap().done, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn exactly_what_was_accepted_of_many_workers_is_persisted_by_a_shutdown_in_their_midst() {
    for round in 0..20 {
        let store: Arc<dyn JobStore> = Arc::new(MemoryStore::open().await.unwrap());
        job(&store, 1, chunks(4000)).await;
        let config = ManagerConfig { batch_size: 7, channel_capacity: 16, ..ManagerConfig::default() };
        let (manager, writer) = JobManager::spawn_with_config(Arc::clone(&store), JOB, config).await.unwrap();
        let accepted = Arc::new(AtomicU64::new(0));
        let workers: Vec<_> = (0..4)
            .map(|worker| {
                let (manager, accepted) = (manager.clone(), Arc::clone(&accepted));
                tokio::spawn(async move {
                    for id in (1..=4000).filter(|id| id % 4 == worker) {
                        if manager.update_status(id, JobStatus::Done, None, None).await.is_err() {
                            return;
                        }
                        accepted.fetch_add(1, SeqCst);
                    }
                })
            })
            .collect();
        until(async || accepted.load(SeqCst) > 50 * round).await;
        manager.shutdown().await.unwrap();
        let persisted = store.get_stats(JOB).await.unwrap().done;
        writer.await.unwrap().unwrap();
        for worker in workers {
            worker.await.unwrap();
        }
        assert_eq!(persisted, accepted.load(SeqCst));
    }
}

#[tokio::test(start_paused = true)]
async fn store_in_trouble_is_asked_again_for_as_long_as_it_takes() {
    let rig = Rig::new();
    job(&rig.inner(), 1, chunks(3)).await;
    let (manager, writer) = JobManager::spawn(rig.store(), JOB).await.unwrap();
    rig.fail_all(Some(ErrorKind::Full));
    done(&manager, 1).await;
    sleep(Duration::from_mins(10)).await;
    rig.fail_all(None);
    manager.shutdown().await.unwrap();
    writer.await.unwrap().unwrap();
    assert_eq!(rig.inner().get_stats(JOB).await.unwrap().done, 1);
}

#[tokio::test(start_paused = true)]
async fn store_that_is_gone_ends_the_manager_and_every_call_names_it() {
    let rig = Rig::new();
    job(&rig.inner(), 1, chunks(3)).await;
    let (manager, writer) = JobManager::spawn(rig.store(), JOB).await.unwrap();
    rig.fail_all(Some(ErrorKind::Poisoned));
    done(&manager, 1).await;
    done(&manager, 2).await;
    assert_eq!(manager.flush().await.unwrap_err().kind(), ErrorKind::Poisoned);
    let error = writer.await.unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Poisoned);
    assert!(error.to_string().contains("2 that were accepted"), "{error}");
    assert_eq!(manager.update_status(3, JobStatus::Done, None, None).await.unwrap_err().kind(), ErrorKind::Poisoned);
    assert_eq!(manager.claim_pending().await.unwrap_err().kind(), ErrorKind::Poisoned);
    assert_eq!(manager.shutdown().await.unwrap_err().kind(), ErrorKind::Poisoned);
}

#[tokio::test(start_paused = true)]
async fn manager_that_is_dropped_writes_what_was_accepted_and_its_handle_tells_of_refusals() {
    let store = memory();
    job(&store, 1, chunks(3)).await;
    let (manager, writer) = JobManager::spawn(Arc::clone(&store), JOB).await.unwrap();
    done(&manager, 1).await;
    done(&manager, 77).await;
    drop(manager.clone());
    drop(manager);
    assert_eq!(writer.await.unwrap().unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(store.get_stats(JOB).await.unwrap().done, 1);
}

#[tokio::test(start_paused = true)]
async fn manager_whose_writer_was_aborted_says_so() {
    let store = memory();
    job(&store, 1, chunks(3)).await;
    let (manager, writer) = JobManager::spawn(store, JOB).await.unwrap();
    done(&manager, 1).await;
    writer.abort();
    assert!(writer.await.unwrap_err().is_cancelled());
    for error in [
        manager.update_status(2, JobStatus::Done, None, None).await.unwrap_err(),
        manager.flush().await.unwrap_err(),
        manager.shutdown().await.unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::Closed);
        assert!(error.to_string().contains("aborted"), "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn shutdown_goes_on_though_its_caller_went_away() {
    let rig = Rig::new();
    job(&rig.inner(), 1, chunks(3)).await;
    let (manager, writer) = JobManager::spawn(rig.store(), JOB).await.unwrap();
    done(&manager, 1).await;
    rig.freeze(true);
    timeout(Duration::from_secs(1), manager.shutdown()).await.unwrap_err();
    rig.freeze(false);
    writer.await.unwrap().unwrap();
    assert_eq!(rig.inner().get_stats(JOB).await.unwrap().done, 1);
}

#[tokio::test(start_paused = true)]
async fn manager_that_could_write_nothing_is_refused() {
    let least = ManagerConfig::default();
    let empty = [
        ManagerConfig { batch_size: 0, ..least },
        ManagerConfig { channel_capacity: 0, ..least },
        ManagerConfig { flush_interval: Duration::ZERO, ..least },
    ];
    for config in empty {
        let error = JobManager::spawn_with_config(memory(), JOB, config).await.err().unwrap();
        assert_eq!(error.kind(), ErrorKind::Invalid);
    }
    for config in [ManagerConfig { batch_size: usize::MAX, ..least }, ManagerConfig { channel_capacity: usize::MAX, ..least }] {
        let error = JobManager::spawn_with_config(memory(), JOB, config).await.err().unwrap();
        assert_eq!(error.kind(), ErrorKind::TooLarge);
    }
    // An interval beyond all time waits for a full batch or a flush.
    let config = ManagerConfig { flush_interval: Duration::MAX, ..least };
    let store = memory();
    job(&store, 1, chunks(1)).await;
    let (manager, _writer) = JobManager::spawn_with_config(store, JOB, config).await.unwrap();
    done(&manager, 1).await;
    manager.flush().await.unwrap();
}
