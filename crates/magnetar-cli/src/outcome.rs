//! What came of the last attempt at a chunk, as it is kept in the store: a record beside the chunk, written in the same commit
//! as its end.
//!
//! The records are in the space `command`, each under `JOB/CHUNK` with the numbers in 20 digits, as JSON.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use magnetar::{ChunkId, JobId, JobStore, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{
    exec::{self, End, Tail},
    fingerprint::Fingerprint,
};

/// Where the records are.
pub(crate) const SPACE: &str = "command";

/// What came of the last attempt at a chunk.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Outcome {
    /// The number of the attempt, from 1.
    pub(crate) attempt: u32,
    /// The token of its claim.
    pub(crate) token: u64,
    /// When it was over.
    pub(crate) ended_at: Timestamp,
    /// How its command ended. None where it did not come to that: an input was missing, or did not fit its checksum.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) end: Option<End>,
    /// How long the command ran, in seconds.
    #[serde(default)]
    pub(crate) seconds: f64,
    /// The most memory that it had at once.
    #[serde(default)]
    pub(crate) peak_bytes: u64,
    /// The last lines of its standard output.
    #[serde(default, skip_serializing_if = "Tail::is_empty")]
    pub(crate) stdout: Tail,
    /// The last lines of its standard error.
    #[serde(default, skip_serializing_if = "Tail::is_empty")]
    pub(crate) stderr: Tail,
    /// What its inputs were like before it ran, by their paths in the manifest.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) inputs: BTreeMap<String, Fingerprint>,
}

impl Outcome {
    /// What came of a command.
    pub(crate) fn of_command(attempt: u32, token: u64, ended_at: Timestamp, came: exec::Outcome) -> Self {
        Self {
            attempt,
            token,
            ended_at,
            end: Some(came.end),
            seconds: came.elapsed.as_secs_f64(),
            peak_bytes: came.peak_bytes,
            stdout: came.stdout,
            stderr: came.stderr,
            inputs: BTreeMap::new(),
        }
    }

    /// Whether the command did what it was to do.
    pub(crate) fn is_success(&self) -> bool {
        self.end == Some(End::Exited(0))
    }

    /// The record's value.
    pub(crate) fn to_json(&self) -> Vec<u8> {
        // Texts and numbers always have a JSON.
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// Reads the record of a chunk; none where no attempt has ended, or a program other than this one worked on it.
    pub(crate) async fn read(store: &dyn JobStore, job: JobId, chunk: ChunkId) -> Result<Option<Self>> {
        let record = store.get_record(SPACE, &key(job, chunk)).await?;
        record.map(|record| Self::parse(job, chunk, &record.value)).transpose()
    }

    /// Reads a record's value.
    pub(crate) fn parse(job: JobId, chunk: ChunkId, value: &[u8]) -> Result<Self> {
        serde_json::from_slice(value).with_context(|| format!("the outcome of chunk {chunk} of job {job} cannot be read"))
    }
}

/// The key of a chunk's record.
pub(crate) fn key(job: JobId, chunk: ChunkId) -> Vec<u8> {
    let mut key = prefix(job);
    key.extend(format!("{chunk:020}").into_bytes());
    key
}

/// How the keys of a job's records begin.
pub(crate) fn prefix(job: JobId) -> Vec<u8> {
    format!("{job:020}/").into_bytes()
}

/// The chunk of a key.
pub(crate) fn chunk_of(key: &[u8]) -> Option<ChunkId> {
    str::from_utf8(key).ok()?.rsplit('/').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_a_job_stand_together_in_the_order_of_its_chunks() {
        let keys = [key(1, 2), key(1, 10), key(1, u64::MAX), key(2, 0), key(12, 0)];
        assert!(keys.is_sorted());
        assert!(keys[..3].iter().all(|key| key.starts_with(&prefix(1))) && !keys[4].starts_with(&prefix(1)));
        assert_eq!(chunk_of(&key(-7, 42)), Some(42));
    }

    #[test]
    fn outcome_reads_as_it_was_written_and_is_small_where_nothing_is_said() {
        let outcome = Outcome {
            attempt: 1,
            token: 5,
            ended_at: Timestamp::from_millis(7),
            end: Some(End::Exited(0)),
            seconds: 0.5,
            peak_bytes: 4096,
            stdout: Tail::default(),
            stderr: Tail { text: "a\u{1b}\n".to_owned(), bytes: 3 },
            inputs: BTreeMap::new(),
        };
        let json = outcome.to_json();
        assert_eq!(Outcome::parse(1, 2, &json).unwrap(), outcome);
        assert!(!String::from_utf8(json).unwrap().contains("inputs"));
        assert!(Outcome::parse(1, 2, b"{").unwrap_err().to_string().contains("chunk 2 of job 1"));
    }
}
