//! The overview for people: one screen.

use anstyle::Style;
use magnetar::JobStatus;

use super::{Held, Overview, State};
use crate::{
    label::label,
    output::{
        style,
        table::{Align, Cell, Table, cut},
    },
    store::Site,
    text::{clean, thousands},
    time::Elapsed,
};

/// How far it is and what runs: lines no longer than the width.
pub(crate) fn progress(overview: &Overview, site: &Site, width: Option<usize>) -> Vec<String> {
    let mut lines = head(overview, site, width.unwrap_or(usize::MAX));
    lines.push(String::new());
    lines.extend(counts(overview).lines(width, 2));
    if !overview.running.is_empty() {
        lines.extend([String::new(), heading("running")]);
        lines.extend(running(overview).lines(width, 2));
        lines.extend(more(site, "processing", overview.job.stats.processing, overview.running.len(), width));
    }
    lines
}

/// What failed and what is stuck: lines no longer than the width.
pub(crate) fn trouble(overview: &Overview, site: &Site, width: Option<usize>) -> Vec<String> {
    let mut lines = Vec::new();
    let stats = &overview.job.stats;
    if !overview.failed.is_empty() {
        lines.extend([String::new(), heading("failed")]);
        lines.extend(failed(overview).lines(width, 2));
        lines.extend(more(site, "failed", stats.failed, overview.failed.len(), width));
    }
    if !overview.held.is_empty() {
        lines.extend([String::new(), heading("held by what ended badly")]);
        lines.extend(held(&overview.held).lines(width, 2));
        lines.extend(more(site, "held", stats.held, overview.held.len(), width));
    }
    lines
}

/// What to do next, where there is something; it goes to stderr.
pub(crate) fn hint(overview: &Overview, site: &Site) -> Option<String> {
    let target = site.as_argument();
    Some(match overview.state() {
        State::Waiting => match &site.manifest {
            Some(_) => format!("nobody works on it; `magnetar run {target}` carries on"),
            None => "nobody works on it".to_owned(),
        },
        State::Failed | State::Stalled => match &site.manifest {
            Some(_) => format!("`magnetar run {target}` tries again what failed"),
            None => format!("`magnetar retry {target}` gives what failed another chance"),
        },
        State::Paused => "its chunks are held back until it is resumed".to_owned(),
        _ => return None,
    })
}

/// Two lines, cut at the width: a line that a terminal breaks could not be drawn over.
fn head(overview: &Overview, site: &Site, width: usize) -> Vec<String> {
    let job = &overview.job;
    let state = overview.state();
    let name = job.name.as_deref().map_or_else(|| format!("job {}", job.id), |name| clean(name).into_owned());
    let kind = if job.kind.is_empty() { String::new() } else { format!(", kind {}", clean(&job.kind)) };
    let paused = if job.paused && matches!(state, State::Running | State::Stalled) { ", paused" } else { "" };
    let word = format!("{}{paused}", state.name());
    let name = cut(&name, width.saturating_sub(word.len() + 2));
    let facts = format!("  id {}{kind}, created {}, store {}", job.id, job.created_at, clean(&site.location.to_string()));
    vec![
        format!("{}  {}", styled(&name, style::STRONG), styled(&word, of_state(state))),
        styled(&cut(&facts, width), style::FAINT),
    ]
}

fn counts(overview: &Overview) -> Table {
    let stats = &overview.job.stats;
    let mut table = Table::new(&[("", Align::Left), ("", Align::Right), ("", Align::Left)]);
    let mut row = |name: &str, count: u64, note: String, style: Style| {
        let style = if count == 0 { style::FAINT } else { style };
        table.row(vec![Cell::new(name, style), Cell::new(thousands(count), style), Cell::new(note, style::FAINT)]);
    };
    for status in
        [JobStatus::Done, JobStatus::Processing, JobStatus::Pending, JobStatus::Failed, JobStatus::Skipped, JobStatus::Cancelled]
    {
        let note = match status {
            JobStatus::Done if stats.total_chunks > 0 => format!("{:.1} %", stats.completion_percent()),
            JobStatus::Pending => pending(overview),
            _ => String::new(),
        };
        row(status.name(), stats.count(status), note, style::of_status(status));
    }
    row("all", stats.total_chunks, String::new(), style::STRONG);
    table
}

/// What the pending chunks wait for.
fn pending(overview: &Overview) -> String {
    let stats = &overview.job.stats;
    let held = if stats.held > 0 { format!(" ({} held)", thousands(stats.held)) } else { String::new() };
    let parts = [("ready", stats.ready(), ""), ("delayed", stats.delayed, ""), ("blocked", stats.blocked, held.as_str())];
    let parts = parts.into_iter().filter(|(_, count, _)| *count > 0);
    parts.map(|(name, count, more)| format!("{} {name}{more}", thousands(count))).collect::<Vec<_>>().join(", ")
}

fn running(overview: &Overview) -> Table {
    let mut table =
        Table::new(&[("CHUNK", Align::Right), ("FOR", Align::Right), ("ATTEMPT", Align::Right), ("WHAT", Align::Left)]);
    for chunk in &overview.running {
        let since = chunk.lease.map(|lease| Elapsed(overview.at.since(lease.claimed_at)).to_string()).unwrap_or_default();
        table.row(vec![
            Cell::new(chunk.chunk.to_string(), style::BUSY),
            Cell::plain(since),
            Cell::plain(chunk.attempt().to_string()),
            Cell::plain(label(chunk)),
        ]);
    }
    table
}

fn failed(overview: &Overview) -> Table {
    let columns = [
        ("CHUNK", Align::Right),
        ("FAILS", Align::Right),
        ("CRASHES", Align::Right),
        ("WHAT", Align::Elastic),
        ("ERROR", Align::Left),
    ];
    let mut table = Table::new(&columns);
    for chunk in &overview.failed {
        table.row(vec![
            Cell::new(chunk.chunk.to_string(), style::BAD),
            Cell::plain(chunk.fails.to_string()),
            Cell::plain(chunk.crashes.to_string()),
            Cell::plain(label(chunk)),
            Cell::plain(chunk.error.as_deref().unwrap_or_default()),
        ]);
    }
    table
}

fn held(held: &[Held]) -> Table {
    let mut table = Table::new(&[("CHUNK", Align::Right), ("WHAT", Align::Elastic), ("BEHIND", Align::Left)]);
    for Held { chunk, behind } in held {
        let of_job = |job| if job == chunk.job_id { String::new() } else { format!(" of job {job}") };
        let mut names: Vec<_> = behind.iter().map(|(job, id, status)| format!("{id}{} {status}", of_job(*job))).collect();
        if chunk.bad > behind.len() as u64 {
            names.push(format!("{} more", chunk.bad - behind.len() as u64));
        }
        table.row(vec![Cell::new(chunk.chunk.to_string(), style::ODD), Cell::plain(label(chunk)), Cell::plain(names.join(", "))]);
    }
    table
}

fn more(site: &Site, status: &str, count: u64, shown: usize, width: Option<usize>) -> Option<String> {
    let more = count.saturating_sub(shown as u64);
    let line = || format!("  and {} more: `magnetar list {} --status {status}`", thousands(more), clean(&site.as_argument()));
    (more > 0).then(|| cut(&line(), width.unwrap_or(usize::MAX)))
}

fn heading(text: &str) -> String {
    styled(text, style::STRONG)
}

fn styled(text: &str, style: Style) -> String {
    format!("{style}{text}{style:#}")
}

/// The style of a state.
const fn of_state(state: State) -> Style {
    match state {
        State::Running => style::BUSY,
        State::Done => style::GOOD,
        State::Failed | State::Stalled => style::BAD,
        State::Paused | State::Cancelled => style::ODD,
        State::Empty | State::Waiting => style::FAINT,
    }
}
