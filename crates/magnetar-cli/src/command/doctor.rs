//! `magnetar doctor`: says what is wrong with a store, and the way out.

mod finding;
mod look;

use std::io::Write;

use anyhow::Result;
use clap::Args;

use self::finding::Finding;
use crate::{
    exit::Code,
    output::{
        Format, Out, OutputArgs,
        table::{Align, Cell, Table},
    },
    store::Target,
    text::clean,
};

#[derive(Args, Debug)]
pub(crate) struct DoctorArgs {
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    output: OutputArgs,
}

pub(crate) async fn run(args: DoctorArgs) -> Result<Code> {
    let location = args.target.existing()?;
    let mut findings = look::at_file(&location);
    findings.extend(look::at_store(&args.target).await);
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
            table(&findings).print(&mut out, 2)?;
        }
    }
    out.finish()?;
    Ok(code)
}

fn table(findings: &[Finding]) -> Table {
    let mut table = Table::new(&[("", Align::Left), ("", Align::Left), ("", Align::Left)]);
    for finding in findings {
        let text =
            if finding.way_out.is_empty() { finding.found.clone() } else { format!("{}; {}", finding.found, finding.way_out) };
        table.row(vec![Cell::new(finding.level.name(), finding.level.style()), Cell::plain(&finding.about), Cell::plain(text)]);
    }
    table
}
