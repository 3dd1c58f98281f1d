//! A store in a folder: what is refused, what rots, and what is left alone.

#![cfg(unix)]
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "files/folder.rs"]
mod folder;
#[path = "files/golden.rs"]
mod golden;
#[path = "files/rot.rs"]
mod rot;
#[path = "files/trouble.rs"]
mod trouble;

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use magnetar_state::{Epoch, FileOptions, Files, Guard, WriteId, bson, doc};
use magnetar_testkit::{ManualClock, SimFolder, state::samples::token};
use tempfile::TempDir;

/// A place for a folder of state.
struct Place {
    folder: TempDir,
}

impl Place {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    fn file(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }

    fn open(&self) -> Files {
        Files::open(self.path()).unwrap()
    }
}

/// A store in a folder in memory.
fn open_in(folder: &SimFolder) -> Files {
    let options = FileOptions::new("simulated").clock(Arc::new(ManualClock::default()));
    options.open_in(Arc::new(folder.clone())).unwrap()
}

fn save(files: &Files, collection: &str, number: i64) {
    files.save(collection, token(number), Guard::default(), None).unwrap();
}

/// A token with an epoch, an id and a time, so that every field of its file is there.
fn save_all(files: &Files, collection: &str) {
    let guard = Guard::epoch(Epoch::new(3)).write_id(WriteId::new(7));
    let token = doc! { "_data": "8263", "at": bson::Timestamp { time: 1, increment: 2 }, "n": 7_i64 };
    files.save(collection, token, guard, Some(Duration::from_hours(1))).unwrap();
}

fn names(path: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(path).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}
