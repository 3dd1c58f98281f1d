//! Which checkpoints stay.

use std::{fs, sync::Arc, time::Duration};

use magnetar_checkpoint::{CheckpointError, CheckpointManager, Options, Warning, limits};
use magnetar_testkit::folder::{Faults, SimFolder};

use crate::support::{Hand, Place, damage, envelope, numbered, save};

#[test]
fn as_many_as_told_are_kept_that_verify_whatever_was_damaged_meanwhile() {
    let place = Place::new();
    let manager = place.manager(3);
    save(&manager, 1..=3);
    damage(&place.file(3));
    save(&manager, 4..=4);
    assert_eq!(manager.list_sequences().unwrap(), [1, 2, 4]);
    assert!(place.names().contains(&"checkpoint_3.json.corrupt".to_owned()));
}

#[test]
fn last_that_verifies_is_never_removed() {
    let place = Place::new();
    let manager = place.manager(1);
    for round in 1..=5 {
        let sequence = manager.save_checkpoint(numbered(round)).unwrap();
        assert_eq!(manager.list_sequences().unwrap(), [sequence]);
        fs::write(place.file(sequence + 1), "torn").unwrap();
        drop(place.manager(1));
        assert_eq!(manager.load_latest().unwrap().unwrap().sequence, sequence);
        fs::remove_file(place.file(sequence + 1)).unwrap();
    }
}

#[test]
fn young_ones_are_kept_above_the_number_and_a_clock_cannot_take_the_number_away() {
    let place = Place::new();
    let clock = Hand::at(1000);
    let manager = place.open(clock.options(2).keep_for(Duration::from_secs(100)));
    let save_at = |secs| {
        clock.set(secs);
        let mut checkpoint = numbered(secs);
        checkpoint.timestamp_secs = secs;
        manager.save_checkpoint(checkpoint).unwrap()
    };
    for secs in [1000, 1010, 1020, 1030] {
        save_at(secs);
    }
    assert_eq!(manager.list_sequences().unwrap(), [1, 2, 3, 4]);
    save_at(1115);
    assert_eq!(manager.list_sequences().unwrap(), [3, 4, 5]);
    save_at(9_000_000);
    assert_eq!(manager.list_sequences().unwrap(), [5, 6]);
}

#[test]
fn pinned_ones_are_kept_until_they_are_unpinned() {
    let place = Place::new();
    let manager = place.manager(1);
    save(&manager, 1..=1);
    manager.pin(1).unwrap();
    save(&manager, 2..=4);
    assert_eq!(manager.list_sequences().unwrap(), [1, 4]);
    drop(manager);
    let manager = place.manager(1);
    assert_eq!(manager.pins().unwrap(), [1]);
    save(&manager, 5..=5);
    assert_eq!(manager.list_sequences().unwrap(), [1, 5]);
    manager.unpin(1).unwrap();
    manager.unpin(1).unwrap();
    save(&manager, 6..=6);
    assert_eq!(manager.list_sequences().unwrap(), [6]);
    assert!(matches!(manager.pin(1), Err(CheckpointError::NotFound { sequence: 1, .. })));
}

#[test]
fn what_is_set_aside_is_bounded() {
    let place = Place::new();
    let manager = place.manager(1);
    for round in 1..=30 {
        let sequence = manager.save_checkpoint(numbered(round)).unwrap();
        manager.pin(sequence).unwrap();
        damage(&place.file(sequence));
    }
    let aside: Vec<_> = place.names().into_iter().filter(|name| name.ends_with(".corrupt")).collect();
    assert_eq!(aside.len(), limits::SET_ASIDE_FILES_MAX, "{aside:?}");
    assert!(aside.contains(&"checkpoint_29.json.corrupt".to_owned()));
}

#[test]
fn files_of_newer_versions_and_other_folders_are_left_alone() {
    let (place, other) = (Place::new(), Place::new());
    let manager = place.manager(1);
    save(&manager, 1..=2);
    save(&other.manager(9), 1..=7);
    fs::copy(other.file(7), place.file(7)).unwrap();
    fs::write(place.file(1), "{\"format\":\"magnetar-checkpoint\",\"version\":3}").unwrap();
    drop(manager);
    let manager = place.manager(1);
    assert_eq!(manager.load_latest().unwrap().unwrap().sequence, 2);
    let saved = manager.save(&numbered(8)).unwrap();
    assert_eq!((saved.sequence, &saved.removed[..]), (8, &[2][..]));
    let left: Vec<_> = saved.warnings.iter().filter(|warning| matches!(warning, Warning::LeftAlone { .. })).collect();
    assert_eq!(left.len(), 2, "{:?}", saved.warnings);
    assert_eq!(place.names(), ["checkpoint_1.json", "checkpoint_7.json", "checkpoint_8.json"]);
}

#[test]
fn files_of_older_programs_are_rotated_like_others() {
    let place = Place::new();
    for sequence in 1..=3 {
        place.plant(&format!("checkpoint_{sequence}.json"), &envelope(sequence));
    }
    let manager = place.manager(2);
    assert_eq!(manager.load_latest().unwrap().unwrap().queued_jobs, ["old \"job\""]);
    save(&manager, 4..=4);
    assert_eq!(manager.list_sequences().unwrap(), [3, 4]);
}

#[test]
fn kept_one_that_rotted_in_silence_does_not_count() {
    let folder = SimFolder::new();
    let manager = CheckpointManager::on_folder(Arc::new(folder.clone()), Options::new(2));
    save(&manager, 1..=3);
    folder.rot("checkpoint_3.json", 2000);
    let saved = manager.save(&numbered(4)).unwrap();
    assert_eq!((saved.set_aside.len(), saved.removed.len()), (1, 0));
    assert_eq!(manager.list_sequences().unwrap(), [2, 4]);
}

#[test]
fn large_ones_are_read_once_and_trusted_until_they_are_touched() {
    let folder = SimFolder::new();
    let manager = CheckpointManager::on_folder(Arc::new(folder.clone()), Options::new(3).without_reading_back());
    let large = || numbered(1).with_queued(vec!["x".repeat(2_000_000)]);
    let ops = || {
        folder.set_faults(Faults::default());
        manager.save(&large()).unwrap();
        folder.ops()
    };
    let (first, second, third) = (ops(), ops(), ops());
    // Each save reads its own file once, 64 KiB at a time, and none of the others.
    assert!(second < first + 20 && third < second + 20, "{first}, {second}, {third}");
    folder.put("checkpoint_2.json", "another");
    let saved = manager.save(&large()).unwrap();
    assert_eq!(saved.set_aside[0].sequence, 2);
}
