//! Processes on one folder, and processes that are killed: nothing that was acknowledged is lost, and nothing is torn.

#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    hash::{BuildHasher, RandomState},
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Child, ChildStdout, Command, Stdio},
    sync::Arc,
};

use futures_lite::future::block_on;
use magnetar_core::{JobOptions, JobSpec, JobStore, Manifest, NewChunk, Op, RetryPolicy};
use magnetar_redb::RedbStore;
use magnetar_sqlite::SqliteStore;
use magnetar_state::{Files, Guard, JobStateStore, Loaded, StateStore, doc};
use magnetar_testkit::state::samples::token;

const KILLS: u64 = 20;
const JOB: i64 = 7;
const CHUNKS: u64 = 5_000;
const ORDERS: &str = "orders";

/// Set for a child process: what it is to do.
const ROLE: &str = "MAGNETAR_STATE_ROLE";
/// Set for a child process: where.
const PLACE: &str = "MAGNETAR_STATE_PLACE";
/// What a child begins its lines with, among those of the test harness.
const MARK: &str = "> ";

/// A child process, and what it says. It is killed when it is dropped.
struct Process {
    child: Child,
    lines: BufReader<ChildStdout>,
}

impl Process {
    fn start(role: &str, place: &Path) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["child_process", "--exact", "--nocapture"]).env(ROLE, role).env(PLACE, place);
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap());
        Self { child, lines }
    }

    /// The next whole number that the child says; none when it is gone.
    fn next(&mut self) -> Option<u64> {
        loop {
            let mut line = String::new();
            self.lines.read_line(&mut line).unwrap();
            // A line that has no end was cut by the kill: nobody has read it.
            let whole = line.strip_suffix('\n')?;
            if let Some(said) = whole.strip_prefix(MARK) {
                return Some(said.parse().unwrap());
            }
        }
    }

    /// Kills it after it has said so many numbers, and hears what it said until then: the last number.
    fn kill_after(mut self, count: u64) -> Option<u64> {
        let mut last = None;
        for _ in 0..count {
            last = self.next().or(last);
        }
        self.child.kill().unwrap();
        while let Some(said) = self.next() {
            last = Some(said);
        }
        last
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn say(number: u64) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{MARK}{number}").unwrap();
    out.flush().unwrap();
}

/// What a child does; nothing where the tests run.
#[test]
fn child_process() {
    let (Some(role), Some(place)) = (std::env::var_os(ROLE), std::env::var_os(PLACE)) else { return };
    let place = Path::new(&place);
    match role.to_str().unwrap() {
        "save for ever" => save_times(place, u64::MAX),
        "save 50 times" => save_times(place, 50),
        "sqlite" => block_on(work(Arc::new(block_on(SqliteStore::open(place)).unwrap()))),
        "redb" => block_on(work(Arc::new(block_on(RedbStore::open(place)).unwrap()))),
        role => panic!("no role {role}"),
    }
}

fn save_times(place: &Path, times: u64) {
    let files = Files::open(place).unwrap();
    for _ in 0..times {
        say(files.save(ORDERS, token(1), Guard::default(), None).unwrap().version.get());
    }
}

/// Ends chunk after chunk, each with a token that says how many have ended.
async fn work(jobs: Arc<dyn JobStore>) {
    let state = JobStateStore::new(Arc::clone(&jobs));
    while let Some(chunk) = jobs.claim_pending(JOB).await.unwrap() {
        let done = i64::try_from(jobs.get_stats(JOB).await.unwrap().done).unwrap() + 1;
        let complete = Op::Complete { fence: chunk.fence().unwrap(), result: Vec::new(), checksum: None };
        state.save_with(vec![complete], ORDERS, doc! { "done": done }, Guard::default(), None).await.unwrap();
        say(u64::try_from(done).unwrap());
    }
}

#[test]
fn files_of_killed_processes_hold_what_was_acknowledged() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("state");
    let mut acknowledged = 0;
    for _ in 0..KILLS {
        let count = RandomState::new().hash_one(()) % 20 + 1;
        let said = Process::start("save for ever", &place).kill_after(count);
        acknowledged = acknowledged.max(said.unwrap_or(0));
        let Loaded::Found(entry) = Files::open(&place).unwrap().load(ORDERS).unwrap() else { panic!("a token was saved") };
        // One more may have become durable without a word.
        let version = entry.version.get();
        assert!(version == acknowledged || version == acknowledged + 1, "{version} after {acknowledged}");
        assert_eq!(entry.token, token(1));
    }
    assert!(acknowledged >= KILLS);
}

#[test]
fn processes_on_one_folder_lose_no_write_of_each_other() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("state");
    let mut processes: Vec<_> = (0..3).map(|_| Process::start("save 50 times", &place)).collect();
    let mut versions: Vec<u64> = processes.iter_mut().flat_map(|process| std::iter::from_fn(|| process.next())).collect();
    versions.sort_unstable();
    assert_eq!(versions, (1..=150).collect::<Vec<_>>());
}

#[test]
fn token_and_chunk_of_a_killed_process_on_sqlite_are_both_there_or_neither() {
    both_or_neither("sqlite", |place| Arc::new(block_on(SqliteStore::open(place)).unwrap()));
}

#[test]
fn token_and_chunk_of_a_killed_process_on_redb_are_both_there_or_neither() {
    both_or_neither("redb", |place| Arc::new(block_on(RedbStore::open(place)).unwrap()));
}

fn both_or_neither(role: &str, open: fn(&Path) -> Arc<dyn JobStore>) {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join(format!("jobs.{role}"));
    block_on(given(open(&place)));
    let mut acknowledged = 0;
    for _ in 0..KILLS {
        let count = RandomState::new().hash_one(()) % 20 + 1;
        acknowledged = Process::start(role, &place).kill_after(count).unwrap_or(acknowledged);
        let (done, token) = block_on(standing(open(&place)));
        assert_eq!(done, token, "chunks that are Done, and the token that says how many");
        assert!(done == acknowledged || done == acknowledged + 1, "{done} after {acknowledged}");
    }
    assert!(acknowledged >= KILLS);
}

async fn given(jobs: Arc<dyn JobStore>) {
    let retry = RetryPolicy { max_crashes: u32::MAX, ..RetryPolicy::default() };
    let options = Some(JobOptions { retry, ..JobOptions::default() });
    let chunks = (1..=CHUNKS).map(NewChunk::new).collect();
    let manifest = Manifest::new(JobSpec { options, ..JobSpec::default() }, chunks).unwrap();
    jobs.init_from_manifest(JOB, &manifest).await.unwrap();
    jobs.close().await.unwrap();
}

/// How many chunks are Done, and how many the token says.
async fn standing(jobs: Arc<dyn JobStore>) -> (u64, u64) {
    let token = JobStateStore::new(Arc::clone(&jobs)).load_resume_token(ORDERS).await.unwrap();
    let done = jobs.get_stats(JOB).await.unwrap().done;
    jobs.close().await.unwrap();
    (done, token.map_or(0, |token| u64::try_from(token.get_i64("done").unwrap()).unwrap()))
}
