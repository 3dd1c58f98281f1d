//! `magnetar restore`: what a checkpoint holds, in a store again.

use std::{io::Write, path::PathBuf};

use anyhow::Result;
use clap::Args;
use magnetar::{
    Timestamp,
    checkpoint::{Checkpoint, CheckpointManager, Recovered, Recovery},
};
use serde::Serialize;

use super::kept::{amount, folder_of};
use crate::{
    exit::{Code, fault, tell_hint, tell_note},
    output::{Format, Out, OutputArgs},
    store::Target,
    text::clean,
};

#[derive(Args, Debug)]
pub(crate) struct RestoreArgs {
    #[command(flatten)]
    target: Target,
    /// The folder that keeps the checkpoints; that of jobs.db is jobs.db.checkpoints unless told
    #[arg(long, value_name = "FOLDER")]
    from: Option<PathBuf>,
    /// Which checkpoint; the newest that is whole by default
    #[arg(long, value_name = "N")]
    sequence: Option<u64>,
    #[command(flatten)]
    output: OutputArgs,
}

/// What was brought back. Keys may be added; those that are there stay.
#[derive(Serialize)]
struct Report {
    store: String,
    sequence: u64,
    /// When the checkpoint was made.
    saved_at: String,
    jobs: u64,
    chunks: u64,
    records: u64,
}

pub(crate) async fn run(args: RestoreArgs) -> Result<Code> {
    if args.target.names_job() {
        return Err(fault(Code::Usage, "a checkpoint holds every job of the store; leave --job out"));
    }
    let (location, manifest) = args.target.locate()?;
    let folder = folder_of(args.from, &location, "--from")?;
    // Looking into a folder that is not there would make it.
    if !folder.is_dir() {
        return Err(fault(
            Code::NotFound,
            format!("there is no folder {} to restore from", clean(&folder.display().to_string())),
        ));
    }
    // What is restored is read before a store is made for it.
    let checkpoint = find(&CheckpointManager::new(&folder, 1)?, args.sequence)?;
    let store = location.open().await.map_err(crate::store::explain)?;
    let restored = checkpoint.restore_into(&*store).await?;
    let report = Report {
        store: location.to_string(),
        sequence: checkpoint.sequence,
        saved_at: Timestamp::from_millis(checkpoint.timestamp_secs.saturating_mul(1000)).to_string(),
        jobs: restored.jobs,
        chunks: restored.chunks,
        records: restored.records,
    };
    let mut out = Out::new();
    match args.output.output {
        Format::Json => out.json(&report)?,
        Format::Csv => out.csv(|csv| csv.serialize(&report))?,
        Format::Table => {
            let Report { store, sequence, saved_at, .. } = &report;
            let (store, amount) = (clean(store), amount(&restored));
            writeln!(out, "{store} holds what checkpoint {sequence} of {saved_at} does: {amount}")?;
        }
    }
    out.finish()?;
    if args.output.output == Format::Table
        && let Some(manifest) = manifest
    {
        tell_hint(&format!("`magnetar run {}` carries on", crate::text::shell_word(&manifest.display().to_string())));
    }
    Ok(Code::Ok)
}

/// The checkpoint that is meant. What of newer ones cannot be had is told.
fn find(manager: &CheckpointManager, sequence: Option<u64>) -> Result<Checkpoint> {
    if let Some(sequence) = sequence {
        return Ok(manager.load_by_sequence(sequence)?);
    }
    let Recovery::Recovered(found) = manager.recover()? else {
        return Err(fault(Code::NotFound, format!("{} holds no checkpoint", clean(&manager.dir().display().to_string()))));
    };
    let Recovered { checkpoint, skipped, missing, .. } = *found;
    for skipped in skipped {
        tell_note(&format!("passed over {skipped}"));
    }
    if let Some(missing) = missing {
        tell_note(&format!("checkpoint {missing} was saved, and its file is gone"));
    }
    Ok(checkpoint)
}
