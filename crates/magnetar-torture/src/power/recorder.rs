//! The tap that records, with or without a flaw.

use std::{
    mem,
    path::Path,
    sync::{Mutex, MutexGuard, PoisonError},
};

use super::{flaw::PowerFlaw, history::Deed};
use crate::tap::{Act, FileNo, Tap, Verdict};

/// Records what is done to files. Names are told apart by what follows the last `jobs` in them: the database, its log, its journal.
pub(super) struct Recorder {
    flaw: Option<PowerFlaw>,
    tape: Mutex<Tape>,
}

#[derive(Default)]
struct Tape {
    deeds: Vec<Deed>,
    names: Vec<Name>,
    /// How many files there ever were.
    files: usize,
    /// Files whose first flush also flushes the names: SQLite does that for a log that it has made.
    fresh: Vec<usize>,
    /// Deeds of `LaterCommits` that have not reached the disk.
    held_back: Vec<Deed>,
    /// The log that `SyncsAtCheckpoints` flushes as soon as a checkpoint begins.
    due: Option<usize>,
}

struct Name {
    name: String,
    file: Option<usize>,
}

impl Recorder {
    /// A recorder that knows these files from the beginning.
    pub(super) fn new(names: &[&str], flaw: Option<PowerFlaw>) -> Self {
        let known = names.iter().enumerate().map(|(file, name)| Name { name: (*name).to_owned(), file: Some(file) });
        let tape = Tape { names: known.collect(), files: names.len(), ..Tape::default() };
        Self { flaw, tape: Mutex::new(tape) }
    }

    /// How many deeds there are.
    pub(super) fn len(&self) -> usize {
        self.tape().deeds.len()
    }

    /// Lets everything that was held back reach the disk.
    pub(super) fn flush(&self) {
        let tape = &mut *self.tape();
        tape.deeds.append(&mut tape.held_back);
    }

    /// The deeds, and the names they speak of.
    pub(super) fn take(&self) -> (Vec<Deed>, Vec<String>) {
        let tape = mem::take(&mut *self.tape());
        (tape.deeds, tape.names.into_iter().map(|name| name.name).collect())
    }

    fn tape(&self) -> MutexGuard<'_, Tape> {
        self.tape.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Tap for Recorder {
    fn before(&self, act: Act<'_>) -> Verdict {
        let tape = &mut *self.tape();
        match act {
            Act::Write { file, at, bytes } => {
                let file = index(file);
                tape.checkpoint_begins(file);
                tape.push(self.flaw, Deed::Write { file, at, bytes: bytes.to_vec() });
            }
            Act::Resize { file, bytes } => tape.push(self.flaw, Deed::Resize { file: index(file), bytes }),
            Act::Sync { file } => tape.sync(self.flaw, index(file)),
            Act::Remove { name, is_synced } => tape.remove(self.flaw, short(name), is_synced),
            Act::Open { .. } | Act::Read { .. } | Act::Measure { .. } | Act::Share { .. } => {}
        }
        Verdict::Go
    }

    fn opened(&self, name: &str) -> FileNo {
        self.tape().open(short(name)) as FileNo
    }
}

impl Tape {
    fn push(&mut self, flaw: Option<PowerFlaw>, deed: Deed) {
        let is_sync = matches!(deed, Deed::Sync { .. } | Deed::SyncNames);
        match flaw {
            Some(PowerFlaw::DroppedSyncs) if is_sync => {}
            Some(PowerFlaw::LaterCommits) => self.held_back.push(deed),
            _ => self.deeds.push(deed),
        }
    }

    fn sync(&mut self, flaw: Option<PowerFlaw>, file: usize) {
        let is_log = self.names.iter().any(|name| name.file == Some(file) && name.name.ends_with("-wal"));
        if is_log && flaw == Some(PowerFlaw::SyncsAtCheckpoints) {
            self.due = Some(file);
            return;
        }
        self.push(flaw, Deed::Sync { file });
        if let Some(at) = self.fresh.iter().position(|fresh| *fresh == file) {
            self.fresh.swap_remove(at);
            self.push(flaw, Deed::SyncNames);
        }
    }

    /// A write to the database itself: the log was flushed just before, whatever the level.
    fn checkpoint_begins(&mut self, file: usize) {
        if let Some(log) = self.due.filter(|log| *log != file) {
            self.due = None;
            self.deeds.push(Deed::Sync { file: log });
        }
    }

    fn open(&mut self, name: &str) -> usize {
        let at = self.name(name);
        let files = self.files;
        let Some(entry) = self.names.get_mut(at) else { return 0 };
        if let Some(file) = entry.file {
            return file;
        }
        entry.file = Some(files);
        self.files += 1;
        self.fresh.push(files);
        self.deeds.push(Deed::Link { name: at, file: files });
        files
    }

    fn remove(&mut self, flaw: Option<PowerFlaw>, name: &str, is_synced: bool) {
        let at = self.name(name);
        if self.names.get_mut(at).and_then(|entry| entry.file.take()).is_some() {
            self.push(flaw, Deed::Unlink { name: at });
            if is_synced {
                self.push(flaw, Deed::SyncNames);
            }
        }
    }

    fn name(&mut self, name: &str) -> usize {
        self.names.iter().position(|known| known.name == name).unwrap_or_else(|| {
            self.names.push(Name { name: name.to_owned(), file: None });
            self.names.len() - 1
        })
    }
}

/// What tells files of one store apart: `jobs.db`, `jobs.db-wal`; of one that is being made, with `.new` in it.
fn short(path: &str) -> &str {
    Path::new(path).file_name().and_then(|name| name.to_str()).unwrap_or(path)
}

fn index(file: FileNo) -> usize {
    usize::try_from(file).unwrap_or_default()
}
