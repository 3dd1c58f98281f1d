//! Folders and clocks for tests.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use magnetar_checkpoint::{Checkpoint, CheckpointManager, Options, Recovered, Recovery};
use magnetar_core::{Clock, Timestamp};
use sha2::{Digest, Sha256};
use tempfile::TempDir;

/// A folder on disk, and managers of it.
pub(crate) struct Place(TempDir);

impl Place {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.0.path().join("checkpoints")
    }

    pub(crate) fn file(&self, sequence: u64) -> PathBuf {
        self.path().join(format!("checkpoint_{sequence}.json"))
    }

    pub(crate) fn manager(&self, max_retained: usize) -> CheckpointManager {
        CheckpointManager::new(self.path(), max_retained).unwrap()
    }

    pub(crate) fn open(&self, options: Options) -> CheckpointManager {
        CheckpointManager::open(self.path(), options).unwrap()
    }

    /// Puts a file there, and the folder before it.
    pub(crate) fn plant(&self, name: &str, text: &str) {
        drop(self.manager(1));
        fs::write(self.path().join(name), text).unwrap();
    }

    pub(crate) fn names(&self) -> Vec<String> {
        let names = fs::read_dir(self.path()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<_> = names.filter(|name| !name.starts_with(".magnetar")).collect();
        names.sort();
        names
    }
}

/// A checkpoint that says which it is.
pub(crate) fn numbered(number: u64) -> Checkpoint {
    Checkpoint::new(0)
        .with_queued(vec![format!("job-{number}"), "job \"\\\n\u{1F680}".to_owned()])
        .with_meta("number", number.to_string())
}

pub(crate) fn number(checkpoint: &Checkpoint) -> u64 {
    checkpoint.metadata["number"].parse().unwrap()
}

pub(crate) fn save(manager: &CheckpointManager, numbers: std::ops::RangeInclusive<u64>) {
    for number in numbers {
        manager.save_checkpoint(numbered(number)).unwrap();
    }
}

pub(crate) fn recovered(manager: &CheckpointManager) -> Recovered {
    match manager.recover().unwrap() {
        Recovery::Recovered(recovered) => *recovered,
        other => panic!("{other:?}"),
    }
}

/// Changes a byte in the middle of a file.
pub(crate) fn damage(file: &Path) {
    let mut bytes = fs::read(file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(file, bytes).unwrap();
}

pub(crate) fn sha256(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().fold(String::new(), |digits, byte| format!("{digits}{byte:02x}"))
}

/// The file of an older program.
pub(crate) fn envelope(sequence: u64) -> String {
    let payload = format!(
        "{{\"sequence\":{sequence},\"timestamp_secs\":1700000000,\"queued_jobs\":[\"old \\\"job\\\"\"],\"in_progress_jobs\":[],\
         \"worker_assignments\":{{\"w\":\"j\"}},\"metadata\":{{\"number\":\"{sequence}\"}}}}"
    );
    format!("{{\n  \"hash\": \"{}\",\n  \"payload\": {}\n}}", sha256(&payload), serde_json::to_string(&payload).unwrap())
}

/// A clock that is set by hand, in seconds.
#[derive(Clone)]
pub(crate) struct Hand(Arc<AtomicU64>);

impl Hand {
    pub(crate) fn at(secs: u64) -> Self {
        Self(Arc::new(AtomicU64::new(secs)))
    }

    pub(crate) fn set(&self, secs: u64) {
        self.0.store(secs, Ordering::Relaxed);
    }

    pub(crate) fn options(&self, max_retained: usize) -> Options {
        Options::new(max_retained).clock(Arc::new(self.clone()))
    }
}

impl Clock for Hand {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::Relaxed) * 1000)
    }
}
