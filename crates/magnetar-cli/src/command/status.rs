//! `magnetar status`: how far a job is, on one screen.

use std::io::Write;

use anyhow::Result;
use clap::Args;
use magnetar::JobId;

use crate::{
    exit::{Code, fault, tell_hint},
    output::{Format, Out, OutputArgs},
    overview::{self, Overview},
    store::{Found, Target},
    time::now,
};

#[derive(Args, Debug)]
pub(crate) struct StatusArgs {
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    output: OutputArgs,
}

pub(crate) async fn run(args: StatusArgs) -> Result<Code> {
    let Found { site, job } = args.target.find().await?;
    let mut overview = Overview::look(&*site.store, job.id, now()).await?.ok_or_else(|| deleted(job.id))?;
    let mut out = Out::new();
    let width = out.width();
    if args.output.output == Format::Table {
        out.lines(&overview::progress(&overview, &site, width))?;
        // What failed may take a moment to find.
        out.flush()?;
    }
    overview.find_trouble(&*site.store, None).await?;
    match args.output.output {
        Format::Table => out.lines(&overview::trouble(&overview, &site, width))?,
        Format::Json => out.json(&overview::document(&overview, &site))?,
        Format::Csv => out.csv(|csv| {
            csv.write_record(overview::CSV_HEAD)?;
            csv.write_record(overview::csv_row(&overview))
        })?,
    }
    out.finish()?;
    if let (Format::Table, Some(hint)) = (args.output.output, overview::hint(&overview, &site)) {
        tell_hint(&hint);
    }
    Ok(Code::Ok)
}

/// The error of a job that was there when the command began.
pub(super) fn deleted(job: JobId) -> anyhow::Error {
    fault(Code::NotFound, format!("job {job} was deleted a moment ago"))
}
