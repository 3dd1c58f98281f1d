//! Processes that are killed: what they held comes back at once, and nothing that was acknowledged is lost.

#![cfg(unix)]
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, Stdio},
};

use futures_lite::future::block_on;
use magnetar_core::{ErrorKind, JobOptions, JobSpec, JobState, JobStatus, JobStore, Manifest, NewChunk, RetryPolicy};
use magnetar_redb::RedbStore;

const JOB: i64 = 7;
const KILLS: u32 = 50;
/// Threads of a process that work.
const WORKERS: usize = 4;

/// Set for a child process: what it is to do.
const ROLE: &str = "MAGNETAR_REDB_ROLE";
/// Set for a child process: the path of the store.
const STORE: &str = "MAGNETAR_REDB_STORE";
/// What a child begins its lines with, among those of the test harness.
const MARK: &str = "> ";

fn folder() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("jobs.redb");
    (folder, path)
}

fn open(path: &Path) -> RedbStore {
    block_on(RedbStore::open(path)).unwrap()
}

/// A closed store with a job of so many chunks, which bears any number of crashes.
fn given(path: &Path, chunks: u64) {
    let retry = RetryPolicy { max_crashes: u32::MAX, ..RetryPolicy::default() };
    let options = Some(JobOptions { retry, ..JobOptions::default() });
    let chunks = (1..=chunks).map(NewChunk::new).collect();
    let manifest = Manifest::new(JobSpec { options, ..JobSpec::default() }, chunks).unwrap();
    block_on(open(path).init_from_manifest(JOB, &manifest)).unwrap();
}

fn token(chunk: &JobState) -> u64 {
    chunk.fence().unwrap().token().get()
}

/// A child process, and what it says. It is killed when it is dropped.
struct Process {
    child: Child,
    lines: BufReader<ChildStdout>,
}

impl Process {
    fn start(role: &str, path: &Path) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["child_process", "--exact", "--nocapture"]).env(ROLE, role).env(STORE, path);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap());
        Self { child, lines }
    }

    /// The next whole line of the child itself; none when it is gone.
    fn next(&mut self) -> Option<String> {
        loop {
            let mut line = String::new();
            self.lines.read_line(&mut line).unwrap();
            // A line that has no end was cut by the kill: nobody has read it.
            let whole = line.strip_suffix('\n')?;
            if let Some(said) = whole.strip_prefix(MARK) {
                return Some(said.to_owned());
            }
        }
    }

    /// Kills it as `kill -9` does, and waits until it is gone.
    fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Says a line to the parent, in one write.
fn say(line: &str) {
    std::io::stdout().write_all(format!("{MARK}{line}\n").as_bytes()).unwrap();
    std::io::stdout().flush().unwrap();
}

/// Not a test of its own: what the child processes of the tests do.
#[test]
fn child_process() {
    let (Ok(role), Ok(path)) = (std::env::var(ROLE), std::env::var(STORE)) else { return };
    // The name of the test stands in the same line, without an end.
    println!();
    match role.as_str() {
        "hold" => hold(Path::new(&path)),
        "open" => match block_on(RedbStore::open(&path)) {
            Ok(_) => say("opened"),
            Err(error) => say(&format!("{:?} {error}", error.kind())),
        },
        "work" => work(Path::new(&path)),
        other => panic!("no role {other}"),
    }
}

/// Claims three chunks and holds them until it is killed.
fn hold(path: &Path) {
    let store = open(path);
    for chunk in block_on(store.claim_pending_batch(JOB, 3)).unwrap() {
        say(&format!("{} {}", chunk.chunk, token(&chunk)));
    }
    say("holds");
    let _ = std::io::stdin().read_line(&mut String::new());
}

/// Works with several threads until nothing is left, and says what it asks and what is acknowledged.
fn work(path: &Path) {
    let store = open(path);
    std::thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| {
                while let Some(chunk) = block_on(store.claim_pending(JOB)).unwrap() {
                    let (id, token) = (chunk.chunk, token(&chunk));
                    say(&format!("claimed {id} {token}"));
                    block_on(store.complete(&chunk.fence().unwrap(), token.to_string().into_bytes())).unwrap();
                    say(&format!("done {id} {token}"));
                }
            });
        }
    });
    say("finished");
}

/// The lines up to the one that says it.
fn until(process: &mut Process, last: &str) -> Vec<String> {
    std::iter::from_fn(|| process.next().filter(|line| line != last)).collect()
}

#[test]
fn killed_process_gives_its_chunks_back_at_once_under_higher_fences() {
    let (_folder, path) = folder();
    given(&path, 10);
    let mut process = Process::start("hold", &path);
    let held: Vec<(u64, u64)> = until(&mut process, "holds")
        .iter()
        .map(|line| line.split_once(' ').map(|(chunk, token)| (chunk.parse().unwrap(), token.parse().unwrap())).unwrap())
        .collect();
    assert_eq!(held.iter().map(|(chunk, _)| *chunk).collect::<Vec<_>>(), [1, 2, 3]);
    process.kill();
    // No time passes on any clock but that of the open itself; a session lives for 30 s where only time tells.
    let store = open(&path);
    let claimed = block_on(store.claim_pending_batch(JOB, 3)).unwrap();
    assert_eq!(claimed.iter().map(|chunk| chunk.chunk).collect::<Vec<_>>(), [1, 2, 3]);
    let highest = held.iter().map(|(_, token)| *token).max().unwrap();
    assert!(claimed.iter().all(|chunk| token(chunk) > highest && chunk.crashes == 1), "{claimed:?}");
}

#[test]
fn second_process_is_refused_while_the_first_lives() {
    let (_folder, path) = folder();
    given(&path, 10);
    let mut first = Process::start("hold", &path);
    assert_eq!(until(&mut first, "holds").len(), 3);
    let refusal = Process::start("open", &path).next().unwrap();
    assert!(refusal.starts_with("AlreadyOpen") && refusal.contains("jobs.redb"), "{refusal}");
    assert_eq!(block_on(RedbStore::open(&path)).err().unwrap().kind(), ErrorKind::AlreadyOpen);
    first.kill();
    assert_eq!(Process::start("open", &path).next().unwrap(), "opened");
    let store = open(&path);
    assert_eq!(block_on(store.get_stats(JOB)).unwrap().done, 0);
    assert!(block_on(store.audit(JOB)).unwrap().problems.is_empty());
}

#[test]
fn processes_that_race_to_create_a_store_make_one() {
    for round in 0..4 {
        let (folder, path) = folder();
        if round % 2 == 0 {
            std::fs::write(&path, "").unwrap();
        }
        let mut processes: Vec<_> = (0..3).map(|_| Process::start("open", &path)).collect();
        let said: Vec<_> = processes.iter_mut().map(|process| process.next().unwrap()).collect();
        assert!(said.iter().any(|said| said == "opened"), "{said:?}");
        assert!(said.iter().all(|said| said == "opened" || said.starts_with("AlreadyOpen")), "{said:?}");
        drop(processes);
        let mut names: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        assert_eq!(names, ["jobs.redb", "jobs.redb-sessions"], "round {round}");
        given(&path, 3);
        assert_eq!(block_on(open(&path).get_stats(JOB)).unwrap().total_chunks, 3);
    }
}

/// What the children were told, kept outside the store: the oracle.
#[derive(Default)]
struct Log {
    /// The token of the acknowledged completion of each chunk.
    done: HashMap<u64, u64>,
    /// The highest token that an earlier process was given, and that this one was.
    earlier: u64,
    highest: u64,
}

impl Log {
    fn note(&mut self, line: &str) {
        let mut words = line.split(' ');
        let what = words.next().unwrap();
        let (chunk, token): (u64, u64) = (words.next().unwrap().parse().unwrap(), words.next().unwrap().parse().unwrap());
        if what == "claimed" {
            assert!(!self.done.contains_key(&chunk), "chunk {chunk} was handed out after it was done");
            assert!(token > self.earlier, "token {token} is not above those of earlier processes");
            self.highest = self.highest.max(token);
        } else {
            assert_eq!(self.done.insert(chunk, token), None, "chunk {chunk} was done twice");
        }
    }

    fn next_process(&mut self) {
        self.earlier = self.highest;
    }

    /// Holds the store against the log: what was acknowledged is there, as it was.
    fn check(&self, store: &RedbStore) {
        assert!(block_on(store.audit(JOB)).unwrap().problems.is_empty());
        let done = block_on(store.get_by_status(JOB, JobStatus::Done)).unwrap();
        let results: HashMap<u64, Vec<u8>> = done.into_iter().map(|chunk| (chunk.chunk, chunk.result.unwrap())).collect();
        for (chunk, token) in &self.done {
            let result = results.get(chunk).unwrap_or_else(|| panic!("chunk {chunk} was acknowledged and is not done"));
            assert_eq!(*result, token.to_string().into_bytes(), "chunk {chunk}");
        }
    }
}

#[test]
fn fifty_kills_lose_nothing_and_do_nothing_twice() {
    let (_folder, path) = folder();
    // Enough for every process to be killed while it works.
    given(&path, 100 * u64::from(KILLS));
    let random = RandomState::new();
    let mut log = Log::default();
    for kill in 0..KILLS {
        let mut process = Process::start("work", &path);
        // At a random line, and wherever the process is by the time the signal comes.
        for _ in 0..random.hash_one(kill) % 120 {
            log.note(&process.next().unwrap());
        }
        process.kill();
        while let Some(line) = process.next() {
            log.note(&line);
        }
        log.next_process();
        log.check(&open(&path));
    }
    let mut process = Process::start("work", &path);
    for line in until(&mut process, "finished") {
        log.note(&line);
    }
    assert!(process.child.wait().unwrap().success());
    let store = open(&path);
    log.check(&store);
    assert!(block_on(store.get_stats(JOB)).unwrap().is_complete());
}
