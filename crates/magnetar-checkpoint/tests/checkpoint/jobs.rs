//! A store of jobs, saved and brought back.

use std::sync::Arc;

use futures_lite::future::block_on;
use magnetar_checkpoint::CheckpointError;
use magnetar_core::{ErrorKind, Expect, JobRef, JobSpec, JobStatus, JobStore, NewChunk, Op};
use magnetar_memory::MemoryStore;

use crate::support::{Place, numbered};

pub(crate) const JOB: i64 = 7;

pub(crate) fn empty_store() -> Arc<dyn JobStore> {
    Arc::new(block_on(MemoryStore::open()).unwrap())
}

/// A store with a job of so many chunks.
pub(crate) fn store_with_chunks(chunks: u64) -> Arc<dyn JobStore> {
    let store = empty_store();
    block_on(async {
        let spec = JobSpec { name: Some("encode".to_owned()), ..JobSpec::default() };
        store.ensure_job(JobRef::Id(JOB), spec).await.unwrap();
        store.insert(JOB, (1..=chunks).map(NewChunk::new).collect()).await.unwrap();
    });
    store
}

/// Completes the next chunk, and counts it in a record, in one commit.
pub(crate) fn complete_one(store: &dyn JobStore, count: u64) {
    block_on(async {
        let claimed = store.claim_pending(JOB).await.unwrap().unwrap();
        let complete = Op::Complete { fence: claimed.fence().unwrap(), result: vec![0xff, 0], checksum: None };
        let value = Some(count.to_string().into_bytes());
        let record = Op::PutRecord { space: "counts".to_owned(), key: b"done".to_vec(), value, expect: Expect::Any };
        store.apply(vec![complete, record]).await.unwrap();
    });
}

#[test]
fn store_comes_back_with_everything_and_fences_who_worked_for_the_lost_one() {
    let place = Place::new();
    let store = store_with_chunks(4);
    complete_one(&*store, 1);
    let held = block_on(store.claim_pending(JOB)).unwrap().unwrap();
    let saved = block_on(place.manager(3).save_jobs(&*store)).unwrap();
    assert_eq!((saved.sequence, saved.warnings.len()), (1, 0));

    let manager = place.manager(3);
    let restored = empty_store();
    let found = block_on(manager.restore_into(&*restored)).unwrap();
    assert_eq!((found.restored.jobs, found.restored.chunks, found.restored.records), (1, 4, 1));
    assert_eq!((found.from.checkpoint.sequence, found.from.is_fallback()), (1, false));
    assert_eq!(found.from.checkpoint.queued_jobs, ["encode"]);
    block_on(async {
        let stats = restored.get_stats(JOB).await.unwrap();
        assert_eq!((stats.done, stats.pending, stats.processing), (1, 3, 0));
        let done = restored.get_chunk(JOB, 1).await.unwrap().unwrap();
        assert_eq!(done.status, JobStatus::Done);
        let again = restored.claim_pending(JOB).await.unwrap().unwrap();
        assert_eq!(again.chunk, held.chunk);
        let (old, new) = (held.fence().unwrap(), again.fence().unwrap());
        assert!(new.token() > old.token());
        let stale = restored.complete(&old, Vec::new()).await.unwrap_err();
        assert_eq!(stale.kind(), ErrorKind::FenceLost);
    });
}

#[test]
fn store_that_has_the_job_is_left_as_it_is() {
    let place = Place::new();
    let manager = place.manager(3);
    let store = store_with_chunks(2);
    block_on(manager.save_jobs(&*store)).unwrap();
    complete_one(&*store, 1);
    match block_on(manager.restore_into(&*store)) {
        Err(CheckpointError::Store { source, .. }) => assert_eq!(source.kind(), ErrorKind::Conflict),
        other => panic!("{other:?}"),
    }
    assert_eq!(block_on(store.get_stats(JOB)).unwrap().done, 1);
}

#[test]
fn checkpoint_without_jobs_is_no_store() {
    let place = Place::new();
    let manager = place.manager(3);
    let store = empty_store();
    assert!(matches!(block_on(manager.restore_into(&*store)), Err(CheckpointError::Nothing { .. })));
    manager.save_checkpoint(numbered(1)).unwrap();
    assert!(matches!(block_on(manager.restore_into(&*store)), Err(CheckpointError::NoJobs { sequence: 1, .. })));
}

#[test]
fn store_that_is_closed_says_so() {
    let place = Place::new();
    let store = store_with_chunks(1);
    block_on(store.close()).unwrap();
    match block_on(place.manager(1).save_jobs(&*store)) {
        Err(CheckpointError::Store { source, .. }) => assert_eq!(source.kind(), ErrorKind::Closed),
        other => panic!("{other:?}"),
    }
}

#[test]
fn snapshot_is_consistent_while_others_write() {
    const CHUNKS: u64 = 300;
    let place = Place::new();
    let manager = place.manager(1000);
    let store = store_with_chunks(CHUNKS);
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| (1..=CHUNKS).for_each(|count| complete_one(&*store, count)));
        while !writer.is_finished() {
            block_on(manager.save_jobs(&*store)).unwrap();
        }
    });
    let mut between = 0;
    for sequence in manager.list_sequences().unwrap() {
        let jobs = manager.load_by_sequence(sequence).unwrap().jobs.unwrap();
        let done = jobs.jobs[0].chunks.iter().filter(|chunk| chunk.status == JobStatus::Done).count();
        let counted = jobs.records.first().map_or(0, |record| String::from_utf8_lossy(&record.value).parse().unwrap());
        assert_eq!(done, counted, "checkpoint {sequence}");
        between += u64::from(done > 0 && (done as u64) < CHUNKS);
    }
    assert!(between > 0, "no checkpoint was saved while there was work");
}
