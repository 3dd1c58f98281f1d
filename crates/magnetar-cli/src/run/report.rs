//! What a run says at its begin and at its end.

use std::{
    fmt::Write as _,
    io::{self, Write},
    time::Duration,
};

use anyhow::Result;
use magnetar::{
    JobId, JobStats,
    worker::{End, Summary},
};

use super::{begin::Begun, progress::Progress};
use crate::{
    exit::{Code, tell_hint},
    output::{Format, Out, style},
    overview::{self, Overview},
    store::Site,
    text::thousands,
    time::{Elapsed, now},
};

/// Chunks that are named; the rest are counted.
const NAMED: usize = 10;

/// Says what was found and done before anything ran.
pub(super) fn begun(begun: &Begun, progress: &Progress) {
    let note = |text: &str| progress.say("note:", style::STRONG, text);
    for change in begun.changed.iter().take(NAMED) {
        note(&format!("chunk {} runs again, because {change}", change.chunk));
    }
    let more = begun.changed.len().saturating_sub(NAMED);
    if more > 0 {
        note(&format!("{} more run again, because an input of theirs changed", count(more, "chunk")));
    }
    if begun.behind > 0 {
        note(&format!("{} behind them, which had ended, {} again too", count(begun.behind, "chunk"), run(begun.behind)));
    }
    if begun.redriven > 0 {
        note(&format!("{} that failed before {} again", count(begun.redriven, "chunk"), run(begun.redriven)));
    }
    if begun.given_up > 0 {
        let given_up = count(begun.given_up, "chunk");
        note(&format!("{given_up} failed while this run began, by losing too many runs; the next run tries again"));
    }
    if begun.called_off > 0 {
        note(&format!("{} called off: no file matches any more", count(begun.called_off, "chunk")));
    }
    let conflicts = begun.report.conflicts.len();
    if conflicts > 0 {
        note(&format!("{} running now with another checksum; the new one is not taken", count(conflicts, "chunk")));
    }
    if begun.report.absent > 0 {
        let absent = usize::try_from(begun.report.absent).unwrap_or(usize::MAX);
        let stay = if absent == 1 { "stays in the job" } else { "stay in the job" };
        note(&format!("{} that the manifest no longer names {stay}; `magnetar cancel` takes chunks out", count(absent, "chunk")));
    }
}

/// Prints the end of a run, and returns the exit code.
pub(super) async fn ended(site: &Site, job: JobId, summary: &Summary, took: Duration, format: Format) -> Result<Code> {
    let Some(mut overview) = Overview::look(&*site.store, job, now()).await? else {
        anyhow::bail!("the job was deleted while it ran");
    };
    overview.find_trouble(&*site.store, None).await?;
    let stats = overview.job.stats;
    let code = code(&summary.end, &stats);
    match print(&overview, site, took, format) {
        // Whoever read this has gone, and that changes nothing about the run.
        Err(error) if error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe) => {}
        printed => printed?,
    }
    if let Some(hint) = hint(code, &overview, site).filter(|_| format == Format::Table) {
        tell_hint(&hint);
    }
    Ok(code)
}

fn print(overview: &Overview, site: &Site, took: Duration, format: Format) -> Result<()> {
    let mut out = Out::new();
    match format {
        Format::Json => out.json(&overview::document(overview, site))?,
        Format::Csv => {
            out.csv(|csv| csv.write_record(overview::CSV_HEAD).and_then(|()| csv.write_record(overview::csv_row(overview))))?;
        }
        Format::Table => {
            writeln!(out, "{}", line(overview, took))?;
            let width = out.width();
            for line in overview::trouble(overview, site, width) {
                writeln!(out, "{line}")?;
            }
        }
    }
    out.finish()
}

/// The end in one line: `nightly: 118 of 120 chunks done, 1 failed, 1 skipped in 12 s`.
fn line(overview: &Overview, took: Duration) -> String {
    let stats = &overview.job.stats;
    let name = overview.job.name.as_deref().unwrap_or_default();
    let mut line = format!(
        "{}: {} of {} done",
        crate::text::clean(name),
        thousands(stats.done),
        count(usize::try_from(stats.total_chunks).unwrap_or(usize::MAX), "chunk")
    );
    let rest = [
        (stats.failed, "failed"),
        (stats.skipped, "skipped"),
        (stats.cancelled, "cancelled"),
        (stats.held, "held"),
        (stats.pending.saturating_sub(stats.held), "to do"),
        (stats.processing, "running elsewhere"),
    ];
    for (count, what) in rest.into_iter().filter(|(count, _)| *count > 0) {
        let _ = write!(line, ", {} {what}", thousands(count));
    }
    format!("{line} in {}", Elapsed(took))
}

fn code(end: &End, stats: &JobStats) -> Code {
    match end {
        End::Drained | End::Aborted => Code::Interrupted,
        End::Ended { .. } if stats.failed + stats.skipped == 0 => Code::Ok,
        _ => Code::Failed,
    }
}

fn hint(code: Code, overview: &Overview, site: &Site) -> Option<String> {
    let again = match &site.manifest {
        Some(_) => format!("`magnetar run {}`", site.as_argument()),
        None => "the same command".to_owned(),
    };
    let first = overview.failed.first();
    match (code, first) {
        (Code::Failed, Some(failed)) => Some(format!(
            "`magnetar show {} {}` shows what a chunk printed; {again} tries again what failed",
            site.as_argument(),
            failed.chunk
        )),
        (Code::Failed | Code::Interrupted, _) => Some(format!("{again} carries on")),
        _ => None,
    }
}

/// A number of things, as in "1 chunk" and "2 chunks".
pub(super) fn count(number: usize, what: &str) -> String {
    let number = u64::try_from(number).unwrap_or(u64::MAX);
    format!("{} {what}{}", thousands(number), if number == 1 { "" } else { "s" })
}

fn run(number: usize) -> &'static str {
    if number == 1 { "runs" } else { "run" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exit_code_says_how_it_went() {
        let stats = |failed, skipped, cancelled| {
            let mut stats = JobStats::new(1);
            (stats.failed, stats.skipped, stats.cancelled) = (failed, skipped, cancelled);
            stats
        };
        let check = |end: fn(JobStats) -> End, stats: JobStats, expected| assert_eq!(code(&end(stats), &stats), expected);
        let ended = |stats| End::Ended { stats };
        check(ended, stats(0, 0, 0), Code::Ok);
        check(ended, stats(0, 0, 1), Code::Ok);
        check(ended, stats(1, 0, 0), Code::Failed);
        check(ended, stats(0, 1, 1), Code::Failed);
        check(|stats| End::Stalled { stats }, stats(0, 0, 0), Code::Failed);
        check(|_| End::FailedFast, stats(1, 0, 0), Code::Failed);
        check(|_| End::Drained, stats(1, 0, 0), Code::Interrupted);
        check(|_| End::Aborted, stats(0, 0, 0), Code::Interrupted);
    }
}
