//! How much of a store has changed since it was saved last.

use std::{
    collections::{HashMap, hash_map::DefaultHasher},
    hash::Hasher,
    io,
};

use magnetar_core::Snapshot;
use serde::Serialize;

/// A fingerprint of everything in a snapshot: 8 bytes a chunk, a record and a job beside the key.
#[derive(Debug, Default)]
pub(crate) struct Fingerprint(HashMap<Key, u64>);

/// What a fingerprint is of, itself as a hash: two keys that collide hide one change of 2^64.
type Key = u64;

impl Fingerprint {
    pub(crate) fn of(snapshot: &Snapshot) -> Self {
        let mut prints = HashMap::new();
        for job in &snapshot.jobs {
            prints.insert(hash(&("job", job.id)), hash(&(&job.name, &job.kind, &job.options, job.paused, job.created_at)));
            for chunk in &job.chunks {
                prints.insert(hash(&(job.id, chunk.id)), hash(chunk));
            }
        }
        for record in &snapshot.records {
            prints.insert(hash(&(&record.space, &record.key)), hash(&record.version));
        }
        Self(prints)
    }

    /// How many chunks, records and jobs are new, other than they were, or gone.
    pub(crate) fn changes_since(&self, before: &Self) -> u64 {
        let changed = self.0.iter().filter(|(key, print)| before.0.get(key) != Some(print)).count();
        let gone = before.0.keys().filter(|key| !self.0.contains_key(key)).count();
        (changed + gone) as u64
    }
}

fn hash(value: &impl Serialize) -> u64 {
    struct Target(DefaultHasher);

    impl io::Write for Target {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.write(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    let mut target = Target(DefaultHasher::new());
    // What cannot be written as JSON cannot be saved either, and is told there.
    let _ = serde_json::to_writer(&mut target, value);
    target.0.finish()
}
