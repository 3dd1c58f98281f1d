//! What is not a store, or not one any more: a typed error that names the file, no panic, and nothing lost.

#![cfg(unix)]
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::{
    fs::{self, File},
    io::{Read, Write},
    os::unix::{
        fs::{MetadataExt, PermissionsExt, symlink},
        net::UnixListener,
        process::CommandExt,
    },
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
};

use futures_lite::future::block_on;
use magnetar_core::{Error, ErrorKind, Filter, JobSpec, JobStatus, JobStore, Manifest, NewChunk};
use magnetar_redb::RedbStore;

const JOB: i64 = 7;

/// Set for a child process: what it is to do.
const ROLE: &str = "MAGNETAR_REDB_ROLE";
/// Set for a child process: the path of the store.
const STORE: &str = "MAGNETAR_REDB_STORE";

fn folder() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("jobs.redb");
    (folder, path)
}

fn open(path: &Path) -> Result<RedbStore, Error> {
    block_on(RedbStore::open(path))
}

fn insert(store: &RedbStore, job: i64, chunks: u64, payload: usize) -> Result<(), Error> {
    let chunks = (1..=chunks).map(|id| NewChunk::new(id).payload(vec![7; payload])).collect();
    let manifest = Manifest::new(JobSpec::default(), chunks).unwrap();
    block_on(store.init_from_manifest(job, &manifest)).map(drop)
}

/// A closed store with a job of so many chunks.
fn given(path: &Path, chunks: u64) {
    insert(&open(path).unwrap(), JOB, chunks, 100).unwrap();
}

/// Everything a store says about its jobs; `Corrupt` where it does not hold together.
fn contents(store: &RedbStore) -> Result<Vec<(i64, Vec<u64>, u64)>, Error> {
    block_on(async {
        let mut all = Vec::new();
        for job in store.jobs().await? {
            let audit = store.audit(job.id).await?;
            if !audit.problems.is_empty() {
                return Err(Error::new(ErrorKind::Corrupt, format!("{:?}", audit.problems)));
            }
            let ids = store.ids(job.id, Filter::All, None, 10_000).await?.items;
            for id in &ids {
                let chunk = store.get_chunk(job.id, *id).await?.unwrap();
                assert!(chunk.payload.iter().all(|byte| *byte == 7));
            }
            all.push((job.id, ids, store.get_stats(job.id).await?.done));
        }
        Ok(all)
    })
}

/// The names in a folder, sorted.
fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[track_caller]
fn refused(path: &Path, kind: ErrorKind, word: &str) {
    let error = open(path).err().unwrap_or_else(|| panic!("{} opened", path.display()));
    assert_eq!(error.kind(), kind, "{error}");
    let (message, name) = (error.to_string(), path.file_name().unwrap().to_str().unwrap());
    assert!(message.contains(name) && message.contains(word), "{message}");
}

#[test]
fn missing_folder_is_named() {
    let (folder, _) = folder();
    refused(&folder.path().join("no/jobs.redb"), ErrorKind::Unavailable, "create the folder first");
    assert!(!folder.path().join("no").exists());
}

#[test]
fn file_as_a_folder_is_refused() {
    let (_folder, path) = folder();
    fs::write(&path, "x").unwrap();
    refused(&path.join("jobs.redb"), ErrorKind::Invalid, "a file where a folder must be");
}

#[test]
fn what_is_no_file_is_refused() {
    let (folder, path) = folder();
    refused(folder.path(), ErrorKind::Invalid, "a folder");
    let _socket = UnixListener::bind(&path).unwrap();
    refused(&path, ErrorKind::Invalid, "a socket");
    let fifo = folder.path().join("fifo.redb");
    assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    refused(&fifo, ErrorKind::Invalid, "a FIFO");
    refused(Path::new("/dev/null"), ErrorKind::Invalid, "a device");
    refused(&folder.path().join("x".repeat(300)), ErrorKind::Invalid, "no file can have this name");
    for nameless in ["", "/"] {
        assert_eq!(open(Path::new(nameless)).err().unwrap().kind(), ErrorKind::Invalid);
    }
}

#[test]
fn symbolic_link_to_nowhere_is_refused() {
    let (folder, path) = folder();
    symlink(folder.path().join("nowhere"), &path).unwrap();
    refused(&path, ErrorKind::Unavailable, "symbolic link to nowhere");
    let circle = folder.path().join("circle.redb");
    symlink(&circle, &circle).unwrap();
    refused(&circle, ErrorKind::Unavailable, "in a circle");
    assert!(!folder.path().join("nowhere").exists());
}

#[test]
fn symbolic_link_to_a_store_is_that_store() {
    let (folder, path) = folder();
    given(&path, 3);
    let link = folder.path().join("link.redb");
    symlink(&path, &link).unwrap();
    let store = open(&link).unwrap();
    assert_eq!(contents(&store).unwrap(), [(JOB, vec![1, 2, 3], 0)]);
    refused(&path, ErrorKind::AlreadyOpen, "close");
}

#[test]
fn file_of_another_program_is_refused_and_left_alone() {
    let (_folder, path) = folder();
    for (bytes, kind, word) in [
        (&b"a note of somebody"[..], ErrorKind::Invalid, "another program"),
        (&b"x"[..], ErrorKind::Invalid, "another program"),
        (&[0; 8192][..], ErrorKind::Invalid, "another program"),
        (&b"SQLite format 3\0 and so on"[..], ErrorKind::Invalid, "sqlite://"),
        (&b"redb"[..], ErrorKind::Corrupt, "gone"),
        (&b"redb\x1a\x0a\xa9\x0d\x0a"[..], ErrorKind::Corrupt, "damaged"),
    ] {
        fs::write(&path, bytes).unwrap();
        refused(&path, kind, word);
        assert_eq!(fs::read(&path).unwrap(), bytes);
    }
}

#[test]
fn redb_file_of_another_program_is_refused_and_keeps_its_tables() {
    const THEIRS: redb::TableDefinition<'_, u8, u8> = redb::TableDefinition::new("theirs");
    let (_folder, path) = folder();
    let database = redb::Database::create(&path).unwrap();
    let transaction = database.begin_write().unwrap();
    transaction.open_table(THEIRS).unwrap().insert(1, 2).unwrap();
    transaction.commit().unwrap();
    refused(&path, ErrorKind::AlreadyOpen, "close");
    drop(database);
    refused(&path, ErrorKind::Invalid, "another program");
    let database = redb::Database::open(&path).unwrap();
    let transaction = redb::ReadableDatabase::begin_read(&database).unwrap();
    assert_eq!(transaction.list_tables().unwrap().count(), 1);
    assert_eq!(transaction.open_table(THEIRS).unwrap().get(1).unwrap().unwrap().value(), 2);
}

#[test]
fn file_of_0_bytes_is_a_new_store_and_leftovers_of_a_crash_are_removed() {
    let (folder, path) = folder();
    File::create(&path).unwrap();
    let leftover = folder.path().join(format!(".jobs.redb.{}.new", fs::metadata(&path).unwrap().ino()));
    fs::write(leftover, "half of a database").unwrap();
    given(&path, 2);
    assert_eq!(contents(&open(&path).unwrap()).unwrap(), [(JOB, vec![1, 2], 0)]);
    assert_eq!(names(folder.path()), ["jobs.redb", "jobs.redb-sessions"]);
}

#[test]
fn store_is_private() {
    let (_folder, path) = folder();
    given(&path, 1);
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn truncated_store_is_damaged() {
    let (_folder, path) = folder();
    given(&path, 2000);
    let whole = fs::read(&path).unwrap();
    for keep in [9, 64, 320, 4096, 8192, whole.len() / 4, whole.len() / 2, whole.len() - 4096, whole.len() - 1] {
        fs::write(&path, &whole[..keep]).unwrap();
        refused(&path, ErrorKind::Corrupt, "damaged");
    }
    fs::write(&path, &whole).unwrap();
    assert_eq!(contents(&open(&path).unwrap()).unwrap()[0].1.len(), 2000);
}

#[test]
fn flipped_byte_is_an_error_or_makes_no_difference() {
    let (_folder, path) = folder();
    given(&path, 50);
    let whole = fs::read(&path).unwrap();
    let used = whole.iter().enumerate().filter(|(_, byte)| **byte != 0).map(|(at, _)| at).collect::<Vec<_>>();
    let mut errors = 0;
    for at in used.iter().step_by(used.len() / 200) {
        let mut bytes = whole.clone();
        bytes[*at] ^= 0x10;
        fs::write(&path, &bytes).unwrap();
        match open(&path).and_then(|store| contents(&store)) {
            Ok(read) => assert_eq!(read, [(JOB, (1..=50).collect(), 0)], "byte {at}"),
            Err(error) => {
                errors += 1;
                let expected = [ErrorKind::Corrupt, ErrorKind::Invalid, ErrorKind::Poisoned, ErrorKind::Newer];
                assert!(expected.contains(&error.kind()), "byte {at}: {:?} {error}", error.kind());
            }
        }
    }
    assert!(errors > 20, "{errors} of about 200");
}

#[test]
fn second_handle_is_refused_until_the_first_is_dropped() {
    let (_folder, path) = folder();
    let first = open(&path).unwrap();
    refused(&path, ErrorKind::AlreadyOpen, "close");
    insert(&first, JOB, 2, 10).unwrap();
    drop(first);
    let second = open(&path).unwrap();
    assert_eq!(contents(&second).unwrap(), [(JOB, vec![1, 2], 0)]);
    block_on(second.close()).unwrap();
    open(&path).unwrap();
}

#[test]
fn removed_or_replaced_file_is_no_place_to_write_to() {
    let (folder, path) = folder();
    let (aside, other) = (folder.path().join("aside.redb"), folder.path().join("other.redb"));
    given(&other, 5);
    let store = open(&path).unwrap();
    insert(&store, JOB, 2, 10).unwrap();
    fs::rename(&path, &aside).unwrap();
    let gone = insert(&store, 8, 2, 10).unwrap_err();
    assert_eq!(gone.kind(), ErrorKind::Unavailable, "{gone}");
    let text = gone.to_string();
    assert!(text.contains("jobs.redb was removed") && text.contains("put it back"), "{gone}");
    assert_eq!(contents(&store).unwrap_err().kind(), ErrorKind::Unavailable);
    // Another store at the place is not touched.
    let theirs = fs::read(&other).unwrap();
    fs::rename(&other, &path).unwrap();
    let replaced = insert(&store, 8, 2, 10).unwrap_err();
    assert_eq!(replaced.kind(), ErrorKind::Unavailable, "{replaced}");
    assert!(replaced.to_string().contains("jobs.redb was replaced"), "{replaced}");
    assert_eq!(contents(&store).unwrap_err().kind(), ErrorKind::Unavailable);
    assert_eq!(fs::read(&path).unwrap(), theirs);
    fs::remove_file(&path).unwrap();
    // Nothing was changed by what was refused, and the handle goes on where it can.
    fs::rename(&aside, &path).unwrap();
    insert(&store, 8, 1, 10).unwrap();
    drop(store);
    assert_eq!(contents(&open(&path).unwrap()).unwrap(), [(JOB, vec![1, 2], 0), (8, vec![1], 0)]);
}

#[test]
fn store_that_was_copied_while_it_was_written_is_sound_or_damaged() {
    let (folder, path) = folder();
    let store = open(&path).unwrap();
    insert(&store, JOB, 2000, 100).unwrap();
    let copies: Vec<_> = thread::scope(|scope| {
        let work = scope.spawn(|| {
            while let Some(chunk) = block_on(store.claim_pending(JOB)).unwrap() {
                block_on(store.complete(&chunk.fence().unwrap(), vec![1; 50])).unwrap();
            }
        });
        let mut copies = Vec::new();
        while !work.is_finished() && copies.len() < 20 {
            let copy = folder.path().join(format!("copy-{}.redb", copies.len()));
            fs::copy(&path, &copy).unwrap();
            copies.push(copy);
        }
        copies
    });
    assert!(!copies.is_empty());
    for copy in copies {
        match open(&copy).and_then(|store| contents(&store)) {
            Ok(read) => assert_eq!((read[0].0, read[0].1.len()), (JOB, 2000)),
            Err(error) => assert!(error.is_corrupt(), "{error}"),
        }
    }
    assert_eq!(contents(&store).unwrap(), [(JOB, (1..=2000).collect(), 2000)]);
}

/// A child process in a role, under a shell command that ends in `exec "$@"`.
fn child(shell: &str, role: &str, path: &Path) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", shell, "sh"]).arg(std::env::current_exe().unwrap());
    command.args(["child_process", "--exact", "--nocapture"]).env(ROLE, role).env(STORE, path);
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    command
}

/// Not a test of its own: what the child processes of the tests do.
#[test]
fn child_process() {
    let (Ok(role), Ok(path)) = (std::env::var(ROLE), std::env::var(STORE)) else { return };
    let path = PathBuf::from(path);
    match role.as_str() {
        "refused" => {
            let error = open(&path).err().unwrap();
            println!("\nrefused: {:?}: {error}", error.kind());
        }
        "fill" => fill(&path),
        other => panic!("no role {other}"),
    }
}

/// Inserts jobs until there is no space, and prints what was acknowledged.
fn fill(path: &Path) {
    let store = open(path).unwrap();
    let mut jobs = 0;
    let full = loop {
        match insert(&store, jobs + 1, 50, 1000) {
            Ok(()) => jobs += 1,
            Err(error) => break error,
        }
        assert!(jobs < 10_000, "the space never ends");
    };
    assert_eq!(full.kind(), ErrorKind::Full, "{full}");
    assert!(full.to_string().contains("jobs.redb"), "{full}");
    // Nothing was changed, and the handle still works: it reads, and it writes where that takes no more space.
    let ids: Vec<_> = contents(&store).unwrap().into_iter().map(|(job, _, _)| job).collect();
    assert_eq!(ids, (1..=jobs).collect::<Vec<_>>());
    assert_eq!(insert(&store, jobs + 1, 50, 1000).unwrap_err().kind(), ErrorKind::Full);
    println!("\nfull: {jobs}");
    std::io::stdout().flush().unwrap();
    // The parent may make some space now.
    let mut word = String::new();
    std::io::stdin().read_to_string(&mut word).unwrap();
    if word == "freed" {
        insert(&store, jobs + 1, 50, 1000).unwrap();
        drop(store);
    }
}

fn answer(output: &str, mark: &str) -> String {
    let answer = output.lines().find_map(|line| line.strip_prefix(mark));
    answer.unwrap_or_else(|| panic!("no {mark} in {output}")).to_owned()
}

#[test]
fn full_disk_is_told_and_loses_nothing() {
    let (_folder, path) = folder();
    // The limit of a file's size, in blocks of 512 bytes; its signal is ignored, so that writes fail.
    let child = child("trap '' XFSZ; ulimit -f 6000; exec \"$@\"", "fill", &path).spawn().unwrap();
    let output = child.wait_with_output().unwrap();
    let output = String::from_utf8(output.stdout).unwrap();
    let jobs: i64 = answer(&output, "full: ").parse().unwrap();
    let store = open(&path).unwrap();
    let ids: Vec<_> = contents(&store).unwrap().into_iter().map(|(job, ids, _)| (job, ids.len())).collect();
    assert_eq!(ids, (1..=jobs).map(|job| (job, 50)).collect::<Vec<_>>());
    insert(&store, jobs + 1, 50, 1000).unwrap();
}

/// A small disk of its own; none where this user may not mount one.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    fn mount() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let mount = Command::new("mount").args(["-t", "tmpfs", "-o", "size=6m", "tmpfs"]).arg(folder.path()).output().ok()?;
        mount.status.success().then_some(Self(folder))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}

#[test]
fn handle_goes_on_when_there_is_space_again() {
    let Some(disk) = SmallDisk::mount() else {
        println!("this user may not mount a small disk");
        return;
    };
    let (path, ballast) = (disk.0.path().join("jobs.redb"), disk.0.path().join("ballast"));
    fs::write(&ballast, vec![0; 2 << 20]).unwrap();
    let mut child = child("exec \"$@\"", "fill", &path).spawn().unwrap();
    let mut output = String::new();
    let mut stdout = std::io::BufReader::new(child.stdout.take().unwrap());
    while !output.contains("full: ") && std::io::BufRead::read_line(&mut stdout, &mut output).unwrap() > 0 {}
    let jobs: i64 = answer(&output, "full: ").parse().unwrap();
    fs::remove_file(&ballast).unwrap();
    child.stdin.take().unwrap().write_all(b"freed").unwrap();
    stdout.read_to_string(&mut output).unwrap();
    assert!(child.wait().unwrap().success(), "{output}");
    let ids: Vec<_> = contents(&open(&path).unwrap()).unwrap().into_iter().map(|(job, _, _)| job).collect();
    assert_eq!(ids, (1..=jobs + 1).collect::<Vec<_>>());
}

#[test]
fn creation_on_a_full_disk_leaves_nothing() {
    let Some(disk) = SmallDisk::mount() else {
        println!("this user may not mount a small disk");
        return;
    };
    let (folder, path) = (disk.0.path(), disk.0.path().join("jobs.redb"));
    fs::write(folder.join("ballast"), vec![0; 8 << 20]).unwrap_err();
    refused(&path, ErrorKind::Full, "jobs.redb: there is no space");
    assert_eq!(names(folder), ["ballast"]);
    fs::remove_file(folder.join("ballast")).unwrap();
    given(&path, 2);
}

/// Whether this process may write whatever the modes say.
fn is_root() -> bool {
    let output = Command::new("id").arg("-u").output().unwrap();
    output.stdout.trim_ascii() == b"0"
}

/// Opens a store in a process of nobody, if this one is root's, and returns the error.
fn refused_to_nobody(path: &Path) -> String {
    const NOBODY: u32 = 65534;
    let exe = path.parent().unwrap().parent().unwrap().join("exe");
    fs::copy(std::env::current_exe().unwrap(), &exe).unwrap();
    let mut command = Command::new(&exe);
    command.args(["child_process", "--exact", "--nocapture"]).env(ROLE, "refused").env(STORE, path);
    if is_root() {
        fs::set_permissions(exe.parent().unwrap(), fs::Permissions::from_mode(0o755)).unwrap();
        command.uid(NOBODY).gid(NOBODY);
    }
    let output = command.output().unwrap();
    answer(&String::from_utf8(output.stdout).unwrap(), "refused: ")
}

#[test]
fn store_that_cannot_be_written_is_read_only() {
    let outer = tempfile::tempdir().unwrap();
    let folder = outer.path().join("folder");
    fs::create_dir(&folder).unwrap();
    let path = folder.join("jobs.redb");
    // A new store in a folder that cannot be written.
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o555)).unwrap();
    let error = refused_to_nobody(&path);
    assert!(error.starts_with("ReadOnly: ") && error.contains("jobs.redb"), "{error}");
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).unwrap();
    given(&path, 2);
    let bytes = fs::read(&path).unwrap();
    // A file that cannot be written, in a folder that can.
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o777)).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o444)).unwrap();
    let error = refused_to_nobody(&path);
    assert!(error.starts_with("ReadOnly: ") && error.contains("jobs.redb"), "{error}");
    // A file that can be written, in a folder that cannot: there is no room for the lock file.
    fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).unwrap();
    fs::remove_dir_all(folder.join("jobs.redb-sessions")).unwrap();
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o555)).unwrap();
    let error = refused_to_nobody(&path);
    assert!(error.starts_with("ReadOnly: ") && error.contains("jobs.redb"), "{error}");
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).unwrap();
    assert_eq!(fs::read(&path).unwrap().len(), bytes.len());
    let store = open(&path).unwrap();
    assert_eq!(contents(&store).unwrap(), [(JOB, vec![1, 2], 0)]);
    assert_eq!(block_on(store.get_by_status(JOB, JobStatus::Pending)).unwrap().len(), 2);
}
