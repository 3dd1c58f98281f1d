//! Folders that cannot be used, and folders that are not as they were left.

use std::{fs, os::unix::fs::symlink, sync::Arc};

use magnetar_checkpoint::{CheckpointError, CheckpointManager, Options, Recovery};
use magnetar_fs::ErrorKind;
use magnetar_testkit::folder::{Fault, Faults, SimFolder};

use crate::support::{Place, number, numbered, recovered, save};

#[track_caller]
fn refused(result: Result<impl std::fmt::Debug, CheckpointError>, kind: ErrorKind) {
    match result {
        Err(CheckpointError::Folder(error)) => assert_eq!(error.kind(), kind, "{error}"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn folder_that_is_a_file_or_a_link_is_refused() {
    let place = Place::new();
    fs::write(place.path(), "a file").unwrap();
    refused(CheckpointManager::new(place.path(), 1), ErrorKind::Invalid);
    refused(CheckpointManager::new(place.path().join("below"), 1), ErrorKind::Invalid);
    let link = place.path().with_file_name("link");
    symlink(place.path().parent().unwrap(), &link).unwrap();
    refused(CheckpointManager::new(&link, 1), ErrorKind::Invalid);
    refused(CheckpointManager::new("", 1), ErrorKind::Invalid);
}

#[test]
fn folder_that_is_full_read_only_or_forbidden_says_so_and_nothing_is_lost() {
    let folder = SimFolder::new();
    let manager = CheckpointManager::on_folder(Arc::new(folder.clone()), Options::new(2));
    save(&manager, 1..=1);
    for (fault, kind) in
        [(Fault::Full, ErrorKind::Full), (Fault::ReadOnly, ErrorKind::ReadOnly), (Fault::Denied, ErrorKind::Permission)]
    {
        folder.set_faults(Faults::from(0, fault));
        let error = manager.save_checkpoint(numbered(2)).unwrap_err();
        assert_eq!(error.is_transient(), fault == Fault::Full);
        refused(Err::<(), _>(error), kind);
        folder.set_faults(Faults::default());
        assert_eq!(number(&manager.load_latest().unwrap().unwrap()), 1);
    }
    assert_eq!(manager.save_checkpoint(numbered(2)).unwrap(), 2);
}

#[test]
fn whatever_stands_under_a_name_is_neither_followed_nor_overwritten() {
    let place = Place::new();
    drop(place.manager(1));
    fs::create_dir(place.file(1)).unwrap();
    fs::create_dir(place.path().join("checkpoint_2.json.corrupt")).unwrap();
    let manager = place.manager(1);
    assert_eq!(manager.recover().unwrap(), Recovery::Fresh);
    assert_eq!(manager.save_checkpoint(numbered(3)).unwrap(), 3);
    manager.clear().unwrap();
    assert_eq!(place.names(), ["checkpoint_1.json", "checkpoint_2.json.corrupt"]);
}

#[test]
fn newest_that_is_missing_is_reported() {
    let place = Place::new();
    let manager = place.manager(3);
    save(&manager, 1..=3);
    fs::remove_file(place.file(3)).unwrap();
    let found = recovered(&manager);
    assert_eq!((found.checkpoint.sequence, found.missing, found.newest_known), (2, Some(3), 3));
    assert!(found.is_fallback());
    for sequence in 1..=2 {
        fs::remove_file(place.file(sequence)).unwrap();
    }
    assert!(matches!(manager.recover(), Err(CheckpointError::AllCorrupt { newest_known: 3, .. })));
    assert_eq!(manager.load_latest().unwrap(), None);
    drop(manager);
    assert_eq!(place.manager(3).save_checkpoint(numbered(4)).unwrap(), 4);
}

#[test]
fn head_that_is_lost_or_damaged_costs_no_checkpoint_and_no_sequence() {
    for planted in [None, Some("rubbish"), Some("")] {
        let place = Place::new();
        save(&place.manager(3), 1..=3);
        let head = place.path().join(".magnetar-head.json");
        fs::remove_file(&head).unwrap();
        if let Some(text) = planted {
            fs::write(&head, text).unwrap();
        }
        let manager = place.manager(3);
        assert_eq!(number(&manager.load_latest().unwrap().unwrap()), 3);
        assert_eq!(manager.save_checkpoint(numbered(4)).unwrap(), 4);
        let ids: Vec<_> = (2..=4)
            .map(|sequence| {
                serde_json::from_slice::<serde_json::Value>(&fs::read(place.file(sequence)).unwrap()).unwrap()["store_id"].clone()
            })
            .collect();
        assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    }
}

#[test]
fn sequences_that_cannot_be_known_are_not_guessed() {
    let place = Place::new();
    let manager = place.manager(3);
    save(&manager, 1..=3);
    manager.clear().unwrap();
    drop(manager);
    let head = place.path().join(".magnetar-head.json");
    fs::write(&head, "rubbish").unwrap();
    let manager = place.manager(3);
    assert!(matches!(manager.recover(), Err(CheckpointError::AllCorrupt { .. })));
    let error = manager.save_checkpoint(numbered(4)).unwrap_err();
    assert!(matches!(&error, CheckpointError::Corrupt { file, .. } if *file == head), "{error}");
    fs::write(&head, "{\"format\":\"magnetar-checkpoint-head\",\"version\":2}").unwrap();
    assert!(matches!(manager.load_latest(), Err(CheckpointError::Newer { version: 2, .. })));
    assert!(matches!(manager.save_checkpoint(numbered(4)), Err(CheckpointError::Newer { version: 2, .. })));
}

#[test]
fn epochs_tell_managers_apart() {
    let place = Place::new();
    let epoch = |sequence| {
        serde_json::from_slice::<serde_json::Value>(&fs::read(place.file(sequence)).unwrap()).unwrap()["epoch"].as_u64().unwrap()
    };
    save(&place.manager(9), 1..=2);
    save(&place.manager(9), 3..=3);
    assert_eq!([epoch(1), epoch(2), epoch(3)], [1, 1, 2]);
    fs::remove_file(place.path().join(".magnetar-head.json")).unwrap();
    save(&place.manager(9), 4..=4);
    assert_eq!(epoch(4), 3);
}

#[test]
fn clear_that_was_cut_off_is_done_by_whoever_saves_next() {
    let folder = SimFolder::new();
    let on = |folder: &SimFolder| CheckpointManager::on_folder(Arc::new(folder.clone()), Options::new(5));
    let manager = on(&folder);
    save(&manager, 1..=3);
    folder.record();
    manager.clear().unwrap();
    let mut is_cleared = false;
    for moment in folder.take_moments() {
        let folder = moment.kept();
        let manager = on(&folder);
        let sequences = manager.list_sequences().unwrap();
        assert!(sequences == [1, 2, 3] || sequences.is_empty(), "{sequences:?}");
        assert!(!is_cleared || sequences.is_empty());
        is_cleared = sequences.is_empty();
        save(&manager, 4..=4);
        assert_eq!(manager.list_sequences().unwrap().last(), Some(&4));
        assert!(!is_cleared || folder.bytes_of("checkpoint_3.json").is_none());
    }
    assert!(is_cleared);
}
