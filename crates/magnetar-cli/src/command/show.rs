//! `magnetar show`: everything about a chunk.

mod document;
mod page;

use std::io::Write;

use anyhow::Result;
use clap::Args;
use magnetar::{ChunkId, Job, JobId, JobState, JobStatus, JobStore};

use super::{
    list::{CSV_HEAD, Row},
    marks::{named, one},
};
use crate::{
    exit::{Code, fault},
    outcome::Outcome,
    output::{Format, Out, OutputArgs},
    overview::dependencies,
    span::{self, Span},
    store::{Found, Target},
    time::now,
};

#[derive(Args, Debug)]
pub(crate) struct ShowArgs {
    #[command(flatten)]
    target: Target,
    /// Which chunks, as in 17, 20-29 or 100-
    #[arg(value_name = "CHUNK")]
    spans: Vec<Span>,
    #[command(flatten)]
    output: OutputArgs,
}

/// A chunk, with what is kept beside it.
struct Details {
    chunk: JobState,
    /// What it must wait for, and where that stands; nothing where it is gone.
    depends_on: Vec<(JobId, ChunkId, Option<JobStatus>)>,
    /// What came of its last attempt, where `magnetar run` made it.
    last: Option<Outcome>,
}

pub(crate) async fn run(mut args: ShowArgs) -> Result<Code> {
    args.target.take_spans(&mut args.spans);
    if args.spans.is_empty() {
        return Err(fault(Code::Usage, "say which chunk, as in 17"));
    }
    let Found { site, job } = args.target.find().await?;
    let store = &*site.store;
    let mut out = Out::new();
    if args.output.output == Format::Csv {
        out.csv(|csv| csv.write_record(CSV_HEAD))?;
    }
    for (place, (id, _)) in named(store, job.id, &span::merged(args.spans), |_| true).await?.into_iter().enumerate() {
        let details = Details::read(store, &job, id).await?;
        match args.output.output {
            Format::Json => out.json(&document::document(&job, &details))?,
            Format::Csv => out.csv(|csv| csv.write_record(Row::of(&details.chunk).record()))?,
            Format::Table => {
                if place > 0 {
                    writeln!(out)?;
                }
                out.lines(&page::page(&job, &details, now()))?;
            }
        }
    }
    out.finish()?;
    Ok(Code::Ok)
}

impl Details {
    async fn read(store: &dyn JobStore, job: &Job, id: ChunkId) -> Result<Self> {
        let chunk = one(store, job.id, id).await?;
        let mut depends_on = Vec::new();
        for (on_job, on) in dependencies(store, job.id, id).await? {
            depends_on.push((on_job, on, store.get_chunk(on_job, on).await?.map(|parent| parent.status)));
        }
        let last = Outcome::read(store, &chunk).await?;
        Ok(Self { chunk, depends_on, last })
    }
}
