//! Several processes on one file: nothing is handed out twice, nobody starves, and the dead are noticed.

use std::{
    collections::BTreeMap,
    path::Path,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use futures_lite::future::block_on;
use magnetar_core::{ErrorKind, Fence, JobSpec, JobStatus, JobStore, JobUpdate, Lane, Manifest, NewChunk, Token};
use magnetar_embedded::{Options, Store, SystemClock};
use magnetar_sqlite::{SqliteBackend, SqliteStore};

use crate::child::{Process, listen, names, say};

const JOB: i64 = 1;

fn open(path: &Path) -> SqliteStore {
    block_on(SqliteStore::open(path)).unwrap_or_else(|error| panic!("{error:?}"))
}

/// A store whose sessions die soon when they are not renewed.
fn open_short_lived(path: &Path) -> Store {
    let mut options = Options::default();
    options.session_ttl = Duration::from_millis(900);
    options.renew_every = Duration::from_millis(300);
    options.upkeep_every = Duration::from_millis(100);
    Store::threaded(Box::new(SqliteBackend::open(path).unwrap()), options, Arc::new(SystemClock)).unwrap()
}

fn with_chunks(store: &dyn JobStore, count: u64) {
    let manifest = Manifest::new(JobSpec::default(), (1..=count).map(NewChunk::new).collect()).unwrap();
    block_on(store.init_from_manifest(JOB, &manifest)).unwrap();
}

#[expect(clippy::disallowed_methods, reason = "these tests are about how long processes wait")]
fn now() -> Instant {
    Instant::now()
}

/// Tries until there is something, for at most half a minute.
fn until<T>(mut what: impl FnMut() -> Option<T>) -> T {
    let begin = now();
    loop {
        match what() {
            Some(value) => return value,
            None => assert!(begin.elapsed() < Duration::from_secs(30), "waited in vain"),
        }
        thread::yield_now();
    }
}

/// In a child: claims and completes with so many threads until nothing is left, and says what was claimed and the longest wait.
pub(crate) fn work(path: &Path, threads: usize) {
    let store = open(path);
    say("ready");
    listen();
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                let (mut claimed, mut longest) = (Vec::new(), Duration::ZERO);
                loop {
                    let begin = now();
                    let Some(chunk) = block_on(store.claim_pending(JOB)).unwrap() else { break };
                    longest = longest.max(begin.elapsed());
                    block_on(store.complete(&chunk.fence().unwrap(), Vec::new())).unwrap();
                    claimed.push(chunk.chunk.to_string());
                }
                say(format!("{} {}", longest.as_millis(), claimed.join(" ")));
            });
        }
    });
}

/// In a child: claims five chunks, says their fences, and once it is told completes them and whatever else there is.
pub(crate) fn hold(path: &Path) {
    let store = open(path);
    let held = block_on(store.claim_pending_batch(JOB, 5)).unwrap();
    for chunk in &held {
        say(format!("{} {}", chunk.chunk, chunk.fence().unwrap().token()));
    }
    listen();
    let mut next = held;
    while !next.is_empty() {
        for chunk in &next {
            block_on(store.complete(&chunk.fence().unwrap(), Vec::new())).unwrap();
            say(format!("done {}", chunk.chunk));
        }
        next = block_on(store.claim_pending_batch(JOB, 1)).unwrap();
    }
}

/// In a child: claims five chunks, is stopped for longer than its session lives, and then tries to write in every way.
pub(crate) fn be_stopped(path: &Path) {
    let store = open_short_lived(path);
    let held = block_on(store.claim_pending_batch(JOB, 5)).unwrap();
    let fences: Vec<Fence> = held.iter().map(|chunk| chunk.fence().unwrap()).collect();
    say("holds");
    listen();
    let kind = |error: magnetar_core::Error| error.kind();
    let mark = JobUpdate { chunk_id: fences[4].chunk(), status: JobStatus::Done, checksum: None, error: None };
    let marked = block_on(store.apply_batch_updates(JOB, &[mark])).unwrap();
    let answers = [
        block_on(store.complete(&fences[0], b"late".to_vec())).map_err(kind),
        block_on(store.fail(&fences[1], "late".to_owned())).map(drop).map_err(kind),
        block_on(store.release(&fences[2])).map_err(kind),
        block_on(store.mark_status(JOB, fences[3].chunk(), JobStatus::Done, None)).map_err(kind),
        marked[0].clone().map_err(|rejection| rejection.kind()),
        block_on(store.complete_and_claim(&fences[0], Vec::new(), vec![Lane::of(JOB)], 1)).map(drop).map_err(kind),
    ];
    for answer in answers {
        say(format!("{answer:?}"));
    }
}

/// In a child: opens a store that others create at the same time.
pub(crate) fn create(path: &Path) {
    say("here");
    let store = open(path);
    with_chunks(&store, 3);
    say("open");
}

#[test]
fn four_busy_processes_share_a_file_and_do_not_starve_a_fifth() {
    const CHUNKS: u64 = 3000;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("jobs.db");
    with_chunks(&open(&path), CHUNKS);
    let roles = ["hot", "hot", "hot", "hot", "calm"];
    let mut processes: Vec<_> = roles.iter().map(|role| Process::in_role(role, &path)).collect();
    for process in &mut processes {
        process.expect("ready");
    }
    for process in &mut processes {
        process.tell("go");
    }
    let mut times_claimed = BTreeMap::new();
    let mut shares = Vec::new();
    for (role, process) in roles.iter().zip(processes) {
        for line in process.rest() {
            let mut numbers = line.split(' ').filter(|number| !number.is_empty()).map(|number| number.parse::<u64>().unwrap());
            let (longest, chunks): (u64, Vec<u64>) = (numbers.next().unwrap(), numbers.collect());
            println!("{role}: {} claims by a thread, at most {longest} ms for one", chunks.len());
            shares.push((*role, longest, chunks.len()));
            for chunk in chunks {
                *times_claimed.entry(chunk).or_insert(0) += 1;
            }
        }
    }
    assert!(times_claimed.values().all(|times| *times == 1), "a chunk was handed out twice");
    assert_eq!(times_claimed.len() as u64, CHUNKS, "a chunk was handed out to nobody");
    let (_, longest, claims) = shares.iter().find(|(role, ..)| *role == "calm").unwrap();
    let fair = usize::try_from(CHUNKS).unwrap() / shares.len();
    assert!(*claims >= fair / 10, "the fifth process made {claims} claims of {fair} that were its share");
    // What stalls all of them, such as the disk, is no starvation; with SQLite's own handler the fifth alone waits for seconds.
    let longest_of_hot = shares.iter().filter(|(role, ..)| *role == "hot").map(|(_, longest, _)| *longest).max().unwrap();
    assert!(*longest <= 2 * longest_of_hot + 1000, "the fifth process waited {longest} ms, the others at most {longest_of_hot}");
    let stats = block_on(open(&path).get_stats(JOB)).unwrap();
    assert_eq!(stats.done, CHUNKS);
}

#[test]
fn what_a_killed_process_held_is_claimed_at_once_under_higher_fences() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("jobs.db");
    let store = open(&path);
    with_chunks(&store, 5);
    let mut holder = Process::in_role("holder", &path);
    let held: Vec<(u64, Token)> = (0..5).map(|_| fence(&holder.next().unwrap())).collect();
    assert!(block_on(store.claim_pending(JOB)).unwrap().is_none(), "a living process was robbed");
    holder.kill();
    // There is no wait here: the session would live for half a minute more.
    let begin = now();
    let claimed = block_on(store.claim_pending_batch(JOB, 5)).unwrap();
    println!("claimed again after {:?}", begin.elapsed());
    assert_eq!(claimed.len(), 5);
    for (chunk, (id, token)) in claimed.iter().zip(held) {
        assert_eq!(chunk.chunk, id);
        assert!(chunk.fence().unwrap().token() > token);
        let late = block_on(store.complete(&Fence::new(JOB, id, token), Vec::new())).unwrap_err();
        assert_eq!(late.kind(), ErrorKind::FenceLost);
    }
}

fn fence(line: &str) -> (u64, Token) {
    let (chunk, token) = line.split_once(' ').unwrap();
    (chunk.parse().unwrap(), Token::new(token.parse().unwrap()).unwrap())
}

#[test]
fn process_that_was_stopped_past_its_lease_has_lost_every_fence() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("jobs.db");
    let store = open_short_lived(&path);
    with_chunks(&store, 5);
    let mut stopped = Process::in_role("stopped", &path);
    stopped.expect("holds");
    stopped.signal("STOP");
    let mut claimed = 0;
    until(|| {
        claimed += block_on(store.claim_pending_batch(JOB, 5)).unwrap().len();
        (claimed == 5).then_some(())
    });
    stopped.signal("CONT");
    stopped.tell("go on");
    assert_eq!(stopped.rest(), ["Err(FenceLost)"; 6]);
    let stats = block_on(store.get_stats(JOB)).unwrap();
    assert_eq!((stats.processing, stats.done), (5, 0));
}

#[test]
fn two_live_processes_and_a_dead_one_end_every_chunk_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("jobs.db");
    let store = open(&path);
    with_chunks(&store, 30);
    let mut processes: Vec<_> = (0..3).map(|_| Process::in_role("holder", &path)).collect();
    let mut held: Vec<u64> =
        processes.iter_mut().flat_map(|process| (0..5).map(|_| fence(&process.next().unwrap()).0).collect::<Vec<_>>()).collect();
    held.sort_unstable();
    assert_eq!(held, (1..=15).collect::<Vec<_>>());
    let mut dead = processes.remove(0);
    dead.kill();
    for process in &mut processes {
        process.tell("go");
    }
    let mut done: Vec<u64> =
        processes.into_iter().flat_map(Process::rest).map(|line| line.strip_prefix("done ").unwrap().parse().unwrap()).collect();
    done.sort_unstable();
    assert_eq!(done, (1..=30).collect::<Vec<_>>());
    assert!(block_on(store.get_stats(JOB)).unwrap().is_complete());
    assert_eq!(block_on(store.audit(JOB)).unwrap().problems, Vec::<String>::new());
}

#[test]
fn creators_that_race_and_are_killed_leave_one_store_that_opens() {
    for round in 0..12 {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("jobs.db");
        if round % 2 == 0 {
            std::fs::write(&path, "").unwrap();
        }
        let mut processes: Vec<_> = (0..3).map(|_| Process::in_role("creator", &path)).collect();
        let mut victim = processes.remove(0);
        victim.expect("here");
        victim.kill();
        for process in processes {
            assert_eq!(process.rest(), ["here", "open"]);
        }
        assert_eq!(block_on(open(&path).get_stats(JOB)).unwrap().total_chunks, 3);
        assert_eq!(names(folder.path()), ["jobs.db", "jobs.db-sessions"], "round {round}");
    }
}
