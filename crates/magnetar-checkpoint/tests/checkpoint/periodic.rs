//! Checkpoints at intervals.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use futures_lite::future::block_on;
use magnetar_checkpoint::{CheckpointError, CheckpointManager, Options, Schedule, Tick};
use magnetar_core::{Answer, Capabilities, Durability, Group, JobStatus, JobStore, Query, Rejection, Reply, Sharing, Timestamp};
use magnetar_testkit::folder::{Fault, Faults, SimFolder};

use crate::{
    jobs::{JOB, complete_one, empty_store, store_with_chunks},
    support::{Hand, Place},
};

/// So long that only what is asked for happens.
const NEVER: Duration = Duration::from_hours(1000);

fn done(manager: &CheckpointManager) -> usize {
    let jobs = manager.load_latest().unwrap().unwrap().jobs.unwrap();
    jobs.jobs[0].chunks.iter().filter(|chunk| chunk.status == JobStatus::Done).count()
}

#[test]
fn nothing_is_saved_while_nothing_changes() {
    let place = Place::new();
    let manager = Arc::new(place.manager(3));
    let store = store_with_chunks(3);
    let periodic = manager.spawn_periodic(Arc::clone(&store), NEVER).unwrap();
    assert_eq!(periodic.tick().unwrap(), Tick::Saved(1));
    assert_eq!(periodic.tick().unwrap(), Tick::Skipped { changes: 0 });
    complete_one(&*store, 1);
    assert_eq!(periodic.tick().unwrap(), Tick::Saved(2));
    let status = periodic.status();
    assert_eq!((status.saved, status.skipped, status.failed, status.last_saved.unwrap().0), (2, 1, 0, 2));
    assert_eq!(periodic.stop().unwrap(), Tick::Skipped { changes: 0 });
    drop(manager);

    // Nor by the next process.
    let manager = Arc::new(place.manager(3));
    assert_eq!(manager.spawn_periodic(store, NEVER).unwrap().stop().unwrap(), Tick::Skipped { changes: 0 });
}

#[test]
fn what_changed_too_little_is_saved_when_it_is_old_or_at_the_end() {
    let place = Place::new();
    let clock = Hand::at(1000);
    let manager = Arc::new(place.open(clock.options(3)));
    let store = store_with_chunks(9);
    let schedule = Schedule::every(NEVER).min_changes(4).max_age(Duration::from_mins(1));
    let periodic = manager.spawn_periodic(Arc::clone(&store), schedule).unwrap();
    assert_eq!(periodic.tick().unwrap(), Tick::Saved(1));
    complete_one(&*store, 1);
    // A chunk and the record.
    assert_eq!(periodic.tick().unwrap(), Tick::Skipped { changes: 2 });
    complete_one(&*store, 2);
    complete_one(&*store, 3);
    assert_eq!(periodic.tick().unwrap(), Tick::Saved(2));
    complete_one(&*store, 4);
    clock.set(1059);
    assert_eq!(periodic.tick().unwrap(), Tick::Skipped { changes: 2 });
    clock.set(1060);
    assert_eq!(periodic.last_success_age(Timestamp::from_millis(1_060_000)), Some(Duration::from_mins(1)));
    assert_eq!(periodic.tick().unwrap(), Tick::Saved(3));
    complete_one(&*store, 5);
    assert_eq!(periodic.stop().unwrap(), Tick::Saved(4));
    assert_eq!(done(&manager), 5);
    assert_eq!(manager.load_latest().unwrap().unwrap().timestamp_secs, 1060);
}

#[test]
fn deleted_job_is_a_change() {
    let place = Place::new();
    let manager = Arc::new(place.manager(3));
    let store = store_with_chunks(2);
    let periodic = manager.spawn_periodic(Arc::clone(&store), Schedule::every(NEVER).min_changes(3)).unwrap();
    assert_eq!(periodic.tick().unwrap(), Tick::Saved(1));
    block_on(store.delete_job(JOB)).unwrap();
    assert_eq!(periodic.tick().unwrap(), Tick::Saved(2));
}

#[test]
fn dropping_saves_what_is_left() {
    let place = Place::new();
    let manager = Arc::new(place.manager(3));
    let store = store_with_chunks(3);
    let periodic = manager.spawn_periodic(Arc::clone(&store), Schedule::every(NEVER).min_changes(1000)).unwrap();
    complete_one(&*store, 1);
    drop(periodic);
    assert_eq!(done(&manager), 1);
    assert_eq!(Arc::strong_count(&manager), 1, "the thread has ended");
}

#[test]
fn interval_passes_by_itself() {
    let place = Place::new();
    let manager = Arc::new(place.manager(3));
    let store = store_with_chunks(300);
    let periodic = manager.spawn_periodic(Arc::clone(&store), Duration::from_millis(1)).unwrap();
    let mut count = 0;
    // Each save is waited for by work that goes on.
    while periodic.status().saved < 3 {
        count += 1;
        assert!(count < 300, "{:?}", periodic.status());
        complete_one(&*store, count);
        let looks = |status: magnetar_checkpoint::PeriodicStatus| status.saved + status.skipped + status.failed;
        let before = looks(periodic.status());
        for _ in 0..100_000_000_u64 {
            if looks(periodic.status()) > before {
                break;
            }
            std::thread::yield_now();
        }
    }
    periodic.stop().unwrap();
    assert_eq!(done(&manager) as u64, count);
}

#[test]
fn save_that_fails_is_told_and_tried_again() {
    let folder = SimFolder::new();
    let manager = Arc::new(CheckpointManager::on_folder(Arc::new(folder.clone()), Options::new(3)));
    let periodic = manager.spawn_periodic(store_with_chunks(2), NEVER).unwrap();
    folder.set_faults(Faults::from(0, Fault::Full));
    assert!(matches!(periodic.tick(), Err(CheckpointError::Folder(_))));
    let status = periodic.status();
    assert!(status.failed == 1 && status.last_error.is_some_and(|error| error.contains("disk is full")));
    folder.set_faults(Faults::default());
    assert_eq!(periodic.tick().unwrap(), Tick::Saved(1));
    assert_eq!(periodic.status().last_error, None);
}

#[test]
fn store_that_was_closed_first_is_told_at_the_end() {
    let place = Place::new();
    let manager = Arc::new(place.manager(3));
    let store = empty_store();
    let periodic = manager.spawn_periodic(Arc::clone(&store), NEVER).unwrap();
    block_on(store.close()).unwrap();
    assert!(matches!(periodic.stop(), Err(CheckpointError::Store { .. })));
}

/// A store that nobody should use.
struct Panics;

#[async_trait]
impl JobStore for Panics {
    async fn submit(&self, _groups: Vec<Group>) -> magnetar_core::Result<Vec<Result<Vec<Reply>, Rejection>>> {
        panic!("asked to write")
    }

    async fn read(&self, _query: Query) -> magnetar_core::Result<Answer> {
        panic!("asked to read")
    }

    async fn watch(&self, seen: u64) -> magnetar_core::Result<u64> {
        Ok(seen)
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::new("panics", Durability::Volatile, Sharing::OneHandle)
    }

    async fn close(&self) -> magnetar_core::Result<()> {
        Ok(())
    }
}

#[test]
fn thread_that_panicked_leaves_nobody_waiting() {
    let place = Place::new();
    let manager = Arc::new(place.manager(3));
    let periodic = manager.spawn_periodic(Arc::new(Panics), NEVER).unwrap();
    assert!(matches!(periodic.tick(), Err(CheckpointError::Thread(_))));
    assert!(matches!(periodic.tick(), Err(CheckpointError::Thread(_))));
    assert!(matches!(periodic.stop(), Err(CheckpointError::Thread(_))));
}
