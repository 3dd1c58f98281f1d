//! Queries: answered from one view.

use std::{collections::HashMap, ops::ControlFlow};

use magnetar_core::{Answer, ChunkId, Filter, Job, JobId, JobStats, JobStatus, OnFailure, Page, Query, Record, Result};

use crate::{
    audit,
    backend::View,
    key::{self, JobNo, Key, Spot},
    look::{self, FoundJob},
    ready,
    row::{ChunkRow, Edge, JobNoRow, LeaseRow, RecordRow},
    snapshot,
    stop::Stop,
    table::Table,
};

/// Answers a query.
pub(crate) fn answer(view: &dyn View, query: &Query) -> Result<Answer> {
    query.check()?;
    find(view, query).map_err(Stop::into_error)
}

fn find(view: &dyn View, query: &Query) -> Result<Answer, Stop> {
    Ok(match query {
        Query::Job(job) => Answer::Job(look::job(view, *job)?.map(|job| whole_job(view, &job)).transpose()?.map(Box::new)),
        Query::JobByName(name) => {
            Answer::Job(look::job_by_name(view, name)?.map(|job| whole_job(view, &job)).transpose()?.map(Box::new))
        }
        Query::Jobs { after, limit } => Answer::Jobs(jobs(view, *after, *limit)?),
        Query::Stats(job) => Answer::Stats(match look::job(view, *job)? {
            Some(job) => look::tally(view, job.no)?.stats,
            None => JobStats::new(*job),
        }),
        Query::Chunk { job, chunk } => Answer::Chunk(one_chunk(view, *job, *chunk)?),
        Query::Chunks { job, filter, after, limit } => Answer::Chunks(chunks(view, *job, *filter, *after, *limit)?),
        Query::Ids { job, filter, after, limit } => Answer::Ids(ids(view, *job, *filter, *after, *limit)?),
        Query::Dependencies { job, chunk } => Answer::Dependencies(dependencies(view, *job, *chunk)?),
        Query::Record { space, key: name } => {
            let row = look::get::<RecordRow>(view, Table::Record, &key::record(space, name))?;
            Answer::Record(row.map(|row| Record { key: name.clone(), value: row.value, version: row.version }))
        }
        Query::Records { space, prefix, after, limit } => {
            Answer::Records(records(view, space, prefix, after.as_deref(), *limit)?)
        }
        Query::Snapshot => Answer::Snapshot(Box::new(snapshot::of(view)?)),
        Query::Audit(job) => Answer::Audit(audit::of_job(view, *job)?),
        Query::AuditStore => Answer::Audit(audit::of_store(view)?),
        _ => return Err(magnetar_core::Rejection::invalid("this store is older than the query it was asked").into()),
    })
}

fn whole_job(view: &dyn View, found: &FoundJob) -> Result<Job, Stop> {
    let mut job = Job::new(found.row.id, found.row.options, found.row.created_at);
    job.name.clone_from(&found.row.name);
    job.kind.clone_from(&found.row.kind);
    job.paused = found.row.paused;
    job.stats = look::tally(view, found.no)?.stats;
    Ok(job)
}

fn jobs(view: &dyn View, after: Option<JobId>, limit: usize) -> Result<Page<Job, JobId>, Stop> {
    let from = after.map_or_else(Key::new, |after| key::behind(&key::job_id(after)));
    let rows = look::rows::<JobNoRow>(view, Table::JobId, &from, key::END, limit + 1)?;
    let mut found = Vec::with_capacity(rows.len());
    for (row_key, no) in rows {
        let job = key::parse_job_id(&row_key).ok_or_else(|| Stop::corrupt(Table::JobId, &row_key, "has no job id"))?;
        let row = look::job_row(view, no)?.ok_or_else(|| Stop::corrupt(Table::Job, &key::job(no), "is missing"))?;
        found.push((job, whole_job(view, &FoundJob { no, row: row.into() })?));
    }
    Ok(page(found, limit))
}

fn one_chunk(view: &dyn View, job: JobId, chunk: ChunkId) -> Result<Option<Box<magnetar_core::JobState>>, Stop> {
    let Some(found) = look::job(view, job)? else { return Ok(None) };
    let spot = Spot { job: found.no, chunk };
    let Some(row) = look::chunk(view, spot)? else { return Ok(None) };
    let lease = look::lease(view, spot)?;
    look::state(view, job, spot, row, lease).map(Box::new).map(Some)
}

fn chunks(
    view: &dyn View,
    job: JobId,
    filter: Filter,
    after: Option<ChunkId>,
    limit: usize,
) -> Result<Page<magnetar_core::JobState, ChunkId>, Stop> {
    let Some(found) = look::job(view, job)? else { return Ok(Page::default()) };
    let rows = matching(view, &found, filter, after, limit + 1)?;
    let mut states = Vec::with_capacity(rows.len());
    for (spot, row, lease) in rows {
        states.push((spot.chunk, look::state(view, job, spot, row, lease)?));
    }
    Ok(page(states, limit))
}

fn ids(
    view: &dyn View,
    job: JobId,
    filter: Filter,
    after: Option<ChunkId>,
    limit: usize,
) -> Result<Page<ChunkId, ChunkId>, Stop> {
    let Some(found) = look::job(view, job)? else { return Ok(Page::default()) };
    let ready = if are_all_ready(view, found.no, filter)? { ready::ids(view, found.no, after, limit + 1)? } else { None };
    let ids = match ready {
        Some(ids) => ids,
        None => matching(view, &found, filter, after, limit + 1)?.into_iter().map(|(spot, ..)| spot.chunk).collect(),
    };
    Ok(page(ids.into_iter().map(|id| (id, id)).collect(), limit))
}

/// Whether just the ready chunks of a job pass.
fn are_all_ready(view: &dyn View, job: JobNo, filter: Filter) -> Result<bool, Stop> {
    let stats = look::tally(view, job)?.stats;
    Ok(match filter {
        Filter::Status(JobStatus::Pending) => stats.blocked == 0 && stats.delayed == 0,
        Filter::Unblocked => stats.delayed == 0,
        _ => false,
    })
}

type Found = (Spot, ChunkRow, Option<LeaseRow>);

/// The first `limit` chunks behind `after` that pass.
fn matching(view: &dyn View, job: &FoundJob, filter: Filter, after: Option<ChunkId>, limit: usize) -> Result<Vec<Found>, Stop> {
    let from = after.map_or_else(|| key::job(job.no), |chunk| key::behind(&key::spot(Spot { job: job.no, chunk })));
    let to = key::job_end(job.no);
    if filter == Filter::Status(JobStatus::Processing) {
        return leased(view, &from, &to, limit);
    }
    let leases = leases(view, job.no, &from, &to)?;
    let mut found = Vec::new();
    look::each::<ChunkRow>(view, Table::Chunk, &from, &to, &mut |row_key, row| {
        let spot = key::parse_spot(row_key).ok_or_else(|| Stop::corrupt(Table::Chunk, row_key, "has no chunk"))?;
        let lease = leases.get(&spot.chunk).copied();
        if passes(&row, lease.is_some(), filter, job.row.options.on_failure) {
            found.push((spot, row, lease));
        }
        Ok(if found.len() < limit { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
    })?;
    Ok(found)
}

fn passes(row: &ChunkRow, is_leased: bool, filter: Filter, on_failure: OnFailure) -> bool {
    let status = if is_leased { JobStatus::Processing } else { row.status };
    let is_held = row.bad > 0 && on_failure != OnFailure::Run;
    match filter {
        Filter::Status(wanted) => status == wanted,
        Filter::Unblocked => status == JobStatus::Pending && row.unmet == 0 && !is_held,
        Filter::Held => status == JobStatus::Pending && is_held,
        _ => true,
    }
}

/// The leases of a job, by chunk. There are as many as chunks run, which is few.
fn leases(view: &dyn View, job: JobNo, from: &[u8], to: &[u8]) -> Result<HashMap<ChunkId, LeaseRow>, Stop> {
    if look::tally(view, job)?.stats.processing == 0 {
        return Ok(HashMap::new());
    }
    let rows = look::rows::<LeaseRow>(view, Table::Lease, from, to, usize::MAX)?;
    Ok(rows.into_iter().filter_map(|(row_key, lease)| Some((key::parse_spot(&row_key)?.chunk, lease))).collect())
}

fn leased(view: &dyn View, from: &[u8], to: &[u8], limit: usize) -> Result<Vec<Found>, Stop> {
    look::rows::<LeaseRow>(view, Table::Lease, from, to, limit)?
        .into_iter()
        .map(|(row_key, lease)| {
            let spot = key::parse_spot(&row_key).ok_or_else(|| Stop::corrupt(Table::Lease, &row_key, "has no chunk"))?;
            let row = look::chunk(view, spot)?.ok_or_else(|| Stop::corrupt(Table::Chunk, &row_key, "is missing"))?;
            Ok((spot, row, Some(lease)))
        })
        .collect()
}

fn dependencies(view: &dyn View, job: JobId, chunk: ChunkId) -> Result<Vec<(JobId, ChunkId)>, Stop> {
    let Some(found) = look::job(view, job)? else { return Ok(Vec::new()) };
    let mut needs = Vec::new();
    for (_, parent, edge) in look::all_edges(view, Table::Parent, Spot { job: found.no, chunk })? {
        if edge == Edge::Needs
            && let Some(row) = look::job_row(view, parent.job)?
        {
            needs.push((row.id, parent.chunk));
        }
    }
    needs.sort_unstable();
    Ok(needs)
}

fn records(
    view: &dyn View,
    space: &str,
    prefix: &[u8],
    after: Option<&[u8]>,
    limit: usize,
) -> Result<Page<Record, Vec<u8>>, Stop> {
    let first = key::record(space, prefix);
    let from = after.map_or_else(|| first.clone(), |after| key::behind(&key::record(space, after)).max(first.clone()));
    let rows = look::rows::<RecordRow>(view, Table::Record, &from, &key::prefix_end(&first), limit + 1)?;
    let found = rows.into_iter().map(|(row_key, row)| {
        let name = row_key.get(space.len() + 1..).unwrap_or_default().to_vec();
        (name.clone(), Record { key: name, value: row.value, version: row.version })
    });
    Ok(page(found.collect(), limit))
}

/// A page of at most `limit` items, made of one more than that where there are more.
fn page<T, K>(mut found: Vec<(K, T)>, limit: usize) -> Page<T, K> {
    let has_more = found.len() > limit;
    found.truncate(limit);
    let mut page = Page { items: Vec::with_capacity(found.len()), next: None };
    for (at, item) in found {
        page.items.push(item);
        page.next = Some(at);
    }
    if !has_more {
        page.next = None;
    }
    page
}
