//! How files come to be: whole, private, once.

use std::{
    os::unix::fs::PermissionsExt,
    sync::{
        Barrier,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use super::*;

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn write_whole(path: &Path) -> Result<()> {
    fs::write(path, "whole").map_err(|cause| system_error("write", path, cause))
}

#[test]
fn file_is_made_private_and_nothing_stays_beside_it() {
    let folder = tempfile::tempdir().unwrap();
    let place = Place::find(&folder.path().join("a")).unwrap();
    place.ensure(&write_whole).unwrap();
    assert_eq!(fs::read(place.path()).unwrap(), b"whole");
    assert_eq!(fs::metadata(place.path()).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(names(folder.path()), ["a"]);
}

#[test]
fn file_of_0_bytes_counts_as_none() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a");
    fs::write(&path, "").unwrap();
    Place::find(&path).unwrap().ensure(&write_whole).unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"whole");
    assert_eq!(names(folder.path()), ["a"]);
}

#[test]
fn file_that_is_there_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a");
    fs::write(&path, "mine").unwrap();
    Place::find(&path).unwrap().ensure(&|_| panic!("nothing is to be made")).unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"mine");
}

#[test]
fn making_that_fails_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let place = Place::find(&folder.path().join("a")).unwrap();
    let fail = |_: &Path| Err(Error::new(ErrorKind::Full, "no space"));
    assert_eq!(place.ensure(&fail).unwrap_err().kind(), ErrorKind::Full);
    assert_eq!(names(folder.path()), Vec::<String>::new());
}

#[test]
fn file_that_appears_meanwhile_is_not_replaced() {
    for empty_first in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        if empty_first {
            fs::write(&path, "").unwrap();
        }
        let place = Place::find(&path).unwrap();
        place
            .ensure(&|draft| {
                fs::write(&path, "theirs").unwrap();
                write_whole(draft)
            })
            .unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"theirs");
        assert_eq!(names(folder.path()), ["a"]);
    }
}

#[test]
fn empty_file_that_somebody_has_locked_is_not_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a");
    let lock = File::create(&path).unwrap();
    lock.try_lock().unwrap();
    let error = Place::find(&path).unwrap().ensure(&write_whole).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AlreadyOpen, "{error}");
    assert_eq!(fs::read(&path).unwrap(), b"");
}

#[test]
fn of_many_that_make_a_file_at_once_one_wins() {
    for empty_first in [false, true] {
        for _ in 0..20 {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("a");
            if empty_first {
                fs::write(&path, "").unwrap();
            }
            let (start, number) = (Barrier::new(4), AtomicUsize::new(0));
            let seen: Vec<_> = thread::scope(|scope| {
                let threads: Vec<_> = (0..4)
                    .map(|_| {
                        scope.spawn(|| {
                            let place = Place::find(&path).unwrap();
                            start.wait();
                            let make = |draft: &Path| {
                                fs::write(draft, number.fetch_add(1, Ordering::SeqCst).to_string()).unwrap();
                                Ok(())
                            };
                            place.ensure(&make).unwrap();
                            fs::read_to_string(&path).unwrap()
                        })
                    })
                    .collect();
                threads.into_iter().map(|thread| thread.join().unwrap()).collect()
            });
            assert!(seen.iter().all(|text| *text == seen[0]), "{seen:?}");
            assert_eq!(names(folder.path()), ["a"]);
        }
    }
}

#[test]
fn drafts_that_a_crash_left_are_swept_and_those_in_use_are_not() {
    let folder = tempfile::tempdir().unwrap();
    let place = Place::find(&folder.path().join("a")).unwrap();
    let in_use = Draft::begin(&place).unwrap().unwrap();
    for (draft, file) in [("a.new-1-0", "a"), ("a.new-1-1", "a-wal"), ("a.new-1-2", "lock"), ("a.new-1-3", "notes")] {
        fs::create_dir(folder.path().join(draft)).unwrap();
        fs::write(folder.path().join(draft).join(file), "x").unwrap();
    }
    fs::create_dir(folder.path().join("a.new-1-4")).unwrap();
    fs::create_dir(folder.path().join("b.new-1-5")).unwrap();
    place.ensure(&write_whole).unwrap();
    let own = in_use.path().parent().unwrap().file_name().unwrap().to_str().unwrap().to_owned();
    let mut left = vec!["a".to_owned(), "a.new-1-3".to_owned(), own, "b.new-1-5".to_owned()];
    left.sort();
    assert_eq!(names(folder.path()), left);
}

#[test]
fn draft_that_a_crash_left_after_it_was_published_is_swept() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a");
    fs::write(&path, "whole").unwrap();
    fs::create_dir(folder.path().join("a.new-1-0")).unwrap();
    fs::hard_link(&path, folder.path().join("a.new-1-0/a")).unwrap();
    Place::find(&path).unwrap().ensure(&write_whole).unwrap();
    assert_eq!(names(folder.path()), ["a"]);
    assert_eq!(fs::read(&path).unwrap(), b"whole");
}

#[test]
fn symbolic_link_is_followed_to_the_one_file() {
    let folder = tempfile::tempdir().unwrap();
    let (path, link) = (folder.path().join("a"), folder.path().join("link"));
    fs::write(&path, "whole").unwrap();
    std::os::unix::fs::symlink(&path, &link).unwrap();
    assert_eq!(Place::find(&link).unwrap().path(), fs::canonicalize(&path).unwrap());
}

#[test]
fn file_that_was_replaced_or_removed_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let (path, aside) = (folder.path().join("a"), folder.path().join("b"));
    fs::write(&path, "whole").unwrap();
    let place = Place::find(&path).unwrap();
    let opened = place.identify(&place.open().unwrap()).unwrap();
    place.check(opened).unwrap();
    fs::rename(&path, &aside).unwrap();
    assert_eq!(place.check(opened).unwrap_err().kind(), ErrorKind::Unavailable);
    fs::write(&path, "another").unwrap();
    assert_eq!(place.check(opened).unwrap_err().kind(), ErrorKind::Unavailable);
    fs::rename(&aside, &path).unwrap();
    place.check(opened).unwrap();
}
