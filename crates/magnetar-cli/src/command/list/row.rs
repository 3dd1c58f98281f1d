//! One chunk in a list.

use anstyle::Style;
use magnetar::{ChunkId, JobState, Timestamp};
use serde::Serialize;

use crate::{
    label::label,
    output::{
        style,
        table::{Align, Cell},
    },
    time::Elapsed,
};

/// The columns of a table.
pub(super) const COLUMNS: [(&str, Align); 7] = [
    ("CHUNK", Align::Right),
    ("STATUS", Align::Left),
    ("FAILS", Align::Right),
    ("CRASHES", Align::Right),
    ("FOR", Align::Right),
    ("WHAT", Align::Elastic),
    ("ERROR", Align::Left),
];

/// The head of a CSV.
pub(in crate::command) const CSV_HEAD: [&str; 17] = [
    "chunk",
    "status",
    "what",
    "error",
    "fails",
    "crashes",
    "unmet",
    "bad",
    "priority",
    "lane",
    "key",
    "checksum",
    "created_at",
    "not_before",
    "claimed_at",
    "deadline",
    "ended_at",
];

/// A chunk of `magnetar list -o json`. Keys may be added; those that are there stay.
#[derive(Serialize)]
pub(in crate::command) struct Row<'a> {
    chunk: ChunkId,
    status: &'static str,
    /// Its input, else its command, else its key.
    what: String,
    error: Option<&'a str>,
    fails: u32,
    crashes: u32,
    /// Dependencies that have not ended.
    unmet: u64,
    /// Dependencies that ended otherwise than done.
    bad: u64,
    priority: i16,
    lane: &'a str,
    key: Option<&'a str>,
    /// The recorded checksum, else the expected one.
    checksum: &'a str,
    created_at: String,
    not_before: Option<String>,
    claimed_at: Option<String>,
    deadline: Option<String>,
    ended_at: Option<String>,
}

impl<'a> Row<'a> {
    pub(in crate::command) fn of(chunk: &'a JobState) -> Self {
        Self {
            chunk: chunk.chunk,
            status: chunk.status.name(),
            what: label(chunk),
            error: chunk.error.as_deref(),
            fails: chunk.fails,
            crashes: chunk.crashes,
            unmet: chunk.unmet,
            bad: chunk.bad,
            priority: chunk.priority,
            lane: &chunk.lane,
            key: chunk.key.as_deref(),
            checksum: &chunk.checksum,
            created_at: chunk.created_at.to_string(),
            not_before: chunk.not_before.map(|at| at.to_string()),
            claimed_at: chunk.lease.map(|lease| lease.claimed_at.to_string()),
            deadline: chunk.lease.and_then(|lease| lease.deadline).map(|at| at.to_string()),
            ended_at: chunk.ended_at.map(|at| at.to_string()),
        }
    }

    /// The fields under [`CSV_HEAD`].
    pub(in crate::command) fn record(self) -> [String; 17] {
        [
            self.chunk.to_string(),
            self.status.to_owned(),
            self.what,
            self.error.unwrap_or_default().to_owned(),
            self.fails.to_string(),
            self.crashes.to_string(),
            self.unmet.to_string(),
            self.bad.to_string(),
            self.priority.to_string(),
            self.lane.to_owned(),
            self.key.unwrap_or_default().to_owned(),
            self.checksum.to_owned(),
            self.created_at,
            self.not_before.unwrap_or_default(),
            self.claimed_at.unwrap_or_default(),
            self.deadline.unwrap_or_default(),
            self.ended_at.unwrap_or_default(),
        ]
    }
}

/// The cells under [`COLUMNS`]: for how long it has stood where it stands, as far as the store tells.
pub(super) fn cells(chunk: &JobState, now: Timestamp) -> Vec<Cell> {
    let count = |count: u32| Cell::new(count.to_string(), if count == 0 { style::FAINT } else { Style::new() });
    let since = chunk.ended_at.or(chunk.lease.map(|lease| lease.claimed_at)).unwrap_or(chunk.created_at);
    vec![
        Cell::plain(chunk.chunk.to_string()),
        Cell::new(chunk.status.name(), style::of_status(chunk.status)),
        count(chunk.fails),
        count(chunk.crashes),
        Cell::new(Elapsed(now.since(since)).to_string(), style::FAINT),
        Cell::plain(label(chunk)),
        Cell::plain(chunk.error.as_deref().unwrap_or_default()),
    ]
}
