//! The ids of a job's ready chunks, in their own order: read from the narrow rows of the lanes, not from the chunks.

use std::ops::ControlFlow;

use magnetar_core::ChunkId;

use crate::{
    backend::View,
    key::{self, JobNo},
    look,
    row::Here,
    stop::Stop,
    table::Table,
};

/// The most runs of ascending ids, one for each lane and priority, that are put together.
const RUNS_MAX: usize = 16;

/// The first `limit` ready chunks behind `after`; none where they lie in too many runs.
pub(crate) fn ids(view: &dyn View, job: JobNo, after: Option<ChunkId>, limit: usize) -> Result<Option<Vec<ChunkId>>, Stop> {
    let Some(next) = after.map_or(Some(0), |after| after.checked_add(1)) else { return Ok(Some(Vec::new())) };
    let (mut from, end) = (key::job(job), key::job_end(job));
    let mut ids = Vec::new();
    for _ in 0..=RUNS_MAX {
        let Some((first, Here)) = look::rows(view, Table::Ready, &from, &end, 1)?.pop() else {
            ids.sort_unstable();
            ids.truncate(limit);
            return Ok(Some(ids));
        };
        let run = key::ready_run(&first).ok_or_else(|| no_key(&first))?;
        let run_end = key::prefix_end(run);
        let mut left = limit;
        look::each(view, Table::Ready, &key::ready_in_run(run, next), &run_end, &mut |row_key, Here| {
            let (.., chunk) = key::parse_ready(row_key).ok_or_else(|| no_key(row_key))?;
            ids.push(chunk);
            left -= 1;
            Ok(if left > 0 { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
        })?;
        from = run_end;
    }
    Ok(None)
}

fn no_key(row_key: &[u8]) -> Stop {
    Stop::corrupt(Table::Ready, row_key, "has no ready key")
}
