//! Typed reads of a view: what the engine and the queries share.

use std::{ops::ControlFlow, sync::Arc};

use magnetar_core::{Fence, JobId, JobState, Lease, Timestamp};
use serde::de::DeserializeOwned;

use crate::{
    backend::{Show, View},
    key::{self, JobNo, Key, Spot},
    row::{self, Body, ChunkRow, Edge, JobNoRow, JobRow, LeaseRow, Tally},
    stop::Stop,
    table::Table,
};

/// A job that was found.
#[derive(Clone, Debug)]
pub(crate) struct FoundJob {
    pub(crate) no: JobNo,
    pub(crate) row: Arc<JobRow>,
}

/// The row under a key.
pub(crate) fn get<T: DeserializeOwned>(view: &dyn View, table: Table, key: &[u8]) -> Result<Option<T>, Stop> {
    let mut found = None;
    view.get(table, key, &mut |bytes| found = Some(row::decode(table, key, bytes)))?;
    found.transpose()
}

/// The first `limit` rows with `from <= key < to`.
pub(crate) fn rows<T: DeserializeOwned>(
    view: &dyn View,
    table: Table,
    from: &[u8],
    to: &[u8],
    limit: usize,
) -> Result<Vec<(Key, T)>, Stop> {
    let mut found = Vec::new();
    each(view, table, from, to, &mut |key, row| {
        found.push((Key::from_slice(key), row));
        Ok(if found.len() < limit { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
    })?;
    Ok(found)
}

/// What is shown a key and its row, and says whether to go on.
pub(crate) type ShowRow<'a, T> = dyn FnMut(&[u8], T) -> Result<ControlFlow<()>, Stop> + 'a;

/// Shows the bytes of each row with `from <= key < to`, until `show` breaks. Rows out of order are damage: where a page points to
/// a wrong one, a database shows rows of another time or place, each of which may be whole, and may show them for ever.
pub(crate) fn scan(view: &dyn View, table: Table, from: &[u8], to: &[u8], show: &mut Show<'_>) -> Result<(), Stop> {
    let mut order = Order::new(from, to);
    let mut misplaced = None;
    view.scan(table, from, to, &mut |key, bytes| {
        if order.keeps(key) {
            return show(key, bytes);
        }
        misplaced = Some(Stop::corrupt(table, key, "is out of order"));
        ControlFlow::Break(())
    })?;
    misplaced.map_or(Ok(()), Err)
}

/// The order in which a scan shows keys.
pub(crate) struct Order<'k> {
    from: &'k [u8],
    to: &'k [u8],
    last: Option<Key>,
}

impl<'k> Order<'k> {
    /// Keys with `from <= key < to`.
    pub(crate) const fn new(from: &'k [u8], to: &'k [u8]) -> Self {
        Self { from, to, last: None }
    }

    /// Whether a key may come behind the last one that did.
    pub(crate) fn keeps(&mut self, key: &[u8]) -> bool {
        let is_behind = match &mut self.last {
            None => {
                self.last = Some(Key::from_slice(key));
                key >= self.from
            }
            Some(last) => {
                let is_behind = key > last.as_slice();
                last.clear();
                last.extend_from_slice(key);
                is_behind
            }
        };
        is_behind && key < self.to
    }
}

/// Shows each row with `from <= key < to`, until `show` breaks or fails.
pub(crate) fn each<T: DeserializeOwned>(
    view: &dyn View,
    table: Table,
    from: &[u8],
    to: &[u8],
    show: &mut ShowRow<'_, T>,
) -> Result<(), Stop> {
    let mut failed = None;
    scan(view, table, from, to, &mut |key, bytes| {
        row::decode(table, key, bytes).and_then(|row| show(key, row)).unwrap_or_else(|stop| {
            failed = Some(stop);
            ControlFlow::Break(())
        })
    })?;
    failed.map_or(Ok(()), Err)
}

/// The job of this id.
pub(crate) fn job(view: &dyn View, id: JobId) -> Result<Option<FoundJob>, Stop> {
    numbered(view, Table::JobId, &key::job_id(id))
}

/// The job of this name.
pub(crate) fn job_by_name(view: &dyn View, name: &str) -> Result<Option<FoundJob>, Stop> {
    numbered(view, Table::JobName, name.as_bytes())
}

fn numbered(view: &dyn View, table: Table, named: &[u8]) -> Result<Option<FoundJob>, Stop> {
    let Some(no) = get::<JobNoRow>(view, table, named)? else { return Ok(None) };
    let job_key = key::job(no);
    let row = get(view, Table::Job, &job_key)?.ok_or_else(|| Stop::corrupt(Table::Job, &job_key, "is missing"))?;
    Ok(Some(FoundJob { no, row: Arc::new(row) }))
}

/// The job of this inner number; none where it was deleted.
pub(crate) fn job_row(view: &dyn View, no: JobNo) -> Result<Option<JobRow>, Stop> {
    get(view, Table::Job, &key::job(no))
}

/// The counters of a job.
pub(crate) fn tally(view: &dyn View, no: JobNo) -> Result<Tally, Stop> {
    get(view, Table::Tally, &key::job(no))?.ok_or_else(|| no_tally(no))
}

/// The counters of a job are gone.
pub(crate) fn no_tally(no: JobNo) -> Stop {
    Stop::corrupt(Table::Tally, &key::job(no), "is missing")
}

/// A chunk.
pub(crate) fn chunk(view: &dyn View, spot: Spot) -> Result<Option<ChunkRow>, Stop> {
    get(view, Table::Chunk, &key::spot(spot))
}

/// The lease of a chunk.
pub(crate) fn lease(view: &dyn View, spot: Spot) -> Result<Option<LeaseRow>, Stop> {
    get(view, Table::Lease, &key::spot(spot))
}

/// What a chunk waits for, or who waits for it: up to `limit` edges from a key on.
pub(crate) fn edges(view: &dyn View, table: Table, of: Spot, from: &[u8], limit: usize) -> Result<Vec<(Key, Spot, Edge)>, Stop> {
    rows::<Edge>(view, table, from, &key::edges_end(of), limit)?
        .into_iter()
        .map(|(edge_key, edge)| {
            let (_, to) = key::parse_edge(&edge_key).ok_or_else(|| Stop::corrupt(table, &edge_key, "has no key of an edge"))?;
            Ok((edge_key, to, edge))
        })
        .collect()
}

/// Every edge of a chunk.
pub(crate) fn all_edges(view: &dyn View, table: Table, of: Spot) -> Result<Vec<(Key, Spot, Edge)>, Stop> {
    edges(view, table, of, &key::spot(of), usize::MAX)
}

/// Whether ends are still to be told to children.
pub(crate) fn has_releases(view: &dyn View) -> Result<bool, Stop> {
    let mut found = false;
    scan(view, Table::Release, &[], key::END, &mut |_, _| {
        found = true;
        ControlFlow::Break(())
    })?;
    Ok(found)
}

/// The earliest time in a table of times.
pub(crate) fn first_due(view: &dyn View, table: Table) -> Result<Option<Timestamp>, Stop> {
    let mut first = None;
    scan(view, table, &[], key::END, &mut |key, _| {
        first = key::parse_due(key).map(|(at, _)| at);
        ControlFlow::Break(())
    })?;
    Ok(first)
}

/// A chunk as callers see it.
pub(crate) fn state(view: &dyn View, job: JobId, spot: Spot, row: ChunkRow, lease: Option<LeaseRow>) -> Result<JobState, Stop> {
    let body = if row.has_body {
        let key = key::spot(spot);
        get::<Body>(view, Table::Body, &key)?.ok_or_else(|| Stop::corrupt(Table::Body, &key, "is missing"))?
    } else {
        Body::default()
    };
    let standing = row.standing(lease.is_some());
    let mut state = JobState::new(job, spot.chunk);
    state.checksum = row.recorded.as_ref().or(row.expected.as_ref()).cloned().unwrap_or_default();
    state.status = standing.status;
    state.error = row.error;
    state.expected_checksum = row.expected;
    state.recorded_checksum = row.recorded;
    state.payload = body.payload;
    state.extra = body.extra;
    state.result = row.result;
    state.priority = row.priority;
    state.lane = row.lane;
    state.fails = row.fails;
    state.max_fails = row.max_fails;
    state.crashes = row.crashes;
    state.unmet = row.unmet;
    state.bad = row.bad;
    state.not_before = row.not_before;
    state.timeout = row.timeout_millis.map(std::time::Duration::from_millis);
    state.key = row.key;
    state.lease =
        lease.map(|lease| Lease::new(Fence::new(job, spot.chunk, lease.token), lease.session, lease.claimed_at, lease.deadline));
    state.created_at = row.created_at;
    state.ended_at = row.ended_at;
    Ok(state)
}
