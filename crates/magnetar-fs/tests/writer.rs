//! The order of steps, on a folder that loses what was not flushed and fails where it is told to.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{io, sync::Arc};

use magnetar_fs::{ErrorKind, LOCK_FILE, Result, Writer, Written};
use magnetar_testkit::folder::{Fault, Faults, Flaw, SimFolder, every_choice};

const NAME: &str = "token";

fn lock(folder: &SimFolder) -> Writer {
    Writer::lock(Arc::new(folder.clone())).unwrap()
}

fn replace(writer: &mut Writer, text: &[u8]) -> Result<Written> {
    writer.replace(NAME, &mut |file| file.write_all(text))
}

/// A folder with one file, and the number of operations that replacing it takes.
fn with_one_file(flaw: Option<Flaw>) -> (SimFolder, u64) {
    let folder = SimFolder::new().with_flaw(flaw);
    replace(&mut lock(&folder), b"first").unwrap();
    let mut writer = lock(&folder);
    folder.set_faults(Faults::default());
    replace(&mut writer, b"first").unwrap();
    let ops = folder.ops();
    (folder, ops)
}

/// How many power cuts while a file is replaced leave neither the old nor the new, or the old after the new was acknowledged.
fn losses(flaw: Option<Flaw>) -> (usize, usize) {
    let (folder, _) = with_one_file(None);
    let folder = folder.with_flaw(flaw);
    let mut writer = lock(&folder);
    let text = vec![b'x'; 1500];
    folder.record();
    replace(&mut writer, &text).unwrap();
    folder.mark(1);
    let (mut losses, mut images) = (0, 0);
    for moment in folder.take_moments() {
        every_choice(|choose| {
            let found = moment.image(choose).bytes_of(NAME);
            images += 1;
            let is_right = found.as_deref() == Some(&text) || (moment.mark() == 0 && found.as_deref() == Some(b"first"));
            losses += usize::from(!is_right);
        });
    }
    (losses, images)
}

#[test]
fn every_power_cut_while_a_file_is_replaced_leaves_the_old_or_the_new() {
    let (losses, images) = losses(None);
    assert!(losses == 0 && images > 20, "{losses} of {images}");
}

#[test]
fn controls_lose_files_in_power_cuts() {
    for flaw in [Flaw::InPlace, Flaw::NoFileSync, Flaw::NoFolderSync] {
        let (losses, images) = losses(Some(flaw));
        println!("{flaw:?}: {losses} of {images}");
        assert!(losses > 0, "{flaw:?} of {images}");
    }
}

#[test]
fn each_operation_that_fails_leaves_the_old_or_the_new_and_says_so() {
    let (folder, ops) = with_one_file(None);
    let before = folder.now();
    for op in 0..ops {
        for (fault, kind) in [
            (Fault::Device, ErrorKind::Io),
            (Fault::Full, ErrorKind::Full),
            (Fault::ReadOnly, ErrorKind::ReadOnly),
            (Fault::Denied, ErrorKind::Permission),
        ] {
            let folder = before.kept();
            let mut writer = lock(&folder);
            folder.set_faults(Faults::from(op, fault));
            let error = replace(&mut writer, b"second").unwrap_err();
            let unknown = error.kind() == ErrorKind::Poisoned;
            assert!(unknown || error.kind() == kind, "operation {op}: {error}");
            assert!(!unknown || writer.is_poisoned());
            folder.set_faults(Faults::default());
            let found = folder.bytes_of(NAME).unwrap();
            assert!(found == b"first" || (unknown && found == b"second"), "operation {op}: {error}");
            drop(writer);
            replace(&mut lock(&folder), b"third").unwrap();
            assert_eq!(folder.names(), [LOCK_FILE, NAME], "operation {op}");
        }
    }
}

#[test]
fn flush_that_failed_is_made_good_by_another_file_once() {
    let (before, ops) = with_one_file(None);
    let before = before.now();
    // The second flush of the file that failed would say yes, and nothing would be there after a power cut.
    let flush = 2;
    let folder = before.kept();
    let mut writer = lock(&folder);
    folder.set_faults(Faults::once(flush, Fault::Device));
    replace(&mut writer, b"second").unwrap();
    assert_eq!(folder.ops(), ops + flush + 2, "created, written, not flushed and removed, then all of it again");
    every_choice(|choose| assert_eq!(folder.now().image(choose).bytes_of(NAME).unwrap(), b"second"));
    assert!(!writer.is_poisoned());
}

#[test]
fn file_that_cannot_be_flushed_twice_poisons_the_writer() {
    let (folder, _) = with_one_file(None);
    let mut writer = lock(&folder);
    folder.set_faults(Faults::from(2, Fault::Device));
    assert_eq!(replace(&mut writer, b"second").unwrap_err().kind(), ErrorKind::Io);
    folder.set_faults(Faults::default());
    for error in [
        replace(&mut writer, b"third").unwrap_err(),
        writer.remove(NAME).unwrap_err(),
        writer.rename(NAME, "other").unwrap_err(),
        writer.flush().unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::Poisoned, "{error}");
    }
    assert_eq!(folder.bytes_of(NAME).unwrap(), b"first");
}

#[test]
fn folder_that_cannot_be_flushed_leaves_the_outcome_unknown() {
    let (folder, ops) = with_one_file(None);
    let mut writer = lock(&folder);
    folder.set_faults(Faults::once(ops - 1, Fault::Device));
    let error = replace(&mut writer, b"second").unwrap_err();
    assert_eq!((error.kind(), error.io_kind().is_some()), (ErrorKind::Poisoned, true));
    assert!(writer.is_poisoned());
}

#[test]
fn full_disk_leaves_the_folder_as_it_was_at_every_byte() {
    let (before, _) = with_one_file(None);
    let before = before.now();
    for room in 0..6 {
        let folder = before.kept();
        let mut writer = lock(&folder);
        folder.set_faults(Faults::full_after(room));
        let outcome = replace(&mut writer, b"second");
        assert_eq!(outcome.unwrap_err().kind(), ErrorKind::Full, "room for {room} bytes");
        assert_eq!(folder.bytes_of(NAME).unwrap(), b"first");
        assert_eq!(folder.names(), [LOCK_FILE, NAME]);
        folder.set_faults(Faults::default());
        replace(&mut writer, b"second").unwrap();
    }
}

#[test]
fn flush_that_finds_no_room_is_not_tried_again_and_poisons_nothing() {
    let (folder, _) = with_one_file(None);
    let mut writer = lock(&folder);
    folder.set_faults(Faults::once(2, Fault::Full));
    assert_eq!(replace(&mut writer, b"second").unwrap_err().kind(), ErrorKind::Full);
    assert!(!writer.is_poisoned());
    replace(&mut writer, b"third").unwrap();
}

#[test]
fn filler_is_asked_again_for_a_second_file() {
    let (folder, _) = with_one_file(None);
    let mut writer = lock(&folder);
    folder.set_faults(Faults::once(2, Fault::Device));
    let mut calls = 0;
    let written = writer.replace(NAME, &mut |file| {
        calls += 1;
        io::Write::write_all(file, b"second")
    });
    assert_eq!((calls, written.unwrap().bytes), (2, 6));
}

#[test]
fn what_is_seen_when_a_writer_comes_survives_a_power_cut() {
    let folder = SimFolder::new();
    let mut writer = lock(&folder);
    folder.record();
    replace(&mut writer, b"first").unwrap();
    let moments = folder.take_moments();
    let died = moments.iter().find(|moment| moment.kept().bytes_of(NAME).is_some()).unwrap();
    let mut images = 0;
    every_choice(|choose| images += usize::from(died.image(choose).bytes_of(NAME).is_none()));
    assert!(images > 0, "the process died before it flushed the folder");
    let folder = died.kept();
    drop(lock(&folder));
    every_choice(|choose| assert_eq!(folder.now().image(choose).bytes_of(NAME).unwrap(), b"first"));
}

#[test]
fn what_is_read_back_otherwise_than_it_was_written_is_not_published() {
    let (folder, _) = with_one_file(None);
    let folder = folder.with_flaw(Some(Flaw::FlippedBit));
    let mut writer = lock(&folder);
    assert_eq!(replace(&mut writer, b"second").unwrap_err().kind(), ErrorKind::Mangled);
    assert_eq!(folder.bytes_of(NAME).unwrap(), b"first");
    assert!(writer.is_poisoned());
    drop(writer);
    let mut trusting = lock(&folder).without_reading_back();
    replace(&mut trusting, b"second").unwrap();
    assert_eq!(folder.bytes_of(NAME).unwrap(), b"secone");
}
