//! `magnetar list`: the chunks of a job, page by page, so that a million of them take no more memory than a thousand.

mod pages;
mod row;

use anyhow::Result;
use clap::{Args, ValueEnum};
use magnetar::{ChunkId, Filter, Job, JobState, JobStatus, OnFailure};

use self::pages::Pages;
pub(super) use self::row::{CSV_HEAD, Row};
use crate::{
    exit::{Code, tell_note},
    output::{Format, Out, OutputArgs, table::Table},
    span::{self, Span},
    store::{Found, Target},
    time::now,
};

#[derive(Args, Debug)]
pub(crate) struct ListArgs {
    #[command(flatten)]
    target: Target,
    /// Which chunks, as in 17, 20-29 or 100-; all of them by default
    #[arg(value_name = "CHUNK")]
    spans: Vec<Span>,
    /// Only chunks that stand there; may be given several times
    #[arg(short, long, value_name = "STATUS", value_delimiter = ',')]
    status: Vec<Standing>,
    /// The most chunks that are listed
    #[arg(long, value_name = "COUNT")]
    limit: Option<u64>,
    /// Begin behind this chunk
    #[arg(long, value_name = "CHUNK")]
    after: Option<ChunkId>,
    #[command(flatten)]
    output: OutputArgs,
}

/// Where a chunk stands: a status, or what a pending one waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Standing {
    /// Waits
    Pending,
    /// Is claimed
    Processing,
    /// Ended well
    Done,
    /// Ended badly
    Failed,
    /// Never ran, because something it depends on ended badly
    Skipped,
    /// Was called off
    Cancelled,
    /// Pending, and waits for no dependency
    Unblocked,
    /// Pending, and kept back by a dependency that ended badly
    Held,
}

pub(crate) async fn run(mut args: ListArgs) -> Result<Code> {
    args.target.take_spans(&mut args.spans);
    let spans = if args.spans.is_empty() { vec![Span::ALL] } else { span::merged(args.spans) };
    let Found { site, job } = args.target.find().await?;
    let mut pages = Pages::new(&*site.store, &job, spans, args.status, args.after);
    let mut listing = Listing::new(args.output.output)?;
    let mut left = args.limit.unwrap_or(u64::MAX);
    let mut last = None;
    while let Some(page) = pages.next(left).await? {
        left -= page.len() as u64;
        last = page.last().map(|chunk| chunk.chunk).or(last);
        listing.print(&page)?;
    }
    listing.out.finish()?;
    if let (0, Some(last), Format::Table) = (left, last, args.output.output) {
        tell_note(&format!("there may be more; go on with --after {last}"));
    }
    Ok(Code::Ok)
}

impl Standing {
    /// The filter of the store that lets just these pass.
    const fn filter(self) -> Filter {
        match self {
            Self::Pending => Filter::Status(JobStatus::Pending),
            Self::Processing => Filter::Status(JobStatus::Processing),
            Self::Done => Filter::Status(JobStatus::Done),
            Self::Failed => Filter::Status(JobStatus::Failed),
            Self::Skipped => Filter::Status(JobStatus::Skipped),
            Self::Cancelled => Filter::Status(JobStatus::Cancelled),
            Self::Unblocked => Filter::Unblocked,
            Self::Held => Filter::Held,
        }
    }

    /// Whether a chunk stands there.
    fn is_of(self, chunk: &JobState, job: &Job) -> bool {
        let is_held = chunk.bad > 0 && job.options.on_failure != OnFailure::Run;
        match self.filter() {
            Filter::Status(status) => chunk.status == status,
            Filter::Held => chunk.status == JobStatus::Pending && is_held,
            _ => chunk.status == JobStatus::Pending && chunk.unmet == 0 && !is_held,
        }
    }
}

/// Where the list is printed, and how.
struct Listing {
    out: Out,
    how: How,
}

enum How {
    Table(Table),
    Json,
    Csv,
}

impl Listing {
    fn new(format: Format) -> Result<Self> {
        let mut out = Out::new();
        let how = match format {
            Format::Table => How::Table(Table::new(&row::COLUMNS)),
            Format::Json => How::Json,
            Format::Csv => {
                out.csv(|csv| csv.write_record(CSV_HEAD))?;
                How::Csv
            }
        };
        Ok(Self { out, how })
    }

    fn print(&mut self, chunks: &[JobState]) -> Result<()> {
        match &mut self.how {
            How::Table(table) => {
                for chunk in chunks {
                    table.row(row::cells(chunk, now()));
                }
                table.print(&mut self.out, 0)
            }
            How::Json => chunks.iter().try_for_each(|chunk| self.out.json_line(&Row::of(chunk))),
            How::Csv => self.out.csv(|csv| chunks.iter().try_for_each(|chunk| csv.write_record(Row::of(chunk).record()))),
        }
    }
}
