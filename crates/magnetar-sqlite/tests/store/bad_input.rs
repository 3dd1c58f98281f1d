//! Files that are none, are damaged, are another's, or go away: a typed error that names the file, and nothing lost.

use std::{
    fs,
    os::unix::{
        fs::{MetadataExt, PermissionsExt, symlink},
        net::UnixListener,
        process::CommandExt,
    },
    path::{Path, PathBuf},
    process::Command,
};

use futures_lite::future::block_on;
use magnetar_core::{Error, ErrorKind, JobSpec, JobStore, Manifest, NewChunk};
use magnetar_embedded::Backend;
use magnetar_sqlite::{SqliteBackend, SqliteStore};
use rusqlite::Connection;
use tempfile::TempDir;

use crate::child::{self, Process, names, say};

const JOB: i64 = 1;

/// A folder and the path of a store in it.
fn place() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("jobs.db");
    (folder, path)
}

fn open(path: &Path) -> SqliteStore {
    block_on(SqliteStore::open(path)).unwrap_or_else(|error| panic!("{error:?}"))
}

fn insert(store: &dyn JobStore, chunks: impl Iterator<Item = u64>, payload: usize) -> Result<(), Error> {
    let chunks = chunks.map(|id| NewChunk::new(id).payload(vec![7; payload])).collect();
    let manifest = Manifest::new(JobSpec::default(), chunks).unwrap();
    block_on(store.init_from_manifest(JOB, &manifest)).map(drop)
}

fn total(store: &dyn JobStore) -> u64 {
    block_on(store.get_stats(JOB)).unwrap().total_chunks
}

/// A store that was closed, with some chunks in it.
fn closed_store(path: &Path) {
    insert(&open(path), 1..=500, 100).unwrap();
}

/// Opening fails with an error of this kind that names the file, says this, and changes nothing in the folder.
fn check_refused(path: &Path, kind: ErrorKind, says: &str) {
    let Err(error) = SqliteBackend::open(path) else { panic!("{} was opened", path.display()) };
    let text = error.to_string();
    assert_eq!(error.kind(), kind, "{text}");
    assert!(text.contains(&path.display().to_string()) && text.contains(says), "{text}");
}

/// As [`check_refused`], and the file keeps its bytes and gets no company.
fn check_refused_untouched(path: &Path, kind: ErrorKind, says: &str) {
    let (bytes, beside) = (fs::read(path).unwrap(), names(path.parent().unwrap()));
    check_refused(path, kind, says);
    assert!(fs::read(path).unwrap() == bytes, "{} was written to", path.display());
    assert_eq!(names(path.parent().unwrap()), beside);
}

fn is_root() -> bool {
    fs::metadata("/proc/self").unwrap().uid() == 0
}

/// In a child: tries to open a store and to begin a transaction, and says what came of it.
pub(crate) fn attempt(path: &Path) {
    say(match SqliteBackend::open(path).and_then(|mut backend| backend.begin().map(drop)) {
        Ok(()) => "opened".to_owned(),
        Err(error) => format!("{:?}: {error}", error.kind()),
    });
}

#[test]
fn file_that_is_no_database_is_corrupt() {
    let (_folder, path) = place();
    for text in [
        "x",
        "SQLite format 3",
        "this is a text of more than a hundred bytes, which no database is, however long one looks at it; it ends here",
    ] {
        fs::write(&path, text).unwrap();
        check_refused_untouched(&path, ErrorKind::Corrupt, "restore a copy");
    }
}

#[test]
fn truncated_store_is_corrupt() {
    let (folder, path) = place();
    closed_store(&path);
    let whole = fs::read(&path).unwrap();
    let cut = folder.path().join("cut.db");
    for length in
        [1, 15, 99, 100, 511, 512, 4095, 4096, 4097, whole.len() / 2, whole.len() - 4096, whole.len() - 512, whole.len() - 1]
    {
        fs::write(&cut, &whole[..length]).unwrap();
        let Err(error) = block_on(SqliteStore::open(&cut)) else { panic!("{length} of {} bytes were opened", whole.len()) };
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{length} bytes: {error}");
        assert!(fs::read(&cut).unwrap() == whole[..length], "{length} bytes were written to");
    }
}

#[test]
fn database_of_another_program_is_refused_and_left_alone() {
    let (_folder, path) = place();
    let other = Connection::open(&path).unwrap();
    other.execute_batch("CREATE TABLE song(name TEXT)").unwrap();
    other.close().unwrap();
    check_refused_untouched(&path, ErrorKind::Invalid, "another program");
    let other = Connection::open(&path).unwrap();
    other.pragma_update(None, "application_id", 7).unwrap();
    other.close().unwrap();
    check_refused_untouched(&path, ErrorKind::Invalid, "application id 0x7");
}

#[test]
fn newer_store_is_refused_and_left_alone() {
    let (_folder, path) = place();
    closed_store(&path);
    let newer = Connection::open(&path).unwrap();
    newer.pragma_update(None, "user_version", 99).unwrap();
    newer.close().unwrap();
    check_refused_untouched(&path, ErrorKind::Newer, "update the program");
}

#[test]
fn store_that_a_newer_program_migrates_while_it_is_open_is_not_written_to() {
    let (_folder, path) = place();
    let store = open(&path);
    insert(&store, 1..=3, 0).unwrap();
    let newer = Connection::open(&path).unwrap();
    newer.pragma_update(None, "user_version", 2).unwrap();
    assert_eq!(insert(&store, 4..=6, 0).unwrap_err().kind(), ErrorKind::Newer);
    assert_eq!(block_on(store.get_stats(JOB)).unwrap_err().kind(), ErrorKind::Newer);
}

#[test]
fn older_store_is_brought_forward() {
    let (_folder, path) = place();
    let older = Connection::open(&path).unwrap();
    older.pragma_update(None, "application_id", 0x4D47_4E54).unwrap();
    older.close().unwrap();
    let store = open(&path);
    insert(&store, 1..=3, 0).unwrap();
    assert_eq!(total(&store), 3);
}

#[test]
fn path_that_can_be_no_store_is_refused() {
    let (folder, path) = place();
    let at = |name: &str| folder.path().join(name);
    check_refused(&at("missing/jobs.db"), ErrorKind::Unavailable, "create the folder first");
    check_refused(folder.path(), ErrorKind::Invalid, "folder");
    check_refused(Path::new("/"), ErrorKind::Invalid, "folder");
    check_refused(Path::new(""), ErrorKind::Invalid, "names no file");
    check_refused(Path::new("/dev/null"), ErrorKind::Invalid, "a device");
    assert!(Command::new("mkfifo").arg(at("pipe.db")).status().unwrap().success());
    check_refused(&at("pipe.db"), ErrorKind::Invalid, "a FIFO");
    let _socket = UnixListener::bind(at("socket.db")).unwrap();
    check_refused(&at("socket.db"), ErrorKind::Invalid, "a socket");
    symlink(at("nowhere.db"), at("link.db")).unwrap();
    check_refused(&at("link.db"), ErrorKind::Unavailable, "symbolic link to nowhere");
    symlink(at("circle.db"), at("circle.db")).unwrap();
    check_refused(&at("circle.db"), ErrorKind::Unavailable, "in a circle");
    fs::write(&path, "").unwrap();
    check_refused(&path.join("jobs.db"), ErrorKind::Invalid, "a file where a folder must be");
    check_refused(&at(&"x".repeat(300)), ErrorKind::Invalid, "name");
    assert!(!at("nowhere.db").exists());
}

#[test]
fn store_behind_a_link_is_one_with_the_file() {
    let (folder, path) = place();
    let link = folder.path().join("link.db");
    closed_store(&path);
    symlink(&path, &link).unwrap();
    let backend = SqliteBackend::open(&link).unwrap();
    assert_eq!(backend.lock_folder(), SqliteBackend::open(&path).unwrap().lock_folder());
    assert_eq!(total(&open(&link)), 500);
}

#[test]
fn file_with_a_second_name_is_refused_until_it_has_one_again() {
    let (folder, path) = place();
    let second = folder.path().join("second.db");
    closed_store(&path);
    fs::hard_link(&path, &second).unwrap();
    for name in [&path, &second] {
        check_refused_untouched(name, ErrorKind::Invalid, "2 names");
    }
    fs::remove_file(&second).unwrap();
    assert_eq!(total(&open(&path)), 500);
}

#[test]
fn log_without_its_database_is_refused_and_kept() {
    for (suffix, database) in [("-wal", None), ("-wal", Some("")), ("-journal", None), ("-journal", Some(""))] {
        let (folder, path) = place();
        let orphan = format!("jobs.db{suffix}");
        fs::write(folder.path().join(&orphan), "commits").unwrap();
        if let Some(text) = database {
            fs::write(&path, text).unwrap();
        }
        check_refused(&path, ErrorKind::Invalid, &orphan);
        assert_eq!(fs::read(folder.path().join(&orphan)).unwrap(), b"commits");
        assert_eq!(names(folder.path()), [orphan], "a failed creation leaves nothing");
    }
}

#[test]
fn file_of_no_bytes_counts_as_absent_and_leftovers_of_a_crash_are_removed() {
    let (folder, path) = place();
    fs::write(&path, "").unwrap();
    let leftover = format!(".jobs.db.{}.new", fs::metadata(&path).unwrap().ino());
    for suffix in ["", "-wal", "-journal", "-shm"] {
        fs::write(folder.path().join(format!("{leftover}{suffix}")), "half of a database").unwrap();
    }
    insert(&open(&path), 1..=3, 0).unwrap();
    assert_eq!(names(folder.path()), ["jobs.db", "jobs.db-sessions"]);
}

#[test]
fn files_of_a_store_are_private() {
    let (folder, path) = place();
    let store = open(&path);
    insert(&store, 1..=3, 0).unwrap();
    let mode = |name: &str| fs::metadata(folder.path().join(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!(["jobs.db", "jobs.db-wal", "jobs.db-shm"].map(mode), [0o600; 3]);
    assert_eq!(mode("jobs.db-sessions"), 0o700);
}

#[test]
fn threads_that_race_to_create_a_store_share_it() {
    let (folder, path) = place();
    std::thread::scope(|scope| {
        for id in 1..=8 {
            let path = &path;
            scope.spawn(move || insert(&open(path), id..=id, 0).unwrap());
        }
    });
    assert_eq!(total(&open(&path)), 8);
    assert_eq!(names(folder.path()), ["jobs.db", "jobs.db-sessions"]);
}

#[test]
fn store_that_is_removed_or_replaced_while_open_fails_and_loses_nothing_silently() {
    let (folder, path) = place();
    let aside = folder.path().join("aside.db");
    let store = open(&path);
    insert(&store, 1..=3, 0).unwrap();
    let check = |removed: &str| {
        for error in [insert(&store, 4..=6, 0).unwrap_err(), block_on(store.get_stats(JOB)).unwrap_err()] {
            assert_eq!(error.kind(), ErrorKind::Unavailable);
            let text = error.to_string();
            assert!(text.contains("jobs.db: ") && text.contains(removed), "{text}");
        }
    };
    for name in ["jobs.db", "jobs.db-wal"] {
        fs::rename(folder.path().join(name), &aside).unwrap();
        check(name);
        fs::write(folder.path().join(name), "another").unwrap();
        check(name);
        fs::rename(&aside, folder.path().join(name)).unwrap();
        // Put back, it goes on.
        assert_eq!(total(&store), 3);
    }
    insert(&store, 4..=6, 0).unwrap();
    drop(store);
    assert_eq!(total(&open(&path)), 6);
}

#[test]
fn store_that_was_copied_while_open_is_sound_or_corrupt() {
    let (folder, path) = place();
    let store = open(&path);
    for round in 0..20_u64 {
        insert(&store, round * 10 + 1..=round * 10 + 10, 2000).unwrap();
        let copy = folder.path().join(format!("copy{round}.db"));
        // Another process copies: closing the file here would take away the locks of this one.
        let copied = |from: &Path, to: &Path| assert!(Command::new("cp").arg(from).arg(to).status().unwrap().success());
        copied(&path, &copy);
        if round % 2 == 0 {
            copied(&folder.path().join("jobs.db-wal"), &folder.path().join(format!("copy{round}.db-wal")));
        }
        match block_on(SqliteStore::open(&copy)) {
            Ok(copy) => {
                let expected = (round + 1) * 10;
                let found = total(&copy);
                assert!(found == expected || round % 2 == 1 && found < expected, "{found} of {expected} chunks");
                assert_eq!(block_on(copy.audit(JOB)).unwrap().problems, Vec::<String>::new());
            }
            Err(error) => assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}"),
        }
    }
    assert_eq!(total(&store), 200);
}

#[test]
fn row_that_rotted_is_corrupt_and_not_data() {
    let (_folder, path) = place();
    closed_store(&path);
    let other = Connection::open(&path).unwrap();
    assert!(other.execute("UPDATE chunk SET v = CAST(v || x'00' AS BLOB)", []).unwrap() > 0);
    other.close().unwrap();
    let error = block_on(open(&path).get_chunk(JOB, 7)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
}

#[test]
fn store_without_its_tables_is_corrupt() {
    let (_folder, path) = place();
    closed_store(&path);
    let other = Connection::open(&path).unwrap();
    other.execute_batch("DROP TABLE chunk").unwrap();
    other.close().unwrap();
    let error = block_on(open(&path).get_chunk(JOB, 7)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
}

/// What another user than the owner is told, who may run this program and enter the folder.
fn as_nobody(program: &Path, path: &Path) -> String {
    let mut command = child::command(program, "tries", path);
    if is_root() {
        command.uid(65_534).gid(65_534);
    }
    let mut said = Process::of(&mut command).rest();
    said.remove(0)
}

#[test]
fn store_that_this_user_may_not_write_to_is_read_only() {
    let (folder, path) = place();
    let program = folder.path().join("program");
    fs::copy(child::this_program(), &program).unwrap();
    let permit = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    permit(&program, 0o755);
    closed_store(&path);
    permit(&path, 0o444);
    permit(folder.path(), 0o777);
    let said = as_nobody(&program, &path);
    assert!(said.starts_with("ReadOnly: ") && said.contains("jobs.db") && said.contains("writable"), "{said}");
    permit(folder.path(), 0o555);
    let said = as_nobody(&program, &folder.path().join("new.db"));
    assert!(said.starts_with("ReadOnly: ") && said.contains("new.db"), "{said}");
    permit(&path, 0o666);
    let said = as_nobody(&program, &path);
    assert!(said.starts_with("ReadOnly: ") && said.contains("its folder"), "{said}");
    permit(folder.path(), 0o700);
    assert_eq!(total(&open(&path)), 500);
}

/// Inserts until nothing more goes in, and says how much was acknowledged and what the end was.
fn insert_until_full(store: &dyn JobStore) -> (u64, Error) {
    for id in 1..100_000 {
        if let Err(error) = insert(store, id..=id, 100_000) {
            return (id - 1, error);
        }
    }
    panic!("the disk is larger than this test expects")
}

/// Creates a store with ever more space until there is enough: wherever the space ended before, nothing is left.
fn create_where_space_ends(ballast: &Path, path: &Path) {
    let full = fs::metadata(ballast).unwrap().len();
    let mut refusals = Vec::new();
    for free in (1..).map(|pages| pages * 4096) {
        fs::File::options().write(true).open(ballast).unwrap().set_len(full - free).unwrap();
        let Err(error) = SqliteBackend::open(path) else { break };
        assert_eq!(names(path.parent().unwrap()), ["ballast"], "{free} bytes were free: {error}");
        refusals.push(error.to_string());
    }
    // The last ones came after the commit: there was no space to take it from the log to the database.
    assert!(refusals.last().is_some_and(|text| text.contains("jobs.db: its log could not be ended")), "{refusals:#?}");
    fs::remove_file(path).unwrap();
}

/// In a child, on a small filesystem of its own: what does not fit is refused, and the store goes on as soon as there is room.
pub(crate) fn fill(folder: &Path) {
    let path = folder.join("jobs.db");
    let ballast = |bytes| fs::write(folder.join("ballast"), vec![1; bytes]);
    ballast(64 << 20).unwrap_err();
    check_refused(&path, ErrorKind::Full, "free some space");
    assert_eq!(names(folder), ["ballast"], "a failed creation leaves nothing");
    create_where_space_ends(&folder.join("ballast"), &path);
    ballast(8 << 20).unwrap();
    let store = open(&path);
    let (acknowledged, error) = insert_until_full(&store);
    assert_eq!(error.kind(), ErrorKind::Full, "{error:?}");
    assert!(error.to_string().contains("jobs.db") && error.to_string().contains("free some space"), "{error}");
    assert_eq!(total(&store), acknowledged);
    fs::remove_file(folder.join("ballast")).unwrap();
    insert(&store, acknowledged + 1..=acknowledged + 1, 100_000).unwrap();
    drop(store);
    let store = open(&path);
    assert_eq!(total(&store), acknowledged + 1);
    assert_eq!(block_on(store.audit(JOB)).unwrap().problems, Vec::<String>::new());
    say("held");
}

/// Makes the folder that is the first argument of a shell a small filesystem.
const MOUNT: &str = "mount -t tmpfs -o size=12m none \"$1\"";

#[test]
fn full_disk_refuses_what_does_not_fit_and_goes_on_when_there_is_room() {
    let folder = tempfile::tempdir().unwrap();
    // A filesystem that only the child sees, and that goes away with it. Mount points are not ours everywhere.
    let namespace: &[&str] = if is_root() { &["-m"] } else { &["-r", "-m"] };
    let small = |script: &str| {
        let mut command = Command::new("unshare");
        command.args(namespace).args(["sh", "-c", script, "sh"]).arg(folder.path()).arg(child::this_program());
        command
    };
    if !small(MOUNT).output().is_ok_and(|output| output.status.success()) {
        eprintln!("skipped: this user may not mount a filesystem; the limit on the size of a file is tested anyway");
        return;
    }
    let script = format!("{MOUNT} && shift && exec \"$@\"");
    let mut command = child::with_role(small(&script), "fills", folder.path());
    assert_eq!(Process::of(&mut command).rest(), ["held"]);
}

/// In a child: inserts until the limit on the size of a file is met.
pub(crate) fn fill_up(path: &Path) {
    let store = open(path);
    let (acknowledged, error) = insert_until_full(&store);
    say(acknowledged);
    say(format!("{:?}", error.kind()));
    say(format!("{:?}", insert(&store, 1..=1, 0).unwrap_err().kind()));
}

#[test]
fn write_that_the_system_refuses_poisons_the_handle_and_loses_nothing() {
    let (folder, path) = place();
    // The signal that comes with the refusal would end the process.
    let mut command = Command::new("sh");
    command.args(["-c", "trap '' XFSZ && ulimit -f 4096 && exec \"$@\"", "sh"]).arg(child::this_program());
    let said = Process::of(&mut child::with_role(command, "fills up", &path)).rest();
    assert_eq!(said[1..], ["Backend", "Poisoned"]);
    let (acknowledged, store) = (said[0].parse::<u64>().unwrap(), open(&path));
    assert!(acknowledged > 0);
    // The one whose outcome was unknown may be there.
    assert!([acknowledged, acknowledged + 1].contains(&total(&store)), "{} of {acknowledged}", total(&store));
    assert_eq!(block_on(store.audit(JOB)).unwrap().problems, Vec::<String>::new());
    drop(folder);
}
