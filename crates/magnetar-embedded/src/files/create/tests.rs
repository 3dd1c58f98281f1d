//! How files come to be: whole, private, once.

use std::{
    cell::Cell,
    os::unix::fs::{MetadataExt, PermissionsExt},
    process::Command,
    sync::{
        Barrier,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use tempfile::TempDir;

use super::*;
use crate::files::beside;

/// A folder, and the path of a file in it.
fn place() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a");
    (folder, path)
}

fn names(folder: &TempDir) -> Vec<String> {
    let entries = fs::read_dir(folder.path()).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn create_whole(path: &Path) -> Result<()> {
    Place::of(path).unwrap().create_where_absent(write_whole)
}

fn write_whole(new: &Path) -> Result<()> {
    fs::write(new, "whole").map_err(|error| system_error("write", new, error))
}

fn no_space() -> Error {
    Error::new(ErrorKind::Full, "no space")
}

#[test]
fn file_is_built_of_an_empty_private_one_and_nothing_stays_beside_it() {
    for empty_first in [false, true] {
        let (folder, path) = place();
        if empty_first {
            fs::write(&path, "").unwrap();
        }
        let build = |new: &Path| {
            let metadata = fs::metadata(new).unwrap();
            assert_eq!((metadata.len(), metadata.permissions().mode() & 0o777), (0, 0o600));
            assert_eq!(fs::read(&path).unwrap(), b"", "what is half done is seen by nobody");
            write_whole(new)
        };
        Place::of(&path).unwrap().create_where_absent(build).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"whole");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(names(&folder), ["a"]);
    }
}

#[test]
fn file_that_is_there_is_left_alone() {
    let (_folder, path) = place();
    fs::write(&path, "mine").unwrap();
    Place::of(&path).unwrap().create_where_absent(|_| panic!("nothing is to be made")).unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"mine");
}

#[test]
fn creation_that_fails_leaves_nothing() {
    for empty_first in [false, true] {
        let (folder, path) = place();
        if empty_first {
            fs::write(&path, "").unwrap();
        }
        let build = |new: &Path| write_whole(new).and(Err(no_space()));
        let error = Place::of(&path).unwrap().create_where_absent(build).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Full);
        assert_eq!(names(&folder), Vec::<String>::new());
    }
}

#[test]
fn creation_that_panics_leaves_no_hidden_file_and_stops_nobody() {
    let (folder, path) = place();
    let build = || Place::of(&path).unwrap().create_where_absent(|new| write_whole(new).map(|()| panic!("planted")));
    thread::scope(|scope| scope.spawn(build).join().unwrap_err());
    assert_eq!(names(&folder), ["a"]);
    assert_eq!(fs::read(&path).unwrap(), b"");
    create_whole(&path).unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"whole");
}

#[test]
fn file_that_appears_meanwhile_is_not_replaced() {
    for empty_first in [false, true] {
        for removed_first in [false, true] {
            let (folder, path) = place();
            if empty_first {
                fs::write(&path, "").unwrap();
            }
            let build = |new: &Path| {
                if removed_first {
                    fs::remove_file(&path).unwrap();
                }
                fs::write(&path, "theirs").unwrap();
                write_whole(new)
            };
            Place::of(&path).unwrap().create_where_absent(build).unwrap();
            assert_eq!(fs::read(&path).unwrap(), b"theirs");
            assert_eq!(names(&folder), ["a"]);
        }
    }
}

#[test]
fn file_that_appears_meanwhile_stays_when_creation_fails() {
    let (folder, path) = place();
    let build = |_: &Path| {
        fs::write(&path, "theirs").unwrap();
        Err(no_space())
    };
    Place::of(&path).unwrap().create_where_absent(build).unwrap_err();
    assert_eq!(fs::read(&path).unwrap(), b"theirs");
    assert_eq!(names(&folder), ["a"]);
}

#[test]
fn another_empty_file_that_appears_meanwhile_is_filled_in_its_turn() {
    let (folder, path) = place();
    let builds = Cell::new(0);
    let build = |new: &Path| {
        builds.set(builds.get() + 1);
        if builds.get() == 1 {
            // The first one is still open here, so this one has another number.
            fs::remove_file(&path).unwrap();
            fs::write(&path, "").unwrap();
        }
        write_whole(new)
    };
    Place::of(&path).unwrap().create_where_absent(build).unwrap();
    assert_eq!((builds.get(), fs::read(&path).unwrap()), (2, b"whole".to_vec()));
    assert_eq!(names(&folder), ["a"]);
}

#[test]
fn file_that_others_remove_all_the_time_is_given_up() {
    let (folder, path) = place();
    let build = |new: &Path| {
        fs::remove_file(&path).unwrap();
        write_whole(new)
    };
    let error = Place::of(&path).unwrap().create_where_absent(build).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    assert_eq!(names(&folder), Vec::<String>::new());
}

#[test]
fn what_is_no_file_by_now_is_refused_and_not_replaced() {
    let (folder, path) = place();
    let place = Place::of(&path).unwrap();
    assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
    let error = place.create_where_absent(|_| panic!("nothing is to be made")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(error.to_string().contains("a FIFO"), "{error}");
    assert_eq!(names(&folder), ["a"]);
}

#[test]
fn empty_file_that_somebody_has_locked_is_busy_and_not_replaced() {
    let (folder, path) = place();
    let holder = File::create(&path).unwrap();
    holder.try_lock().unwrap();
    let place = Place::of(&path).unwrap();
    let error = create(&place, &write_whole, &mut Patience::at_its_end()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Busy, "{error}");
    assert!(error.to_string().starts_with(&format!("create {}: ", place.file().display())), "{error}");
    assert_eq!((fs::read(&path).unwrap(), names(&folder)), (Vec::new(), vec!["a".to_owned()]));
    drop(holder);
    create(&place, &write_whole, &mut Patience::at_its_end()).unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"whole");
}

#[test]
fn store_that_was_put_there_is_neither_locked_nor_waited_for() {
    let (_folder, path) = place();
    fs::write(&path, "whole").unwrap();
    let (place, holder) = (Place::of(&path).unwrap(), File::open(&path).unwrap());
    holder.try_lock().unwrap();
    // As after a look at the empty file that was there a moment ago.
    fill(&place, &|_| panic!("nothing is to be made"), &mut Patience::at_its_end()).unwrap();
    drop(holder);
    let (before, after) = (File::open(&path).unwrap(), File::open(&path).unwrap());
    assert!(Empty::lock(before, &path, &mut Patience::at_its_end()).unwrap().is_none());
    after.try_lock().unwrap();
}

#[test]
fn leftovers_of_a_crash_are_no_store() {
    let (folder, path) = place();
    fs::write(&path, "").unwrap();
    let hidden = folder.path().join(format!(".a.{}.new", fs::metadata(&path).unwrap().ino()));
    fs::write(&hidden, "half").unwrap();
    let build = |new: &Path| {
        assert_eq!(fs::canonicalize(new).unwrap(), fs::canonicalize(&hidden).unwrap());
        assert_eq!(fs::read(new).unwrap(), b"");
        write_whole(new)
    };
    Place::of(&path).unwrap().create_where_absent(build).unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"whole");
    assert_eq!(names(&folder), ["a"]);
}

#[test]
fn what_stands_beside_the_file_is_not_touched() {
    let (folder, path) = place();
    for suffix in ["-wal", ".new", ".1.new"] {
        fs::write(beside(&path, suffix), "theirs").unwrap();
    }
    create_whole(&path).unwrap();
    assert_eq!(names(&folder), ["a", "a-wal", "a.1.new", "a.new"]);
}

#[test]
fn of_many_that_create_a_file_at_once_one_does() {
    for empty_first in [false, true] {
        for _ in 0..20 {
            let (folder, path) = place();
            if empty_first {
                fs::write(&path, "").unwrap();
            }
            let (start, number) = (Barrier::new(4), AtomicUsize::new(0));
            // Not by way of `create_where_absent`, which keeps the threads of a process apart: these are as processes are.
            let race = || {
                let place = Place::of(&path).unwrap();
                start.wait();
                let build = |new: &Path| {
                    fs::write(new, number.fetch_add(1, Ordering::SeqCst).to_string()).unwrap();
                    Ok(())
                };
                create(&place, &build, &mut Patience::default()).unwrap();
                fs::read_to_string(&path).unwrap()
            };
            let seen: Vec<_> = thread::scope(|scope| {
                let threads: Vec<_> = (0..4).map(|_| scope.spawn(race)).collect();
                threads.into_iter().map(|thread| thread.join().unwrap()).collect()
            });
            assert_eq!(seen, ["0"; 4]);
            assert_eq!(names(&folder), ["a"]);
        }
    }
}
