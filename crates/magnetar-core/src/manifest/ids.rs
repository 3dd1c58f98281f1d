//! A set of ids that costs nothing for ids that follow each other, and about eleven bytes for any other.

use std::{
    collections::{BTreeMap, HashSet},
    hash::{BuildHasher, RandomState},
};

use crate::id::ChunkId;

/// Sets that share the ids: one grows at a time, so nothing doubles at once. With this many, ten million ids fill each
/// to 52,000 of the 57,344 places that its 65,536 buckets give: 113 MB for all.
const SHARDS: usize = 192;

/// Ids of a run that is worth a place of its own.
const RUN_IDS_MIN: u64 = 16;

/// The set.
#[derive(Debug)]
pub(super) struct IdSet {
    /// The run that grows: the first id and the last.
    growing: Option<(ChunkId, ChunkId)>,
    /// Runs that have ended, the last id by the first.
    runs: BTreeMap<ChunkId, ChunkId>,
    /// Ids of runs that ended too short.
    single: Vec<HashSet<ChunkId>>,
    hasher: RandomState,
}

impl IdSet {
    /// The set of nothing.
    pub(super) fn new() -> Self {
        let single = (0..SHARDS).map(|_| HashSet::new()).collect();
        Self { growing: None, runs: BTreeMap::new(), single, hasher: RandomState::new() }
    }

    /// Whether the id is in the set.
    pub(super) fn contains(&self, id: ChunkId) -> bool {
        self.growing.is_some_and(|(first, last)| (first..=last).contains(&id))
            || self.runs.range(..=id).next_back().is_some_and(|(_, last)| id <= *last)
            || self.single.get(self.shard(id)).is_some_and(|ids| ids.contains(&id))
    }

    /// Puts an id in. Returns whether it was new.
    pub(super) fn insert(&mut self, id: ChunkId) -> bool {
        if self.contains(id) {
            return false;
        }
        match &mut self.growing {
            Some((_, last)) if last.checked_add(1) == Some(id) => *last = id,
            growing => {
                let ended = growing.replace((id, id));
                self.keep(ended);
            }
        }
        true
    }

    fn keep(&mut self, run: Option<(ChunkId, ChunkId)>) {
        match run {
            None => {}
            Some((first, last)) if last - first + 1 >= RUN_IDS_MIN => {
                self.runs.insert(first, last);
            }
            Some((first, last)) => {
                for id in first..=last {
                    let shard = self.shard(id);
                    if let Some(ids) = self.single.get_mut(shard) {
                        ids.insert(id);
                    }
                }
            }
        }
    }

    fn shard(&self, id: ChunkId) -> usize {
        let hash = self.hasher.hash_one(id) % SHARDS as u64;
        usize::try_from(hash).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ids_that_follow_each_other_cost_nothing() {
        let mut ids = IdSet::new();
        assert!((0..1_000_000).chain(5_000_000..6_000_000).all(|id| ids.insert(id)));
        assert_eq!(ids.single.iter().map(HashSet::len).sum::<usize>(), 0);
        assert!([0, 999_999, 5_000_000, 5_999_999].into_iter().all(|id| ids.contains(id) && !ids.insert(id)));
        assert!([1_000_000, 4_999_999, 6_000_000, u64::MAX].into_iter().all(|id| !ids.contains(id)));
    }

    #[test]
    fn ids_that_stand_alone_cost_no_run() {
        let mut ids = IdSet::new();
        assert!((0..1000).all(|id| ids.insert(2 * id)));
        assert_eq!((ids.runs.len(), ids.single.iter().map(HashSet::len).sum()), (0, 999));
    }

    proptest! {
        #[test]
        fn a_set_of_ids_is_a_set(
            ids in prop::collection::vec(prop_oneof![0..40_u64, 100..140_u64, any::<u64>()], 0..200),
            start in 0..100_u64,
        ) {
            let mut set = IdSet::new();
            let mut model = BTreeSet::new();
            for id in (start..start + 60).chain(ids.iter().copied()).chain(start..start + 60) {
                prop_assert_eq!(set.insert(id), model.insert(id));
            }
            for id in (0..200).chain(ids) {
                prop_assert_eq!(set.contains(id), model.contains(&id));
            }
        }
    }
}
