//! What stores of tokens elsewhere were found to do, each as a test of its own that no store here does it.
//!
//! They are those of a pipeline of change streams (`rigatoni` 0.2.0) and of a checkpoint store beside a batch engine (`oximedia-batch`,
//! `checkpointing.rs`), as far as they are about stores that are not Redis.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{sync::Arc, time::Duration};

use futures_lite::future::block_on;
use magnetar_memory::MemoryStore as JobsInMemory;
use magnetar_state::{
    FileOptions, FileStore, Guard, JobStateStore, Loaded, MemoryStore, StateError, StateStore, Tracker, WriteId, save_flushed,
};
use magnetar_testkit::{ManualClock, state::samples::token};
use tempfile::TempDir;

/// A store of each kind, fresh, by a clock that stands.
struct Stores {
    all: Vec<Arc<dyn StateStore>>,
    clock: ManualClock,
    folder: TempDir,
}

impl Stores {
    fn new() -> Self {
        let clock = ManualClock::default();
        let folder = tempfile::tempdir().unwrap();
        let jobs = Arc::new(JobsInMemory::inline(Arc::new(clock.clone())).unwrap());
        let file = block_on(FileOptions::new(folder.path().join("state")).clock(Arc::new(clock.clone())).open()).unwrap();
        let all: Vec<Arc<dyn StateStore>> = vec![
            Arc::new(MemoryStore::new().clock(Arc::new(clock.clone()))),
            Arc::new(file),
            Arc::new(JobStateStore::new(jobs).clock(Arc::new(clock.clone()))),
        ];
        Self { all, clock, folder }
    }
}

const HOUR: Duration = Duration::from_hours(1);

#[test]
fn token_is_never_saved_before_its_batch_is_flushed() {
    for store in Stores::new().all {
        block_on(async {
            let (mut tracker, _) = Tracker::resume(&*store, "orders").await.unwrap();
            let [first, second] = [1, 2].map(|number| tracker.receive(token(number)).unwrap());
            // The first batch fails, and its worker goes on with the second.
            assert!(tracker.flush_ok(second).unwrap().is_none());
            assert_eq!(store.load_resume_token("orders").await.unwrap(), None);
            let flushed = tracker.flush_ok(first).unwrap().unwrap();
            save_flushed(&*store, &flushed, Guard::default(), None).await.unwrap();
            assert_eq!(store.load_resume_token("orders").await.unwrap(), Some(token(2)));
        });
    }
}

#[test]
fn token_that_was_loaded_reaches_whoever_opens_the_source() {
    for store in Stores::new().all {
        block_on(async {
            store.save_resume_token("orders", token(5)).await.unwrap();
            let (_, start) = Tracker::resume(&*store, "orders").await.unwrap();
            assert_eq!(start, Some(token(5)));
        });
    }
}

#[test]
fn flush_saves_under_the_key_that_is_loaded() {
    for store in Stores::new().all {
        block_on(async {
            let (mut tracker, _) = Tracker::resume(&*store, "shop.orders").await.unwrap();
            let batch = tracker.receive(token(1)).unwrap();
            let flushed = tracker.flush_ok(batch).unwrap().unwrap();
            save_flushed(&*store, &flushed, Guard::default(), None).await.unwrap();
            assert_eq!(store.load_resume_token(tracker.collection()).await.unwrap(), Some(token(1)));
            assert_eq!(store.list(None, 10).await.unwrap().entries.len(), 1);
        });
    }
}

#[test]
fn tokens_do_not_move_on_while_a_flush_fails() {
    let mut tracker = Tracker::new("orders").unwrap();
    let stuck = tracker.receive(token(0)).unwrap();
    for number in 1..100 {
        let batch = tracker.receive(token(number)).unwrap();
        assert!(tracker.flush_ok(batch).unwrap().is_none());
    }
    assert_eq!(tracker.flush_ok(stuck).unwrap().unwrap().token(), &token(99));
}

#[test]
fn time_to_live_of_less_than_a_second_is_not_rounded_to_none() {
    let stores = Stores::new();
    for store in &stores.all {
        block_on(async {
            store.save("orders", token(1), Guard::default(), Some(Duration::from_millis(500))).await.unwrap();
            let Loaded::Found(entry) = store.load("orders").await.unwrap() else { panic!("it was saved just now") };
            assert_eq!(entry.expires_at.unwrap().since(entry.saved_at), Duration::from_millis(500));
            store.acquire("work", Duration::from_millis(500)).await.unwrap();
            assert!(store.holder("work").await.unwrap().is_some());
        });
    }
    stores.clock.advance(Duration::from_millis(500));
    for store in &stores.all {
        assert!(matches!(block_on(store.load("orders")).unwrap(), Loaded::Expired { .. }));
        assert_eq!(block_on(store.holder("work")).unwrap(), None);
    }
}

#[test]
fn expired_token_is_told_from_one_that_never_was() {
    let stores = Stores::new();
    for store in &stores.all {
        block_on(store.save("orders", token(1), Guard::default(), Some(HOUR))).unwrap();
    }
    stores.clock.advance(HOUR);
    for store in &stores.all {
        assert!(matches!(block_on(store.load_resume_token("orders")), Err(StateError::Expired { .. })));
        assert!(matches!(block_on(Tracker::resume(&**store, "orders")), Err(StateError::Expired { .. })));
        assert_eq!(block_on(store.load_resume_token("others")).unwrap(), None);
    }
}

#[test]
fn lost_reply_of_a_save_can_be_asked_for_again() {
    for store in Stores::new().all {
        block_on(async {
            let guard = Guard::default().expect(magnetar_state::Expect::Absent).write_id(WriteId::new(1));
            store.save("orders", token(1), guard, None).await.unwrap();
            assert!(store.save("orders", token(1), guard, None).await.unwrap().already_applied);
        });
    }
}

#[test]
fn lock_in_memory_is_a_lock() {
    for store in Stores::new().all {
        block_on(async {
            store.acquire("pipeline", HOUR).await.unwrap();
            assert!(matches!(store.acquire("pipeline", HOUR).await, Err(StateError::Locked { .. })));
        });
    }
}

#[test]
fn lock_fences_off_whoever_lost_it() {
    let stores = Stores::new();
    let zombies: Vec<_> = stores.all.iter().map(|store| block_on(store.acquire("pipeline", HOUR)).unwrap()).collect();
    stores.clock.advance(HOUR);
    for (store, zombie) in stores.all.iter().zip(zombies) {
        block_on(async {
            let heir = store.acquire("pipeline", HOUR).await.unwrap();
            store.save("orders", token(2), Guard::epoch(heir.epoch()), None).await.unwrap();
            let late = store.save("orders", token(1), Guard::epoch(zombie.epoch()), None).await;
            assert!(matches!(late, Err(StateError::Fenced { .. })));
        });
    }
}

#[test]
fn renewal_past_its_time_is_refused_and_not_tried_for_ever() {
    let stores = Stores::new();
    let locks: Vec<_> = stores.all.iter().map(|store| block_on(store.acquire("pipeline", HOUR)).unwrap()).collect();
    stores.clock.advance(HOUR);
    for (store, lock) in stores.all.iter().zip(locks) {
        let error = block_on(store.renew(&lock, HOUR)).unwrap_err();
        assert!(matches!(error, StateError::LockLost { .. }) && !error.is_transient(), "{error}");
    }
}

#[test]
fn lock_names_with_separators_are_not_ambiguous() {
    for store in Stores::new().all {
        block_on(async {
            for name in ["a:b:c", "a:b", "b:c", "a", "c", "a::b", "a:b:"] {
                assert_eq!(store.acquire(name, HOUR).await.unwrap().epoch().get(), 1, "{name}");
            }
        });
    }
}

#[test]
fn one_bad_value_does_not_fail_the_listing() {
    let stores = Stores::new();
    let store = &stores.all[1];
    for name in ["a", "b", "c"] {
        block_on(store.save_resume_token(name, token(1))).unwrap();
    }
    std::fs::write(stores.folder.path().join("state/k-b.json"), "not a token").unwrap();
    let page = block_on(store.list(None, 10)).unwrap();
    assert_eq!((page.entries.len(), page.damaged.len()), (2, 1));
}

#[test]
fn close_closes() {
    for store in Stores::new().all {
        block_on(store.close()).unwrap();
        assert!(matches!(block_on(store.save_resume_token("orders", token(1))), Err(StateError::Closed)));
    }
}

#[test]
fn names_that_were_sanitised_to_one_file_are_three_collections() {
    for store in Stores::new().all {
        block_on(async {
            for (name, number) in ["a/b", "a_b", "a b"].into_iter().zip(0..) {
                store.save_resume_token(name, token(number)).await.unwrap();
            }
            let mut listed: Vec<_> = store.list(None, 10).await.unwrap().entries;
            listed.sort_by(|one, other| one.collection.cmp(&other.collection));
            assert_eq!(listed.iter().map(|listed| &*listed.collection).collect::<Vec<_>>(), ["a b", "a/b", "a_b"]);
            assert_eq!(store.load_resume_token("a/b").await.unwrap(), Some(token(0)));
        });
    }
}

#[test]
fn long_name_is_kept_or_refused_and_never_an_error_of_the_system() {
    for store in Stores::new().all {
        block_on(async {
            store.save_resume_token(&"x/".repeat(512), token(1)).await.unwrap();
            assert!(matches!(store.save_resume_token(&"x".repeat(10_240), token(1)).await, Err(StateError::TooLarge { .. })));
        });
    }
}

#[cfg(unix)]
#[test]
fn state_is_not_where_everyone_may_write() {
    use std::os::unix::fs::PermissionsExt;

    let folder = tempfile::tempdir().unwrap();
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o1777)).unwrap();
    let error = block_on(FileStore::new(folder.path())).unwrap_err();
    assert!(matches!(error, StateError::Denied { .. }) && error.to_string().contains("chmod"), "{error}");
}
