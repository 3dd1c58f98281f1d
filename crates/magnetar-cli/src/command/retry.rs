//! `magnetar retry`: another chance for what ended badly.

use std::io::Write;

use anyhow::Result;
use clap::Args;
use magnetar::{ChunkId, Filter, Job, JobId, JobStatus, JobStore};
use serde::Serialize;

use super::marks::{Marked, chunks, ids, named, tell_refusals};
use crate::{
    exit::{Code, fault, tell_hint},
    output::{Format, Out, OutputArgs},
    span::{self, Span},
    store::{Found, Target, title},
    text::{clean, thousands},
};

#[derive(Args, Debug)]
pub(crate) struct RetryArgs {
    #[command(flatten)]
    target: Target,
    /// Which chunks, as in 17, 20-29 or 100-; all that failed by default
    #[arg(value_name = "CHUNK")]
    spans: Vec<Span>,
    /// Do chunks that are done again as well, and all that depend on them
    #[arg(long)]
    reopen: bool,
    /// Only say what would be done
    #[arg(short = 'n', long)]
    dry_run: bool,
    #[command(flatten)]
    output: OutputArgs,
}

/// What came of a retry. Keys may be added; those that are there stay.
#[derive(Serialize)]
struct Report {
    job: JobId,
    dry_run: bool,
    /// Chunks that are pending again.
    retried: u64,
    /// Chunks that are pending again because of those: they were skipped behind them, or depend on reopened ones. None in a
    /// dry run, which does not know.
    brought_along: Option<u64>,
    /// Chunks that stay as they are, because the machine allows no such step.
    refused: u64,
}

pub(crate) async fn run(mut args: RetryArgs) -> Result<Code> {
    args.target.take_spans(&mut args.spans);
    if args.reopen && args.spans.is_empty() {
        return Err(fault(Code::Usage, "say which chunks are to be done again, as in `--reopen 17` or `--reopen 0-` for all"));
    }
    let spans = span::merged(args.spans);
    let Found { site, job } = args.target.find().await?;
    let store = &*site.store;
    let passes = if args.reopen { JobStatus::is_terminal } else { JobStatus::is_bad };
    let chosen = if spans.is_empty() {
        let failed = ids(store, job.id, Filter::Status(JobStatus::Failed)).await?;
        failed.into_iter().map(|id| (id, JobStatus::Failed)).collect()
    } else {
        named(store, job.id, &spans, passes).await?
    };
    let mut marked = Marked::default();
    let (retried, brought_along) = match (args.dry_run, args.reopen) {
        (true, _) => (chosen.iter().filter(|(_, status)| passes(*status)).count() as u64, None),
        (false, true) => reopen(store, job.id, &chosen).await?,
        (false, false) => redrive(store, &job, &chosen, &mut marked).await?,
    };
    let report = Report { job: job.id, dry_run: args.dry_run, retried, brought_along, refused: marked.refused };
    print(&report, &title(&job), args.output.output)?;
    tell_refusals(&marked);
    if args.output.output == Format::Table && retried > 0 && !args.dry_run && site.manifest.is_some() {
        tell_hint(&format!("`magnetar run {}` carries on", site.as_argument()));
    }
    Ok(marked.code())
}

async fn reopen(store: &dyn JobStore, job: JobId, chosen: &[(ChunkId, JobStatus)]) -> Result<(u64, Option<u64>)> {
    let chunks: Vec<_> = chosen.iter().map(|(id, _)| *id).collect();
    let count = chunks.len() as u64;
    let reopened = if chunks.is_empty() { 0 } else { store.reopen(job, chunks).await?.len() as u64 };
    Ok((count, Some(reopened.saturating_sub(count))))
}

async fn redrive(
    store: &dyn JobStore,
    job: &Job,
    chosen: &[(ChunkId, JobStatus)],
    marked: &mut Marked,
) -> Result<(u64, Option<u64>)> {
    let chunks: Vec<_> = chosen.iter().map(|(id, _)| *id).collect();
    let skipped = store.get_stats(job.id).await?.skipped;
    marked.mark(store, job.id, &chunks, JobStatus::Pending).await?;
    let named = chosen.iter().filter(|(_, status)| *status == JobStatus::Skipped).count() as u64;
    let brought_along = skipped.saturating_sub(store.get_stats(job.id).await?.skipped).saturating_sub(named);
    Ok((marked.changed, Some(brought_along)))
}

fn print(report: &Report, job: &str, format: Format) -> Result<()> {
    let mut out = Out::new();
    match format {
        Format::Json => out.json(report)?,
        Format::Csv => out.csv(|csv| csv.serialize(report))?,
        Format::Table => {
            let job = clean(job);
            let along = match report.brought_along {
                Some(along) if along > 0 => format!(", and {} more because of that", thousands(along)),
                _ => String::new(),
            };
            match (report.retried, report.dry_run) {
                (0, _) if report.refused > 0 => writeln!(out, "in {job} no chunk is pending again")?,
                (0, _) => writeln!(out, "there is nothing to retry in {job}")?,
                (count, true) => writeln!(out, "in {job} {} pending again", chunks(count, "would be", "would be"))?,
                (count, false) => writeln!(out, "in {job} {} pending again{along}", chunks(count, "is", "are"))?,
            }
        }
    }
    out.finish()
}
