//! Writing what was saved into a new store.

use magnetar_core::{JobStats, Timestamp, machine::Place};

use super::{
    Salvaged,
    harvest::{self, Harvest},
};
use crate::{
    backend::{Backend, Flush, View},
    engine::{Count, tally_place},
    key::{self, JobNo, Key, Spot},
    lanes::Lanes,
    look,
    row::{Body, ChunkRow, Edge, Here, JobRow, RecordRow, Tally},
    stop::Stop,
    table::Table,
    txn::Txn,
    writes::Writes,
};

/// Chunks, edges or records of one commit.
const COMMIT_ROWS: usize = 2000;

/// Writes it all, in commits of bounded size. Places are for a clock that stands at `now`.
pub(super) fn replant(from: &dyn View, mut harvest: Harvest, to: &mut dyn Backend, now: Timestamp) -> Result<Salvaged, Stop> {
    let mut salvaged = Salvaged { jobs: harvest.jobs.len() as u64, ..Salvaged::default() };
    transact(to, |txn| {
        txn.put_meta(&harvest.meta)?;
        harvest.jobs.iter().try_for_each(|(no, job)| put_job(txn, *no, job, &harvest))
    })?;
    let chunks: Vec<(Spot, ChunkRow)> = std::mem::take(&mut harvest.chunks).into_iter().collect();
    salvaged.chunks = chunks.len() as u64;
    for part in chunks.chunks(COMMIT_ROWS) {
        transact(to, |txn| part.iter().try_for_each(|(spot, row)| put_chunk(txn, from, *spot, row, &harvest, now)))?;
    }
    let edges: Vec<((Spot, Spot), Edge)> = std::mem::take(&mut harvest.edges).into_iter().collect();
    for part in edges.chunks(COMMIT_ROWS) {
        transact(to, |txn| part.iter().try_for_each(|((child, parent), edge)| put_edge(txn, *child, *parent, *edge)))?;
    }
    salvaged.records = put_records(from, to, &mut harvest)?;
    salvaged.losses = harvest.losses;
    Ok(salvaged)
}

fn transact(to: &mut dyn Backend, write: impl FnOnce(&mut Txn<'_>) -> Result<(), Stop>) -> Result<(), Stop> {
    let tx = to.begin()?;
    let mut txn = Txn::new(&*tx, Lanes::default(), Writes::default());
    txn.begin_group();
    write(&mut txn)?;
    let (writes, _) = txn.into_parts()?;
    Ok(tx.commit(&writes, Flush::Synced)?)
}

fn put_job(txn: &mut Txn<'_>, no: JobNo, job: &JobRow, harvest: &Harvest) -> Result<(), Stop> {
    txn.put_new(Table::Job, key::job(no), job);
    txn.put_new(Table::JobId, key::job_id(job.id), &no);
    if let Some(name) = &job.name {
        txn.put_new(Table::JobName, Key::from_slice(name.as_bytes()), &no);
    }
    let last_chunk = harvest.last_chunks.get(&no).copied().unwrap_or_default();
    txn.put_tally(no, Some(&Tally { stats: JobStats::new(job.id), last_chunk, ..Tally::default() }))
}

fn put_chunk(
    txn: &mut Txn<'_>,
    from: &dyn View,
    spot: Spot,
    row: &ChunkRow,
    harvest: &Harvest,
    now: Timestamp,
) -> Result<(), Stop> {
    let Some(job) = harvest.jobs.get(&spot.job) else { return Ok(()) };
    if row.has_body {
        let body_key = key::spot(spot);
        let body = look::get::<Body>(from, Table::Body, &body_key)?;
        txn.put_new(Table::Body, body_key, &body.unwrap_or_default());
    }
    if let Some(name) = &row.key {
        txn.put_new(Table::Key, key::chunk_key(spot.job, name), &spot.chunk);
    }
    let place = row.standing(false).place(&row.rules(&job.options), now);
    match place {
        Place::Ready => txn.put_ready(key::level(spot.job, &row.lane, row.priority), spot.chunk),
        Place::Timer(at) => txn.put_new(Table::Timer, key::due(at, spot), &Here),
        Place::Lease | Place::Blocked | Place::Ended => {}
    }
    let mut tally = txn.tally(spot.job)?;
    tally.stats.total_chunks += 1;
    tally.last_chunk = tally.last_chunk.max(spot.chunk);
    tally_place(&mut tally, row, false, place, &job.options, Count::In);
    txn.put_tally(spot.job, Some(&tally))?;
    txn.put_new(Table::Chunk, key::spot(spot), row);
    Ok(())
}

fn put_edge(txn: &mut Txn<'_>, child: Spot, parent: Spot, edge: Edge) -> Result<(), Stop> {
    txn.put_new(Table::Child, key::edge(parent, child), &edge);
    txn.put_new(Table::Parent, key::edge(child, parent), &edge);
    if child.job != parent.job {
        let mut tally = txn.tally(parent.job)?;
        tally.awaited_elsewhere += 1;
        txn.put_tally(parent.job, Some(&tally))?;
    }
    Ok(())
}

fn put_records(from: &dyn View, to: &mut dyn Backend, harvest: &mut Harvest) -> Result<u64, Stop> {
    let mut records: Vec<(Key, RecordRow)> = Vec::new();
    harvest::each::<RecordRow>(from, Table::Record, &mut harvest.losses, &mut |row_key, row| {
        records.push((Key::from_slice(row_key), row));
    });
    for part in records.chunks(COMMIT_ROWS) {
        transact(to, |txn| {
            let mut meta = txn.meta()?;
            for (row_key, row) in part {
                meta.last_version = meta.last_version.max(row.version);
                txn.put_new(Table::Record, row_key.clone(), row);
            }
            txn.put_meta(&meta)
        })?;
    }
    Ok(records.len() as u64)
}
