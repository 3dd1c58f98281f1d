//! Reading all rows that are whole, around those that are not.

use std::{
    collections::{BTreeMap, BTreeSet, btree_map::Entry},
    ops::ControlFlow,
    panic::{AssertUnwindSafe, catch_unwind},
};

use magnetar_core::{ChunkId, Error, ErrorKind, JobId, JobOptions, Result, Timestamp};
use serde::de::DeserializeOwned;

use crate::{
    backend::View,
    digest::Digest,
    key::{self, JobNo, Key, Spot},
    look,
    row::{self, Body, ChunkRow, Edge, Here, JobNoRow, JobRow, LeaseRow, Meta, Tally},
    stop::Stop,
    table::Table,
};

/// What was read of a store.
#[derive(Default)]
pub(super) struct Harvest {
    pub(super) meta: Meta,
    pub(super) jobs: BTreeMap<JobNo, JobRow>,
    /// The largest chunk id that each job ever had, as far as that is known.
    pub(super) last_chunks: BTreeMap<JobNo, ChunkId>,
    pub(super) chunks: BTreeMap<Spot, ChunkRow>,
    /// Chunks of which there are other rows, and of which the row itself is lost; with the key, where that is known.
    pub(super) lost: BTreeMap<Spot, Option<String>>,
    /// Chunks whose payloads are whole.
    pub(super) bodies: BTreeSet<Spot>,
    /// By child and parent.
    pub(super) edges: BTreeMap<(Spot, Spot), Edge>,
    pub(super) losses: Vec<String>,
}

impl Harvest {
    /// Reads a store, but for payloads and records.
    pub(super) fn of(view: &dyn View) -> Self {
        let mut harvest = Self::default();
        harvest.read_jobs(view);
        harvest.read_chunks(view);
        harvest.read_edges(view);
        harvest.read_numbers(view);
        harvest
    }

    pub(super) fn lose(&mut self, what: String) {
        self.losses.push(what);
    }

    /// Jobs by their inner numbers, without those on their way out.
    fn read_jobs(&mut self, view: &dyn View) {
        let mut ids: BTreeMap<JobNo, JobId> = BTreeMap::new();
        each::<JobNoRow>(view, Table::JobId, &mut self.losses, &mut |row_key, no| {
            ids.extend(key::parse_job_id(row_key).map(|id| (no, id)));
        });
        let mut names: BTreeMap<JobNo, String> = BTreeMap::new();
        each::<JobNoRow>(view, Table::JobName, &mut self.losses, &mut |row_key, no| {
            names.insert(no, String::from_utf8_lossy(row_key).into_owned());
        });
        each::<JobRow>(view, Table::Job, &mut self.losses, &mut |row_key, job| {
            self.jobs.extend(key::parse_job(row_key).map(|no| (no, job)));
        });
        for (no, id) in ids {
            if let Entry::Vacant(lost) = self.jobs.entry(no) {
                lost.insert(blank_job(id, names.remove(&no)));
                self.losses.push(format!("job {id} has the default options, for its own are lost"));
            }
        }
    }

    fn read_chunks(&mut self, view: &dyn View) {
        let mut purged = BTreeSet::new();
        each::<Here>(view, Table::Purge, &mut self.losses, &mut |row_key, _| purged.extend(key::parse_job(row_key)));
        let mut unknown = BTreeSet::new();
        each::<ChunkRow>(view, Table::Chunk, &mut self.losses, &mut |row_key, row| {
            if let Some(spot) = key::parse_spot(row_key).filter(|spot| !purged.contains(&spot.job)) {
                if !self.jobs.contains_key(&spot.job) {
                    unknown.insert(spot.job);
                }
                self.chunks.insert(spot, row);
            }
        });
        let taken: BTreeSet<JobId> = self.jobs.values().map(|job| job.id).collect();
        // Above all that are there and, where those end at the largest id there is, whatever is free.
        let above = taken.last().copied().unwrap_or_default().checked_add(1).unwrap_or(1);
        let free = (above..=JobId::MAX).chain(1..=JobId::MAX).filter(|id| !taken.contains(id));
        for (id, no) in free.zip(unknown) {
            self.lose(format!("a job has the new id {id} and the default options, for its own are lost"));
            self.jobs.insert(no, blank_job(id, None));
        }
        // Damaged rows are among the losses; other rows tell of chunks whose own is gone without a trace.
        for table in [Table::Chunk, Table::Body, Table::Lease] {
            let spots = keys(view, table);
            self.note_lost(spots.iter().filter_map(|row_key| key::parse_spot(row_key)));
        }
        each::<Body>(view, Table::Body, &mut self.losses, &mut |row_key, _| self.bodies.extend(key::parse_spot(row_key)));
        let mut keys: Vec<(Spot, String)> = Vec::new();
        each::<ChunkId>(view, Table::Key, &mut self.losses, &mut |row_key, chunk| {
            if let (Some(job), Some(name)) = (key::parse_job(row_key), row_key.get(8..)) {
                keys.push((Spot { job, chunk }, String::from_utf8_lossy(name).into_owned()));
            }
        });
        self.note_lost(keys.iter().map(|(spot, _)| *spot));
        for (spot, name) in keys {
            if let Some(known) = self.lost.get_mut(&spot) {
                *known = Some(name);
            }
        }
    }

    /// Notes chunks that other rows tell of, where their own rows are not there.
    fn note_lost(&mut self, spots: impl Iterator<Item = Spot>) {
        for spot in spots {
            if self.jobs.contains_key(&spot.job) && !self.chunks.contains_key(&spot) {
                self.lost.entry(spot).or_default();
            }
        }
    }

    /// Each edge has two rows; one is enough.
    fn read_edges(&mut self, view: &dyn View) {
        for (table, is_from_child) in [(Table::Parent, true), (Table::Child, false)] {
            let mut found = Vec::new();
            each::<Edge>(view, table, &mut self.losses, &mut |row_key, edge| {
                if let Some((from, to)) = key::parse_edge(row_key) {
                    found.push((if is_from_child { (from, to) } else { (to, from) }, edge));
                }
            });
            self.edges.extend(found);
        }
        let jobs = &self.jobs;
        self.edges.retain(|(child, parent), _| jobs.contains_key(&child.job) && jobs.contains_key(&parent.job));
        let ends: Vec<Spot> = self.edges.keys().flat_map(|(child, parent)| [*child, *parent]).collect();
        self.note_lost(ends.into_iter());
    }

    /// Numbers that only grow, which must not be given again.
    fn read_numbers(&mut self, view: &dyn View) {
        let stored = guarded(&mut || Ok(look::get::<Meta>(view, Table::Meta, key::META).ok().flatten())).ok().flatten();
        let mut meta = stored.unwrap_or_default();
        let mut tokens: Vec<u64> = self.chunks.values().filter_map(|row| row.last.map(|(token, _)| token.get())).collect();
        let mut sessions = Vec::new();
        each::<LeaseRow>(view, Table::Lease, &mut self.losses, &mut |_, lease| {
            tokens.push(lease.token.get());
            sessions.push(lease.session.get());
        });
        meta.last_token = tokens.into_iter().fold(meta.last_token, u64::max);
        meta.last_session = sessions.into_iter().fold(meta.last_session, u64::max);
        meta.last_job_no = self.jobs.keys().map(|no| no.0).fold(meta.last_job_no, u64::max);
        meta.last_job_id = self.jobs.values().map(|job| job.id).fold(meta.last_job_id, JobId::max);
        // A session that began above what is known may have given tokens that no row tells of.
        meta.generation = meta.generation.saturating_add(1);
        // What the new store holds is counted when it is written.
        meta.digest = Digest::default();
        self.meta = meta;
        each::<Tally>(view, Table::Tally, &mut Vec::new(), &mut |row_key, tally| {
            self.last_chunks.extend(key::parse_job(row_key).map(|no| (no, tally.last_chunk)));
        });
    }
}

fn blank_job(id: JobId, name: Option<String>) -> JobRow {
    let created_at = Timestamp::default();
    JobRow { id, name, kind: String::new(), options: JobOptions::default(), paused: false, created_at }
}

/// Shows each whole row of a table, and names those that are damaged.
pub(super) fn each<T: DeserializeOwned>(view: &dyn View, table: Table, losses: &mut Vec<String>, show: &mut dyn FnMut(&[u8], T)) {
    let mut damaged = Vec::new();
    each_readable(view, table, losses, &mut |row_key, bytes| match row::decode(table, row_key, bytes) {
        Ok(row) => show(row_key, row),
        Err(stop) => damaged.extend(stop.into_problem()),
    });
    losses.extend(damaged);
}

/// The keys of a table, whatever is in the rows.
fn keys(view: &dyn View, table: Table) -> Vec<Key> {
    let mut found = Vec::new();
    // Where the table cannot be read has been told by whoever read its rows.
    each_readable(view, table, &mut Vec::new(), &mut |row_key, _| found.push(Key::from_slice(row_key)));
    found
}

/// Shows each row of a table that the database below can still read.
///
/// Behind a place that it cannot read, the first readable key is searched: with steps that double until one is found, and then
/// by halves.
fn each_readable(view: &dyn View, table: Table, losses: &mut Vec<String>, show: &mut dyn FnMut(&[u8], &[u8])) {
    let mut from = Key::new();
    while let Err((error, last)) = scan(view, table, &from, show) {
        losses.push(format!("a part of table {} cannot be read ({error})", table.name()));
        let stopped = number(last.as_deref().map_or(from.as_slice(), |last| last));
        let Some(next) = first_readable(view, table, stopped) else { return };
        from = Key::from_slice(&next.to_be_bytes());
    }
}

/// Scans from a key on; where that fails, tells the last key that was shown.
fn scan(view: &dyn View, table: Table, from: &[u8], show: &mut dyn FnMut(&[u8], &[u8])) -> Result<(), (Error, Option<Key>)> {
    let mut last = None;
    let scanned = guarded(&mut || {
        look::scan(view, table, from, key::END, &mut |row_key, bytes| {
            show(row_key, bytes);
            last = Some(Key::from_slice(row_key));
            ControlFlow::Continue(())
        })
        .map_err(Stop::into_error)
    });
    scanned.map_err(|error| (error, last))
}

/// The smallest number above one from which a row, or the end of the table, can be read.
fn first_readable(view: &dyn View, table: Table, stopped: u128) -> Option<u128> {
    let is_readable = |at: u128| {
        let at = at.to_be_bytes();
        let mut first = || look::scan(view, table, &at, key::END, &mut |_, _| ControlFlow::Break(())).map_err(Stop::into_error);
        guarded(&mut first).is_ok()
    };
    let (mut damaged, mut step) = (stopped, 1_u128);
    let mut readable = loop {
        let at = stopped.checked_add(step)?;
        if is_readable(at) {
            break at;
        }
        damaged = at;
        step = step.checked_mul(2)?;
    };
    while readable - damaged > 1 {
        let middle = damaged + (readable - damaged) / 2;
        if is_readable(middle) { readable = middle } else { damaged = middle }
    }
    Some(readable)
}

/// A key as a number: its first 16 bytes.
fn number(row_key: &[u8]) -> u128 {
    let mut bytes = [0; 16];
    bytes.iter_mut().zip(row_key).for_each(|(to, from)| *to = *from);
    u128::from_be_bytes(bytes)
}

/// Reads with a database that may panic over what is damaged.
pub(super) fn guarded<T>(read: &mut dyn FnMut() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(read)).unwrap_or_else(|_| Err(Error::new(ErrorKind::Corrupt, "the engine below panicked")))
}
