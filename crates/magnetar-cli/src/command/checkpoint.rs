//! `magnetar checkpoint`: everything in a store, in a file that can be read and brought back.

use std::{io::Write, path::PathBuf};

use anyhow::Result;
use clap::Args;
use magnetar::checkpoint::{Checkpoint, CheckpointManager};
use serde::Serialize;

use super::kept::{amount, folder_of};
use crate::{
    exit::{Code, fault, tell_note},
    output::{Format, Out, OutputArgs},
    store::Target,
    text::clean,
};

#[derive(Args, Debug)]
pub(crate) struct CheckpointArgs {
    #[command(flatten)]
    target: Target,
    /// The folder that keeps the checkpoints; that of jobs.db is jobs.db.checkpoints unless told
    #[arg(long, value_name = "FOLDER")]
    to: Option<PathBuf>,
    /// How many checkpoints the folder keeps
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    keep: u32,
    #[command(flatten)]
    output: OutputArgs,
}

/// What was saved. Keys may be added; those that are there stay.
#[derive(Serialize)]
struct Report {
    folder: String,
    sequence: u64,
    bytes: u64,
    jobs: u64,
    chunks: u64,
    records: u64,
}

pub(crate) async fn run(args: CheckpointArgs) -> Result<Code> {
    if args.target.names_job() {
        return Err(fault(Code::Usage, "a checkpoint holds every job of the store; leave --job out"));
    }
    let site = args.target.open().await?;
    let folder = folder_of(args.to, &site.location, "--to")?;
    let manager = CheckpointManager::new(&folder, usize::try_from(args.keep).unwrap_or(usize::MAX))?;
    let checkpoint = Checkpoint::of_store(&*site.store).await?;
    let saved = manager.save(&checkpoint)?;
    let held = checkpoint.jobs.as_ref().map(|jobs| jobs.counts()).unwrap_or_default();
    let mut out = Out::new();
    let report = Report {
        folder: folder.display().to_string(),
        sequence: saved.sequence,
        bytes: saved.bytes,
        jobs: held.jobs,
        chunks: held.chunks,
        records: held.records,
    };
    match args.output.output {
        Format::Json => out.json(&report)?,
        Format::Csv => out.csv(|csv| csv.serialize(&report))?,
        Format::Table => writeln!(out, "checkpoint {} in {} holds {}", saved.sequence, clean(&report.folder), amount(&held))?,
    }
    out.finish()?;
    for warning in &saved.warnings {
        tell_note(&warning.to_string());
    }
    Ok(Code::Ok)
}
