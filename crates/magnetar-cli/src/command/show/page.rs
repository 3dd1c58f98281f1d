//! A chunk for people.

use anstyle::Style;
use magnetar::{Job, JobStatus, Timestamp};

use super::Details;
use crate::{
    exec::Tail,
    label::label,
    outcome::Outcome,
    output::{
        style,
        table::{Align, Cell, Table},
    },
    store::title,
    text::{clean, lossless, thousands},
    time::Elapsed,
};

/// Dependencies that are named; the rest are counted.
const DEPENDENCIES_NAMED: usize = 20;
/// Bytes of a payload or a result that are shown.
const BYTES_SHOWN: usize = 1000;

/// The lines of a chunk, however long: everything is shown.
pub(super) fn page(job: &Job, details: &Details, now: Timestamp) -> Vec<String> {
    let chunk = &details.chunk;
    let mut facts = Facts::default();
    facts.add("job", title(job));
    facts.styled("status", chunk.status.name(), style::of_status(chunk.status));
    facts.some("what", Some(label(chunk)));
    facts.some("error", chunk.error.clone());
    let max_fails = chunk.max_fails.unwrap_or(job.options.retry.max_fails);
    facts.add("failures", format!("{} of {max_fails}", chunk.fails));
    facts.add("crashes", format!("{} of {}", chunk.crashes, job.options.retry.max_crashes));
    if let Some(lease) = chunk.lease {
        let since = Elapsed(now.since(lease.claimed_at));
        facts.add("runs since", format!("{} ({since})", lease.claimed_at));
        facts.add("attempt", format!("{}, claim {}, session {}", chunk.attempt(), lease.fence.token(), lease.session));
        facts.some("deadline", lease.deadline.map(|at| at.to_string()));
    }
    facts.some("not before", chunk.not_before.map(|at| at.to_string()));
    facts.some("timeout", chunk.timeout.map(|timeout| Elapsed(timeout).to_string()));
    facts.some("waits for", waits_for(details));
    facts.some("lane", Some(chunk.lane.clone()));
    facts.some("priority", (chunk.priority != 0).then(|| chunk.priority.to_string()));
    facts.some("key", chunk.key.clone());
    facts.some("expected", chunk.expected_checksum.clone());
    facts.some("recorded", chunk.recorded_checksum.clone());
    facts.some("payload", bytes(&chunk.payload));
    facts.some("result", chunk.result.as_deref().and_then(bytes));
    facts.some("manifest", (!chunk.extra.is_empty()).then(|| chunk.extra.as_json().to_owned()));
    facts.add("created", chunk.created_at.to_string());
    facts.some("ended", chunk.ended_at.map(|at| at.to_string()));
    let mut lines = vec![format!("{}chunk {}{}", style::STRONG, chunk.chunk, style::STRONG.render_reset())];
    lines.extend(facts.0.lines(None, 2));
    lines.extend(details.last.iter().flat_map(last_attempt));
    lines
}

/// What it depends on, by where that stands.
fn waits_for(details: &Details) -> Option<String> {
    let own = details.chunk.job_id;
    let mut names: Vec<_> = details
        .depends_on
        .iter()
        .take(DEPENDENCIES_NAMED)
        .map(|(job, id, status)| {
            let of_job = if *job == own { String::new() } else { format!(" of job {job}") };
            format!("{id}{of_job} ({})", status.map_or("gone", JobStatus::name))
        })
        .collect();
    let more = details.depends_on.len().saturating_sub(DEPENDENCIES_NAMED);
    if more > 0 {
        names.push(format!("{} more", thousands(more as u64)));
    }
    (!names.is_empty()).then(|| names.join(", "))
}

fn last_attempt(last: &Outcome) -> Vec<String> {
    let mut facts = Facts::default();
    facts.some("end", last.end.as_ref().map(ToString::to_string));
    facts.add("at", last.ended_at.to_string());
    if last.end.is_some() {
        facts.add("took", format!("{:.3} s, at most {} MiB", last.seconds, thousands(last.peak_bytes.div_ceil(1 << 20))));
    }
    for (path, print) in &last.inputs {
        facts.add("input", format!("{path} (SHA-256 {})", print.sha256));
    }
    let mut lines = vec![format!("{}attempt {}{}", style::STRONG, last.attempt, style::STRONG.render_reset())];
    lines.extend(facts.0.lines(None, 2));
    lines.extend(printed("stdout", &last.stdout));
    lines.extend(printed("stderr", &last.stderr));
    lines
}

/// The end of what a command printed, line by line.
fn printed(name: &str, tail: &Tail) -> Vec<String> {
    if tail.is_empty() {
        return Vec::new();
    }
    let head = format!("  {name}, the end of {} bytes", thousands(tail.bytes));
    let line = |line: &str| format!("  {}|{:#} {}", style::FAINT, style::FAINT, clean(line));
    [head].into_iter().chain(tail.text.lines().map(line)).collect()
}

fn bytes(bytes: &[u8]) -> Option<String> {
    let shown = bytes.get(..BYTES_SHOWN).unwrap_or(bytes);
    let more = if shown.len() < bytes.len() { format!("… ({} bytes)", thousands(bytes.len() as u64)) } else { String::new() };
    (!bytes.is_empty()).then(|| format!("{}{more}", lossless(shown)))
}

/// Names with what is known under them.
struct Facts(Table);

impl Default for Facts {
    fn default() -> Self {
        Self(Table::new(&[("", Align::Left), ("", Align::Left)]))
    }
}

impl Facts {
    fn add(&mut self, name: &str, value: impl AsRef<str>) {
        self.styled(name, value, Style::new());
    }

    fn some(&mut self, name: &str, value: Option<String>) {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            self.add(name, value);
        }
    }

    fn styled(&mut self, name: &str, value: impl AsRef<str>, style: Style) {
        self.0.row(vec![Cell::new(name, style::FAINT), Cell::new(value, style)]);
    }
}
