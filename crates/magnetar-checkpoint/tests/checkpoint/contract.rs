//! The contract, used as its page shows it.

use std::{collections::HashMap, fs};

use magnetar_checkpoint::{Checkpoint, CheckpointError, CheckpointManager, Recovery};

use crate::support::{Place, damage, number, numbered, save};

#[test]
fn everything_comes_back_as_it_was_saved() {
    let place = Place::new();
    let manager = CheckpointManager::new(place.path(), 3).unwrap();
    let workers = HashMap::from([("worker-1".to_owned(), "c".to_owned())]);
    let checkpoint = Checkpoint::new(7)
        .with_queued(vec!["a".to_owned(), String::new(), "\"\\\u{0}\u{7f}\u{2028}ä🚀".to_owned()])
        .with_in_progress(vec!["c".to_owned()])
        .with_workers(workers)
        .with_meta("node", "n1")
        .with_meta("", "");
    assert_eq!(checkpoint.total_jobs(), 4);
    assert!(checkpoint.timestamp_secs > 1_700_000_000);
    let sequence: u64 = manager.save_checkpoint(checkpoint.clone()).unwrap();
    assert_eq!(sequence, 1);
    let mut expected = checkpoint;
    expected.sequence = 1;
    assert_eq!(manager.load_latest().unwrap(), Some(expected.clone()));
    assert_eq!(manager.load_by_sequence(1).unwrap(), expected);
    assert_eq!(manager.restore_from_checkpoint().unwrap(), expected);
}

#[test]
fn sequences_go_on_after_a_restart() {
    let place = Place::new();
    save(&place.manager(3), 1..=2);
    let manager = place.manager(3);
    assert_eq!(manager.save_checkpoint(numbered(3)).unwrap(), 3);
    assert_eq!(manager.list_sequences().unwrap(), [1, 2, 3]);
    assert_eq!(manager.checkpoint_count().unwrap(), 3);
}

#[test]
fn empty_folder_has_none() {
    let place = Place::new();
    let manager = place.manager(3);
    assert_eq!(manager.load_latest().unwrap(), None);
    assert_eq!(manager.recover().unwrap(), Recovery::Fresh);
    assert!(matches!(manager.load_by_sequence(1), Err(CheckpointError::NotFound { sequence: 1, .. })));
    assert!(matches!(manager.restore_from_checkpoint(), Err(CheckpointError::Nothing { .. })));
    assert_eq!(manager.checkpoint_count().unwrap(), 0);
    assert!(manager.list_sequences().unwrap().is_empty());
    manager.clear().unwrap();
}

#[test]
fn files_are_readable_json_with_a_digest() {
    let place = Place::new();
    save(&place.manager(3), 1..=1);
    let file: serde_json::Value = serde_json::from_slice(&fs::read(place.file(1)).unwrap()).unwrap();
    assert_eq!((&file["version"], &file["sequence"], &file["epoch"]), (&1.into(), &1.into(), &1.into()));
    assert_eq!(file["queued_jobs"][0], "job-1");
    assert_eq!(file["metadata"]["number"], "1");
    assert_eq!(file["store_id"].as_str().unwrap().len(), 32);
    assert_eq!(file["lengths"]["queued_jobs"], 2);
    assert!(file["sha256"].as_str().unwrap().len() == 64);
    assert_eq!(file["bytes"].as_str().unwrap().parse::<u64>().unwrap(), fs::metadata(place.file(1)).unwrap().len());
}

#[test]
fn equal_checkpoints_are_equal_bytes() {
    let entries = |order: &mut dyn Iterator<Item = u64>| order.map(|n| (format!("worker-{n}"), n.to_string())).collect();
    let one: HashMap<_, _> = entries(&mut (0..200));
    let other: HashMap<_, _> = entries(&mut (0..200).rev());
    let place = Place::new();
    let manager = place.manager(9);
    let mut checkpoint = numbered(1).with_workers(one);
    manager.save_checkpoint(checkpoint.clone()).unwrap();
    checkpoint.worker_assignments = other;
    manager.save_checkpoint(checkpoint).unwrap();
    let line = |sequence| {
        let text = fs::read_to_string(place.file(sequence)).unwrap();
        text.lines().skip(1).take(5).map(ToOwned::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(line(1), line(2));
}

#[test]
fn damaged_newest_is_skipped() {
    let place = Place::new();
    let manager = place.manager(3);
    save(&manager, 1..=3);
    damage(&place.file(3));
    assert_eq!(number(&manager.load_latest().unwrap().unwrap()), 2);
    assert!(matches!(manager.load_by_sequence(3), Err(CheckpointError::Corrupt { .. })));
}

#[test]
fn where_none_verifies_there_is_none() {
    let place = Place::new();
    let manager = place.manager(3);
    save(&manager, 1..=2);
    damage(&place.file(1));
    damage(&place.file(2));
    assert_eq!(manager.load_latest().unwrap(), None);
    let error = manager.restore_from_checkpoint().unwrap_err();
    assert!(matches!(&error, CheckpointError::AllCorrupt { skipped, newest_known: 2, .. } if skipped.len() == 2), "{error}");
}

#[test]
fn at_most_as_many_as_told_remain() {
    let place = Place::new();
    let manager = place.manager(3);
    save(&manager, 1..=10);
    assert_eq!(manager.list_sequences().unwrap(), [8, 9, 10]);
    assert_eq!(place.names(), ["checkpoint_10.json", "checkpoint_8.json", "checkpoint_9.json"]);
}

#[test]
fn fewer_than_one_counts_as_one() {
    let place = Place::new();
    let manager = place.manager(0);
    save(&manager, 1..=2);
    assert_eq!(manager.list_sequences().unwrap(), [2]);
}

#[test]
fn second_manager_opens_and_reads_and_is_told_when_it_saves() {
    let place = Place::new();
    let first = place.manager(3);
    save(&first, 1..=1);
    let second = place.manager(3);
    assert_eq!(number(&second.load_latest().unwrap().unwrap()), 1);
    let error = second.save_checkpoint(numbered(2)).unwrap_err();
    assert!(matches!(error, CheckpointError::AlreadyLocked { .. }) && error.is_transient(), "{error}");
    assert!(matches!(second.clear(), Err(CheckpointError::AlreadyLocked { .. })));
    assert_eq!(first.save_checkpoint(numbered(2)).unwrap(), 2);
    drop(first);
    assert_eq!(second.save_checkpoint(numbered(3)).unwrap(), 3);
}

#[test]
fn cleared_folder_is_empty_and_its_sequences_go_on() {
    let place = Place::new();
    let manager = place.manager(3);
    save(&manager, 1..=3);
    manager.clear().unwrap();
    assert_eq!((manager.checkpoint_count().unwrap(), manager.load_latest().unwrap()), (0, None));
    assert_eq!(manager.recover().unwrap(), Recovery::Fresh);
    assert!(place.names().is_empty());
    assert_eq!(manager.save_checkpoint(numbered(4)).unwrap(), 4);
}

#[test]
fn threads_take_turns() {
    let place = Place::new();
    let manager = place.manager(100);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| save(&manager, 1..=5));
        }
    });
    assert_eq!(manager.list_sequences().unwrap(), (1..=20).collect::<Vec<_>>());
}
