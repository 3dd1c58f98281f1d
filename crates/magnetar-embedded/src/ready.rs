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
    key::{self, JobNo, Key},
    look,
    row::Run,
    stop::Stop,
    table::Table,
};

/// The most levels, a lane and a priority each, whose ids are put together.
const LEVELS_MAX: usize = 16;

/// The first chunk of the run under a key; none where no run is to stand there.
pub(crate) type First = Option<ChunkId>;

/// The runs that a transaction changes, by their keys.
///
/// They are decoded here, because a batch of claims changes one run again and again, and encoded once in the end.
#[derive(Debug, Default)]
pub(crate) struct Runs(BTreeMap<Key, First>);

impl Runs {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Notes a change, and returns the one that stood there.
    pub(crate) fn set(&mut self, key: Key, first: First) -> Option<First> {
        self.0.insert(key, first)
    }

    /// Puts back what [`Runs::set`] returned.
    pub(crate) fn restore(&mut self, key: Key, before: Option<First>) {
        match before {
            Some(first) => self.0.insert(key, first),
            None => self.0.remove(&key),
        };
    }

    fn within(&self, from: &[u8], to: &[u8]) -> btree_map::Range<'_, Key, First> {
        self.0.range::<[u8], _>((Bound::Included(from), Bound::Excluded(to)))
    }

    /// The first `limit` runs with `from <= key < to` and the first chunk of each, as if the changes had happened.
    pub(crate) fn find(&self, view: &dyn View, from: &[u8], to: &[u8], limit: usize) -> Result<Vec<(Key, ChunkId)>, Stop> {
        let mut found = Vec::new();
        let mut is_cut = false;
        look::each::<Run>(view, Table::Ready, from, to, &mut |key, Run { first }| {
            if self.0.contains_key(key) {
                return Ok(ControlFlow::Continue(()));
            }
            whole(key, first)?;
            found.push((Key::from_slice(key), first));
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
    pub(crate) fn keys_of(&self, view: &dyn View, job: JobNo, limit: usize) -> Result<Vec<Key>, Stop> {
        let (from, to) = (key::job(job), key::job_end(job));
        let changed = self.within(&from, &to);
        let mut found: Vec<_> = changed.filter(|(_, first)| first.is_some()).map(|(key, _)| key.clone()).collect();
        look::scan(view, Table::Ready, &from, &to, &mut |key, _| {
            if found.len() >= limit {
                return ControlFlow::Break(());
            }
            if !self.0.contains_key(key) {
                found.push(Key::from_slice(key));
            }
            ControlFlow::Continue(())
        })?;
        found.truncate(limit);
        Ok(found)
    }
}

impl IntoIterator for Runs {
    type Item = (Key, First);
    type IntoIter = btree_map::IntoIter<Key, First>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

/// Chunks that became ready one after the other, not yet among the runs.
#[derive(Debug)]
pub(crate) struct Tail {
    level: Key,
    first: ChunkId,
    last: ChunkId,
}

impl Tail {
    pub(crate) fn new(level: Key, chunk: ChunkId) -> Self {
        Self { level, first: chunk, last: chunk }
    }

    /// Takes a chunk, if it stands beside those that are here.
    pub(crate) fn takes(&mut self, level: &[u8], chunk: ChunkId) -> bool {
        if *level != *self.level {
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
    pub(crate) fn into_run(self) -> (Key, ChunkId) {
        (key::ready(&self.level, self.last), self.first)
    }
}

/// What is left of a run when one of its chunks has gone.
pub(crate) struct Left {
    /// What stands under the run's own key.
    pub(crate) own: First,
    /// Another run, of what was before the chunk.
    pub(crate) before: Option<(Key, ChunkId)>,
}

/// What is left of a run without one of its chunks.
pub(crate) fn without((run, first): (&[u8], ChunkId), level: &[u8], chunk: ChunkId) -> Result<Left, Stop> {
    let (run_level, last) = split(run)?;
    if run_level != level || !(first..=last).contains(&chunk) {
        return Err(Stop::corrupt(Table::Ready, &key::ready(level, chunk), "is in no run"));
    }
    let own = (chunk < last).then(|| chunk + 1);
    let before = (chunk > first).then(|| (key::ready(level, chunk - 1), first));
    Ok(Left { own, before })
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
            let last = whole(row_key, first)?;
            let before = ids.len();
            ids.extend((first.max(next)..=last).take(left));
            left -= ids.len() - before;
            Ok(if left > 0 { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
        })?;
        from = level_end;
    }
    Ok(None)
}

/// The last chunk of a run, which must not end before it begins.
fn whole(key: &[u8], first: ChunkId) -> Result<ChunkId, Stop> {
    let (_, last) = split(key)?;
    if first > last {
        return Err(Stop::corrupt(Table::Ready, key, "ends before it begins"));
    }
    Ok(last)
}

fn split(key: &[u8]) -> Result<(&[u8], ChunkId), Stop> {
    key::parse_ready(key).ok_or_else(|| Stop::corrupt(Table::Ready, key, "has no ready key"))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use magnetar_core::Result;
    use proptest::prelude::*;

    use super::*;
    use crate::{backend::Show, lanes::Lanes, row, txn::Txn, writes::Writes};

    /// The rows of a store, as the commits of transactions leave them.
    #[derive(Default)]
    struct Rows(BTreeMap<Key, row::Bytes>);

    impl View for Rows {
        fn get(&self, _: Table, key: &[u8], show: &mut dyn FnMut(&[u8])) -> Result<()> {
            self.0.get(key).into_iter().for_each(|row| show(row));
            Ok(())
        }

        fn scan(&self, _: Table, from: &[u8], to: &[u8], each: &mut Show<'_>) -> Result<()> {
            let range = self.0.range::<[u8], _>((Bound::Included(from), Bound::Excluded(to)));
            let _ = range.map(|(key, row)| (key.as_slice(), row.as_slice())).try_for_each(|(key, row)| each(key, row));
            Ok(())
        }
    }

    /// Shows every run of a job: its first and its last chunk.
    fn each_of(view: &dyn View, job: JobNo, show: &mut dyn FnMut(ChunkId, ChunkId)) -> Result<(), Stop> {
        look::each(view, Table::Ready, &key::job(job), &key::job_end(job), &mut |row_key, Run { first }| {
            let (_, last) = split(row_key)?;
            show(first, last);
            Ok(ControlFlow::Continue(()))
        })
    }

    fn job() -> JobNo {
        JobNo(1)
    }

    fn level(urgent: bool) -> Key {
        key::level(job(), "", i16::from(urgent))
    }

    /// What is ready, in the order in which it is claimed: the more urgent first.
    type Ready = BTreeSet<(bool, ChunkId)>;

    #[derive(Clone, Debug)]
    enum Act {
        /// Puts a chunk in, or takes it out where it is in.
        Turn(bool, ChunkId),
        /// Takes the head.
        Claim,
    }

    fn act() -> impl Strategy<Value = Act> {
        prop_oneof![3 => (any::<bool>(), 0..24_u64).prop_map(|(urgent, chunk)| Act::Turn(urgent, chunk)), 1 => Just(Act::Claim)]
    }

    fn apply(txn: &mut Txn<'_>, ready: &mut Ready, act: &Act) {
        match act {
            Act::Turn(urgent, chunk) if ready.contains(&(!urgent, *chunk)) => {
                ready.remove(&(!urgent, *chunk));
                txn.remove_ready(&level(*urgent), *chunk).unwrap();
            }
            Act::Turn(urgent, chunk) => {
                ready.insert((!urgent, *chunk));
                txn.put_ready(level(*urgent), *chunk);
            }
            Act::Claim => {
                let head = txn.head(&key::lane(job(), "")).unwrap();
                let first = ready.pop_first();
                assert_eq!(head.as_ref().map(|head| head.chunk), first.map(|(_, chunk)| chunk));
                if let (Some(head), Some((lazy, chunk))) = (head, first) {
                    assert!(head.is_in(&level(!lazy)));
                    txn.remove_ready(&level(!lazy), chunk).unwrap();
                }
            }
        }
    }

    proptest! {
        /// Groups of a few transactions, some of them taken back, against a plain set of what is ready.
        #[test]
        fn runs_hold_just_what_is_ready_and_in_its_order(
            transactions in prop::collection::vec(prop::collection::vec((prop::collection::vec(act(), 1..12), any::<bool>()), 1..4), 1..6),
        ) {
            let (mut rows, mut ready, mut lanes) = (Rows::default(), Ready::new(), Lanes::default());
            for groups in transactions {
                let mut txn = Txn::new(&rows, lanes, Writes::default());
                for (acts, is_refused) in groups {
                    let before = ready.clone();
                    txn.begin_group();
                    for act in &acts {
                        apply(&mut txn, &mut ready, act);
                    }
                    if is_refused {
                        txn.undo_group();
                        ready = before;
                    }
                }
                let (writes, known) = txn.into_parts().unwrap();
                lanes = known;
                let changes: Vec<(Key, Option<row::Bytes>)> =
                    writes.of(Table::Ready).map(|(key, row)| (key.into(), row.map(row::Bytes::from_slice))).collect();
                for (key, change) in changes {
                    match change {
                        Some(row) => drop(rows.0.insert(key, row)),
                        None => drop(rows.0.remove(&key)),
                    }
                }
                let mut shown = Vec::new();
                each_of(&rows, job(), &mut |first, last| shown.extend(first..=last)).unwrap();
                shown.sort_unstable();
                let mut wanted: Vec<_> = ready.iter().map(|(_, chunk)| *chunk).collect();
                wanted.sort_unstable();
                prop_assert_eq!(shown, wanted);
                let after = ids(&rows, job(), Some(7), 5).unwrap().unwrap();
                let mut later: Vec<_> = ready.iter().map(|(_, chunk)| *chunk).filter(|chunk| *chunk > 7).collect();
                later.sort_unstable();
                prop_assert_eq!(after, later.into_iter().take(5).collect::<Vec<_>>());
            }
        }
    }

    #[test]
    fn run_that_ends_before_it_begins_is_damage() {
        let run = key::ready(&level(false), 1);
        let rows = Rows(BTreeMap::from([(run.clone(), row::encode(Table::Ready, &run, &Run { first: 5 }))]));
        let mut txn = Txn::new(&rows, Lanes::default(), Writes::default());
        txn.begin_group();
        assert!(txn.head(&key::lane(job(), "")).is_err());
        assert!(ids(&rows, job(), None, 10).is_err());
    }

    #[test]
    fn neighbours_that_come_one_after_the_other_become_one_row() {
        let rows = Rows::default();
        let mut txn = Txn::new(&rows, Lanes::default(), Writes::default());
        txn.begin_group();
        (1..=1000).for_each(|chunk| txn.put_ready(level(false), chunk));
        (1001..=2000).rev().for_each(|chunk| txn.put_ready(level(true), chunk));
        assert_eq!(txn.into_parts().unwrap().0.of(Table::Ready).count(), 2);
    }
}
