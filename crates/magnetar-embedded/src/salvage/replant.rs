//! Writing what was saved into a new store.

use magnetar_core::Timestamp;

use super::{
    Salvaged,
    harvest::{self, Harvest},
};
use crate::{
    backend::{Backend, Flush, View},
    key::{self, Key, Spot},
    lanes::Lanes,
    look, plant,
    row::{Body, ChunkRow, Edge, RecordRow},
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
        let last_chunk = |no| harvest.last_chunks.get(no).copied().unwrap_or_default();
        harvest.jobs.iter().try_for_each(|(no, job)| plant::job(txn, *no, job, last_chunk(no)))
    })?;
    let chunks: Vec<(Spot, ChunkRow)> = std::mem::take(&mut harvest.chunks).into_iter().collect();
    salvaged.chunks = chunks.len() as u64;
    for part in chunks.chunks(COMMIT_ROWS) {
        transact(to, |txn| part.iter().try_for_each(|(spot, row)| put_chunk(txn, from, *spot, row, &harvest, now)))?;
    }
    let edges: Vec<((Spot, Spot), Edge)> = std::mem::take(&mut harvest.edges).into_iter().collect();
    for part in edges.chunks(COMMIT_ROWS) {
        transact(to, |txn| part.iter().try_for_each(|((child, parent), edge)| plant::edge(txn, *child, *parent, *edge)))?;
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

fn put_chunk(
    txn: &mut Txn<'_>,
    from: &dyn View,
    spot: Spot,
    row: &ChunkRow,
    harvest: &Harvest,
    now: Timestamp,
) -> Result<(), Stop> {
    let Some(job) = harvest.jobs.get(&spot.job) else { return Ok(()) };
    let body =
        if row.has_body { Some(look::get::<Body>(from, Table::Body, &key::spot(spot))?.unwrap_or_default()) } else { None };
    plant::chunk(txn, spot, row, body.as_ref(), &job.options, now).map(drop)
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
