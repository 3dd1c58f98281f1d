//! Ready chunks, kept as runs: one row for all chunks of a lane and a priority whose ids follow each other.
//!
//! A run stands under its last chunk and says which is its first. So the run that holds a chunk is the first one at or behind
//! that chunk's key, and a claim at the head of a lane changes one row and moves none, however many chunks it takes.

use std::{
    collections::{BTreeMap, btree_map},
    ops::{Bound, ControlFlow},
};

use magnetar_core::ChunkId;

use crate::{
    backend::View,
    key::{self, JobNo},
    look,
    row::Run,
    stop::Stop,
    table::Table,
};

/// The most levels, a lane and a priority each, whose ids are put together.
const LEVELS_MAX: usize = 16;

/// The runs that a transaction changes, by their keys: the first chunk, or none for one that is to go.
///
/// They are decoded here, because a batch of claims changes one run again and again, and encoded once in the end.
#[derive(Debug, Default)]
pub(crate) struct Runs(BTreeMap<Vec<u8>, Option<ChunkId>>);

impl Runs {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Notes a change, and returns the one that stood there.
    pub(crate) fn set(&mut self, key: Vec<u8>, first: Option<ChunkId>) -> Option<Option<ChunkId>> {
        self.0.insert(key, first)
    }

    /// Puts back what [`Runs::set`] returned.
    pub(crate) fn restore(&mut self, key: Vec<u8>, before: Option<Option<ChunkId>>) {
        match before {
            Some(first) => self.0.insert(key, first),
            None => self.0.remove(&key),
        };
    }

    fn within(&self, from: &[u8], to: &[u8]) -> btree_map::Range<'_, Vec<u8>, Option<ChunkId>> {
        self.0.range::<[u8], _>((Bound::Included(from), Bound::Excluded(to)))
    }

    /// The first `limit` runs with `from <= key < to` and the first chunk of each, as if the changes had happened.
    pub(crate) fn find(&self, view: &dyn View, from: &[u8], to: &[u8], limit: usize) -> Result<Vec<(Vec<u8>, ChunkId)>, Stop> {
        let mut found = Vec::new();
        let mut is_cut = false;
        look::each::<Run>(view, Table::Ready, from, to, &mut |key, Run { first }| {
            if self.0.contains_key(key) {
                return Ok(ControlFlow::Continue(()));
            }
            found.push((key.to_vec(), first));
            is_cut = found.len() >= limit;
            Ok(if is_cut { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
        })?;
        let behind = found.last().filter(|_| is_cut).map(|(last, _)| key::behind(last));
        let changed = self.within(from, behind.as_deref().unwrap_or(to));
        found.extend(changed.filter_map(|(key, first)| Some((key.clone(), (*first)?))));
        found.sort_unstable();
        found.truncate(limit);
        Ok(found)
    }

    /// The keys of up to `limit` runs of a job, whatever is in their rows.
    pub(crate) fn keys_of(&self, view: &dyn View, job: JobNo, limit: usize) -> Result<Vec<Vec<u8>>, Stop> {
        let (from, to) = (key::job(job), key::job_end(job));
        let changed = self.within(&from, &to);
        let mut found: Vec<_> = changed.filter(|(_, first)| first.is_some()).map(|(key, _)| key.clone()).collect();
        view.scan(Table::Ready, &from, &to, &mut |key, _| {
            if found.len() >= limit {
                return ControlFlow::Break(());
            }
            if !self.0.contains_key(key) {
                found.push(key.to_vec());
            }
            ControlFlow::Continue(())
        })?;
        found.truncate(limit);
        Ok(found)
    }
}

impl IntoIterator for Runs {
    type Item = (Vec<u8>, Option<ChunkId>);
    type IntoIter = btree_map::IntoIter<Vec<u8>, Option<ChunkId>>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

/// Chunks that became ready one after the other, not yet among the runs.
#[derive(Debug)]
pub(crate) struct Tail {
    level: Vec<u8>,
    first: ChunkId,
    last: ChunkId,
}

impl Tail {
    pub(crate) fn new(level: Vec<u8>, chunk: ChunkId) -> Self {
        Self { level, first: chunk, last: chunk }
    }

    /// Takes a chunk, if it stands beside those that are here.
    pub(crate) fn takes(&mut self, level: &[u8], chunk: ChunkId) -> bool {
        if level != self.level {
            return false;
        }
        if self.last.checked_add(1) == Some(chunk) {
            self.last = chunk;
        } else if chunk.checked_add(1) == Some(self.first) {
            self.first = chunk;
        } else {
            return false;
        }
        true
    }

    /// The run that it is: its key, and its first chunk.
    pub(crate) fn into_run(self) -> (Vec<u8>, ChunkId) {
        (key::ready(&self.level, self.last), self.first)
    }
}

/// What is left of a run without one of its chunks: what stands under its own key then, and maybe another run before it.
pub(crate) fn without(
    (run, first): (&[u8], ChunkId),
    level: &[u8],
    chunk: ChunkId,
) -> Result<(Option<ChunkId>, Option<(Vec<u8>, ChunkId)>), Stop> {
    let (run_level, last) = split(run)?;
    if run_level != level || !(first..=last).contains(&chunk) {
        return Err(Stop::corrupt(Table::Ready, &key::ready(level, chunk), "is in no run"));
    }
    let behind = (chunk < last).then(|| chunk + 1);
    let before = (chunk > first).then(|| (key::ready(level, chunk - 1), first));
    Ok((behind, before))
}

/// The first `limit` ready chunks of a job behind `after`, in the order of their ids; none where they lie in too many levels.
pub(crate) fn ids(view: &dyn View, job: JobNo, after: Option<ChunkId>, limit: usize) -> Result<Option<Vec<ChunkId>>, Stop> {
    let Some(next) = after.map_or(Some(0), |after| after.checked_add(1)) else { return Ok(Some(Vec::new())) };
    let (mut from, end) = (key::job(job), key::job_end(job));
    let mut ids = Vec::new();
    for _ in 0..=LEVELS_MAX {
        let Some((some, _)) = look::rows::<Run>(view, Table::Ready, &from, &end, 1)?.pop() else {
            ids.sort_unstable();
            ids.truncate(limit);
            return Ok(Some(ids));
        };
        let (level, _) = split(&some)?;
        let level_end = key::prefix_end(level);
        let mut left = limit;
        look::each(view, Table::Ready, &key::ready(level, next), &level_end, &mut |row_key, Run { first }| {
            let (_, last) = split(row_key)?;
            let before = ids.len();
            ids.extend((first.max(next)..=last).take(left));
            left -= ids.len() - before;
            Ok(if left > 0 { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
        })?;
        from = level_end;
    }
    Ok(None)
}

/// Shows every run of a job: its first and its last chunk.
pub(crate) fn each_of(view: &dyn View, job: JobNo, show: &mut dyn FnMut(ChunkId, ChunkId)) -> Result<(), Stop> {
    look::each(view, Table::Ready, &key::job(job), &key::job_end(job), &mut |row_key, Run { first }| {
        let (_, last) = split(row_key)?;
        show(first, last);
        Ok(ControlFlow::Continue(()))
    })
}

fn split(key: &[u8]) -> Result<(&[u8], ChunkId), Stop> {
    key::parse_ready(key).ok_or_else(|| Stop::corrupt(Table::Ready, key, "has no ready key"))
}
