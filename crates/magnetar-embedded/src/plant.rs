//! Putting whole jobs, chunks and edges where nothing is stored yet, with all that derives from them: places, keys, counters.
//!
//! What a chunk waits for must have been counted before: see [`crate::recount`].

use magnetar_core::{JobOptions, JobStats, Timestamp, machine::Place};

use crate::{
    engine::{Count, tally_place},
    key::{self, JobNo, Key, Spot},
    row::{Body, ChunkRow, Edge, Here, JobRow, Tally},
    stop::Stop,
    table::Table,
    txn::Txn,
};

/// Puts a job with nothing in it. It numbers chunks from behind `last_chunk` on.
pub(crate) fn job(txn: &mut Txn<'_>, no: JobNo, job: &JobRow, last_chunk: u64) -> Result<(), Stop> {
    txn.put_new(Table::Job, key::job(no), job);
    txn.put(Table::JobId, key::job_id(job.id), &no);
    if let Some(name) = &job.name {
        txn.put(Table::JobName, Key::from_slice(name.as_bytes()), &no);
    }
    txn.put_tally(no, Some(&Tally { stats: JobStats::new(job.id), last_chunk, ..Tally::default() }))
}

/// Puts a chunk of a job that was put, and tells its place by a clock that stands at `now`.
pub(crate) fn chunk(
    txn: &mut Txn<'_>,
    spot: Spot,
    row: &ChunkRow,
    body: Option<&Body>,
    options: &JobOptions,
    now: Timestamp,
) -> Result<Place, Stop> {
    if let Some(body) = body {
        txn.put_new(Table::Body, key::spot(spot), body);
    }
    if let Some(name) = &row.key {
        txn.put_new(Table::Key, key::chunk_key(spot.job, name), &spot.chunk);
    }
    let place = row.standing(false).place(&row.rules(options), now);
    match place {
        Place::Ready => txn.put_ready(key::level(spot.job, &row.lane, row.priority), spot.chunk),
        Place::Timer(at) => txn.put_new(Table::Timer, key::due(at, spot), &Here),
        Place::Lease | Place::Blocked | Place::Ended => {}
    }
    let mut tally = txn.tally(spot.job)?;
    tally.stats.total_chunks += 1;
    tally.last_chunk = tally.last_chunk.max(spot.chunk);
    tally_place(&mut tally, row, false, place, options, Count::In);
    txn.put_tally(spot.job, Some(&tally))?;
    txn.put_new(Table::Chunk, key::spot(spot), row);
    Ok(place)
}

/// Puts an edge between chunks that were put.
pub(crate) fn edge(txn: &mut Txn<'_>, child: Spot, parent: Spot, edge: Edge) -> Result<(), Stop> {
    txn.put_new(Table::Child, key::edge(parent, child), &edge);
    txn.put_new(Table::Parent, key::edge(child, parent), &edge);
    if child.job != parent.job {
        let mut tally = txn.tally(parent.job)?;
        tally.awaited_elsewhere += 1;
        txn.put_tally(parent.job, Some(&tally))?;
    }
    Ok(())
}
