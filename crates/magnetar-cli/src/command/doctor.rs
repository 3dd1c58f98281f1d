//! `magnetar doctor`: says what is wrong with a store, and the way out.

mod finding;
mod look;
mod salvage;

use std::io::Write;

use anyhow::Result;
use clap::Args;
use magnetar::Location;

use self::finding::Finding;
use crate::{
    exit::Code,
    output::{
        Format, Out, OutputArgs, style,
        table::{Align, Cell, Table},
    },
    store::Target,
    text::clean,
};

#[derive(Args, Debug)]
pub(crate) struct DoctorArgs {
    #[command(flatten)]
    target: Target,
    /// Put everything that is whole into a new store, which must not be there yet.
    #[arg(long, value_name = "LOCATION")]
    salvage: Option<Location>,
    #[command(flatten)]
    output: OutputArgs,
}

pub(crate) async fn run(args: DoctorArgs) -> Result<Code> {
    let location = args.target.existing()?;
    let mut findings = look::at_file(&location);
    match &args.salvage {
        Some(to) => findings.extend(salvage::into_new(&location, to)),
        None => findings.extend(look::at_store(&args.target).await),
    }
    let code = findings.iter().map(|finding| finding.code).find(|code| *code != Code::Ok).unwrap_or(Code::Ok);
    let mut out = Out::new();
    match args.output.output {
        Format::Json => out.json(&finding::document(&location, &findings, code))?,
        Format::Csv => out.csv(|csv| {
            csv.write_record(["level", "about", "found", "way_out"])?;
            findings.iter().try_for_each(|it| csv.write_record([it.level.name(), &it.about, &it.found, &it.way_out]))
        })?,
        Format::Table => {
            writeln!(out, "{}", clean(&location.to_string()))?;
            // Sentences are not cut: the terminal breaks them.
            let lines = table(&findings).lines(None, 2);
            out.lines(&lines)?;
        }
    }
    out.finish()?;
    Ok(code)
}

fn table(findings: &[Finding]) -> Table {
    let mut table = Table::new(&[("", Align::Left), ("", Align::Left), ("", Align::Left)]);
    let mut findings = findings.iter().peekable();
    while let Some(finding) = findings.next() {
        let level = Cell::new(finding.level.name(), finding.level.style());
        table.row(vec![level, Cell::plain(&finding.about), Cell::plain(&finding.found)]);
        // What several ask for is said behind the last of them.
        if !finding.way_out.is_empty() && findings.peek().is_none_or(|next| next.way_out != finding.way_out) {
            table.row(vec![Cell::plain(""), Cell::plain(""), Cell::new(format!("-> {}", finding.way_out), style::STRONG)]);
        }
    }
    table
}
