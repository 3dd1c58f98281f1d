//! `--dry-run`: what would run, and why.

mod reasons;

use std::io::Write;

use anyhow::Result;
use magnetar::{ChunkId, JobState, NewChunk};
use serde::Serialize;

use self::reasons::Reasons;
use super::{
    begin::find_job,
    each,
    plan::{Plan, Source},
    report::count,
};
use crate::{
    exit::{Code, tell_note},
    label::label,
    output::{
        Format, Out, OutputArgs, style,
        table::{Align, Cell, Table},
    },
    store::explain,
};

/// One chunk that would run.
#[derive(Debug, Serialize)]
struct Row {
    /// None where the store has not numbered it yet.
    chunk: Option<ChunkId>,
    why: String,
    what: String,
}

/// Shows what a run would do. A store is opened only where there is one, and no job in it is changed.
pub(super) async fn show(plan: &Plan, output: &OutputArgs) -> Result<Code> {
    let is_there = plan.location.file().is_some_and(|file| file.metadata().is_ok_and(|file| file.len() > 0));
    let mut reasons = Reasons::default();
    if is_there {
        let store = plan.location.open().await.map_err(explain)?;
        if let Some(job) = find_job(&*store, plan).await? {
            reasons = Reasons::of(&*store, plan, job.id).await?;
        }
        store.close().await?;
    }
    let (rows, all) = rows(plan, &reasons)?;
    print(&rows, output)?;
    tell_note(&format!("{} of {} would run; nothing was changed", rows.len(), count(all, "chunk")));
    Ok(Code::Ok)
}

/// What would run, and how many chunks there are.
fn rows(plan: &Plan, reasons: &Reasons) -> Result<(Vec<Row>, usize)> {
    let (mut rows, mut all) = (Vec::new(), 0);
    match &plan.source {
        Source::Manifest(chunks) => {
            for chunk in chunks.all()? {
                let chunk = chunk?;
                all += 1;
                let why = reasons.why(chunk.id);
                rows.extend(why.map(|why| Row { chunk: chunk.id, why, what: what(&chunk) }));
            }
        }
        Source::Each(files) => {
            for path in files.paths() {
                all += 1;
                let chunk = reasons.chunk_of(&each::key(&plan.name, path));
                let why = reasons.why(chunk);
                rows.extend(why.map(|why| Row { chunk, why, what: path.clone() }));
            }
        }
    }
    Ok((rows, all))
}

fn what(chunk: &NewChunk) -> String {
    let mut state = JobState::new(0, chunk.id.unwrap_or_default());
    state.extra = chunk.extra.clone();
    state.key.clone_from(&chunk.key);
    label(&state)
}

fn print(rows: &[Row], output: &OutputArgs) -> Result<()> {
    let mut out = Out::new();
    match output.output {
        Format::Json => out.json(&rows)?,
        Format::Csv => out.csv(|csv| rows.iter().try_for_each(|row| csv.serialize(row)))?,
        Format::Table if rows.is_empty() => {}
        Format::Table => {
            let mut table = Table::new(&[("CHUNK", Align::Right), ("WHY", Align::Left), ("WHAT", Align::Left)]);
            for row in rows {
                let chunk = row.chunk.map_or_else(|| "new".to_owned(), |chunk| chunk.to_string());
                table.row(vec![Cell::new(chunk, style::STRONG), Cell::plain(row.why.as_str()), Cell::plain(row.what.as_str())]);
            }
            for line in table.lines(out.width(), 0) {
                writeln!(out, "{line}")?;
            }
        }
    }
    out.finish()
}
