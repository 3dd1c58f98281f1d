//! `magnetar status`: how far a job is, on one screen.

use std::io::Write;

use anstyle::Style;
use anyhow::Result;
use clap::Args;

use crate::{
    exit::{Code, fault, tell},
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
    let overview = Overview::look(&*site.store, job.id, None, now()).await?;
    let overview = overview.ok_or_else(|| fault(Code::NotFound, format!("job {} was deleted a moment ago", job.id)))?;
    let mut out = Out::new();
    match args.output.output {
        Format::Json => out.json(&overview::document(&overview, &site))?,
        Format::Csv => {
            let mut csv = csv::Writer::from_writer(&mut out);
            csv.write_record(overview::CSV_HEAD)?;
            csv.write_record(overview::csv_row(&overview))?;
            csv.flush()?;
        }
        Format::Table => {
            let width = out.width();
            for line in overview::page(&overview, &site, width) {
                writeln!(out, "{line}")?;
            }
        }
    }
    out.finish()?;
    if let (Format::Table, Some(hint)) = (args.output.output, overview::hint(&overview, &site)) {
        tell("hint", Style::new().bold(), &hint);
    }
    Ok(Code::Ok)
}
