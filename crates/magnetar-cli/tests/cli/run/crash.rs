//! Killed again and again at random moments, and run again: in the end everything was done, in order, and little was repeated.

use std::collections::{HashMap, HashSet};

use super::support::{Running, lives, until};
use crate::support::Folder;

const CHUNKS: u64 = 60;
const JOBS: usize = 4;
const KILLS: usize = 10;

/// What a chunk waits for: two before it, in layers of ten.
fn parents(id: u64) -> Vec<u64> {
    if id <= 10 { Vec::new() } else { vec![id - 10, id - 5] }
}

/// A graph whose commands say when they begin and when they end.
fn manifest() -> String {
    (1..=CHUNKS).fold(String::new(), |text, id| {
        let begin = format!("echo $$ >> pids; echo \"begin {id}\" >> log");
        let shell = format!("{begin}; sleep 0.02; echo \"end {id}\" >> log");
        text + &format!("[[chunks]]\nid = {id}\ndepends_on = {:?}\nshell = '{shell}'\n", parents(id))
    })
}

/// Draws numbers, the same in each run of the test (Marsaglia, "Xorshift RNGs", 2003).
pub(super) struct Draw(pub(super) u64);

impl Draw {
    pub(super) fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

pub(super) fn done(folder: &Folder, store: &str) -> HashSet<u64> {
    let listed = folder.run(&format!("list --store {store} --status done -o csv --limit 1000")).expect(0).stdout;
    listed.lines().skip(1).map(|line| line.split(',').next().unwrap().parse().unwrap()).collect()
}

pub(super) fn begun(folder: &Folder) -> Vec<u64> {
    let log = folder.lines("log");
    log.iter().filter_map(|line| line.strip_prefix("begin ")).map(|id| id.parse().unwrap()).collect()
}

#[test]
fn run_that_is_killed_and_run_again_repeats_little_and_loses_nothing() {
    for (store, seed) in [("jobs.db", 0x9e37_79b9_7f4a_7c15), ("jobs.redb", 0x1234_5678_9abc_def1)] {
        kill_and_run_again(store, &mut Draw(seed));
    }
}

fn kill_and_run_again(store: &str, draw: &mut Draw) {
    let folder = Folder::new();
    folder.write("jobs.toml", &manifest());
    folder.write("log", "");
    let args = format!("run jobs.toml --store {store} -j {JOBS}");
    let (mut known_done, mut kills) = (HashMap::new(), 0);
    while kills < KILLS {
        let before = begun(&folder).len();
        let mut run = Running::start(&folder, &args);
        // At a random moment of the work: after so many more lines, at whatever point of what follows.
        let lines = folder.lines("log").len() + usize::try_from(draw.below(14)).unwrap();
        until("the run goes on", || folder.lines("log").len() >= lines || run.has_ended());
        if run.has_ended() {
            run.end().expect(0);
            break;
        }
        let supervisors = run.supervisors();
        run.kill();
        kills += 1;
        until("the supervisors are gone", || !supervisors.iter().any(|pid| lives(*pid)));
        assert!(!folder.pids("pids").into_iter().any(lives), "a command has outlived its run");
        let (done, begun) = (done(&folder, store), begun(&folder));
        let repeated = begun[before..].iter().filter(|id| !done.contains(id)).count();
        assert!(repeated <= JOBS, "{repeated} chunks were begun by a run of {JOBS} at once, and are not done");
        for id in done {
            known_done.entry(id).or_insert(begun.iter().filter(|begun| **begun == id).count());
        }
    }
    assert!(kills >= 3, "the runs were over before they could be killed");
    folder.run(&args).expect(0);
    let begun = begun(&folder);
    for (id, times) in known_done {
        assert_eq!(begun.iter().filter(|begun| **begun == id).count(), times, "chunk {id} was done, and was begun again");
    }
    expect_order(&folder.lines("log"));
    folder.run(&format!("doctor --store {store}")).expect(0);
}

/// Nothing begins before what it waits for has ended, and everything has ended.
fn expect_order(log: &[String]) {
    let mut ended = HashSet::new();
    for line in log {
        let (what, id) = line.split_once(' ').unwrap();
        let id: u64 = id.parse().unwrap();
        match what {
            "begin" => assert!(parents(id).iter().all(|parent| ended.contains(parent)), "chunk {id} began too early"),
            _ => drop(ended.insert(id)),
        }
    }
    assert_eq!(ended.len() as u64, CHUNKS);
}
