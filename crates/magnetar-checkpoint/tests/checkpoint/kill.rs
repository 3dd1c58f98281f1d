//! Processes that are killed while they save.

use std::{
    env,
    io::{BufRead, BufReader, Write},
    process::{Command, Stdio},
};

use magnetar_checkpoint::CheckpointManager;

use crate::support::{Place, number, numbered, recovered};

/// Set to the folder for the process that saves until it is killed.
const SAVES: &str = "MAGNETAR_CHECKPOINT_SAVES";
const KILLS: u64 = 20;
const TEST: &str = "kill::what_a_killed_process_acknowledged_is_there_and_the_next_one_goes_on";

fn save_until_killed(folder: &std::ffi::OsStr) {
    let manager = CheckpointManager::new(folder, 3).unwrap();
    // Far more than it will live for.
    for _ in 0..100_000 {
        let next = manager.list_sequences().unwrap().last().map_or(1, |last| last + 1);
        let sequence = manager.save_checkpoint(numbered(next)).unwrap();
        println!("saved {sequence}");
        std::io::stdout().flush().unwrap();
    }
}

#[test]
fn what_a_killed_process_acknowledged_is_there_and_the_next_one_goes_on() {
    if let Some(folder) = env::var_os(SAVES) {
        return save_until_killed(&folder);
    }
    let place = Place::new();
    let mut last = 0;
    for kill in 1..=KILLS {
        let mut child = Command::new(env::current_exe().unwrap());
        child.args(["--exact", TEST, "--nocapture"]).env(SAVES, place.path()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = child.spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut saved = lines.map_while(Result::ok).filter_map(|line| line.strip_prefix("saved ")?.parse::<u64>().ok());
        let acknowledged = saved.by_ref().take(1 + usize::try_from(kill % 4).unwrap()).last().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        // What was said until the end counts too.
        let acknowledged = saved.last().unwrap_or(acknowledged);
        assert!(acknowledged > last, "a sequence comes once");
        let found = recovered(&place.manager(3));
        assert!(found.skipped.is_empty() && found.missing.is_none(), "{found:?}");
        assert_eq!(number(&found.checkpoint), found.checkpoint.sequence);
        assert!(found.checkpoint.sequence >= acknowledged, "{} after {acknowledged}", found.checkpoint.sequence);
        last = found.checkpoint.sequence;
    }
}
