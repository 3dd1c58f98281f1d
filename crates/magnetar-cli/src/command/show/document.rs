//! A chunk for programs.

use std::{collections::BTreeMap, fmt::Write};

use magnetar::{ChunkId, Job, JobId, JobStatus, Lease, OnFailure};
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

use super::{Details, Row};
use crate::{
    exec::{End, Tail},
    outcome::Outcome,
};

/// A chunk of `magnetar show -o json`. Keys may be added; those that are there stay.
#[derive(Serialize)]
pub(super) struct Document<'a> {
    job: JobId,
    job_name: Option<&'a str>,
    #[serde(flatten)]
    row: Row<'a>,
    /// The number of the attempt that runs, or would run next.
    attempt: u32,
    /// Failures after which it ends as failed.
    max_fails: u32,
    /// Lost leases after which it ends as failed.
    max_crashes: u32,
    /// How long one attempt may take by the store's clock.
    timeout_seconds: Option<f64>,
    expected_checksum: Option<&'a str>,
    recorded_checksum: Option<&'a str>,
    idempotency_key: String,
    depends_on: Vec<Dependency>,
    /// What becomes of it when one of them ends badly: skip, hold or run.
    on_failure: OnFailure,
    lease: Option<Held>,
    payload: Bytes<'a>,
    result: Option<Bytes<'a>>,
    /// Keys of the manifest that are not the store's own.
    extra: Map<String, Value>,
    /// What came of its last attempt, where `magnetar run` made it.
    last_attempt: Option<Attempt<'a>>,
}

#[derive(Serialize)]
struct Dependency {
    job: JobId,
    chunk: ChunkId,
    /// None where it is gone.
    status: Option<&'static str>,
}

#[derive(Serialize)]
struct Held {
    session: u64,
    token: u64,
    claimed_at: String,
    deadline: Option<String>,
}

#[derive(Serialize)]
struct Attempt<'a> {
    #[serde(rename = "attempt")]
    number: u32,
    token: u64,
    ended_at: String,
    /// How its command ended, in words; none where it did not come to that.
    end: Option<String>,
    exit_code: Option<i32>,
    signal: Option<i32>,
    seconds: f64,
    peak_bytes: u64,
    stdout: Printed<'a>,
    stderr: Printed<'a>,
    /// The SHA-256 of each input.
    inputs: BTreeMap<&'a str, &'a str>,
}

#[derive(Serialize)]
struct Printed<'a> {
    /// The last lines.
    tail: &'a str,
    /// Bytes in all.
    bytes: u64,
}

/// Bytes: as text where they are UTF-8, else as `{"hex": "…"}`.
struct Bytes<'a>(&'a [u8]);

impl Serialize for Bytes<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if let Ok(text) = str::from_utf8(self.0) {
            return serializer.serialize_str(text);
        }
        BTreeMap::from([("hex", hex(self.0))]).serialize(serializer)
    }
}

fn hex(bytes: &[u8]) -> String {
    let mut hex = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        let _ = write!(hex, "{byte:02x}");
    }
    hex
}

pub(super) fn document<'a>(job: &'a Job, details: &'a Details) -> Document<'a> {
    let chunk = &details.chunk;
    let depends_on = details.depends_on.iter();
    Document {
        job: job.id,
        job_name: job.name.as_deref(),
        row: Row::of(chunk),
        attempt: chunk.attempt(),
        max_fails: chunk.max_fails.unwrap_or(job.options.retry.max_fails),
        max_crashes: job.options.retry.max_crashes,
        timeout_seconds: chunk.timeout.map(|timeout| timeout.as_secs_f64()),
        expected_checksum: chunk.expected_checksum.as_deref(),
        recorded_checksum: chunk.recorded_checksum.as_deref(),
        idempotency_key: chunk.idempotency_key(),
        depends_on: depends_on
            .map(|&(job, chunk, status)| Dependency { job, chunk, status: status.map(JobStatus::name) })
            .collect(),
        on_failure: job.options.on_failure,
        lease: chunk.lease.map(Held::of),
        payload: Bytes(&chunk.payload),
        result: chunk.result.as_deref().map(Bytes),
        extra: chunk.extra.to_map(),
        last_attempt: details.last.as_ref().map(Attempt::of),
    }
}

impl Held {
    fn of(lease: Lease) -> Self {
        Self {
            session: lease.session.get(),
            token: lease.fence.token().get(),
            claimed_at: lease.claimed_at.to_string(),
            deadline: lease.deadline.map(|at| at.to_string()),
        }
    }
}

impl<'a> Attempt<'a> {
    fn of(last: &'a Outcome) -> Self {
        let printed = |tail: &'a Tail| Printed { tail: &tail.text, bytes: tail.bytes };
        Self {
            number: last.attempt,
            token: last.token,
            ended_at: last.ended_at.to_string(),
            end: last.end.as_ref().map(ToString::to_string),
            exit_code: last.end.as_ref().and_then(|end| if let End::Exited(code) = end { Some(*code) } else { None }),
            signal: last.end.as_ref().and_then(|end| if let End::Signalled(signal) = end { Some(*signal) } else { None }),
            seconds: last.seconds,
            peak_bytes: last.peak_bytes,
            stdout: printed(&last.stdout),
            stderr: printed(&last.stderr),
            inputs: last.inputs.iter().map(|(path, print)| (path.as_str(), print.sha256.as_str())).collect(),
        }
    }
}
