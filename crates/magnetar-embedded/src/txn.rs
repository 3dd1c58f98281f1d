//! A transaction being prepared: a view, the writes so far, and how to undo those of the current group.
//!
//! Everything is read and decided before the backend is asked to write, so a group that is refused leaves nothing
//! behind, on engines that cannot take back half a transaction too.

use std::cell::{Cell, RefCell};

use foldhash::HashMap;
use magnetar_core::{ChunkId, JobId, Result};
use serde::Serialize;

use crate::{
    backend::{Show, View},
    digest::{self, Scope},
    key::{self, JobNo, Key},
    lanes::{Lanes, ReadOn},
    look::{self, FoundJob},
    memo,
    ready::{self, First, Left, Runs, Tail},
    row::{self, Bytes, Meta, Run, Tally},
    stop::Stop,
    table::Table,
    writes::{Change, Stored, Writes},
};

pub(crate) struct Txn<'v> {
    view: &'v dyn View,
    writes: Writes,
    undo: Vec<Undo>,
    /// Whether nothing was written before the current group, so that it is taken back by dropping all that is.
    is_first: bool,
    lanes: Lanes,
    runs: Runs,
    /// Chunks of the current group that became ready last, not yet among the runs.
    tail: Option<Tail>,
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
    Row(Table, Key, Option<Change>),
    Run(Key, Option<First>),
    Meta(Option<Meta>),
    Tally(JobNo, Option<Tally>),
}

/// The head of a lane.
pub(crate) struct Head {
    /// Its place in the lane's order: smaller is more urgent.
    pub(crate) urgency: u16,
    pub(crate) chunk: ChunkId,
    /// The run that it is the first of.
    run: Key,
}

impl Head {
    /// Whether it stands in this level.
    pub(crate) fn is_in(&self, level: &[u8]) -> bool {
        key::parse_ready(&self.run).is_some_and(|(its, _)| its == level)
    }
}

impl View for Txn<'_> {
    fn get(&self, table: Table, key: &[u8], show: &mut dyn FnMut(&[u8])) -> Result<()> {
        match self.writes.get(table, key) {
            Some(Change { row, .. }) => row.iter().for_each(|row| show(row)),
            None => self.view.get(table, key, show)?,
        }
        Ok(())
    }

    fn scan(&self, table: Table, from: &[u8], to: &[u8], each: &mut Show<'_>) -> Result<()> {
        self.writes.scan(self.view, table, from, to, each)
    }
}

impl<'v> Txn<'v> {
    /// A transaction on a view, with what is known of the heads of lanes there, and memory for its writes.
    pub(crate) fn new(view: &'v dyn View, lanes: Lanes, writes: Writes) -> Self {
        Self {
            view,
            writes,
            undo: Vec::new(),
            is_first: true,
            lanes,
            runs: Runs::default(),
            tail: None,
            meta: Cell::default(),
            tallies: RefCell::default(),
            jobs: RefCell::default(),
        }
    }

    /// What the backend is to make happen, and what is known of the heads of lanes once it has.
    pub(crate) fn into_parts(mut self) -> Result<(Writes, Lanes), Stop> {
        self.settle_tail();
        for (run, first) in std::mem::take(&mut self.runs) {
            let bytes = first.map(|first| row::encode(Table::Ready, &run, &Run { first }));
            self.writes.set(Table::Ready, run, bytes, Stored::Something);
        }
        self.keep_digests()?;
        if let Some(meta) = self.meta.take() {
            self.write_counted(Table::Meta, Key::from_slice(key::META), meta);
        }
        for (job, tally) in self.tallies.take() {
            self.write_counted(Table::Tally, key::job(job), tally);
        }
        Ok((self.writes, self.lanes))
    }

    /// Brings the digests up to what the writes make of the rows.
    fn keep_digests(&mut self) -> Result<(), Stop> {
        let changes = digest::changes(self.view, &self.writes, &mut |scope| match scope {
            Scope::Store => Ok(true),
            Scope::Job(job) => match self.counted_tally(job) {
                // The rows of a deleted job are on their way out.
                Ok(tally) => Ok(tally.now.is_some()),
                // Where the counters are damaged there is no digest to keep, and others must not suffer for it.
                Err(Stop::Reject(_)) => Ok(false),
                Err(fault) => Err(fault),
            },
        })?;
        for (scope, change) in changes {
            match scope {
                Scope::Store => {
                    let mut meta = self.meta()?;
                    meta.digest += change;
                    self.put_meta(&meta)?;
                }
                Scope::Job(job) => {
                    let mut tally = self.tally(job)?;
                    tally.digest += change;
                    self.put_tally(job, Some(&tally))?;
                }
            }
        }
        Ok(())
    }

    fn write_counted<T: Serialize + PartialEq>(&mut self, table: Table, key: Key, row: Counted<T>) {
        if row.now != row.stored {
            let bytes = row.now.map(|row| row::encode(table, &key, &row));
            self.writes.set(table, key, bytes, Stored::Something);
        }
    }

    /// From here on is a new group.
    pub(crate) fn begin_group(&mut self) {
        self.settle_tail();
        self.undo.clear();
        self.is_first = self.writes.is_empty()
            && self.runs.is_empty()
            && self.meta.get().is_none_or(|meta| meta.now == meta.stored)
            && self.tallies.get_mut().values().all(|tally| tally.now == tally.stored);
    }

    /// Takes back everything since [`Txn::begin_group`].
    pub(crate) fn undo_group(&mut self) {
        self.tail = None;
        if self.is_first {
            self.writes = Writes::default();
            self.runs = Runs::default();
            self.meta.take();
            self.tallies.get_mut().clear();
        }
        while let Some(undo) = self.undo.pop() {
            match undo {
                Undo::Row(table, key, before) => self.writes.restore(table, key, before),
                Undo::Run(run, before) => self.runs.restore(run, before),
                Undo::Meta(before) => self.meta.set(self.meta.get().map(|meta| Counted { now: before, ..meta })),
                Undo::Tally(job, before) => {
                    if let Some(tally) = self.tallies.get_mut().get_mut(&job) {
                        tally.now = before;
                    }
                }
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

    fn set(&mut self, table: Table, key: Key, row: Option<Bytes>, stored: Stored) {
        if matches!(table, Table::Job | Table::JobId) {
            self.jobs.get_mut().clear();
        }
        if self.is_first {
            self.writes.set(table, key, row, stored);
        } else {
            let before = self.writes.set(table, key.clone(), row, stored);
            self.undo.push(Undo::Row(table, key, before));
        }
    }

    pub(crate) fn put<T: Serialize>(&mut self, table: Table, key: Key, row: &T) {
        let bytes = row::encode(table, &key, row);
        self.set(table, key, Some(bytes), Stored::Something);
    }

    /// Puts a row where none is stored, so that nobody looks for it.
    pub(crate) fn put_new<T: Serialize>(&mut self, table: Table, key: Key, row: &T) {
        let bytes = row::encode(table, &key, row);
        self.set(table, key, Some(bytes), Stored::Nothing);
    }

    pub(crate) fn remove(&mut self, table: Table, key: Key) {
        self.set(table, key, None, Stored::Something);
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
        self.note(Undo::Meta(before.now));
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
        self.note(Undo::Tally(job, before.now));
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

    /// Puts a chunk among the ready ones.
    pub(crate) fn put_ready(&mut self, level: Key, chunk: ChunkId) {
        if !self.tail.as_mut().is_some_and(|tail| tail.takes(&level, chunk)) {
            self.settle_tail();
            self.tail = Some(Tail::new(level, chunk));
        }
    }

    /// Takes a chunk out of the ready ones.
    pub(crate) fn remove_ready(&mut self, level: &[u8], chunk: ChunkId) -> Result<(), Stop> {
        self.settle_tail();
        let chunk_key = key::ready(level, chunk);
        let lane = key::parse_level(level).map_or(level, |(lane, _)| lane);
        let (run, first) = match self.lanes.first_from(lane, &chunk_key) {
            Ok(known) => known.map(|(run, first)| (Key::from_slice(run), first)),
            Err(_) => self.runs.find(self.view, &chunk_key, &key::prefix_end(level), 1)?.pop(),
        }
        .ok_or_else(|| Stop::corrupt(Table::Ready, &chunk_key, "is in no run"))?;
        let Left { own, before } = ready::without((&run, first), level, chunk)?;
        if let Some((run, first)) = before {
            self.set_run(run, Some(first));
        }
        self.set_run(run, own);
        Ok(())
    }

    /// Removes whole runs of a job, as many as the limit allows; returns how many went.
    pub(crate) fn remove_runs(&mut self, job: JobNo, limit: usize) -> Result<usize, Stop> {
        self.settle_tail();
        let runs = self.runs.keys_of(self.view, job, limit)?;
        let count = runs.len();
        for run in runs {
            self.set_run(run, None);
        }
        Ok(count)
    }

    fn settle_tail(&mut self) {
        if let Some((run, first)) = self.tail.take().map(Tail::into_run) {
            self.set_run(run, Some(first));
        }
    }

    fn set_run(&mut self, run: Key, first: First) {
        self.lanes.set(&run, first);
        if self.is_first {
            self.runs.set(run, first);
        } else {
            let before = self.runs.set(run.clone(), first);
            self.undo.push(Undo::Run(run, before));
        }
    }

    /// What would be claimed next from a lane.
    pub(crate) fn head(&mut self, lane: &[u8]) -> Result<Option<Head>, Stop> {
        self.settle_tail();
        loop {
            match self.lanes.first_from(lane, lane) {
                Ok(None) => return Ok(None),
                Ok(Some((run, chunk))) => {
                    let urgency = key::parse_ready(run).and_then(|(level, _)| key::parse_level(level));
                    let (_, urgency) = urgency.ok_or_else(|| Stop::corrupt(Table::Ready, run, "has no ready key"))?;
                    return Ok(Some(Head { urgency, chunk, run: Key::from_slice(run) }));
                }
                Err(ReadOn { from, ahead }) => {
                    let runs = self.runs.find(self.view, &from, &key::prefix_end(lane), ahead)?;
                    let read_to = runs.last().filter(|_| runs.len() == ahead).map(|(last, _)| key::behind(last));
                    self.lanes.note(lane, runs, read_to, ahead);
                }
            }
        }
    }

    /// Reads the row of a chunk that is about to be claimed together with those of the chunks behind it.
    pub(crate) fn warm(&mut self, job: JobNo, head: &Head) -> Result<(), Stop> {
        if let Some(ahead) = self.lanes.warm(&head.run, head.chunk) {
            let spot = |chunk| key::spot(key::Spot { job, chunk });
            memo::warm(self.view, Table::Chunk, &spot(head.chunk), &key::behind(&spot(head.chunk + (ahead - 1))))?;
        }
        Ok(())
    }
}
