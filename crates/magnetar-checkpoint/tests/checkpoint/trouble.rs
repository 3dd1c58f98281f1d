//! Operations that fail, one by one.

use std::sync::Arc;

use magnetar_checkpoint::{CheckpointError, CheckpointManager, Options, Recovery};
use magnetar_fs::ErrorKind;
use magnetar_testkit::folder::{Fault, Faults, SimFolder, every_choice};

use crate::support::{number, numbered, recovered, save};

fn on(folder: &SimFolder) -> CheckpointManager {
    CheckpointManager::on_folder(Arc::new(folder.clone()), Options::new(2))
}

/// A folder with three saves in it.
fn filled() -> SimFolder {
    let folder = SimFolder::new();
    save(&on(&folder), 1..=3);
    folder
}

#[test]
fn each_operation_that_fails_loses_nothing_that_was_acknowledged() {
    let before = filled().now();
    let folder = before.kept();
    folder.set_faults(Faults::default());
    save(&on(&folder), 4..=4);
    let ops = folder.ops();
    for op in 0..ops {
        for fault in [Fault::Device, Fault::Full, Fault::ReadOnly, Fault::Denied] {
            for faults in [Faults::once(op, fault), Faults::from(op, fault)] {
                let folder = before.kept();
                let manager = on(&folder);
                folder.set_faults(faults);
                let outcome = manager.save(&numbered(4));
                folder.set_faults(Faults::default());
                let newest = number(&recovered(&manager).checkpoint);
                match &outcome {
                    Ok(_) => assert_eq!(newest, 4),
                    Err(CheckpointError::Folder(error)) if error.kind() == ErrorKind::Poisoned => {
                        assert!([3, 4].contains(&newest));
                    }
                    Err(_) => assert_eq!(newest, 3),
                }
                // What was acknowledged survives a power cut right after, and the next save works.
                let acknowledged = if outcome.is_ok() { 4 } else { 3 };
                every_choice(|choose| {
                    assert!(
                        number(&recovered(&on(&folder.now().image(choose))).checkpoint) >= acknowledged,
                        "{op} {fault:?} {outcome:?}"
                    );
                });
                let next = manager.save_checkpoint(numbered(5)).unwrap();
                assert!(next > acknowledged);
                every_choice(|choose| {
                    assert_eq!(number(&recovered(&on(&folder.now().image(choose))).checkpoint), 5, "{op} {fault:?} {outcome:?}");
                });
            }
        }
    }
    assert!(ops > 20, "{ops}");
}

#[test]
fn file_that_goes_away_between_two_looks_is_no_damage() {
    // A second manager reads while the first rotates: between its look at the names and its look at the file.
    let folder = filled();
    let reader = on(&folder);
    let writer = on(&folder);
    std::thread::scope(|scope| {
        let saving = scope.spawn(|| save(&writer, 4..=200));
        let mut last = 3;
        while !saving.is_finished() {
            let found = recovered(&reader);
            assert!(found.skipped.is_empty() && found.missing.is_none(), "{found:?}");
            assert!(number(&found.checkpoint) >= last);
            last = number(&found.checkpoint);
        }
    });
}

#[test]
fn folder_that_is_cleared_between_two_looks_is_fresh_and_not_damaged() {
    let folder = filled();
    let (reader, writer) = (on(&folder), on(&folder));
    std::thread::scope(|scope| {
        let clearing = scope.spawn(|| {
            for number in 4..=200 {
                save(&writer, number..=number);
                writer.clear().unwrap();
            }
        });
        while !clearing.is_finished() {
            match reader.recover().unwrap() {
                Recovery::Recovered(found) => assert!(!found.is_fallback(), "{found:?}"),
                found => assert_eq!(found, Recovery::Fresh),
            }
        }
    });
}
