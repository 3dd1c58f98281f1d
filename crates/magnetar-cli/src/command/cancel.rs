//! `magnetar cancel`: calls chunks off that have not begun.

use std::io::Write;

use anyhow::Result;
use clap::Args;
use magnetar::{Filter, Job, JobId, JobStats, JobStatus, JobStore, OnFailure};
use serde::Serialize;

use super::{
    marks::{Marked, chunks, ids, named, tell_refusals},
    status::deleted,
};
use crate::{
    exit::{Code, fault, tell_note},
    output::{Format, Out, OutputArgs},
    span::{self, Span},
    store::{Found, Target, title},
    text::clean,
};

#[derive(Args, Debug)]
pub(crate) struct CancelArgs {
    #[command(flatten)]
    target: Target,
    /// Which chunks, as in 17, 20-29 or 100-
    #[arg(value_name = "CHUNK")]
    spans: Vec<Span>,
    /// Call off the whole job: every chunk that has not begun
    #[arg(long, conflicts_with = "spans")]
    all: bool,
    /// Only say what would be done
    #[arg(short = 'n', long)]
    dry_run: bool,
    #[command(flatten)]
    output: OutputArgs,
}

/// What came of a cancel. Keys may be added; those that are there stay.
#[derive(Serialize)]
struct Report {
    job: JobId,
    dry_run: bool,
    /// Chunks that were called off.
    cancelled: u64,
    /// Chunks that are skipped because of that. None in a dry run, which does not know.
    skipped: Option<u64>,
    /// Chunks that stay as they are, because they run or wait for others.
    refused: u64,
    /// Chunks that run now; they are not stopped.
    running: u64,
    /// Chunks that have not begun and may still.
    pending: u64,
}

pub(crate) async fn run(mut args: CancelArgs) -> Result<Code> {
    args.target.take_spans(&mut args.spans);
    if args.spans.is_empty() && !args.all {
        return Err(fault(Code::Usage, "say which chunks, as in 17 or 20-29, or --all"));
    }
    let spans = span::merged(args.spans);
    let Found { site, job } = args.target.find().await?;
    let store = &*site.store;
    let before = store.get_stats(job.id).await?;
    let mut marked = Marked::default();
    let report = if args.dry_run {
        let cancelled = if args.all {
            before.pending - before.blocked
        } else {
            named(store, job.id, &spans, is_pending).await?.into_iter().filter(|(_, status)| is_pending(*status)).count() as u64
        };
        Report::new(&job, &before, cancelled, None, 0)
    } else {
        if args.all {
            cancel_all(store, job.id, &mut marked).await?;
        } else {
            let chosen: Vec<_> = named(store, job.id, &spans, is_pending).await?.into_iter().map(|(id, _)| id).collect();
            marked.mark(store, job.id, &chosen, JobStatus::Cancelled).await?;
        }
        let after = store.job(job.id).await?.ok_or_else(|| deleted(job.id))?.stats;
        let skipped = after.skipped.saturating_sub(before.skipped);
        Report::new(&job, &after, marked.changed, Some(skipped), marked.refused)
    };
    print(&report, &title(&job), args.output.output)?;
    tell_refusals(&marked);
    if args.all {
        tell_rest(&report, job.options.on_failure);
    }
    Ok(if args.all && !args.dry_run && report.running > 0 { Code::Conflict } else { marked.code() })
}

/// Calls off what waits for nothing, until there is nothing of that: under `run`, what is behind it waits for nothing then.
async fn cancel_all(store: &dyn JobStore, job: JobId, marked: &mut Marked) -> Result<()> {
    loop {
        let before = marked.changed;
        let unblocked = ids(store, job, Filter::Unblocked).await?;
        // What is refused was claimed in between, and is not among the unblocked the next time.
        let mut round = Marked::default();
        round.mark(store, job, &unblocked, JobStatus::Cancelled).await?;
        marked.changed += round.changed;
        if marked.changed == before {
            return Ok(());
        }
    }
}

fn is_pending(status: JobStatus) -> bool {
    status == JobStatus::Pending
}

impl Report {
    fn new(job: &Job, stats: &JobStats, cancelled: u64, skipped: Option<u64>, refused: u64) -> Self {
        let dry_run = skipped.is_none();
        Self { job: job.id, dry_run, cancelled, skipped, refused, running: stats.processing, pending: stats.pending }
    }
}

fn print(report: &Report, job: &str, format: Format) -> Result<()> {
    let mut out = Out::new();
    match format {
        Format::Json => out.json(report)?,
        Format::Csv => out.csv(|csv| csv.serialize(report))?,
        Format::Table => {
            let job = clean(job);
            let skipped = match report.skipped {
                Some(skipped) if skipped > 0 => format!(", and {} skipped because of that", chunks(skipped, "is", "are")),
                _ => String::new(),
            };
            match (report.cancelled, report.dry_run) {
                (0, _) if report.refused > 0 => writeln!(out, "in {job} no chunk is cancelled")?,
                (0, _) => writeln!(out, "there is nothing to cancel in {job}")?,
                (count, true) => writeln!(out, "in {job} {} cancelled", chunks(count, "would be", "would be"))?,
                (count, false) => writeln!(out, "in {job} {} cancelled{skipped}", chunks(count, "is", "are"))?,
            }
        }
    }
    out.finish()
}

/// Says what a cancel of the whole job has left, or would leave.
fn tell_rest(report: &Report, on_failure: OnFailure) {
    if report.running > 0 {
        let running = chunks(report.running, "runs and is", "run and are");
        tell_note(&format!("{running} not stopped: end the run that works there, or wait"));
    }
    let left = if report.dry_run { report.pending - report.cancelled } else { report.pending };
    if left > 0 {
        let fate = match (report.dry_run, on_failure) {
            (true, OnFailure::Skip) => "would be skipped with that",
            (true, OnFailure::Run) => "would be cancelled after that",
            (true, OnFailure::Hold) => "would be held",
            (false, _) => "can go on only when that has ended well",
        };
        tell_note(&format!("{} for others, and {fate}", chunks(left, "waits", "wait")));
    }
}
