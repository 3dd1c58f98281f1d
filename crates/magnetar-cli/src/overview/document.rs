//! The overview for programs.

use magnetar::{ChunkId, JobId, JobStats, JobStatus};
use serde::Serialize;

use super::{Overview, State};
use crate::{label::label, store::Site};

/// `magnetar status -o json`. Keys may be added; those that are there stay.
#[derive(Serialize)]
pub(crate) struct Document<'a> {
    /// When it was seen (RFC 3339).
    at: String,
    store: String,
    job: About<'a>,
    /// empty, running, paused, stalled, waiting, done, failed or cancelled.
    state: &'static str,
    chunks: Counts,
    /// Done chunks of all.
    percent: f64,
    /// The first ten.
    running: Vec<Running>,
    /// The first ten.
    failed: Vec<Failed<'a>>,
    /// The first ten.
    held: Vec<HeldBy>,
}

#[derive(Serialize)]
struct About<'a> {
    id: JobId,
    name: Option<&'a str>,
    kind: &'a str,
    created_at: String,
    paused: bool,
}

/// How many chunks stand where. Blocked, delayed and ready ones are pending; held ones are blocked.
#[derive(Serialize)]
struct Counts {
    total: u64,
    pending: u64,
    processing: u64,
    done: u64,
    failed: u64,
    skipped: u64,
    cancelled: u64,
    ready: u64,
    delayed: u64,
    blocked: u64,
    held: u64,
}

#[derive(Serialize)]
struct Running {
    chunk: ChunkId,
    what: String,
    claimed_at: Option<String>,
    attempt: u32,
}

#[derive(Serialize)]
struct Failed<'a> {
    chunk: ChunkId,
    what: String,
    error: Option<&'a str>,
    fails: u32,
    crashes: u32,
    ended_at: Option<String>,
}

#[derive(Serialize)]
struct HeldBy {
    chunk: ChunkId,
    what: String,
    /// Bad dependencies, three at most.
    behind: Vec<Behind>,
}

#[derive(Serialize)]
struct Behind {
    job: JobId,
    chunk: ChunkId,
    status: &'static str,
}

/// The head of `magnetar status -o csv`.
pub(crate) const CSV_HEAD: [&str; 16] = [
    "at",
    "job",
    "name",
    "state",
    "percent",
    "total",
    "pending",
    "processing",
    "done",
    "failed",
    "skipped",
    "cancelled",
    "ready",
    "delayed",
    "blocked",
    "held",
];

/// The overview as one document.
pub(crate) fn document<'a>(overview: &'a Overview, site: &Site) -> Document<'a> {
    let job = &overview.job;
    let running = overview.running.iter().map(|chunk| Running {
        chunk: chunk.chunk,
        what: label(chunk),
        claimed_at: chunk.lease.map(|lease| lease.claimed_at.to_string()),
        attempt: chunk.attempt(),
    });
    let failed = overview.failed.iter().map(|chunk| Failed {
        chunk: chunk.chunk,
        what: label(chunk),
        error: chunk.error.as_deref(),
        fails: chunk.fails,
        crashes: chunk.crashes,
        ended_at: chunk.ended_at.map(|at| at.to_string()),
    });
    let held = overview.held.iter().map(|held| HeldBy {
        chunk: held.chunk.chunk,
        what: label(&held.chunk),
        behind: held.behind.iter().map(|&(job, chunk, status)| Behind { job, chunk, status: status.name() }).collect(),
    });
    Document {
        at: overview.at.to_string(),
        store: site.location.to_string(),
        job: About {
            id: job.id,
            name: job.name.as_deref(),
            kind: &job.kind,
            created_at: job.created_at.to_string(),
            paused: job.paused,
        },
        state: State::of(job).name(),
        chunks: counts(&job.stats),
        percent: job.stats.completion_percent(),
        running: running.collect(),
        failed: failed.collect(),
        held: held.collect(),
    }
}

/// The overview as one row of [`CSV_HEAD`].
pub(crate) fn csv_row(overview: &Overview) -> Vec<String> {
    let job = &overview.job;
    let stats = &job.stats;
    let mut row = vec![
        overview.at.to_string(),
        job.id.to_string(),
        job.name.clone().unwrap_or_default(),
        overview.state().name().to_owned(),
        format!("{:.1}", stats.completion_percent()),
        stats.total_chunks.to_string(),
    ];
    row.extend(JobStatus::ALL.into_iter().map(|status| stats.count(status).to_string()));
    row.extend([stats.ready(), stats.delayed, stats.blocked, stats.held].map(|count| count.to_string()));
    row
}

fn counts(stats: &JobStats) -> Counts {
    Counts {
        total: stats.total_chunks,
        pending: stats.pending,
        processing: stats.processing,
        done: stats.done,
        failed: stats.failed,
        skipped: stats.skipped,
        cancelled: stats.cancelled,
        ready: stats.ready(),
        delayed: stats.delayed,
        blocked: stats.blocked,
        held: stats.held,
    }
}
