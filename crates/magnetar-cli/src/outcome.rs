//! What came of the last attempt at a chunk, as it is kept in the store, written in the same commit as the attempt's end.
//!
//! Of a chunk that is done it is the result. Where the attempt failed there is no result, and it is a record beside the chunk,
//! in the space `command` under `JOB/CHUNK` with the numbers in 20 digits. Both are JSON. A record for a chunk that always went
//! well would cost each commit about half of what it costs without.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use magnetar::{ChunkId, JobId, JobState, JobStore, Record, Timestamp};
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

    /// It as it is stored.
    pub(crate) fn to_json(&self) -> Vec<u8> {
        // Texts and numbers always have a JSON.
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// Reads what came of the last attempt at a chunk; none where no attempt has ended, or another program worked on it.
    pub(crate) async fn read(store: &dyn JobStore, chunk: &JobState) -> Result<Option<Self>> {
        let (result, record) = (Self::of_result(chunk), Self::of_record(store, chunk.job_id, chunk.chunk).await?);
        // A record of the same attempt is what was learned since.
        Ok(match (result, record) {
            (Some(result), Some(record)) if record.token < result.token => Some(result),
            (result, record) => record.or(result),
        })
    }

    /// The outcome that is the result of a chunk; none where the chunk is not done, or by another program.
    pub(crate) fn of_result(chunk: &JobState) -> Option<Self> {
        serde_json::from_slice(chunk.result.as_deref()?).ok()
    }

    /// The outcome that is a record beside a chunk.
    pub(crate) async fn of_record(store: &dyn JobStore, job: JobId, chunk: ChunkId) -> Result<Option<Self>> {
        let record = store.get_record(SPACE, &key(job, chunk)).await?;
        let parse = |record: Record| {
            serde_json::from_slice(&record.value)
                .with_context(|| format!("the outcome of chunk {chunk} of job {job} cannot be read"))
        };
        record.map(parse).transpose()
    }
}

/// The key of a chunk's record.
pub(crate) fn key(job: JobId, chunk: ChunkId) -> Vec<u8> {
    format!("{job:020}/{chunk:020}").into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(token: u64) -> Outcome {
        Outcome {
            attempt: 1,
            token,
            ended_at: Timestamp::from_millis(7),
            end: Some(End::Exited(0)),
            seconds: 0.5,
            peak_bytes: 4096,
            stdout: Tail::default(),
            stderr: Tail { text: "a\u{1b}\n".to_owned(), bytes: 3 },
            inputs: BTreeMap::new(),
        }
    }

    #[test]
    fn keys_stand_in_the_order_of_jobs_and_chunks() {
        assert!([key(1, 2), key(1, 10), key(1, u64::MAX), key(2, 0), key(12, 0)].is_sorted());
    }

    #[tokio::test]
    async fn last_attempt_counts_wherever_it_is_kept() {
        let store = magnetar::MemoryStore::open().await.unwrap();
        let mut chunk = JobState::new(1, 2);
        assert_eq!(Outcome::read(&store, &chunk).await.unwrap(), None);
        chunk.result = Some(outcome(5).to_json());
        assert_eq!(Outcome::read(&store, &chunk).await.unwrap(), Some(outcome(5)));
        for (token, expected) in [(4, 5), (5, 5), (6, 6)] {
            store.put_record(SPACE, &key(1, 2), Some(outcome(token).to_json()), magnetar::Expect::Any).await.unwrap();
            assert_eq!(Outcome::read(&store, &chunk).await.unwrap().unwrap().token, expected);
        }
        chunk.result = Some(b"another program's".to_vec());
        assert_eq!(Outcome::read(&store, &chunk).await.unwrap().unwrap().token, 6);
        assert!(!String::from_utf8(outcome(5).to_json()).unwrap().contains("inputs"));
    }

    #[tokio::test]
    async fn record_that_is_no_outcome_is_an_error_that_names_the_chunk() {
        let store = magnetar::MemoryStore::open().await.unwrap();
        store.put_record(SPACE, &key(1, 2), Some(b"{".to_vec()), magnetar::Expect::Any).await.unwrap();
        let error = Outcome::read(&store, &JobState::new(1, 2)).await.unwrap_err();
        assert!(error.to_string().contains("chunk 2 of job 1"), "{error}");
    }
}
