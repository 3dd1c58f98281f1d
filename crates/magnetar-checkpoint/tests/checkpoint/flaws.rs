//! What an earlier implementation did wrong, one test each.

use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt, symlink},
    sync::Arc,
};

use futures_lite::future::block_on;
use magnetar_checkpoint::{Checkpoint, CheckpointError, CheckpointManager, Options, Recovery, SkipReason, Tick, Warning, limits};
use magnetar_testkit::folder::{Fault, Faults, SimFolder, every_choice};

use crate::support::{Hand, Place, damage, envelope, number, numbered, recovered, save, sha256};

fn on(folder: &SimFolder, max_retained: usize) -> CheckpointManager {
    CheckpointManager::on_folder(Arc::new(folder.clone()), Options::new(max_retained))
}

#[test]
fn flaw_01_no_crash_leaves_a_torn_file_or_loses_what_was_acknowledged() {
    let folder = SimFolder::new();
    let manager = on(&folder, 2);
    save(&manager, 1..=1);
    folder.mark(1);
    folder.record();
    save(&manager, 2..=2);
    folder.mark(2);
    let mut images = 0;
    for moment in folder.take_moments() {
        every_choice(|choose| {
            let found = recovered(&on(&moment.image(choose), 2));
            images += 1;
            assert!(number(&found.checkpoint) >= moment.mark() && found.skipped.is_empty(), "{found:?}");
        });
    }
    assert!(images > 30, "{images}");
}

#[test]
fn flaw_02_damaged_files_do_not_count_as_retained() {
    let place = Place::new();
    let manager = place.manager(2);
    save(&manager, 1..=2);
    fs::write(place.file(3), "torn").unwrap();
    fs::write(place.file(4), "").unwrap();
    drop(manager);
    let manager = place.manager(2);
    let saved = manager.save(&numbered(5)).unwrap();
    assert_eq!((saved.sequence, saved.set_aside.len(), &saved.removed[..]), (5, 2, &[1][..]));
    assert_eq!(manager.list_sequences().unwrap(), [2, 5]);
    damage(&place.file(5));
    assert_eq!(number(&manager.load_latest().unwrap().unwrap()), 2);
}

#[test]
fn flaw_03_what_cannot_be_read_is_an_error_and_not_the_start_from_nothing() {
    let folder = SimFolder::new();
    save(&on(&folder, 2), 1..=2);
    folder.set_faults(Faults::default());
    let manager = on(&folder, 2);
    manager.recover().unwrap();
    let ops = folder.ops();
    for op in 0..ops {
        for fault in [Fault::Device, Fault::Denied] {
            folder.set_faults(Faults::once(op, fault));
            assert!(matches!(manager.load_latest(), Err(CheckpointError::Folder(_))), "{fault:?} at {op}");
        }
    }
    folder.set_faults(Faults::default());
    for sequence in 1..=2 {
        folder.put(&format!("checkpoint_{sequence}.json"), "rubbish");
    }
    assert!(matches!(manager.recover(), Err(CheckpointError::AllCorrupt { .. })));
}

#[test]
fn flaw_04_sequences_are_never_used_again_after_clear() {
    let place = Place::new();
    let manager = place.manager(3);
    save(&manager, 1..=3);
    manager.clear().unwrap();
    drop(manager);
    assert_eq!(place.manager(3).save_checkpoint(numbered(4)).unwrap(), 4);
}

#[test]
fn flaw_05_hostile_sequence_in_a_name_is_foreign() {
    let place = Place::new();
    place.plant("checkpoint_18446744073709551615.json", "{}");
    let manager = place.manager(1);
    save(&manager, 1..=2);
    assert_eq!(manager.list_sequences().unwrap(), [2]);
    assert!(place.path().join("checkpoint_18446744073709551615.json").exists());
}

#[test]
fn flaw_06_two_managers_do_not_write_one_sequence() {
    let place = Place::new();
    let (one, other) = (place.manager(3), place.manager(3));
    save(&one, 1..=1);
    assert!(matches!(other.save_checkpoint(numbered(9)), Err(CheckpointError::AlreadyLocked { .. })));
    // Where the lock does not hold, the name is taken.
    fs::copy(place.file(1), place.file(2)).unwrap();
    assert!(matches!(one.save_checkpoint(numbered(2)), Err(CheckpointError::Fenced { .. })));
    assert_eq!(one.save_checkpoint(numbered(3)).unwrap(), 3);
    assert_eq!(number(&one.load_latest().unwrap().unwrap()), 3);
}

#[test]
fn flaw_07_planted_links_are_not_followed() {
    let place = Place::new();
    let precious = place.path().with_file_name("precious");
    fs::write(&precious, envelope(1)).unwrap();
    drop(place.manager(1));
    symlink(&precious, place.file(1)).unwrap();
    let manager = place.manager(1);
    assert_eq!(manager.recover().unwrap(), Recovery::Fresh);
    assert_eq!(manager.save_checkpoint(numbered(2)).unwrap(), 2);
    assert_eq!(fs::read_to_string(&precious).unwrap(), envelope(1));
    assert!(fs::symlink_metadata(place.file(1)).unwrap().is_symlink());
}

#[test]
fn flaw_08_files_are_private_and_a_shared_folder_is_refused() {
    let place = Place::new();
    save(&place.manager(1), 1..=1);
    let mode = |path: &std::path::Path| fs::metadata(path).unwrap().mode() & 0o777;
    assert_eq!((mode(&place.path()), mode(&place.file(1))), (0o700, 0o600));
    fs::set_permissions(place.path(), fs::Permissions::from_mode(0o777)).unwrap();
    let error = CheckpointManager::new(place.path(), 1).unwrap_err();
    assert!(error.to_string().contains("chmod go-w"), "{error}");
    save(&place.open(Options::new(1).allow_shared_folder()), 2..=2);
}

#[test]
fn flaw_09_file_under_another_name_is_not_loaded() {
    let place = Place::new();
    let manager = place.manager(5);
    save(&manager, 1..=2);
    fs::copy(place.file(1), place.file(9)).unwrap();
    fs::write(place.file(8), envelope(1)).unwrap();
    let found = recovered(&manager);
    assert_eq!((found.checkpoint.sequence, found.skipped.len()), (2, 2));
    assert!(found.skipped[0].to_string().contains("under another name"), "{:?}", found.skipped);
}

#[test]
fn flaw_10_foreign_files_are_neither_removed_nor_loaded() {
    let place = Place::new();
    let foreign = ["checkpoint_notes.json", "checkpoint_0.json", "checkpoint_01.json", "notes.txt", "checkpoint_1.json.bak"];
    for name in foreign {
        place.plant(name, &envelope(1));
    }
    let manager = place.manager(1);
    assert_eq!(manager.recover().unwrap(), Recovery::Fresh);
    save(&manager, 1..=3);
    manager.clear().unwrap();
    let mut expected = foreign.map(ToOwned::to_owned);
    expected.sort();
    assert_eq!(place.names(), expected);
}

#[test]
fn flaw_11_reads_are_bounded_and_a_newer_version_is_no_damage() {
    let place = Place::new();
    let manager = place.manager(5);
    save(&manager, 1..=2);
    fs::write(place.file(3), "{\"format\":\"magnetar-checkpoint\",\"version\":2,\"anything\":[]}").unwrap();
    for error in [manager.load_latest().unwrap_err(), manager.recover().unwrap_err(), manager.load_by_sequence(3).unwrap_err()] {
        assert!(matches!(error, CheckpointError::Newer { version: 2, .. }), "{error}");
    }
    fs::remove_file(place.file(3)).unwrap();
    fs::File::create(place.file(3)).unwrap().set_len(limits::FILE_BYTES_MAX + 1).unwrap();
    assert!(matches!(manager.load_latest(), Err(CheckpointError::TooLarge { .. })));
}

#[test]
fn flaw_12_rotation_that_fails_is_a_warning_and_a_failed_save_uses_up_no_sequence() {
    let folder = SimFolder::new();
    let manager = on(&folder, 1);
    save(&manager, 1..=1);
    folder.set_faults(Faults::default());
    save(&manager, 2..=2);
    let ops = folder.ops();
    let mut warned = 0;
    for op in 0..ops {
        folder.set_faults(Faults::once(op, Fault::Full));
        let before = manager.list_sequences().unwrap_or_default().last().copied().unwrap_or_default();
        folder.set_faults(Faults::once(op, Fault::Full));
        match manager.save(&numbered(9)) {
            Ok(saved) => warned += usize::from(!saved.warnings.is_empty()),
            Err(error) => {
                folder.set_faults(Faults::default());
                let next = manager.save_checkpoint(numbered(9)).unwrap();
                assert!(next >= before && manager.load_by_sequence(next).is_ok(), "operation {op}: {error}");
            }
        }
    }
    assert!(warned > 3, "{warned} of {ops}");
    folder.set_faults(Faults::default());
    let next = manager.save_checkpoint(numbered(9)).unwrap();
    let too_much = numbered(9).with_meta("x", "x".repeat(limits::METADATA_BYTES_MAX));
    assert!(matches!(manager.save_checkpoint(too_much), Err(CheckpointError::TooLarge { .. })));
    folder.set_faults(Faults::full_after(100));
    assert!(matches!(manager.save_checkpoint(numbered(9)), Err(CheckpointError::Folder(_))));
    folder.set_faults(Faults::default());
    assert_eq!(manager.save_checkpoint(numbered(9)).unwrap(), next + 1);
}

#[test]
fn flaw_13_content_is_not_escaped_twice() {
    let place = Place::new();
    let jobs: Vec<_> = (0..100_000).map(|n| format!("job-{n:06}")).collect();
    let saved = place.manager(1).save(&Checkpoint::new(0).with_queued(jobs)).unwrap();
    assert!(saved.bytes < 1_300_000 + 1000, "{} bytes for 100,000 names of 10 bytes, quoted and separated", saved.bytes);
}

#[test]
fn flaw_14_a_store_is_saved_at_intervals_consistently_and_as_equal_bytes() {
    let place = Place::new();
    let manager = Arc::new(place.manager(5));
    let store = crate::jobs::store_with_chunks(3);
    let periodic = manager.spawn_periodic(store.clone(), std::time::Duration::from_hours(1)).unwrap();
    assert!(matches!(periodic.tick(), Ok(Tick::Saved(1))));
    assert!(matches!(periodic.stop(), Ok(Tick::Skipped { changes: 0 })));
    block_on(manager.save_jobs(&*store)).unwrap();
    let jobs = |sequence| {
        let text = fs::read_to_string(place.file(sequence)).unwrap();
        text.lines().find(|line| line.starts_with("\"jobs\"")).map(ToOwned::to_owned)
    };
    assert!(jobs(1).is_some_and(|jobs| jobs.contains("\"chunks\"")));
    assert_eq!(jobs(1), jobs(2));
}

#[test]
fn flaw_15_clock_that_goes_back_is_told_and_metadata_has_a_limit() {
    let place = Place::new();
    let clock = Hand::at(1_000_000);
    let manager = place.open(clock.options(3));
    save(&manager, 1..=1);
    clock.set(999_000);
    let saved = manager.save(&numbered(2)).unwrap();
    assert!(matches!(&saved.warnings[..], [Warning::ClockWentBack { by }] if by.as_secs() == 1000), "{:?}", saved.warnings);
    let too_much = numbered(9).with_meta("x", "x".repeat(limits::METADATA_BYTES_MAX));
    assert!(matches!(manager.save_checkpoint(too_much), Err(CheckpointError::TooLarge { .. })));
}

#[test]
fn flaw_16_signed_files_cannot_be_forged_damage_is_kept_aside_and_the_age_of_a_fallback_is_told() {
    let place = Place::new();
    let clock = Hand::at(5_000_000_000);
    let manager = place.open(clock.options(5).key(b"secret"));
    let mut old = numbered(1);
    old.timestamp_secs = 4_999_999_000;
    manager.save(&old).unwrap();
    save(&manager, 2..=2);
    let text = fs::read_to_string(place.file(2)).unwrap();
    let forged = text.replace("job-2", "job-X");
    let sealed = &forged[..forged.len() - 64 - "\"}\n".len()];
    fs::write(place.file(2), format!("{sealed}{}\"}}\n", sha256(sealed))).unwrap();
    let found = recovered(&manager);
    assert_eq!((found.checkpoint.sequence, found.age.as_secs(), found.is_fallback()), (1, 1000, true));
    let saved = manager.save(&numbered(3)).unwrap();
    assert_eq!(saved.set_aside[0].sequence, 2);
    assert!(place.names().contains(&"checkpoint_2.json.corrupt".to_owned()), "{:?}", place.names());
    assert!(matches!(place.manager(5).load_latest(), Err(CheckpointError::KeyMissing { .. })));
    // Without a key the same forgery goes through: the digest finds accidents, not enemies.
    let unsigned = Place::new();
    save(&unsigned.manager(5), 1..=1);
    let text = fs::read_to_string(unsigned.file(1)).unwrap().replace("job-1", "job-X");
    let sealed = &text[..text.len() - 64 - "\"}\n".len()];
    fs::write(unsigned.file(1), format!("{sealed}{}\"}}\n", sha256(sealed))).unwrap();
    let found = unsigned.manager(5).recover();
    assert!(
        matches!(&found, Err(CheckpointError::AllCorrupt { skipped, .. }) if matches!(skipped[0].reason, SkipReason::Corrupt(_))),
        "the one that was acknowledged had another digest: {found:?}"
    );
}
