//! A disk that is full, read-only or broken.

use std::time::Duration;

use magnetar_state::{Epoch, Files, Guard, Loaded, Lock, Saved, StateError, StateResult as Result, Timestamp, Version, WriteId};
use magnetar_testkit::{
    SimFolder,
    folder::{Fault, Faults},
    state::samples::token,
};

use super::{open_in, save};

fn given() -> (SimFolder, Files) {
    let folder = SimFolder::new();
    let files = open_in(&folder);
    save(&files, "orders", 1);
    (folder, files)
}

fn number(files: &Files) -> i64 {
    let Loaded::Found(entry) = files.load("orders").unwrap() else { panic!("a token was saved") };
    entry.token.get_i64("number").unwrap()
}

#[test]
fn full_disk_leaves_the_token_and_the_store_goes_on_when_there_is_room() {
    let (folder, files) = given();
    for room in [0, 1, 100, 200] {
        folder.set_faults(Faults::full_after(room));
        let error = files.save("orders", token(2), Guard::default(), None).unwrap_err();
        assert!(matches!(error, StateError::Full { .. }) && error.is_transient(), "{error}");
        let error = files.acquire("work", Duration::from_secs(1)).unwrap_err();
        assert!(room >= 200 || matches!(error, StateError::Full { .. }), "{error}");
        assert_eq!(number(&files), 1);
    }
    folder.set_faults(Faults::default());
    let saved = files.save("orders", token(3), Guard::default(), None).unwrap();
    assert_eq!((saved, number(&files)), (Saved::new(Version::new(2)), 3));
}

#[test]
fn read_only_folder_can_be_opened_and_read() {
    for fault in [Fault::ReadOnly, Fault::Denied] {
        let folder = SimFolder::new();
        save(&open_in(&folder), "orders", 1);
        // The lock is the first thing that a writer takes.
        folder.set_faults(Faults::once(0, fault));
        let files = open_in(&folder);
        assert_eq!(number(&files), 1);
        files.health().unwrap();
        folder.set_faults(Faults::once(0, fault));
        let error = files.save("orders", token(2), Guard::default(), None).unwrap_err();
        assert!(matches!(error, StateError::ReadOnly { .. } | StateError::Denied { .. }), "{error}");
        assert_eq!(number(&files), 1);
    }
}

#[test]
fn unreadable_file_is_no_damage_and_no_absence() {
    let (folder, files) = given();
    folder.set_faults(Faults::from(0, Fault::Device));
    for error in [files.load("orders").unwrap_err(), files.list(None, 10).unwrap_err(), files.health().unwrap_err()] {
        assert!(matches!(error, StateError::Backend { .. }) && !error.is_corrupt(), "{error}");
    }
    folder.set_faults(Faults::from(0, Fault::Denied));
    assert!(matches!(files.load("orders"), Err(StateError::Denied { .. })));
}

/// Every operation of a save fails once and from then on: what was there or what was to be there is found, and what the handle says
/// of it is true.
#[test]
fn failure_at_any_step_leaves_the_old_or_the_new_token() {
    let (folder, files) = given();
    folder.set_faults(Faults::default());
    save(&files, "orders", 1);
    let ops = folder.ops();
    assert!(ops > 8, "a save has many steps, and not {ops}");
    for at in 0..ops {
        for fault in [Fault::Device, Fault::Full, Fault::ReadOnly, Fault::Denied] {
            for faults in [Faults::once(at, fault), Faults::from(at, fault)] {
                fails_at(faults);
            }
        }
    }
}

fn fails_at(faults: Faults) {
    let (folder, files) = given();
    folder.set_faults(faults);
    let outcome = files.save("orders", token(2), Guard::default(), None);
    folder.set_faults(Faults::default());
    let found = number(&open_in(&folder));
    match outcome {
        Ok(_) => assert_eq!(found, 2, "{faults:?}"),
        Err(StateError::Poisoned { .. }) => {
            assert!(found == 1 || found == 2, "{faults:?}");
            assert!(matches!(files.load("orders"), Err(StateError::Poisoned { .. })), "{faults:?}");
            assert!(matches!(files.save("orders", token(3), Guard::default(), None), Err(StateError::Poisoned { .. })));
            files.close();
            assert!(matches!(files.load("orders"), Err(StateError::Closed)));
        }
        Err(error) => {
            assert_eq!(found, 1, "{faults:?}: {error}");
            if files.load("orders").is_ok() {
                save(&files, "orders", 3);
                assert_eq!(number(&files), 3);
            }
        }
    }
}

/// The last flush of a write fails, so that nobody knows whether it survives. What says so the second time must make it survive, although the
/// system takes what it could not flush for flushed.
fn survives_once_it_is_acknowledged(write: fn(&Files) -> Result<()>, is_done: fn(&Files) -> bool) {
    let (folder, files) = given();
    files.acquire("work", Duration::MAX).unwrap();
    let copy = folder.now().kept();
    let rehearsal = open_in(&copy);
    copy.set_faults(Faults::default());
    write(&rehearsal).unwrap();
    folder.set_faults(Faults::once(copy.ops() - 1, Fault::Device));
    assert!(matches!(write(&files), Err(StateError::Poisoned { .. })));
    folder.set_faults(Faults::default());
    let next = open_in(&folder);
    assert!(is_done(&next), "it is seen, and may be lost");
    write(&next).unwrap();
    drop(next);
    // A power cut that leaves nothing of what was not flushed.
    let left = folder.now().image(&mut |_| 0);
    assert!(is_done(&open_in(&left)), "it was acknowledged");
}

#[test]
fn save_that_is_sent_again_survives() {
    survives_once_it_is_acknowledged(
        |files| files.save("orders", token(2), Guard::default().write_id(WriteId::new(7)), None).map(drop),
        |files| number(files) == 2,
    );
}

#[test]
fn clear_that_is_sent_again_survives() {
    survives_once_it_is_acknowledged(
        |files| files.clear("orders", Guard::default()).map(drop),
        |files| files.load("orders").unwrap() == Loaded::Absent,
    );
}

#[test]
fn release_that_is_sent_again_survives() {
    survives_once_it_is_acknowledged(
        |files| files.release(&Lock::new("work", Epoch::new(1), Timestamp::default())),
        |files| files.holder("work").unwrap().is_none(),
    );
}
