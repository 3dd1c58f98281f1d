//! Everything of a store as one value, from one view.

use std::{collections::HashMap, ops::ControlFlow, sync::Arc};

use magnetar_core::{ChunkId, ChunkSnapshot, JobId, JobSnapshot, RecordSnapshot, Snapshot};

use crate::{
    backend::View,
    key::{self, JobNo, Spot},
    look::{self, FoundJob},
    row::{Body, ChunkRow, Edge, JobNoRow, Meta, RecordRow},
    stop::Stop,
    table::Table,
};

/// Reads it all. Every end must have been told.
pub(crate) fn of(view: &dyn View) -> Result<Snapshot, Stop> {
    let meta = look::get::<Meta>(view, Table::Meta, key::META)?.unwrap_or_default();
    let mut snapshot = Snapshot::default();
    // A handle that is open may give any token of its generation.
    snapshot.last_token = meta.last_token.max(u64::from(meta.generation) << 32);
    snapshot.last_job_id = meta.last_job_id;
    let jobs = jobs(view)?;
    let ids: HashMap<JobNo, JobId> = jobs.iter().map(|job| (job.no, job.row.id)).collect();
    for job in &jobs {
        snapshot.jobs.push(whole_job(view, job, &ids)?);
    }
    look::each::<RecordRow>(view, Table::Record, &[], key::END, &mut |row_key, row| {
        let (space, name) =
            key::parse_record(row_key).ok_or_else(|| Stop::corrupt(Table::Record, row_key, "has no key of a record"))?;
        snapshot.records.push(RecordSnapshot::new(space.to_owned(), name.to_vec(), row.value, row.version));
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(snapshot)
}

/// The jobs by id, without those on their way out.
fn jobs(view: &dyn View) -> Result<Vec<FoundJob>, Stop> {
    let mut jobs = Vec::new();
    look::each::<JobNoRow>(view, Table::JobId, &[], key::END, &mut |_, no| {
        let row = look::job_row(view, no)?.ok_or_else(|| Stop::corrupt(Table::Job, &key::job(no), "is missing"))?;
        jobs.push(FoundJob { no, row: Arc::new(row) });
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(jobs)
}

fn whole_job(view: &dyn View, found: &FoundJob, ids: &HashMap<JobNo, JobId>) -> Result<JobSnapshot, Stop> {
    let (from, to) = (key::job(found.no), key::job_end(found.no));
    let mut edges: HashMap<ChunkId, Vec<(JobId, ChunkId, Edge)>> = HashMap::new();
    look::each::<Edge>(view, Table::Parent, &from, &to, &mut |edge_key, edge| {
        let (child, parent) =
            key::parse_edge(edge_key).ok_or_else(|| Stop::corrupt(Table::Parent, edge_key, "has no key of an edge"))?;
        // A parent of a job that was deleted is only waiting to be purged.
        if let Some(id) = ids.get(&parent.job) {
            edges.entry(child.chunk).or_default().push((*id, parent.chunk, edge));
        }
        Ok(ControlFlow::Continue(()))
    })?;
    let row = &found.row;
    let mut job = JobSnapshot::new(row.id, row.options, row.created_at);
    job.name.clone_from(&row.name);
    job.kind.clone_from(&row.kind);
    job.paused = row.paused;
    job.last_chunk = look::tally(view, found.no)?.last_chunk;
    look::each::<ChunkRow>(view, Table::Chunk, &from, &to, &mut |row_key, row| {
        let spot = key::parse_spot(row_key).ok_or_else(|| Stop::corrupt(Table::Chunk, row_key, "has no chunk"))?;
        job.chunks.push(whole_chunk(view, spot, row, edges.remove(&spot.chunk).unwrap_or_default())?);
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(job)
}

fn whole_chunk(
    view: &dyn View,
    spot: Spot,
    row: ChunkRow,
    mut edges: Vec<(JobId, ChunkId, Edge)>,
) -> Result<ChunkSnapshot, Stop> {
    let body = if row.has_body {
        let row_key = key::spot(spot);
        look::get::<Body>(view, Table::Body, &row_key)?.ok_or_else(|| Stop::corrupt(Table::Body, &row_key, "is missing"))?
    } else {
        Body::default()
    };
    edges.sort_unstable_by_key(|(job, chunk, _)| (*job, *chunk));
    let of = |wanted: Edge| edges.iter().filter(|(.., edge)| *edge == wanted).map(|(job, chunk, _)| (*job, *chunk)).collect();
    let mut chunk = ChunkSnapshot::new(spot.chunk, row.status, row.created_at);
    chunk.depends_on = of(Edge::Needs);
    chunk.parked_until = of(Edge::Awaits);
    chunk.expected_checksum = row.expected;
    chunk.recorded_checksum = row.recorded;
    chunk.payload = body.payload;
    chunk.extra = body.extra;
    chunk.result = row.result;
    chunk.error = row.error;
    chunk.priority = row.priority;
    chunk.lane = row.lane;
    chunk.fails = row.fails;
    chunk.max_fails = row.max_fails;
    chunk.crashes = row.crashes;
    chunk.not_before = row.not_before;
    chunk.timeout_millis = row.timeout_millis;
    chunk.key = row.key;
    chunk.ended_at = row.ended_at;
    Ok(chunk)
}
