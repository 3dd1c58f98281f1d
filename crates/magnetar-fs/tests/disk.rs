//! A folder of the system: what is refused, what is kept apart, and what its files are like.

#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    fs,
    io::{self, Read},
    os::unix::fs::{MetadataExt, PermissionsExt, symlink},
    path::Path,
    sync::Arc,
};

use magnetar_fs::{Disk, ErrorKind, Folder, Kind, LOCK_FILE, Writer};
use tempfile::TempDir;

struct Place {
    folder: TempDir,
}

impl Place {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn path(&self) -> std::path::PathBuf {
        self.folder.path().join("state")
    }

    fn open(&self) -> Arc<Disk> {
        Arc::new(Disk::open(&self.path()).unwrap())
    }
}

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().mode() & 0o777
}

fn write(writer: &mut Writer, name: &str, text: &str) -> magnetar_fs::Result<magnetar_fs::Written> {
    writer.replace(name, &mut |file| file.write_all(text.as_bytes()))
}

fn names(path: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(path).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn folder_and_files_are_private() {
    let place = Place::new();
    let path = place.path().join("deeper");
    let mut writer = Writer::lock(Arc::new(Disk::open(&path).unwrap())).unwrap();
    write(&mut writer, "token", "1").unwrap();
    assert_eq!((mode(&place.path()), mode(&path)), (0o700, 0o700));
    assert_eq!((mode(&path.join("token")), mode(&path.join(LOCK_FILE))), (0o600, 0o600));
    assert_eq!(names(&path), [LOCK_FILE, "token"]);
}

#[test]
fn folder_that_is_a_file_or_a_link_is_refused_with_its_path() {
    let place = Place::new();
    fs::write(place.path(), "a file").unwrap();
    let link = place.folder.path().join("link");
    symlink(place.folder.path(), &link).unwrap();
    let slash = format!("{}/", link.display());
    for path in [&*place.path(), &link, Path::new(&slash), &place.path().join("below")] {
        let error = Disk::open(path).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
        assert!(error.to_string().contains(&place.folder.path().display().to_string()), "{error}");
    }
    assert_eq!(Disk::open(Path::new("")).unwrap_err().kind(), ErrorKind::Invalid);
}

#[test]
fn folder_that_others_may_write_to_is_refused_unless_told() {
    let place = Place::new();
    drop(place.open());
    for shared in [0o720, 0o702, 0o777] {
        fs::set_permissions(place.path(), fs::Permissions::from_mode(shared)).unwrap();
        let error = Disk::open(&place.path()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsafe);
        assert!(error.to_string().contains("chmod go-w"), "{error}");
        Disk::open_shared(&place.path()).unwrap();
    }
    fs::set_permissions(place.path(), fs::Permissions::from_mode(0o755)).unwrap();
    Disk::open(&place.path()).unwrap();
}

#[test]
fn what_is_no_regular_file_is_neither_read_nor_written_through() {
    let place = Place::new();
    let disk = place.open();
    let target = place.folder.path().join("target");
    fs::write(&target, "precious").unwrap();
    symlink(&target, place.path().join("link")).unwrap();
    fs::create_dir(place.path().join("folder")).unwrap();
    rustix::fs::mkfifoat(rustix::fs::CWD, place.path().join("pipe"), rustix::fs::Mode::RWXU).unwrap();
    for name in ["link", "folder", "pipe"] {
        assert_eq!(disk.open(name).err().unwrap().kind(), io::ErrorKind::InvalidInput, "{name}");
        assert_eq!(disk.create_new(name).err().unwrap().kind(), io::ErrorKind::AlreadyExists, "{name}");
    }
    for name in ["link", "pipe", "folder"] {
        assert_eq!(disk.try_lock(name).unwrap_err().kind(), io::ErrorKind::InvalidInput, "{name}");
    }
    let mut writer = Writer::lock(disk.clone()).unwrap();
    write(&mut writer, "link", "another").unwrap();
    assert_eq!(fs::read_to_string(&target).unwrap(), "precious");
    assert!(fs::symlink_metadata(place.path().join("link")).unwrap().is_file());
    let kinds: Vec<_> = disk.list().unwrap().into_iter().map(|entry| (entry.name, entry.kind, entry.bytes)).collect();
    assert!(kinds.contains(&("pipe".to_owned(), Kind::Other, 0)));
    assert!(kinds.contains(&("folder".to_owned(), Kind::Folder, 0)));
    assert!(kinds.contains(&("link".to_owned(), Kind::File, 7)));
}

#[test]
fn names_that_lead_elsewhere_are_refused() {
    let disk = Place::new().open();
    for name in ["", ".", "..", "../target", "a/b", "/etc/passwd", "a\0b"] {
        assert_eq!(disk.open(name).err().unwrap().kind(), io::ErrorKind::InvalidInput, "{name}");
        assert_eq!(disk.create_new(name).err().unwrap().kind(), io::ErrorKind::InvalidInput, "{name}");
        assert_eq!(disk.remove(name).unwrap_err().kind(), io::ErrorKind::InvalidInput, "{name}");
        assert_eq!(disk.rename_new(name, "a").unwrap_err().kind(), io::ErrorKind::InvalidInput, "{name}");
        assert_eq!(disk.rename_over("a", name).unwrap_err().kind(), io::ErrorKind::InvalidInput, "{name}");
        assert_eq!(disk.try_lock(name).unwrap_err().kind(), io::ErrorKind::InvalidInput, "{name}");
    }
}

#[test]
fn second_writer_is_kept_out_until_the_first_is_gone() {
    let place = Place::new();
    let first = Writer::lock(place.open()).unwrap();
    let error = Writer::lock(place.open()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AlreadyLocked);
    assert!(error.to_string().contains(&place.path().display().to_string()), "{error}");
    drop(first);
    Writer::lock(place.open()).unwrap();
}

#[test]
fn new_file_never_replaces_another() {
    let place = Place::new();
    let mut writer = Writer::lock(place.open()).unwrap();
    writer.write_new("a", &mut |file| file.write_all(b"first")).unwrap();
    let error = writer.write_new("a", &mut |file| file.write_all(b"second")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AlreadyExists);
    assert_eq!(fs::read_to_string(place.path().join("a")).unwrap(), "first");
    assert_eq!(names(&place.path()), [LOCK_FILE, "a"]);
    let moved = writer.rename("a", "a").unwrap_err();
    assert_eq!(moved.kind(), ErrorKind::AlreadyExists);
}

#[test]
fn what_a_dead_writer_left_is_removed_and_nothing_else() {
    let place = Place::new();
    drop(place.open());
    let left = format!(".magnetar-new-{}", "0123456789abcdef".repeat(2));
    let foreign = [".magnetar-new-1", ".magnetar-new-xyz", "notes.txt", ".tmp-1"];
    for name in foreign.iter().chain([&&*left]) {
        fs::write(place.path().join(name), "x").unwrap();
    }
    fs::create_dir(place.path().join(format!(".magnetar-new-{}", "f".repeat(32)))).unwrap();
    drop(Writer::lock(place.open()).unwrap());
    let names = names(&place.path());
    assert!(foreign.iter().all(|name| names.contains(&(*name).to_owned())), "{names:?}");
    assert!(!names.contains(&left) && names.len() == foreign.len() + 2, "{names:?}");
}

#[test]
fn bare_lock_keeps_others_out_and_touches_nothing() {
    let place = Place::new();
    drop(place.open());
    let left = format!(".magnetar-new-{}", "0".repeat(32));
    fs::write(place.path().join(&left), "x").unwrap();
    let mut bare = Writer::lock_bare(place.open()).unwrap();
    assert_eq!(Writer::lock(place.open()).unwrap_err().kind(), ErrorKind::AlreadyLocked);
    assert_eq!(Writer::lock_bare(place.open()).unwrap_err().kind(), ErrorKind::AlreadyLocked);
    write(&mut bare, "token", "1").unwrap();
    assert_eq!(names(&place.path()), [LOCK_FILE, &left, "token"]);
}

#[test]
fn folder_that_was_moved_stays_the_same_folder() {
    let place = Place::new();
    let mut writer = Writer::lock(place.open()).unwrap();
    let moved = place.folder.path().join("moved");
    fs::rename(place.path(), &moved).unwrap();
    fs::create_dir(place.path()).unwrap();
    write(&mut writer, "a", "text").unwrap();
    assert!(moved.join("a").exists() && !place.path().join("a").exists());
}

#[test]
fn large_file_comes_back_as_it_was_written() {
    let place = Place::new();
    let disk = place.open();
    let mut writer = Writer::lock(disk.clone()).unwrap();
    let text: Vec<u8> = (0..300_000_u32).flat_map(u32::to_le_bytes).collect();
    let written = writer
        .replace("large", &mut |file| {
            let (pieces, rest) = text.split_at(1_000_000);
            pieces.chunks(7).try_for_each(|piece| file.write_all(piece))?;
            file.write_all(rest)
        })
        .unwrap();
    assert_eq!(written.bytes, 1_200_000);
    let mut file = disk.open("large").unwrap();
    let mut found = Vec::new();
    assert_eq!(file.size_bytes(), 1_200_000);
    file.read_to_end(&mut found).unwrap();
    assert!(found == text);
}

#[test]
fn filler_that_fails_leaves_the_file_as_it_was() {
    let place = Place::new();
    let mut writer = Writer::lock(place.open()).unwrap();
    write(&mut writer, "a", "first").unwrap();
    let error = writer
        .replace("a", &mut |file| {
            file.write_all(b"sec")?;
            Err(io::ErrorKind::StorageFull.into())
        })
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Full);
    assert_eq!(fs::read_to_string(place.path().join("a")).unwrap(), "first");
    assert_eq!(names(&place.path()), [LOCK_FILE, "a"]);
    write(&mut writer, "a", "third").unwrap();
}
