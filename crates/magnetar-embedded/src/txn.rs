//! A transaction being prepared: a view, the writes so far, and how to undo those of the current group.
//!
//! Everything is read and decided before the backend is asked to write, so a group that is refused leaves nothing
//! behind, on engines that cannot take back half a transaction too.

use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
};

use magnetar_core::{ChunkId, JobId, Result};
use serde::Serialize;

use crate::{
    backend::{Show, View},
    key::{self, JobNo, Spot},
    look::{self, FoundJob},
    memo::{self, Lanes, ReadOn},
    row::{self, Here, Meta, Tally},
    stop::Stop,
    table::Table,
    writes::{Change, Writes},
};

pub(crate) struct Txn<'v> {
    view: &'v dyn View,
    writes: Writes,
    undo: Vec<Undo>,
    /// Whether nothing was written before the current group, so that it is taken back by dropping all that is.
    is_first: bool,
    lanes: Lanes,
    meta: Cell<Option<Counted<Meta>>>,
    tallies: RefCell<HashMap<JobNo, Counted<Tally>>>,
    jobs: RefCell<HashMap<JobId, FoundJob>>,
}

/// A row that nearly every op changes: decoded once, and encoded once when all are done.
#[derive(Clone, Copy)]
struct Counted<T> {
    stored: Option<T>,
    now: Option<T>,
}

/// How to take back one change.
enum Undo {
    Row(Table, Vec<u8>, Option<Change>),
    Meta(Counted<Meta>),
    Tally(JobNo, Counted<Tally>),
}

/// The head of a lane: its place in the lane's order (smaller is more urgent), its chunk, its key.
pub(crate) type Head = (u16, ChunkId, Vec<u8>);

impl View for Txn<'_> {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>> {
        match self.writes.get(table, key) {
            Some(change) => Ok(change.clone()),
            None => self.view.get(table, key),
        }
    }

    fn scan(&self, table: Table, from: &[u8], to: &[u8], each: &mut Show<'_>) -> Result<()> {
        self.writes.scan(self.view, table, from, to, each)
    }
}

impl<'v> Txn<'v> {
    /// A transaction on a view, with what is known of the heads of lanes there.
    pub(crate) fn new(view: &'v dyn View, lanes: Lanes) -> Self {
        Self {
            view,
            writes: Writes::default(),
            undo: Vec::new(),
            is_first: true,
            lanes,
            meta: Cell::default(),
            tallies: RefCell::default(),
            jobs: RefCell::default(),
        }
    }

    /// What the backend is to make happen, and what is known of the heads of lanes once it has.
    pub(crate) fn into_parts(mut self) -> (Writes, Lanes) {
        if let Some(meta) = self.meta.take() {
            self.write_counted(Table::Meta, key::META.to_vec(), meta);
        }
        for (job, tally) in self.tallies.take() {
            self.write_counted(Table::Tally, key::job(job), tally);
        }
        (self.writes, self.lanes)
    }

    fn write_counted<T: Serialize + PartialEq>(&mut self, table: Table, key: Vec<u8>, row: Counted<T>) {
        if row.now != row.stored {
            let bytes = row.now.map(|row| row::encode(table, &key, &row));
            self.writes.set(table, key, bytes);
        }
    }

    /// From here on is a new group.
    pub(crate) fn begin_group(&mut self) {
        self.undo.clear();
        self.is_first = self.writes.is_empty()
            && self.meta.get().is_none_or(|meta| meta.now == meta.stored)
            && self.tallies.get_mut().values().all(|tally| tally.now == tally.stored);
    }

    /// Takes back everything since [`Txn::begin_group`].
    pub(crate) fn undo_group(&mut self) {
        if self.is_first {
            self.writes = Writes::default();
            self.meta.take();
            self.tallies.get_mut().clear();
        }
        while let Some(undo) = self.undo.pop() {
            match undo {
                Undo::Row(table, key, before) => self.writes.restore(table, key, before),
                Undo::Meta(before) => self.meta.set(Some(before)),
                Undo::Tally(job, before) => drop(self.tallies.get_mut().insert(job, before)),
            }
        }
        self.lanes.clear();
        self.jobs.get_mut().clear();
    }

    fn note(&mut self, undo: Undo) {
        if !self.is_first {
            self.undo.push(undo);
        }
    }

    fn set(&mut self, table: Table, key: Vec<u8>, change: Change) {
        if matches!(table, Table::Job | Table::JobId) {
            self.jobs.get_mut().clear();
        }
        if self.is_first {
            self.writes.set(table, key, change);
        } else {
            let before = self.writes.set(table, key.clone(), change);
            self.undo.push(Undo::Row(table, key, before));
        }
    }

    pub(crate) fn put<T: Serialize>(&mut self, table: Table, key: Vec<u8>, row: &T) {
        let bytes = row::encode(table, &key, row);
        self.set(table, key, Some(bytes));
    }

    pub(crate) fn remove(&mut self, table: Table, key: Vec<u8>) {
        self.set(table, key, None);
    }

    /// The job of this id.
    pub(crate) fn job(&self, id: JobId) -> Result<Option<FoundJob>, Stop> {
        if let Some(job) = self.jobs.borrow().get(&id) {
            return Ok(Some(job.clone()));
        }
        let found = look::job(self, id)?;
        if let Some(job) = &found {
            self.jobs.borrow_mut().insert(id, job.clone());
        }
        Ok(found)
    }

    pub(crate) fn meta(&self) -> Result<Meta, Stop> {
        Ok(self.counted_meta()?.now.unwrap_or_default())
    }

    pub(crate) fn put_meta(&mut self, meta: &Meta) -> Result<(), Stop> {
        let before = self.counted_meta()?;
        self.note(Undo::Meta(before));
        self.meta.set(Some(Counted { now: Some(*meta), ..before }));
        Ok(())
    }

    fn counted_meta(&self) -> Result<Counted<Meta>, Stop> {
        if let Some(meta) = self.meta.get() {
            return Ok(meta);
        }
        let stored = look::get(self.view, Table::Meta, key::META)?;
        let meta = Counted { stored, now: stored };
        self.meta.set(Some(meta));
        Ok(meta)
    }

    /// The counters of a job.
    pub(crate) fn tally(&self, job: JobNo) -> Result<Tally, Stop> {
        self.counted_tally(job)?.now.ok_or_else(|| look::no_tally(job))
    }

    /// Changes the counters of a job; none removes them.
    pub(crate) fn put_tally(&mut self, job: JobNo, tally: Option<&Tally>) -> Result<(), Stop> {
        let before = self.counted_tally(job)?;
        self.note(Undo::Tally(job, before));
        self.tallies.get_mut().insert(job, Counted { now: tally.copied(), ..before });
        Ok(())
    }

    fn counted_tally(&self, job: JobNo) -> Result<Counted<Tally>, Stop> {
        if let Some(tally) = self.tallies.borrow().get(&job) {
            return Ok(*tally);
        }
        let stored = look::get(self.view, Table::Tally, &key::job(job))?;
        let tally = Counted { stored, now: stored };
        self.tallies.borrow_mut().insert(job, tally);
        Ok(tally)
    }

    pub(crate) fn put_ready(&mut self, key: Vec<u8>) {
        self.lanes.put(&key);
        self.put(Table::Ready, key, &Here);
    }

    pub(crate) fn remove_ready(&mut self, key: Vec<u8>) {
        self.lanes.remove(&key);
        self.remove(Table::Ready, key);
    }

    /// What would be claimed next from a lane, reading at least `ahead` rows if need be.
    pub(crate) fn head(&mut self, lane: &[u8], ahead: usize) -> Result<Option<Head>, Stop> {
        loop {
            match self.lanes.first(lane) {
                Ok(None) => return Ok(None),
                Ok(Some(key)) => {
                    let (_, urgency, chunk) =
                        key::parse_ready(key).ok_or_else(|| Stop::corrupt(Table::Ready, key, "has no ready key"))?;
                    return Ok(Some((urgency, chunk, key.clone())));
                }
                Err(ReadOn { from, ahead: usual }) => self.read_ahead(lane, &from, ahead.max(usual))?,
            }
        }
    }

    fn read_ahead(&mut self, lane: &[u8], from: &[u8], ahead: usize) -> Result<(), Stop> {
        let rows = look::rows::<Here>(self, Table::Ready, from, &key::prefix_end(lane), ahead)?;
        let read_to = rows.last().filter(|_| rows.len() == ahead).map(|(key, _)| key::behind(key));
        self.warm_chunks(lane, rows.iter().filter_map(|(key, _)| key::parse_ready(key)).map(|(.., chunk)| chunk))?;
        self.lanes.note(lane, rows.into_iter().map(|(key, _)| key).collect(), read_to, ahead);
        Ok(())
    }

    /// Reads the rows of chunks that will be claimed soon in one go, where they lie together.
    fn warm_chunks(&self, lane: &[u8], chunks: impl Iterator<Item = ChunkId> + Clone) -> Result<(), Stop> {
        let (Some(first), Some(last), count) = (chunks.clone().min(), chunks.clone().max(), chunks.count() as u64) else {
            return Ok(());
        };
        let Some(job) = key::lane_job(lane) else { return Ok(()) };
        if count > 1 && last - first < 2 * count {
            let (from, to) = (key::spot(Spot { job, chunk: first }), key::behind(&key::spot(Spot { job, chunk: last })));
            memo::warm(self.view, Table::Chunk, &from, &to)?;
        }
        Ok(())
    }
}
