//! A token in one group with the work that it stands for, on SQLite and redb: together or not at all.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{path::Path, sync::Arc};

use futures_lite::future::block_on;
use magnetar_core::{ErrorKind, Fence, JobStatus, JobStore, Manifest, Op, Rejection, Reply};
use magnetar_redb::RedbStore;
use magnetar_sqlite::SqliteStore;
use magnetar_state::{Epoch, Expect, Guard, JobStateStore, Loaded, Saved, StateError, StateStore, Version, WriteId, doc};
use magnetar_testkit::state::samples::token;

const JOB: i64 = 7;
const ORDERS: &str = "orders";

type Jobs = Arc<dyn JobStore>;

/// Plays a test on a fresh store of each kind; it is told how to open the store once more.
fn on_both(play: fn(&dyn Fn() -> Jobs)) {
    let folder = tempfile::tempdir().unwrap();
    play(&|| sqlite(&folder.path().join("jobs.db")));
    play(&|| redb(&folder.path().join("jobs.redb")));
}

fn sqlite(path: &Path) -> Jobs {
    Arc::new(block_on(SqliteStore::open(path)).unwrap())
}

fn redb(path: &Path) -> Jobs {
    Arc::new(block_on(RedbStore::open(path)).unwrap())
}

/// A job of two chunks, of which the first is claimed.
async fn given(jobs: &Jobs) -> Fence {
    let manifest: Manifest = toml::from_str("[[chunks]]\nid = 1\n[[chunks]]\nid = 2\n").unwrap();
    jobs.init_from_manifest(JOB, &manifest).await.unwrap();
    jobs.claim_pending(JOB).await.unwrap().unwrap().fence().unwrap()
}

fn complete(fence: Fence) -> Vec<Op> {
    vec![Op::Complete { fence, result: b"result".to_vec(), checksum: None }]
}

async fn standing(jobs: &Jobs) -> (JobStatus, Option<i64>) {
    let status = jobs.get_chunk(JOB, 1).await.unwrap().unwrap().status;
    let token = JobStateStore::new(Arc::clone(jobs)).load_resume_token(ORDERS).await.unwrap();
    (status, token.map(|token| token.get_i64("number").unwrap()))
}

#[test]
fn token_and_completion_are_there_after_reopening() {
    on_both(|open| {
        let jobs = open();
        block_on(async {
            let fence = given(&jobs).await;
            let state = JobStateStore::new(Arc::clone(&jobs));
            let (replies, saved) = state.save_with(complete(fence), ORDERS, token(1), Guard::default(), None).await.unwrap();
            assert_eq!((replies, saved), (vec![Reply::Applied], Saved::new(Version::new(1))));
            jobs.close().await.unwrap();
        });
        drop(jobs);
        assert_eq!(block_on(standing(&open())), (JobStatus::Done, Some(1)));
    });
}

#[test]
fn lost_fence_rejects_token_and_completion() {
    on_both(|open| {
        block_on(async {
            let jobs = open();
            let zombie = given(&jobs).await;
            jobs.release(&zombie).await.unwrap();
            jobs.claim_pending(JOB).await.unwrap().unwrap();
            let state = JobStateStore::new(Arc::clone(&jobs));
            let error = state.save_with(complete(zombie), ORDERS, token(1), Guard::default(), None).await.unwrap_err();
            assert!(error.is_conflict() && !error.is_transient());
            let StateError::Rejected(error) = error else { panic!("{error}") };
            assert_eq!(error.kind(), ErrorKind::FenceLost);
            assert_eq!(standing(&jobs).await, (JobStatus::Processing, None));
        });
    });
}

#[test]
fn fenced_token_rejects_the_completion_too() {
    on_both(|open| {
        block_on(async {
            let jobs = open();
            let fence = given(&jobs).await;
            let state = JobStateStore::new(Arc::clone(&jobs));
            state.save(ORDERS, token(1), Guard::epoch(Epoch::new(5)), None).await.unwrap();
            for guard in [Guard::epoch(Epoch::new(4)), Guard::epoch(Epoch::new(5)).expect(Expect::Absent)] {
                let error = state.save_with(complete(fence), ORDERS, token(2), guard, None).await.unwrap_err();
                assert!(matches!(error, StateError::Fenced { .. } | StateError::Conflict { .. }), "{error}");
            }
            assert_eq!(standing(&jobs).await, (JobStatus::Processing, Some(1)));
        });
    });
}

#[test]
fn save_that_another_overtook_is_rejected_with_its_group() {
    on_both(|open| {
        block_on(async {
            let jobs = open();
            let fence = given(&jobs).await;
            let state = JobStateStore::new(Arc::clone(&jobs));
            let prepared = state.prepare_save(ORDERS, token(1), Guard::default(), None).await.unwrap();
            state.save_resume_token(ORDERS, token(9)).await.unwrap();
            let group = complete(fence).into_iter().chain(prepared.op).collect();
            let error = jobs.apply(group).await.unwrap_err();
            assert!(matches!(error.rejection(), Some(Rejection::Version { .. })), "{error}");
            assert_eq!(standing(&jobs).await, (JobStatus::Processing, Some(9)));
            // Asked for by `save_with`, it is prepared anew.
            let (_, saved) = state.save_with(complete(fence), ORDERS, token(2), Guard::default(), None).await.unwrap();
            assert_eq!((saved.version, standing(&jobs).await), (Version::new(2), (JobStatus::Done, Some(2))));
        });
    });
}

#[test]
fn repeated_group_is_known_by_its_chunk() {
    on_both(|open| {
        block_on(async {
            let jobs = open();
            let fence = given(&jobs).await;
            let state = JobStateStore::new(Arc::clone(&jobs));
            let guard = Guard::default().write_id(WriteId::new(7));
            state.save_with(complete(fence), ORDERS, token(1), guard, None).await.unwrap();
            let error = state.save_with(complete(fence), ORDERS, token(1), guard, None).await.unwrap_err();
            let StateError::Rejected(error) = error else { panic!("{error}") };
            assert_eq!(error.kind(), ErrorKind::AlreadyApplied);
            let prepared = state.prepare_save(ORDERS, token(1), guard, None).await.unwrap();
            assert_eq!((prepared.op, prepared.saved), (None, Saved::again(Version::new(1))));
            assert_eq!(standing(&jobs).await, (JobStatus::Done, Some(1)));
        });
    });
}

#[test]
fn group_with_a_save_that_was_applied_before_applies_the_rest() {
    on_both(|open| {
        block_on(async {
            let jobs = open();
            let fence = given(&jobs).await;
            let state = JobStateStore::new(Arc::clone(&jobs));
            let guard = Guard::default().write_id(WriteId::new(7));
            state.save(ORDERS, token(1), guard, None).await.unwrap();
            let (replies, saved) = state.save_with(complete(fence), ORDERS, token(1), guard, None).await.unwrap();
            assert_eq!((replies.len(), saved), (1, Saved::again(Version::new(1))));
            assert_eq!(standing(&jobs).await, (JobStatus::Done, Some(1)));
        });
    });
}

#[test]
fn closing_the_state_leaves_the_job_store_open() {
    on_both(|open| {
        block_on(async {
            let jobs = open();
            let state = JobStateStore::new(Arc::clone(&jobs));
            state.close().await.unwrap();
            assert!(matches!(state.load(ORDERS).await, Err(StateError::Closed)));
            given(&jobs).await;
        });
    });
}

#[test]
fn closed_job_store_is_a_closed_state() {
    on_both(|open| {
        block_on(async {
            let jobs = open();
            let state = JobStateStore::new(Arc::clone(&jobs));
            jobs.close().await.unwrap();
            assert!(matches!(state.health().await, Err(StateError::Closed)));
            assert!(matches!(state.save_resume_token(ORDERS, doc! {}).await, Err(StateError::Closed)));
        });
    });
}

#[test]
fn record_that_somebody_else_wrote_is_damage_and_keeps_nobody_from_the_others() {
    on_both(|open| {
        block_on(async {
            let jobs = open();
            let state = JobStateStore::new(Arc::clone(&jobs));
            state.save_resume_token("a", token(1)).await.unwrap();
            state.save_resume_token("c", token(1)).await.unwrap();
            let of_a = jobs.get_record("state", b"a").await.unwrap().unwrap().value;
            for value in [b"rot".to_vec(), of_a] {
                jobs.put_record("state", b"b", Some(value), magnetar_core::Expect::Any).await.unwrap();
                assert!(state.load("b").await.unwrap_err().is_corrupt());
                assert!(state.save_resume_token("b", token(1)).await.unwrap_err().is_corrupt());
                let page = state.list(None, 10).await.unwrap();
                assert_eq!((page.entries.len(), page.damaged.len()), (2, 1));
                assert!(matches!(state.load("a").await.unwrap(), Loaded::Found(_)));
            }
        });
    });
}

/// The crate `bson` asks `serde_json` to keep the order of keys, for the whole program.
#[test]
fn keys_of_a_chunk_are_equal_text_in_a_program_with_bson() {
    let extra = |text: &str| magnetar_core::Extra::new(&serde_json::from_str(text).unwrap());
    assert_eq!(extra(r#"{"b": {"d": 1, "c": 2}, "a": 3}"#), extra(r#"{"a": 3, "b": {"c": 2, "d": 1}}"#));
}
